/* Writes by calls to files that guests have mapped shared: the mappings change with them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "recorder.h"

#define CHUNK_BYTES 65536

static int written_fd(const struct call *call)
{
	return (int)(call->nr == SYS_copy_file_range || call->nr == SYS_splice ? call->args[2]
									       : call->args[0]);
}

static struct shared_object *find_object(const struct recorder *rec, const struct fd_info *info)
{
	for (struct shared_object *o = rec->objects; o; o = o->next) {
		if (o->device == info->device && o->inode == info->inode)
			return o;
	}
	return NULL;
}

/* Where the bytes went: the call's own offset, or the file position that it left behind (proc(5), fdinfo). */
static uint64_t written_offset(struct thread *thread, int fd, uint64_t length)
{
	const struct call *call = &thread->call;
	char path[64];
	uint64_t position = 0;
	FILE *file;

	if ((call->nr == SYS_copy_file_range || call->nr == SYS_splice) && call->args[3] != 0) {
		if (guest_read(thread, call->args[3], &position, sizeof(position)) != sizeof(position))
			return 0;
		return position >= length ? position - length : 0; /* the kernel moved it on */
	}
	if (call->nr == SYS_fallocate)
		return call->args[2];
	if (call->nr == SYS_pwrite64 || call->nr == SYS_pwritev ||
	    (call->nr == SYS_pwritev2 && call->args[3] != UINT64_MAX))
		return call->args[3];
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", thread->tid, fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "pos: %lu", &position) != 1)
		position = length;
	fclose(file);
	return position >= length ? position - length : 0;
}

static int emit_range(struct recorder *rec, struct thread *thread, struct event *event, int file)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct payload payload = { .arg = PAYLOAD_OBJECT, .direction = DIRECTION_OUT, .bytes = chunk };
	uint64_t from = written_offset(thread, written_fd(&thread->call), (uint64_t)event->result);
	uint64_t to = from + (uint64_t)event->result;

	event->result = 0;
	event->payloads = &payload;
	event->payloads_count = 1;
	while (from < to) {
		size_t want = to - from < CHUNK_BYTES ? (size_t)(to - from) : CHUNK_BYTES;
		ssize_t n = pread(file, chunk, want, (off_t)from);
		int r;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		payload.address = from;
		payload.length = (size_t)n;
		r = record_event(rec, event);
		if (r < 0)
			return r;
		from += (uint64_t)n;
	}
	return 0;
}

int record_file_write(struct recorder *rec, struct thread *thread, int64_t result)
{
	int fd = written_fd(&thread->call);
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, fd);
	struct event event = { .kind = EVENT_MEMORY, .thread = thread->number };
	struct shared_object *object;
	struct stat status;
	char path[64];
	int file, r = 0;

	object = S_ISREG(info.mode) ? find_object(rec, &info) : NULL;
	if (!object)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &status) < 0) {
		r = -errno;
		if (file >= 0)
			close(file);
		return r;
	}
	event.nr = thread->call.nr;
	event.ip = thread->call.ip;
	event.memory.object = object->number;
	event.memory.length = (uint64_t)status.st_size;
	if (object->length != event.memory.length) {
		object->length = event.memory.length;
		guests_object_length(&rec->guests, object->number, object->length);
		r = record_event(rec, &event);
	}
	event.result = thread->call.nr == SYS_fallocate ? (int64_t)thread->call.args[3] : result;
	if (r == 0 && event.result > 0)
		r = emit_range(rec, thread, &event, file);
	close(file);
	return r;
}
