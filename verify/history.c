#include "history_inside.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "image.h"
#include "../traces/array.h"
#include "../traces/error.h"

void *history_add(struct history *history, void **table, size_t *count, size_t *capacity,
		  size_t entry_bytes)
{
	void *grown = *count < UINT32_MAX ? array_grow(*table, *count, capacity, entry_bytes) : NULL;
	if (!grown) {
		history->inside->error = -ENOMEM;
		return NULL;
	}
	*table = grown;
	return memset((char *)grown + (*count)++ * entry_bytes, 0, entry_bytes);
}

struct history *history_new(const struct trace_info *info)
{
	struct history *history = calloc(1, sizeof(*history));
	struct history_inside *inside = calloc(1, sizeof(*inside));
	if (!history || !inside) {
		free(history);
		free(inside);
		return NULL;
	}
	history->inside = inside;
	inside->gather = gather_new();
	struct thread_state first = { .directories = calloc(1, sizeof(struct directories)),
				      .descriptors = calloc(1, sizeof(struct descriptors)) };
	inside->threads = calloc(2, sizeof(*inside->threads));
	if (!inside->gather || !inside->threads || !first.directories || !first.descriptors ||
	    places_init(&inside->places, &inside->pool) < 0) {
		free(first.directories);
		free(first.descriptors);
		history_release(history);
		return NULL;
	}
	inside->threads_count = 2;
	first.directories->users = first.descriptors->users = 1;
	first.directories->root = PLACE_ROOT;
	first.directories->current = place_walk(&inside->places, PLACE_ROOT, PLACE_ROOT,
						info->directory ? info->directory : "/");
	inside->threads[1] = first;
	return history;
}

void history_release(struct history *history)
{
	if (!history)
		return;
	struct history_inside *inside = history->inside;
	for (size_t i = 0; i < inside->threads_count; i++)
		handle_thread_gone(history, &inside->threads[i], HISTORY_NO_EVENT);
	handle_finish(history);
	free(inside->threads);
	free(inside->live);
	free(inside->callers_next);
	map_release(&inside->pids);
	map_release(&inside->uses);
	map_release(&inside->peers);
	map_release(&inside->callers);
	map_release(&inside->bound);
	map_release(&inside->sinks);
	flow_release(&inside->flow);
	gather_release(inside->gather);
	buffer_release(&inside->scratch);
	places_release(&inside->places);
	pool_release(&inside->pool);
	free(inside);
	free(history->processes);
	free(history->programs);
	free(history->files);
	free(history->uses);
	free(history->changes);
	free(history->handles);
	free(history->sockets);
	free(history->peers);
	free(history->passes);
	free(history->signals);
	free(history->sinks);
	free(history);
}

static struct thread_state *thread_of(struct history *history, uint32_t thread)
{
	struct history_inside *inside = history->inside;
	if (thread >= inside->threads_count) {
		size_t count = 2 * (size_t)thread;
		struct thread_state *grown;
		if (thread > HISTORY_THREADS_MAX) {
			inside->error = SWORN_ELIMIT;
			return NULL;
		}
		grown = reallocarray(inside->threads, count, sizeof(*grown));
		if (!grown) {
			inside->error = -ENOMEM;
			return NULL;
		}
		memset(grown + inside->threads_count, 0,
		       (count - inside->threads_count) * sizeof(*grown));
		inside->threads = grown;
		inside->threads_count = count;
	}
	return &inside->threads[thread];
}

static struct history_process *process_of(const struct history *history, uint32_t process)
{
	return process > 0 && process <= history->processes_count ? &history->processes[process - 1]
								  : NULL;
}

static uint32_t process_new(struct history *history, uint32_t parent, uint32_t thread, uint32_t pid)
{
	struct history_process *process = HISTORY_ADD(history, processes);
	uint32_t number = (uint32_t)history->processes_count;
	const struct history_process *above = process_of(history, parent);
	if (!process)
		return 0;
	process->pid = pid;
	process->parent = parent;
	process->thread = thread;
	process->program = above ? above->program : 0;
	process->start = history->events;
	process->end = HISTORY_NO_EVENT;
	process->threads = process->threads_alive = 1;
	if (map_set(&history->inside->pids, pid, 0, number) < 0)
		history->inside->error = -ENOMEM;
	return number;
}

static void note_clone(struct history *history, const struct event *event)
{
	struct thread_state *child = thread_of(history, event->clone.child);
	struct thread_state *parent = thread_of(history, event->thread);
	struct history_process *process = parent ? process_of(history, parent->process) : NULL;
	uint64_t flags = event->clone.clone_flags;
	if (!child || !process || child == parent)
		return;
	handle_thread_gone(history, child, event->number);
	handle_thread_new(history, child, parent, flags);
	if (flags & CLONE_THREAD) {
		child->process = parent->process;
		process->threads++;
		process->threads_alive++;
		return;
	}
	child->process = process_new(history, flags & CLONE_PARENT ? process->parent : parent->process,
				     event->clone.child, event->clone.pid);
}

static struct history_strings keep_strings(struct history *history, const struct event *event,
					   enum image_list list)
{
	struct history_inside *inside = history->inside;
	struct history_strings strings = { 0 };
	inside->scratch.length = 0;
	int r = image_strings(event, list, &inside->scratch, &strings.count);
	if (r == 0) {
		strings.length = inside->scratch.length;
		strings.bytes = pool_keep(&inside->pool,
					  inside->scratch.bytes ? inside->scratch.bytes
								: (const void *)"",
					  inside->scratch.length);
	}
	if (r == -ENOMEM || (r == 0 && !strings.bytes))
		inside->error = -ENOMEM;
	return strings;
}

/* The program itself is the first mapping that has its path; an interpreter's comes later. */
static void note_digest(struct history_program *program, const struct event *event)
{
	for (size_t i = 0; i < event->mappings_count; i++) {
		const struct mapping *m = &event->mappings[i];
		if (!m->path || m->backing == BACKING_ANON)
			continue;
		if (event->exec.path && strcmp(m->path, event->exec.path) != 0)
			continue;
		memcpy(program->digest, m->digest, DIGEST_BYTES);
		return;
	}
}

static void note_exec(struct history *history, const struct event *event)
{
	struct thread_state *thread = thread_of(history, event->thread);
	struct history_inside *inside = history->inside;
	struct history_program *program;
	if (!thread)
		return;
	if (!thread->process)
		thread->process = process_new(history, 0, event->thread, event->exec.process);
	struct history_process *process = process_of(history, thread->process);
	program = process ? HISTORY_ADD(history, programs) : NULL;
	if (!program)
		return;
	program->process = thread->process;
	program->unit = event->exec.unit;
	program->previous = process->program;
	program->event = event->number;
	program->path = pool_keep_text(&inside->pool, event->exec.path ? event->exec.path : "");
	program->arguments = keep_strings(history, event, IMAGE_ARGUMENTS);
	program->environment = keep_strings(history, event, IMAGE_ENVIRONMENT);
	note_digest(program, event);
	process->program = (uint32_t)history->programs_count;
	struct moment moment = { history, inside, event, thread };
	place_path(&inside->places, thread->directories ? thread->directories->current : PLACE_ROOT,
		   inside->path, sizeof(inside->path));
	program->directory = pool_keep_text(&inside->pool, inside->path);
	uint32_t place = call_place(&moment, -100, program->path ? program->path : "");
	program->file = file_at_place(history, place);
	if (program->file) {
		struct history_file *file = file_get(history, program->file);
		memcpy(file->content, program->digest, DIGEST_BYTES);
		file_use(&moment, program->file)->maps++;
	}
	handle_exec(history, thread, event->number);
	if (!program->path || !program->directory)
		inside->error = -ENOMEM;
}

static void note_exit(struct history *history, const struct event *event)
{
	struct thread_state *thread = thread_of(history, event->thread);
	struct history_process *process = thread ? process_of(history, thread->process) : NULL;
	if (!process)
		return;
	handle_thread_gone(history, thread, event->number);
	if (process->threads_alive > 0)
		process->threads_alive--;
	if (!event->exit.process_gone)
		return;
	process->gone = true;
	process->end = event->number;
	process->status = event->exit.status;
}

static void note_signal(struct history *history, const struct event *event)
{
	const struct thread_state *thread = thread_of(history, event->thread);
	struct history_signal *signal = thread ? HISTORY_ADD(history, signals) : NULL;
	siginfo_t info;
	if (!signal)
		return;
	memcpy(&info, event->signal.siginfo, sizeof(info));
	signal->kind = event->signal.action == SIGNAL_FATAL ? SIGNAL_KILLED : SIGNAL_TAKEN;
	signal->process = thread->process;
	signal->thread = event->thread;
	signal->number = (uint32_t)info.si_signo;
	signal->code = info.si_code;
	signal->event = event->number;
	if (info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE ||
	    (info.si_signo == SIGCHLD && info.si_code > 0))
		signal->sender = (uint32_t)info.si_pid;
	else if (info.si_code > 0)
		signal->address = (uint64_t)(uintptr_t)info.si_addr;
}

static void note_call(struct history *history, const struct event *event)
{
	struct thread_state *thread = thread_of(history, event->thread);
	struct history_process *process = thread ? process_of(history, thread->process) : NULL;
	if (event->kind == EVENT_REFUSED)
		history->refused++;
	if (!process || event->kind == EVENT_REFUSED || event->flags & CALL_RESTARTED)
		return;
	history->calls++;
	process->calls++;
	if (event->flags & CALL_UNFINISHED)
		return;
	struct moment moment = { history, history->inside, event, thread };
	call_note(&moment);
}

static void note_end(struct history *history, const struct event *event)
{
	history->ended = true;
	history->status = event->end.status;
	for (size_t i = 0; i < event->end.sinks_count; i++) {
		struct history_sink *sink = HISTORY_ADD(history, sinks);
		if (!sink)
			return;
		sink->sink = event->end.sinks[i];
		sink->file = map_find(&history->inside->sinks, sink->sink.number, 0);
		struct history_file *file = file_get(history, sink->file);
		if (file)
			file->sink = sink->sink.number;
	}
}

static void note(struct history *history, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED: note_call(history, event); return;
	case EVENT_EXEC: note_exec(history, event); return;
	case EVENT_CLONE: note_clone(history, event); return;
	case EVENT_EXIT: note_exit(history, event); return;
	case EVENT_SIGNAL: note_signal(history, event); return;
	case EVENT_END: note_end(history, event); return;
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY: return;
	}
}

int history_event(struct history *history, const struct event *event)
{
	struct event whole;
	history->events = event->number;
	int r = gather_event(history->inside->gather, event, &whole);
	if (r > 0)
		note(history, &whole);
	history->events = event->number + 1;
	return r < 0 ? r : history->inside->error;
}

void history_finish(struct history *history)
{
	handle_finish(history);
}

uint32_t history_thread_process(const struct history *history, uint32_t thread)
{
	return thread < history->inside->threads_count ? history->inside->threads[thread].process : 0;
}

uint32_t history_descriptor(const struct history *history, uint32_t thread, int fd)
{
	return thread < history->inside->threads_count
		       ? handle_find(&history->inside->threads[thread], fd)
		       : 0;
}

void history_path(const struct history *history, uint32_t file, char ret_path[HISTORY_PATH_BYTES])
{
	const struct history_file *found = file_get(history, file);
	size_t length;
	ret_path[0] = '\0';
	if (!found)
		return;
	if (found->place) {
		place_path(&history->inside->places, found->place, ret_path, HISTORY_PATH_BYTES);
		return;
	}
	const char *path = found->last ? found->last : found->path;
	length = strnlen(path, HISTORY_PATH_BYTES - 1);
	memcpy(ret_path, path, length);
	ret_path[length] = '\0';
}

void history_directory(const struct history *history, uint32_t thread, char ret_path[HISTORY_PATH_BYTES])
{
	const struct history_inside *inside = history->inside;
	const struct directories *directories = thread < inside->threads_count
							? inside->threads[thread].directories
							: NULL;
	place_path(&inside->places, directories ? directories->current : PLACE_ROOT, ret_path,
		   HISTORY_PATH_BYTES);
}

uint32_t history_find_path(const struct history *history, const char *path)
{
	struct history_inside *inside = history->inside;
	const struct place *place;
	if (path[0] != '/')
		return 0;
	place = place_at(&inside->places, place_walk(&inside->places, PLACE_ROOT, PLACE_ROOT, path));
	if (place && place->file)
		return place->file;
	for (size_t i = history->files_count; i-- > 0;)
		if (strcmp(history->files[i].path, path) == 0)
			return (uint32_t)i + 1;
	return 0;
}

const char *history_action_name(enum history_action action)
{
	switch (action) {
	case ACTION_CREATE: return "create";
	case ACTION_TRUNCATE: return "truncate";
	case ACTION_DELETE: return "delete";
	case ACTION_RENAME: return "rename";
	case ACTION_REPLACE: return "replace";
	case ACTION_LINK: return "link";
	case ACTION_SYMLINK: return "symlink";
	case ACTION_MODE: return "mode";
	case ACTION_OWNER: return "owner";
	case ACTION_TIMES: return "times";
	case ACTION_ATTRIBUTE: return "attribute";
	case ACTION_MOUNT: return "mount";
	}
	return "?";
}

const char *history_role_name(enum history_role role)
{
	switch (role) {
	case ROLE_NONE: return "none";
	case ROLE_CONNECT: return "connect";
	case ROLE_ACCEPT: return "accept";
	case ROLE_LISTEN: return "listen";
	case ROLE_PAIR: return "pair";
	case ROLE_DATAGRAM: return "datagram";
	}
	return "?";
}
