#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FD_CACHE_SLOTS 64

struct slot {
	int fd; /* -1: empty */
	struct fd_info info;
};

struct fd_cache {
	unsigned int references;
	struct slot slots[FD_CACHE_SLOTS];
};

struct fd_cache *fd_cache_new(void)
{
	struct fd_cache *cache = calloc(1, sizeof(*cache));

	if (cache) {
		cache->references = 1;
		fd_cache_forget(cache);
	}
	return cache;
}

struct fd_cache *fd_cache_share(struct fd_cache *cache)
{
	cache->references++;
	return cache;
}

struct fd_cache *fd_cache_copy(const struct fd_cache *cache)
{
	struct fd_cache *copy = fd_cache_new();

	if (copy)
		memcpy(copy->slots, cache->slots, sizeof(copy->slots));
	return copy;
}

void fd_cache_release(struct fd_cache *cache)
{
	if (cache && --cache->references == 0)
		free(cache);
}

struct fd_info fd_lookup(struct fd_cache *cache, pid_t tid, int fd)
{
	/* Without asking whoever serves the file system: that may be a guest, which stands still now. */
	const int flags = AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
	struct slot *slot;
	struct statx status;
	char path[64];

	if (fd < 0)
		return (struct fd_info){ 0 };
	slot = &cache->slots[(unsigned int)fd % FD_CACHE_SLOTS];
	if (slot->fd == fd)
		return slot->info;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
	if (statx(AT_FDCWD, path, flags, STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE, &status) < 0)
		return (struct fd_info){ 0 };
	slot->fd = fd;
	slot->info = (struct fd_info){
		.mode = status.stx_mode,
		.device = makedev(status.stx_dev_major, status.stx_dev_minor),
		.inode = status.stx_ino,
		.special = makedev(status.stx_rdev_major, status.stx_rdev_minor),
		.size = status.stx_size,
	};
	return slot->info;
}

/* Threads that do not lead their process have such a descriptor since 6.9. */
int fd_copy(pid_t tid, int fd)
{
	int process = (int)syscall(SYS_pidfd_open, tid, O_EXCL), copy, flags;

	if (process < 0)
		process = (int)syscall(SYS_pidfd_open, tid, 0);
	if (process < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	if (copy < 0)
		copy = -errno;
	close(process);
	if (copy < 0)
		return copy;
	flags = fcntl(copy, F_GETFL);
	if (flags < 0 || (flags & (O_PATH | O_DIRECT)) || (flags & O_ACCMODE) == O_WRONLY) {
		close(copy);
		return -EBADF;
	}
	return copy;
}

int fd_open(pid_t tid, int fd, int64_t *ret_position)
{
	char path[64];
	int copy = fd_copy(tid, fd);

	if (copy < 0) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
		copy = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	if (copy < 0)
		return -errno;
	*ret_position = lseek(copy, 0, SEEK_CUR);
	return copy;
}

void fd_close(int fd, int64_t position)
{
	if (position >= 0)
		lseek(fd, position, SEEK_SET);
	close(fd);
}

int fd_forget(struct fd_cache *cache, int fd)
{
	if (fd >= 0 && cache->slots[(unsigned int)fd % FD_CACHE_SLOTS].fd == fd)
		cache->slots[(unsigned int)fd % FD_CACHE_SLOTS].fd = -1;
	return 0;
}

int fd_cache_forget(struct fd_cache *cache)
{
	for (int i = 0; i < FD_CACHE_SLOTS; i++)
		cache->slots[i].fd = -1;
	return 0;
}

bool fd_is_random(const struct fd_info *info)
{
	return S_ISCHR(info->mode) && major(info->special) == 1 &&
	       (minor(info->special) == 8 || minor(info->special) == 9);
}
