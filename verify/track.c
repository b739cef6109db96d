#include "track.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "../traces/syscall.h"

#define DESCRIPTORS_MAX 65536U
#define REGIONS_MAX 65536U

/* Threads that share their descriptors share one of these. */
struct files {
	unsigned int users;
	size_t count;
	char **names; /* owned, count of them; NULL: not known */
};

struct region {
	uint32_t unit;
	uint64_t start, end;
	char *path; /* owned */
};

struct tracked {
	uint32_t thread, unit;
	struct files *files;
};

struct track {
	struct tracked *threads; /* owned; those that live */
	size_t count, capacity;
	struct region *regions; /* owned, oldest first */
	size_t regions_count, regions_capacity;
};

struct track *track_new(void)
{
	return calloc(1, sizeof(struct track));
}

static void files_release(struct files *files)
{
	if (!files || --files->users > 0)
		return;
	for (size_t i = 0; i < files->count; i++)
		free(files->names[i]);
	free(files->names);
	free(files);
}

void track_release(struct track *track)
{
	if (!track)
		return;
	for (size_t i = 0; i < track->count; i++)
		files_release(track->threads[i].files);
	for (size_t i = 0; i < track->regions_count; i++)
		free(track->regions[i].path);
	free(track->threads);
	free(track->regions);
	free(track);
}

static struct tracked *find(const struct track *track, uint32_t thread)
{
	for (size_t i = track->count; i-- > 0;)
		if (track->threads[i].thread == thread)
			return &track->threads[i];
	return NULL;
}

static struct tracked *add_thread(struct track *track, uint32_t thread, struct files *files)
{
	if (track->count == track->capacity) {
		size_t capacity = track->capacity ? 2 * track->capacity : 16;
		struct tracked *grown = reallocarray(track->threads, capacity, sizeof(*track->threads));
		if (!grown)
			return NULL;
		track->threads = grown;
		track->capacity = capacity;
	}
	track->threads[track->count] = (struct tracked){ .thread = thread, .files = files };
	return &track->threads[track->count++];
}

/* The thread's entry, made where there is none. */
static struct tracked *take(struct track *track, uint32_t thread)
{
	struct tracked *found = find(track, thread);
	if (found)
		return found;
	struct files *files = calloc(1, sizeof(*files));
	if (files)
		files->users = 1;
	found = files ? add_thread(track, thread, files) : NULL;
	if (!found)
		free(files);
	return found;
}

static int name_descriptor(struct files *files, int64_t descriptor, const char *name)
{
	size_t at = (size_t)descriptor;
	char *copy;
	if (descriptor < 0 || at >= DESCRIPTORS_MAX)
		return 0;
	if (at >= files->count) {
		size_t count = at + 16;
		char **grown = reallocarray(files->names, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + files->count, 0, (count - files->count) * sizeof(*grown));
		files->names = grown;
		files->count = count;
	}
	copy = name ? strdup(name) : NULL;
	if (name && !copy)
		return -ENOMEM;
	free(files->names[at]);
	files->names[at] = copy;
	return 0;
}

static const char *named(const struct files *files, int64_t descriptor)
{
	return descriptor >= 0 && (size_t)descriptor < files->count ? files->names[descriptor] : NULL;
}

/* Other calls take texts that are no paths. */
static bool takes_path(const struct row *row)
{
	return row->grant == GRANT_FS_READ || row->grant == GRANT_FS_WRITE ||
	       row->grant == GRANT_FS_BY_FLAGS || row->grant == GRANT_PROC_SPAWN;
}

const char *event_path(const struct event *event)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	if (!row || !takes_path(row))
		return NULL;
	for (unsigned int i = 0; i < 6; i++) {
		if (row->args[i].kind != ARG_MEMORY || row->args[i].extent != EXTENT_STRING)
			continue;
		for (size_t n = 0; n < event->payloads_count; n++) {
			const struct payload *p = &event->payloads[n];
			if (p->arg == i && p->direction == DIRECTION_IN && p->length > 0 &&
			    p->bytes[p->length - 1] == '\0')
				return (const char *)p->bytes;
		}
	}
	return NULL;
}

/* pipe() and socketpair() give two descriptors in memory. */
static int note_pair(struct files *files, const struct event *event, const char *name)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		int32_t pair[2];
		if (p->direction != DIRECTION_OUT || p->length != sizeof(pair))
			continue;
		memcpy(pair, p->bytes, sizeof(pair));
		for (int n = 0; n < 2; n++)
			if (name_descriptor(files, pair[n], name) < 0)
				return -ENOMEM;
	}
	return 0;
}

static int note_regions(struct track *track, uint32_t unit, const struct event *event)
{
	for (size_t i = 0; i < event->mappings_count; i++) {
		const struct mapping *m = &event->mappings[i];
		if (track->regions_count == REGIONS_MAX)
			return 0;
		if (track->regions_count == track->regions_capacity) {
			size_t capacity = track->regions_capacity ? 2 * track->regions_capacity : 64;
			struct region *grown = reallocarray(track->regions, capacity,
							    sizeof(*track->regions));
			if (!grown)
				return -ENOMEM;
			track->regions = grown;
			track->regions_capacity = capacity;
		}
		char *path = m->path ? strdup(m->path) : NULL;
		if (m->path && !path)
			return -ENOMEM;
		track->regions[track->regions_count++] = (struct region){ unit, m->start, m->end, path };
	}
	return 0;
}

/* Whether a call changes what is followed here. */
static bool is_followed(const struct event *event, const struct row *row)
{
	return event->mappings_count > 0 || row->result == RESULT_FD || event->nr == SYS_close ||
	       event->nr == SYS_pipe || event->nr == SYS_pipe2 || event->nr == SYS_socketpair;
}

static int note_call(struct track *track, const struct event *event)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	struct tracked *thread;
	const char *name;
	char made[64];
	if (!row || event->result < 0 || !is_followed(event, row))
		return 0;
	thread = take(track, event->thread);
	if (!thread)
		return -ENOMEM;
	if (event->mappings_count > 0)
		return note_regions(track, thread->unit, event);
	if (event->nr == SYS_pipe || event->nr == SYS_pipe2)
		return note_pair(thread->files, event, "[pipe]");
	if (event->nr == SYS_socketpair)
		return note_pair(thread->files, event, "[socket]");
	if (event->nr == SYS_close)
		return name_descriptor(thread->files, (int64_t)event->args[0], NULL);
	name = event_path(event);
	if (!name && row->args[0].kind == ARG_FD)
		name = named(thread->files, (int64_t)(int32_t)event->args[0]);
	snprintf(made, sizeof(made), "[%s]", row->name);
	return name_descriptor(thread->files, event->result, name ? name : made);
}

static struct files *copy_files(const struct files *from)
{
	struct files *copy = calloc(1, sizeof(*copy));
	if (!copy)
		return NULL;
	copy->users = 1;
	for (size_t i = from->count; i-- > 0;) {
		if (from->names[i] && name_descriptor(copy, (int64_t)i, from->names[i]) < 0) {
			files_release(copy);
			return NULL;
		}
	}
	return copy;
}

static int note_clone(struct track *track, const struct event *event)
{
	struct tracked *parent = take(track, event->thread), *child;
	struct files *files = parent ? parent->files : NULL;
	uint32_t unit = parent ? parent->unit : 0;
	if (!parent)
		return -ENOMEM;
	if (event->clone.clone_flags & CLONE_FILES)
		files->users++;
	else
		files = copy_files(files);
	child = files ? add_thread(track, event->clone.child, files) : NULL;
	if (!child) {
		files_release(files);
		return -ENOMEM;
	}
	child->unit = unit;
	return 0;
}

static void note_exit(struct track *track, const struct event *event)
{
	struct tracked *gone = find(track, event->thread);
	if (!gone)
		return;
	files_release(gone->files);
	*gone = track->threads[--track->count];
}

int track_event(struct track *track, const struct event *event)
{
	struct tracked *thread;
	switch (event->kind) {
	case EVENT_CALL: return note_call(track, event);
	case EVENT_CLONE: return note_clone(track, event);
	case EVENT_EXIT: note_exit(track, event); return 0;
	case EVENT_EXEC:
		thread = take(track, event->thread);
		if (!thread)
			return -ENOMEM;
		thread->unit = event->exec.unit;
		return note_regions(track, thread->unit, event);
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_REFUSED:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	return 0;
}

uint32_t track_unit(const struct track *track, uint32_t thread)
{
	const struct tracked *found = find(track, thread);
	return found ? found->unit : 0;
}

const char *track_descriptor(const struct track *track, uint32_t thread, int descriptor)
{
	static const char *const standard[] = { "standard input", "standard output", "standard error" };
	const struct tracked *found = find(track, thread);
	const char *name = found ? named(found->files, descriptor) : NULL;
	return name || descriptor < 0 || descriptor > 2 ? name : standard[descriptor];
}

const char *track_region(const struct track *track, uint32_t thread, uint64_t address)
{
	uint32_t unit = track_unit(track, thread);
	for (size_t i = track->regions_count; i-- > 0;) {
		const struct region *region = &track->regions[i];
		if (region->unit == unit && region->start <= address && address < region->end)
			return region->path;
	}
	return NULL;
}
