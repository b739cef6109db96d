#include "history_inside.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct history_handle *handle_get(const struct history *history, uint32_t handle)
{
	return handle > 0 && handle <= history->handles_count ? &history->handles[handle - 1] : NULL;
}

static uint32_t take_free(struct history *history)
{
	struct history_inside *inside = history->inside;
	uint32_t handle = inside->free_handle;
	if (handle) {
		inside->free_handle = handle_get(history, handle)->file;
		memset(handle_get(history, handle), 0, sizeof(struct history_handle));
		return handle;
	}
	return HISTORY_ADD(history, handles) ? (uint32_t)history->handles_count : 0;
}

uint32_t handle_new(const struct moment *moment, uint32_t file, uint32_t flags)
{
	struct history *history = moment->history;
	uint32_t number = take_free(history);
	struct history_handle *handle = handle_get(history, number);
	if (!handle)
		return 0;
	handle->file = file;
	handle->flags = flags;
	handle->process = moment->thread->process;
	handle->opened = moment->event->number;
	handle->closed = HISTORY_NO_EVENT;
	return number;
}

struct live *handle_live(struct history *history, uint32_t handle)
{
	struct history_inside *inside = history->inside;
	if (!handle)
		return NULL;
	if (handle >= inside->live_capacity) {
		size_t capacity = 2 * (size_t)handle + 64;
		struct live **grown = reallocarray(inside->live, capacity, sizeof(struct live *));
		if (!grown) {
			inside->error = -ENOMEM;
			return NULL;
		}
		memset(grown + inside->live_capacity, 0,
		       (capacity - inside->live_capacity) * sizeof(struct live *));
		inside->live = grown;
		inside->live_capacity = capacity;
	}
	if (!inside->live[handle] && !(inside->live[handle] = calloc(1, sizeof(struct live))))
		inside->error = -ENOMEM;
	return inside->live[handle];
}

static void live_release(struct history *history, uint32_t handle)
{
	struct live *live = handle < history->inside->live_capacity ? history->inside->live[handle]
								    : NULL;
	if (!live)
		return;
	history->inside->live[handle] = NULL;
	for (struct parcel *parcel = live->first, *next; parcel; parcel = next) {
		next = parcel->next;
		for (size_t i = 0; i < parcel->count; i++)
			handle_drop(history, parcel->items[i].handle, history->events);
		free(parcel);
	}
	digest_release(&live->digests[0]);
	digest_release(&live->digests[1]);
	free(live);
}

/* A file's digest is that of the one handle that moved bytes that way; several leave none. */
static void sum_up(struct history *history, const struct history_handle *handle, struct live *live)
{
	struct history_file *file = file_get(history, handle->file);
	for (int way = 0; file && way < 2; way++) {
		if (handle->calls[way] == 0)
			continue;
		memset(file->moved.digest[way], 0, DIGEST_BYTES);
		if (live && live->digests[way].context && !file->moved.unseen[way] &&
		    file->moved.calls[way] == handle->calls[way])
			digest_end(&live->digests[way], file->moved.digest[way]);
	}
}

/* What nobody can ask about any more gives its number to the next. */
static bool is_forgotten(const struct history_handle *handle)
{
	return handle->calls[0] == 0 && handle->calls[1] == 0 && !handle->socket && !handle->peer;
}

void handle_drop(struct history *history, uint32_t number, uint64_t event)
{
	struct history_handle *handle = handle_get(history, number);
	if (!handle || handle->references == 0 || --handle->references > 0)
		return;
	handle->closed = event;
	sum_up(history, handle,
	       number < history->inside->live_capacity ? history->inside->live[number] : NULL);
	live_release(history, number);
	handle = handle_get(history, number);
	if (is_forgotten(handle)) {
		handle->file = history->inside->free_handle;
		history->inside->free_handle = number;
	}
}

static int reserve(struct descriptors *descriptors, size_t wanted)
{
	if (wanted < descriptors->count)
		return 0;
	size_t count = wanted + 16 > 2 * descriptors->count ? wanted + 16 : 2 * descriptors->count;
	uint32_t *handles = reallocarray(descriptors->handles, count, sizeof(*handles));
	if (!handles)
		return -ENOMEM;
	memset(handles + descriptors->count, 0, (count - descriptors->count) * sizeof(*handles));
	descriptors->handles = handles;
	uint8_t *closes = realloc(descriptors->closes, count);
	if (!closes)
		return -ENOMEM;
	memset(closes + descriptors->count, 0, count - descriptors->count);
	descriptors->closes = closes;
	descriptors->count = count;
	return 0;
}

uint32_t handle_find(const struct thread_state *thread, int fd)
{
	const struct descriptors *descriptors = thread->descriptors;
	return descriptors && fd >= 0 && (size_t)fd < descriptors->count ? descriptors->handles[fd] : 0;
}

void handle_set(const struct moment *moment, int64_t fd, uint32_t handle, bool closes)
{
	struct descriptors *descriptors = moment->thread->descriptors;
	if (!descriptors || fd < 0 || fd >= HISTORY_DESCRIPTORS_MAX)
		return;
	if (!handle && (size_t)fd >= descriptors->count)
		return;
	if (reserve(descriptors, (size_t)fd) < 0) {
		moment->inside->error = -ENOMEM;
		return;
	}
	uint32_t old = descriptors->handles[fd];
	if (handle)
		handle_get(moment->history, handle)->references++;
	descriptors->handles[fd] = handle;
	descriptors->closes[fd] = closes;
	handle_drop(moment->history, old, moment->event->number);
}

void handle_closes(const struct moment *moment, int64_t fd, bool closes)
{
	struct descriptors *descriptors = moment->thread->descriptors;
	if (descriptors && fd >= 0 && (size_t)fd < descriptors->count)
		descriptors->closes[fd] = closes;
}

uint32_t handle_of(const struct moment *moment, int fd)
{
	static const char *const standard[] = { "[standard input]", "[standard output]",
						"[standard error]" };
	uint32_t handle = handle_find(moment->thread, fd);
	char name[32];
	if (handle || fd < 0 || fd >= (int)HISTORY_DESCRIPTORS_MAX || !moment->thread->descriptors)
		return handle;
	snprintf(name, sizeof(name), "[descriptor %d]", fd);
	const char *kept = pool_keep_text(&moment->inside->pool, fd < 3 ? standard[fd] : name);
	handle = handle_new(moment, file_new(moment->history, HISTORY_OTHER, kept), 0);
	if (handle)
		handle_get(moment->history, handle)->process = 0;
	handle_set(moment, fd, handle, false);
	return handle;
}

static void descriptors_drop(struct history *history, struct descriptors *descriptors, uint64_t event)
{
	if (!descriptors || --descriptors->users > 0)
		return;
	for (size_t fd = 0; fd < descriptors->count; fd++)
		handle_drop(history, descriptors->handles[fd], event);
	free(descriptors->handles);
	free(descriptors->closes);
	free(descriptors);
}

static struct descriptors *descriptors_copy(struct history *history, const struct descriptors *from)
{
	struct descriptors *copy = calloc(1, sizeof(*copy));
	size_t used = from ? from->count : 0;
	while (used > 0 && from->handles[used - 1] == 0)
		used--;
	if (!copy || (used > 0 && reserve(copy, used - 1) < 0)) {
		history->inside->error = -ENOMEM;
		if (copy) {
			free(copy->handles);
			free(copy->closes);
		}
		free(copy);
		return NULL;
	}
	copy->users = 1;
	for (size_t fd = 0; fd < used; fd++) {
		copy->handles[fd] = from->handles[fd];
		copy->closes[fd] = from->closes[fd];
		if (from->handles[fd])
			handle_get(history, from->handles[fd])->references++;
	}
	return copy;
}

static struct directories *directories_copy(struct history *history, const struct directories *from)
{
	struct directories *copy = calloc(1, sizeof(*copy));
	if (!copy) {
		history->inside->error = -ENOMEM;
		return NULL;
	}
	*copy = from ? *from : (struct directories){ .root = PLACE_ROOT, .current = PLACE_ROOT };
	copy->users = 1;
	return copy;
}

void handle_thread_new(struct history *history, struct thread_state *child,
		       const struct thread_state *parent, uint64_t clone_flags)
{
	*child = *parent;
	if (clone_flags & CLONE_FILES && parent->descriptors)
		parent->descriptors->users++;
	else
		child->descriptors = descriptors_copy(history, parent->descriptors);
	if (clone_flags & CLONE_FS && parent->directories)
		parent->directories->users++;
	else
		child->directories = directories_copy(history, parent->directories);
}

void handle_thread_gone(struct history *history, struct thread_state *thread, uint64_t event)
{
	descriptors_drop(history, thread->descriptors, event);
	if (thread->directories && --thread->directories->users == 0)
		free(thread->directories);
	*thread = (struct thread_state){ 0 };
}

static void own_descriptors(struct history *history, struct thread_state *thread)
{
	struct descriptors *copy;
	if (!thread->descriptors || thread->descriptors->users == 1)
		return;
	copy = descriptors_copy(history, thread->descriptors);
	if (!copy)
		return;
	thread->descriptors->users--;
	thread->descriptors = copy;
}

void handle_unshare(const struct moment *moment, uint64_t flags)
{
	struct thread_state *thread = moment->thread;
	if (flags & CLONE_FILES)
		own_descriptors(moment->history, thread);
	if (!(flags & (CLONE_FS | CLONE_NEWNS)) || !thread->directories ||
	    thread->directories->users == 1)
		return;
	struct directories *copy = directories_copy(moment->history, thread->directories);
	if (!copy)
		return;
	thread->directories->users--;
	thread->directories = copy;
}

void handle_exec(struct history *history, struct thread_state *thread, uint64_t event)
{
	own_descriptors(history, thread);
	struct descriptors *descriptors = thread->descriptors;
	for (size_t fd = 0; descriptors && fd < descriptors->count; fd++) {
		uint32_t handle = descriptors->handles[fd];
		if (!handle || !descriptors->closes[fd])
			continue;
		descriptors->handles[fd] = 0;
		descriptors->closes[fd] = 0;
		handle_drop(history, handle, event);
	}
}

static void add_digest(struct history *history, uint32_t handle, const struct flow *flow)
{
	struct live *live = handle_live(history, handle);
	if (!live)
		return;
	struct digest *digest = &live->digests[flow->way];
	if (!digest->context && digest_init(digest) < 0) {
		history->inside->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < flow->slices_count; i++)
		digest_append(digest, flow->slices[i].bytes, flow->slices[i].length);
}

void handle_moved(const struct moment *moment, uint32_t number, enum flow_way way, uint64_t bytes,
		  const struct flow *flow)
{
	struct history *history = moment->history;
	struct history_handle *handle = handle_get(history, number);
	bool seen = flow && flow->seen && !gather_was_cut(moment->inside->gather);
	if (!handle)
		return;
	handle->bytes[way] += bytes;
	handle->calls[way]++;
	handle->unseen[way] |= !seen;
	struct history_file *file = file_get(history, handle->file);
	if (file) {
		file->moved.bytes[way] += bytes;
		file->moved.calls[way]++;
		file->moved.unseen[way] |= !seen;
		file->changed |= way == FLOW_WRITE;
		struct history_use *use = file_use(moment, handle->file);
		use->bytes[way] += bytes;
		use->calls[way]++;
	}
	if (seen && !handle->unseen[way])
		add_digest(history, number, flow);
}

void handle_finish(struct history *history)
{
	for (uint32_t i = 1; i <= history->handles_count && i < history->inside->live_capacity; i++) {
		struct live *live = history->inside->live[i];
		if (!live)
			continue;
		sum_up(history, handle_get(history, i), live);
		live_release(history, i);
	}
}
