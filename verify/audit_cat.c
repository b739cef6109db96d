#include "audit.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "gather.h"
#include "../traces/array.h"

/* What is asked for: a descriptor of a process, or a file by its path. */
struct wanted {
	struct audit *audit;
	bool by_path;
	uint32_t pid;
	int fd;
	const char *path; /* by_path */
	bool *files;	  /* by_path: whether a number is asked for; owned */
	bool ways[2];
	struct history *history; /* as far as the events went */
	struct gather *gather;
	struct flow flow;
	uint64_t calls, unseen;
};

/* "fd:PID:FD" or "file:PATH", then perhaps ":read" or ":write". */
static bool parse(char *text, struct wanted *wanted)
{
	size_t length = strlen(text);
	char *colon;
	uint64_t pid, fd;
	wanted->ways[FLOW_READ] = wanted->ways[FLOW_WRITE] = true;
	if (length > 5 && strcmp(text + length - 5, ":read") == 0) {
		wanted->ways[FLOW_WRITE] = false;
		text[length - 5] = '\0';
	} else if (length > 6 && strcmp(text + length - 6, ":write") == 0) {
		wanted->ways[FLOW_READ] = false;
		text[length - 6] = '\0';
	}
	if (strncmp(text, "file:", 5) == 0 && text[5]) {
		wanted->by_path = true;
		wanted->path = text + 5;
		return true;
	}
	if (strncmp(text, "fd:", 3) != 0 || (colon = strchr(text + 3, ':')) == NULL)
		return false;
	*colon = '\0';
	bool ok = audit_number(text + 3, &pid) && audit_number(colon + 1, &fd) && fd <= INT_MAX &&
		  pid <= UINT32_MAX;
	wanted->pid = (uint32_t)pid;
	wanted->fd = (int)fd;
	return ok;
}

/* The files that had the path at any time: their numbers come out the same when the trace is read again. */
static bool *find_files(const struct history *history, const char *path)
{
	bool *files = calloc(history->files_count + 1, sizeof(*files));
	char now[HISTORY_PATH_BYTES];
	for (uint32_t i = 1; files && i <= history->files_count; i++) {
		history_path(history, i, now);
		files[i] = strcmp(now, path) == 0 || strcmp(history->files[i - 1].path, path) == 0;
	}
	for (size_t i = 0; files && i < history->changes_count; i++) {
		const struct history_change *change = &history->changes[i];
		if (change->other && change->action != ACTION_SYMLINK && strcmp(change->other, path) == 0)
			files[change->file] = true;
	}
	return files;
}

static bool is_wanted(const struct wanted *wanted, const struct event *event)
{
	const struct history *history = wanted->history;
	uint32_t process = history_thread_process(history, event->thread);
	if (!wanted->ways[wanted->flow.way] || !process)
		return false;
	if (!wanted->by_path)
		return history->processes[process - 1].pid == wanted->pid &&
		       wanted->flow.fd == wanted->fd;
	uint32_t handle = history_descriptor(history, event->thread, wanted->flow.fd);
	uint32_t file = handle ? history->handles[handle - 1].file : 0;
	return file <= wanted->audit->history->files_count && wanted->files[file];
}

static void put(struct wanted *wanted, const struct event *event)
{
	struct audit *audit = wanted->audit;
	struct out *out = &audit->out;
	const struct flow *flow = &wanted->flow;
	uint64_t offset = 0;
	if (!flow->seen)
		wanted->unseen += flow->bytes;
	for (size_t i = 0; i < flow->slices_count; i++) {
		const struct slice *slice = &flow->slices[i];
		if (!out->json) {
			out_raw(out, slice->bytes, slice->length);
			continue;
		}
		out_line(out, "bytes");
		out_member_uint(out, "event", event->number);
		audit_member_process(audit, "pid",
				     history_thread_process(wanted->history, event->thread));
		out_member_int(out, "fd", flow->fd);
		out_member_text(out, "way", flow->way == FLOW_READ ? "read" : "write");
		out_member_uint(out, "offset", offset);
		out_member_bytes(out, "bytes", slice->bytes, slice->length);
		out_end(out);
		offset += slice->length;
	}
}

static int take(void *context, const struct event *event)
{
	struct wanted *wanted = context;
	struct event whole;
	int r = gather_event(wanted->gather, event, &whole);
	if (r > 0)
		r = flow_of(&whole, &wanted->flow);
	if (r > 0 && is_wanted(wanted, &whole)) {
		wanted->calls++;
		put(wanted, &whole);
	}
	return r < 0 ? r : history_event(wanted->history, event);
}

static int nothing(const struct wanted *wanted, const char *query)
{
	const struct history *history = wanted->audit->history;
	char names[2][256];
	unsigned int best = UINT32_MAX;
	const char *nearest = "none";
	if (!wanted->by_path)
		return audit_fail(wanted->audit, VERIFY_NOTHING,
				  "no bytes went through %s; `sworn audit ps TRACE` lists processes, "
				  "`sworn audit events --pid PID TRACE` their descriptors",
				  audit_quote(query, names[0], sizeof(names[0])));
	for (size_t i = 0; i < history->files_count; i++) {
		const struct history_file *file = &history->files[i];
		if ((file->moved.calls[0] == 0 && file->moved.calls[1] == 0) || strlen(file->path) > 120)
			continue;
		if (audit_distance(wanted->path, file->path) < best) {
			best = audit_distance(wanted->path, file->path);
			nearest = file->path;
		}
	}
	return audit_fail(wanted->audit, VERIFY_NOTHING,
			  "no call moved bytes of %s; the nearest that has some is file:%s",
			  audit_quote(wanted->path, names[0], sizeof(names[0])),
			  audit_quote(nearest, names[1], sizeof(names[1])));
}

int audit_cat(struct audit *audit)
{
	struct wanted wanted = { .audit = audit };
	char *query = strdup(audit->arguments[0]);
	int r = -ENOMEM, code;
	if (query && !parse(query, &wanted)) {
		free(query);
		return audit_fail(audit, VERIFY_USAGE,
				  "what is asked for is fd:PID:FD or file:PATH, such as "
				  "`sworn audit cat file:/etc/passwd TRACE`");
	}
	wanted.history = history_new(audit->result.info);
	wanted.gather = gather_new();
	if (wanted.by_path)
		wanted.files = find_files(audit->history, wanted.path);
	if (query && wanted.history && wanted.gather && (wanted.files || !wanted.by_path))
		r = audit_each(audit, take, &wanted);
	code = audit_end(audit, r);
	if (code == VERIFY_OK && wanted.calls == 0)
		code = nothing(&wanted, audit->arguments[0]);
	if (wanted.unseen > 0)
		audit_fail(audit, 0,
			   "%llu more bytes were moved by the kernel alone (sendfile, splice); "
			   "a trace does not hold them",
			   (unsigned long long)wanted.unseen);
	flow_release(&wanted.flow);
	gather_release(wanted.gather);
	history_release(wanted.history);
	free(wanted.files);
	free(query);
	return code;
}
