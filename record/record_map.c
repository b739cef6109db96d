/* The mapping family: mmap, mremap, brk, shmat, shmdt. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../traces/error.h"
#include "recorder.h"

#define KEPT_FLAGS (MAP_PRIVATE | MAP_SHARED | MAP_GROWSDOWN | MAP_NORESERVE)

/* A file becomes an object with the first mapping that can change it; who mapped it before sees the changes too. */
static int map_shared(struct recorder *rec, struct thread *thread, int fd, struct mapping *mapping)
{
	struct shared_object *object;
	struct stat status;
	int r = 0;

	if (fstat(fd, &status) < 0)
		return -errno;
	mapping->backing = BACKING_SHARED;
	object = shared_find(rec, status.st_dev, status.st_ino);
	if (!object) {
		object = shared_new(rec, status.st_dev, status.st_ino);
		if (!object)
			return -ENOMEM;
		r = shared_begin(rec, thread, object, fd);
	}
	mapping->object = object->number;
	memcpy(mapping->digest, object->digest, DIGEST_BYTES);
	mapping->offset = thread->call.args[5];
	mapping->length = object->length;
	return r;
}

/* A shared mapping through a read-only descriptor can never write: its content is as good as private. */
static bool opened_for_writing(const char *path)
{
	struct stat link;

	return lstat(path, &link) < 0 || (link.st_mode & S_IWUSR);
}

static int map_file(struct recorder *rec, struct thread *thread, struct mapping *mapping)
{
	const uint64_t *args = thread->call.args;
	static char target[PATH_BYTES_MAX];
	int64_t position = -1;
	struct stat status;
	char path[64];
	ssize_t n;
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, (int)args[4]);
	fd = fd_open(thread->tid, (int)args[4], &position);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0) {
		r = -errno;
		fd_close(fd, position);
		return r;
	}
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	mapping->path = target;
	if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 5)) { /* /dev/zero */
		mapping->backing = mapping->flags & MAP_SHARED ? BACKING_SHARED : BACKING_ANON;
		mapping->object = mapping->flags & MAP_SHARED ? ++rec->objects_count : 0;
		mapping->length = mapping->end - mapping->start;
		r = 0;
	} else if (!S_ISREG(status.st_mode)) {
		rec->status = "device mapping";
		r = SWORN_EREFUSED;
	} else if (((mapping->flags & MAP_SHARED) && opened_for_writing(path)) ||
		   shared_find(rec, status.st_dev, status.st_ino)) {
		r = map_shared(rec, thread, fd, mapping);
	} else {
		mapping->backing = BACKING_BLOB;
		r = record_content(rec, fd, mapping, args[5]);
	}
	fd_close(fd, position);
	return r;
}

static int record_mmap(struct recorder *rec, struct thread *thread, uint64_t result,
		       struct mapping *mapping)
{
	struct space *space = thread->process->space;
	const uint64_t *args = thread->call.args;
	uint32_t flags = (uint32_t)args[3];
	int r = 0;

	mapping->start = result;
	mapping->end = result + ((args[1] + 4095) & ~4095ULL);
	mapping->prot = guest_protection(thread->process, args[2]);
	mapping->flags = flags & KEPT_FLAGS;
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		mapping->flags = (mapping->flags & ~(uint32_t)MAP_PRIVATE) | MAP_SHARED;
	if (!(flags & MAP_ANONYMOUS)) {
		r = map_file(rec, thread, mapping);
	} else if (mapping->flags & MAP_SHARED) {
		mapping->backing = BACKING_SHARED;
		mapping->object = ++rec->objects_count;
		mapping->length = mapping->end - mapping->start;
	}
	if (r == 0)
		r = mapping_insert(&space->table, mapping);
	dirty_cover(space->dirty, mapping->start, mapping->end);
	return r < 0 ? r : record_text(rec, thread, mapping, true);
}

/* The end of the mapping that starts at `start`, from the kernel: a segment's size is nowhere else. */
static uint64_t kernel_end(pid_t tid, uint64_t start)
{
	char path[64], line[512];
	uint64_t from, to, found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from == start)
			found = to;
	}
	if (file)
		fclose(file);
	return found;
}

/* Stands for st_dev of a System V segment: identifiers are numbered in each namespace. */
static uint64_t segment_device(pid_t tid)
{
	struct stat status = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", tid);
	if (stat(path, &status) < 0)
		status.st_ino = 0;
	return ~(uint64_t)status.st_ino;
}

static int record_shmat(struct recorder *rec, struct thread *thread, uint64_t result,
			struct mapping *mapping)
{
	uint64_t device = segment_device(thread->tid), id = (uint32_t)thread->call.args[0];
	struct shared_object *object = shared_find(rec, device, id);
	int flags = (int)thread->call.args[2];

	if (!object)
		object = shared_new(rec, device, id);
	if (!object)
		return -ENOMEM;
	object->stays = true;
	mapping->start = result;
	mapping->end = kernel_end(thread->tid, result);
	if (mapping->end <= result)
		return -ENOENT;
	mapping->prot = guest_protection(thread->process,
					 PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
						 (flags & SHM_EXEC ? PROT_EXEC : 0));
	mapping->flags = MAP_SHARED;
	mapping->backing = BACKING_SHARED;
	mapping->object = object->number;
	object->length = mapping->length = mapping->end - mapping->start;
	return mapping_insert(&thread->process->space->table, mapping);
}

int record_map(struct recorder *rec, struct thread *thread, int64_t result, struct mapping *ret_mapping)
{
	int r;

	switch (thread->call.nr) {
	case SYS_mmap:
		r = record_mmap(rec, thread, (uint64_t)result, ret_mapping);
		return r < 0 ? r : 1;
	case SYS_shmat:
		r = record_shmat(rec, thread, (uint64_t)result, ret_mapping);
		return r < 0 ? r : 1;
	case SYS_brk: return guest_brk(thread, (uint64_t)result);
	case SYS_mremap: return guest_mremap(thread, (uint64_t)result);
	case SYS_shmdt: return guest_shmdt(thread);
	default: return SWORN_EREFUSED;
	}
}
