#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../traces/array.h"
#include "../traces/error.h"
#include "gather.h"
#include "observe_inside.h"

#define INPUT_BYTES_MAX (UINT64_C(256) << 20)
#define UMASK 022
#define WORKDIR_USER \
	"sworn" /* whose HOME and PWD are the working directory: nobody else is called so */

/* The value of a variable in a list of strings, NULL when it is not there. */
static const char *variable(const struct buffer *strings, const char *name)
{
	size_t length = strlen(name);
	for (size_t at = 0; at < strings->length;) {
		const char *text = (const char *)strings->bytes + at;
		size_t n = strnlen(text, strings->length - at);
		if (n > length && !strncmp(text, name, length) && text[length] == '=')
			return text + length + 1;
		at += n + 1;
	}
	return NULL;
}

char *observe_workdir(const struct event *exec, const char *directory)
{
	struct buffer strings = { 0 };
	const char *name, *pwd;
	char *found = NULL;
	uint32_t count;
	if (image_strings(exec, IMAGE_ENVIRONMENT, &strings, &count) == 0) {
		name = variable(&strings, "LOGNAME");
		pwd = variable(&strings, "PWD");
		if (name && pwd && !strcmp(name, WORKDIR_USER) && pwd[0] == '/' &&
		    strcmp(pwd, directory) != 0)
			found = strdup(pwd);
	}
	buffer_release(&strings);
	return found;
}

/* The tables start in the directory that the guests saw. */
static int begin(struct observer *o, const struct event *event)
{
	struct trace_info info = *reader_info(o->reader);
	char *workdir = event->kind == EVENT_EXEC ? observe_workdir(event, info.directory) : NULL;
	if (workdir)
		info.directory = workdir;
	o->seen->history = history_new(&info);
	free(workdir);
	return o->seen->history ? 0 : -ENOMEM;
}

struct seen *observe_add(struct observer *o, enum seen_kind kind, const char *name, uint64_t event)
{
	struct observation *all = o->seen;
	struct seen *grown = array_grow(all->seen, all->seen_count, &all->seen_capacity, sizeof(*grown));
	if (!grown) {
		o->error = -ENOMEM;
		return NULL;
	}
	all->seen = grown;
	grown = &grown[all->seen_count];
	*grown = (struct seen){ .kind = kind, .event = event };
	content_init(&grown->content, 0, &all->budget);
	if (name && !(grown->name = strdup(name))) {
		o->error = -ENOMEM;
		return NULL;
	}
	all->seen_count++;
	return grown;
}

/* Zeroed room for entry `index` of a table that is addressed by the history's numbers. */
void *observe_entry(struct observer *o, struct observe_table *table, size_t index, size_t entry_bytes)
{
	if (index >= table->count) {
		size_t count = index + index / 2 + 16;
		char *grown = reallocarray(table->entries, count, entry_bytes);
		if (!grown) {
			o->error = -ENOMEM;
			return NULL;
		}
		memset(grown + table->count * entry_bytes, 0, (count - table->count) * entry_bytes);
		table->entries = grown;
		table->count = count;
	}
	return (char *)table->entries + index * entry_bytes;
}

/* What was started, in words. */
static char *command_of(const struct history_program *program)
{
	const struct history_strings *arguments = &program->arguments;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		return NULL;
	fputs(program->path ? program->path : "?", out);
	for (size_t at = 0; arguments->bytes && at < arguments->length;) {
		size_t n = strnlen(arguments->bytes + at, arguments->length - at);
		fputs(" '", out);
		fwrite(arguments->bytes + at, 1, n, out);
		fputc('\'', out);
		at += n + 1;
	}
	return fclose(out) == 0 ? text : NULL;
}

static void note_program(struct observer *o, const struct event *event)
{
	const struct history *h = o->seen->history;
	const struct history_program *program = h->programs_count ? &h->programs[h->programs_count - 1]
								  : NULL;
	char *name = program && program->event == event->number ? command_of(program) : NULL;
	struct seen *seen = name ? observe_add(o, SEEN_PROGRAM, name, event->number) : NULL;
	free(name);
	if (!seen)
		return;
	seen->program = (uint32_t)h->programs_count;
	if (asprintf(&seen->state, "in %s", program->directory ? program->directory : "?") < 0)
		seen->state = NULL;
}

/* A process starts with the mask of who made it. */
mode_t *observe_umask(struct observer *o, uint32_t process)
{
	struct mask *mask = observe_entry(o, &o->masks, process, sizeof(*mask));
	uint32_t parent;
	if (!mask)
		return &o->spare_mask;
	if (mask->known)
		return &mask->mask;
	parent = process && process <= o->seen->history->processes_count
			 ? o->seen->history->processes[process - 1].parent
			 : 0;
	struct mask value = { true, UMASK };
	if (parent && parent < process)
		value.mask = *observe_umask(o, parent);
	mask = observe_entry(o, &o->masks, process, sizeof(*mask));
	*mask = value;
	return &mask->mask;
}

static int each(void *context, const struct event *event)
{
	struct observer *o = context;
	struct event whole;
	int r = o->seen->history ? 0 : begin(o, event);
	if (r == 0)
		r = history_event(o->seen->history, event);
	if (r == 0)
		r = gather_event(o->gather, event, &whole);
	if (r <= 0)
		return r;
	if (whole.kind == EVENT_CALL && !(whole.flags & (CALL_RESTARTED | CALL_UNFINISHED)))
		observe_call(o, &whole);
	else if (whole.kind == EVENT_REFUSED)
		observe_refused(o, &whole);
	else if (whole.kind == EVENT_EXEC)
		note_program(o, &whole);
	else if (whole.kind == EVENT_CLONE)
		observe_umask(o, history_thread_process(o->seen->history, whole.clone.child));
	return o->error;
}

int observe(struct reader *reader, struct observation **ret)
{
	struct observer o = { .reader = reader };
	struct trace_report report;
	int r;
	o.seen = calloc(1, sizeof(*o.seen));
	o.gather = gather_new();
	if (!o.seen || !o.gather) {
		free(o.seen);
		gather_release(o.gather);
		return -ENOMEM;
	}
	o.seen->budget = OBSERVE_BYTES_MAX;
	o.seen->input_budget = INPUT_BYTES_MAX;
	content_init(&o.seen->input, 0, &o.seen->budget);
	for (unsigned int i = 0; i < 2; i++)
		observe_add(&o, SEEN_OUTPUT, i ? "standard error" : "standard output", 0);
	r = o.error ? o.error : reader_check(reader, &report, each, &o);
	if (r == 0 && !o.seen->history)
		r = SWORN_EFORMAT;
	if (r == 0) {
		history_finish(o.seen->history);
		o.seen->ended = o.seen->history->ended;
		o.seen->status = o.seen->history->status;
		observe_finish(&o);
		r = o.error;
	}
	free(o.positions.entries);
	free(o.masks.entries);
	free(o.files.entries);
	free(o.inputs.entries);
	free(o.channels.entries);
	flow_release(&o.flow);
	gather_release(o.gather);
	if (r < 0)
		observation_release(o.seen);
	else
		*ret = o.seen;
	return r;
}

void observation_release(struct observation *observation)
{
	if (!observation)
		return;
	for (size_t i = 0; i < observation->seen_count; i++) {
		free(observation->seen[i].name);
		free(observation->seen[i].state);
		content_release(&observation->seen[i].content);
	}
	free(observation->seen);
	content_release(&observation->input);
	history_release(observation->history);
	free(observation);
}
