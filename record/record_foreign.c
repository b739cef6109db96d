/* Guests that write into each other's memory, or their own, by other means than their instructions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "recorder.h"

#define CHUNK_BYTES 65536
#define PAGE_BYTES 4096ULL

/* Any thread of the process that guests know as `pid`, or the thread itself. */
static struct thread *find_target(const struct recorder *rec, uint32_t pid)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if ((t->process->pid == pid || t->guest_tid == pid) && !t->record->exiting)
			return t;
	}
	return NULL;
}

/* What the target's memory holds there now, in the name of the writer's call. */
static int emit(struct recorder *rec, struct thread *writer, struct thread *target,
		const uint64_t range[2])
{
	static uint8_t chunk[CHUNK_BYTES];
	struct payload payload = { .arg = PAYLOAD_OBJECT, .direction = DIRECTION_OUT, .bytes = chunk };
	struct event event = { .kind = EVENT_MEMORY, .thread = writer->number };

	event.nr = writer->call.nr;
	event.ip = writer->call.ip;
	event.memory.target = target->number;
	event.payloads = &payload;
	event.payloads_count = 1;
	for (uint64_t at = range[0]; at < range[1]; at += payload.length) {
		size_t want = range[1] - at < CHUNK_BYTES ? (size_t)(range[1] - at) : CHUNK_BYTES;
		int r;

		payload.address = at;
		payload.length = guest_read(target, at, chunk, want);
		if (payload.length == 0)
			return 0;
		r = record_event(rec, &event);
		if (r < 0)
			return r;
	}
	return 0;
}

/* How far madvise came before it failed: it goes from mapping to mapping, and does nothing new when it does it again. */
static int find_done(struct thread *thread, uint64_t *ret_end)
{
	const uint64_t *args = thread->call.args;
	uint64_t done = 0, failing = (args[1] + PAGE_BYTES - 1) / PAGE_BYTES;

	while (done + 1 < failing) {
		uint64_t pages = done + (failing - done) / 2;
		int64_t result;
		int r = stop_inject(thread, false, SYS_madvise,
				    (uint64_t[6]){ args[0], pages * PAGE_BYTES, args[2] }, &result);

		if (r < 0)
			return r;
		if (result == -EINVAL)
			failing = pages;
		else
			done = pages;
	}
	*ret_end = args[0] + done * PAGE_BYTES;
	return 0;
}

int foreign_dropped(struct recorder *rec, struct thread *thread)
{
	const struct mapping_table *table = &thread->process->space->table;
	uint64_t start = thread->call.args[0], end;
	int r = start % PAGE_BYTES ? 1 : find_done(thread, &end);

	for (size_t i = 0; r == 0 && i < table->count; i++) {
		const struct mapping *m = &table->entries[i];
		const uint64_t range[2] = { m->start > start ? m->start : start,
					    m->end < end ? m->end : end };

		if (range[0] < range[1] && (m->flags & MAP_PRIVATE))
			r = emit(rec, thread, thread, range);
	}
	return r < 0 ? r : 0;
}

int foreign_call(struct recorder *rec, struct thread *thread, uint64_t written)
{
	const uint64_t *args = thread->call.args;
	struct thread *target = find_target(rec, (uint32_t)args[0]);
	struct iovec part;
	int r = 0;

	for (uint64_t i = 0; target && r == 0 && written > 0 && i < args[4]; i++) {
		uint64_t range[2];

		if (guest_read(thread, args[3] + i * sizeof(part), &part, sizeof(part)) != sizeof(part))
			return 0;
		range[0] = (uintptr_t)part.iov_base;
		range[1] = range[0] + (part.iov_len < written ? part.iov_len : written);
		written -= range[1] - range[0];
		r = emit(rec, thread, target, range);
	}
	return r;
}

/* The process whose memory the open file is, when it is /proc/PID/mem. */
static struct thread *file_target(const struct recorder *rec, const struct thread *thread, int fd)
{
	char path[64], link[64];
	unsigned int pid;
	ssize_t n;
	int end = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return NULL;
	link[n] = '\0';
	if (sscanf(link, "/proc/%u/task/%*u/mem%n", &pid, &end) != 1 || link[end] != '\0' || !end) {
		end = 0;
		if (sscanf(link, "/proc/%u/mem%n", &pid, &end) != 1 || link[end] != '\0' || !end)
			return NULL;
	}
	return find_target(rec, pid);
}

bool foreign_is_memory(const struct fd_info *info)
{
	return info->mode == (S_IFREG | S_IRUSR | S_IWUSR) && info->size == 0 &&
	       major(info->device) == 0;
}

bool foreign_is_nowhere(const struct recorder *rec, const struct thread *thread)
{
	const struct row *row = thread->call.row;
	const struct thread *target = NULL;
	struct fd_info info;

	if (row->family == FAMILY_FOREIGN) {
		target = find_target(rec, (uint32_t)thread->call.args[0]);
	} else if (row->flags & ROW_OUTPUT) {
		info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);
		if (foreign_is_memory(&info))
			target = file_target(rec, thread, (int)thread->call.args[0]);
	}
	return target && target->process->space->floating &&
	       target->process->space != thread->process->space;
}

int foreign_file(struct recorder *rec, struct thread *thread, int fd, const uint64_t range[2])
{
	struct thread *target = file_target(rec, thread, fd);

	return target ? emit(rec, thread, target, range) : 0;
}
