/*
 * What a guest's file descriptor refers to: a cache, filled from the kernel when a call needs to
 * know and forgotten by every call that may change a descriptor. One per descriptor table; shared like
 * the table itself. Used by the recorder for output sinks, random devices and writes to mapped files.
 */
#ifndef SWORN_SANDBOX_DESCRIPTOR_H
#define SWORN_SANDBOX_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fd_cache;

struct fd_info {
	uint32_t mode;	 /* st_mode, 0 = no such descriptor */
	uint64_t device; /* st_dev */
	uint64_t inode;
	uint64_t special; /* st_rdev */
	uint64_t size;	  /* at the time of the look-up */
};

struct fd_cache *fd_cache_new(void);
struct fd_cache *fd_cache_share(struct fd_cache *cache); /* CLONE_FILES */
struct fd_cache *fd_cache_copy(const struct fd_cache *cache);
void fd_cache_release(struct fd_cache *cache); /* NULL allowed */

/* What `fd` of guest `tid` refers to. Fields are zero when it cannot be told. */
struct fd_info fd_lookup(struct fd_cache *cache, pid_t tid, int fd);
/* A copy of the guest's own descriptor, when it can be read from: it shares its position. The descriptor or -errno. */
int fd_copy(pid_t tid, int fd);
/*
 * Opens what `fd` of guest `tid` refers to for reading by offset: a copy of the guest's own descriptor where that
 * can be had and read, since opening the file anew would break leases, tell watchers, and needs its permission.
 * The descriptor, for fd_close(), or -errno. The copy shares its position with the guest: fd_close() puts it back.
 */
int fd_open(pid_t tid, int fd, int64_t *ret_position);
void fd_close(int fd, int64_t position);
/* After a call made, replaced or closed this one; after calls that may touch any. Both return 0. */
int fd_forget(struct fd_cache *cache, int fd);
int fd_cache_forget(struct fd_cache *cache);

bool fd_is_random(const struct fd_info *info); /* /dev/random or /dev/urandom */

#endif
