/* Writes by calls to files that guests have mapped: the mappings change with them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "recorder.h"

#define CHUNK_BYTES 65536
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

/* The descriptor of the file that the call changed, -1 when it names a path. */
static int written_fd(const struct call *call, int64_t result)
{
	switch (call->nr) {
	case SYS_copy_file_range:
	case SYS_splice: return (int)call->args[2];
	case SYS_truncate: return -1;
	default: return call->row->result == RESULT_FD ? (int)result : (int)call->args[0];
	}
}

/* Opens the file that the call changed for reading: by its descriptor, or by its path as the guest sees it. */
static int open_written(struct thread *thread, int fd, int64_t *ret_position)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT };
	char name[PATH_BYTES_MAX], path[64], full[2 * PATH_BYTES_MAX];
	ssize_t n;
	int root, r;

	if (fd >= 0)
		return fd_open(thread->tid, fd, ret_position);
	n = (ssize_t)guest_read(thread, thread->call.args[0], name, sizeof(name));
	if (n <= 0 || !memchr(name, 0, (size_t)n))
		return -EFAULT;
	snprintf(path, sizeof(path), "/proc/%d/cwd", thread->tid);
	n = readlink(path, full, PATH_BYTES_MAX - 1);
	if (n < 0)
		return -errno;
	snprintf(full + n, sizeof(full) - (size_t)n, "/%s", name);
	snprintf(path, sizeof(path), "/proc/%d/root", thread->tid);
	root = open(path, O_PATH | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = (int)syscall(SYS_openat2, root, name[0] == '/' ? name : full, &how, sizeof(how));
	if (r < 0)
		r = -errno;
	close(root);
	return r;
}

/* Position and flags of the descriptor (proc(5), fdinfo), zeros when they cannot be had. */
static void read_position(struct thread *thread, int fd, uint64_t *ret_position, unsigned int *ret_flags)
{
	char path[64];
	FILE *file;

	*ret_position = 0;
	*ret_flags = 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", thread->tid, fd);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "pos: %lu flags: %o", ret_position, ret_flags) != 2)
		*ret_position = *ret_flags = 0;
	fclose(file);
}

/*
 * Where the bytes went: the call's own offset, or the file position that it left behind. Appending
 * does not care for the offset of the call (pwrite(2), bugs).
 */
static uint64_t written_offset(struct thread *thread, uint64_t length, uint64_t size)
{
	const struct call *call = &thread->call;
	bool positioned = call->nr == SYS_pwrite64 || call->nr == SYS_pwritev ||
			  call->nr == SYS_pwritev2;
	uint64_t position = 0, how = call->nr == SYS_pwritev2 ? call->args[5] : 0;
	unsigned int flags;

	if ((call->nr == SYS_copy_file_range || call->nr == SYS_splice) && call->args[3] != 0) {
		if (guest_read(thread, call->args[3], &position, sizeof(position)) != sizeof(position))
			return 0;
		return position >= length ? position - length : 0; /* the kernel moved it on */
	}
	read_position(thread, written_fd(call, 0), &position, &flags);
	if (how & RWF_APPEND || (flags & O_APPEND && !(how & RWF_NOAPPEND)))
		position = size;
	else if (positioned && call->args[3] != UINT64_MAX)
		return call->args[3];
	return position >= length ? position - length : 0;
}

/* Which bytes a successful call changed besides the file's length, now `size`: from ret_range[0] to ret_range[1]. */
static void written_range(struct thread *thread, int64_t result, uint64_t size, uint64_t ret_range[2])
{
	const struct call *call = &thread->call;

	ret_range[0] = ret_range[1] = 0;
	if (call->nr == SYS_fallocate) {
		ret_range[0] = call->args[2];
		ret_range[1] = call->args[1] & ~(uint64_t)FALLOC_FL_KEEP_SIZE &
					       ~(uint64_t)FALLOC_FL_PUNCH_HOLE
				       ? UINT64_MAX /* what lies behind moves */
				       : call->args[2] + call->args[3];
	} else if (call->nr == SYS_ioctl) {
		ret_range[1] = UINT64_MAX; /* cloned ranges */
	} else if (call->row->result != RESULT_FD && result > 0) {
		ret_range[0] = written_offset(thread, (uint64_t)result, size);
		ret_range[1] = ret_range[0] + (uint64_t)result;
	}
}

int record_file_range(struct recorder *rec, struct event *event, int file, const uint64_t range[2])
{
	static uint8_t chunk[CHUNK_BYTES];
	struct payload payload = { .arg = PAYLOAD_OBJECT, .direction = DIRECTION_OUT, .bytes = chunk };
	uint64_t from = range[0], to = range[1];

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

/* The object's file changed: its length, and what the call wrote. */
static int emit_change(struct recorder *rec, struct thread *thread, struct shared_object *object,
		       int64_t result, int file)
{
	struct event event = { .kind = EVENT_MEMORY, .thread = thread->number };
	struct stat status;
	uint64_t range[2];
	bool shorter;
	int r = 0;

	if (fstat(file, &status) < 0)
		return -errno;
	event.nr = thread->call.nr;
	event.ip = thread->call.ip;
	event.memory.object = object->number;
	event.memory.length = (uint64_t)status.st_size;
	shorter = event.memory.length < object->length;
	if (object->length != event.memory.length) {
		object->length = event.memory.length;
		guests_object_length(&rec->guests, object->number, object->length);
		r = record_event(rec, &event);
	}
	if (r == 0 && shorter) /* with the file's end also the pages go that processes had written */
		r = shared_adopt(rec, thread, object);
	written_range(thread, result, event.memory.length, range);
	return r < 0 ? r : record_file_range(rec, &event, file, range);
}

/* The object behind the file that the call changed, a new one when so far nobody saw it change: 1 if its
 * content is to be told, 0 if there is nothing to tell (any more), negative on failure. */
static int find_changed(struct recorder *rec, struct thread *thread, int file,
			struct shared_object **ret_object)
{
	struct stat status;
	int r;

	if (fstat(file, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return 0;
	*ret_object = shared_find(rec, status.st_dev, status.st_ino);
	if (*ret_object)
		return 1;
	if (!shared_is_wanted(rec, status.st_dev, status.st_ino))
		return 0;
	*ret_object = shared_new(rec, status.st_dev, status.st_ino);
	r = *ret_object ? shared_begin(rec, thread, *ret_object, file) : -ENOMEM;
	return r < 0 ? r : 0;
}

int record_file_write(struct recorder *rec, struct thread *thread, int64_t result)
{
	int fd = written_fd(&thread->call, result), file, r;
	struct shared_object *object = NULL;
	int64_t position = -1;

	if (fd >= 0) {
		struct fd_info info = fd_lookup(thread->process->fds, thread->tid, fd);

		if (foreign_is_memory(&info) && result > 0) {
			uint64_t range[2];

			written_range(thread, result, info.size, range);
			return foreign_file(rec, thread, fd, range);
		}
		if (!S_ISREG(info.mode) || (!shared_find(rec, info.device, info.inode) &&
					    !shared_is_wanted(rec, info.device, info.inode)))
			return 0;
	}
	file = open_written(thread, fd, &position);
	if (file < 0)
		return file;
	r = find_changed(rec, thread, file, &object);
	if (r > 0)
		r = emit_change(rec, thread, object, result, file);
	fd_close(file, position);
	return r;
}
