/*
 * What starting a process needs in every domain: raw clones into namespaces, identity maps,
 * images in memory, seizing, closing descriptors. Used by ambient.c, isolation.c and stub.c only.
 * Everything is async-signal-safe, so that children of a process with threads may call it.
 */
#ifndef SWORN_SANDBOX_LAUNCH_H
#define SWORN_SANDBOX_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * fork() with CLONE_NEW* flags and without the library's fork handlers: the child may call only
 * async-signal-safe functions. The child's pid, 0 in the child, or -errno.
 */
pid_t launch_clone(unsigned long namespaces);

/* Effective CAP_* of the calling thread. */
bool launch_capable(unsigned capability);

/* CAP_* is among the effective ones of thread `tid`, in its user namespace (proc(5)). */
bool launch_is_capable(pid_t tid, unsigned capability);

/*
 * Maps one user and one group of a new user namespace to themselves, or to 0 with `as_root`. Called by the
 * process that made it, while the child waits. Without CAP_SETGID setgroups() is denied inside first. 0 or
 * -errno.
 */
int launch_map_ids(pid_t child, uid_t uid, gid_t gid, bool as_root);

/* ORs PTRACE_O_* of every guest into a seized process; the child must be alive. 0 or -errno. */
int launch_seize(pid_t tid);

/* Kills a child or guest, lets it pass its last stops and reaps it. */
void launch_discard(pid_t pid);

/*
 * A static x86-64 program in memory: one read-only executable page `page` at CALL_PAGE, entered
 * at its first byte. To be started by execveat(fd, "", AT_EMPTY_PATH). The fd (close-on-exec) or
 * -errno.
 */
int launch_image(const char *name, const uint8_t *page);

/* Closes every descriptor from `first` on that is not in `keep`. */
void launch_close_from(unsigned first, const int *keep, size_t keep_count);

/* Writes a whole small file (a /proc setting). 0 or -errno. */
int launch_write(const char *path, const char *text);

/* Reads exactly `length` bytes, through EINTR. 0, -EPIPE at the end of the file, or -errno. */
int launch_receive(int fd, void *buffer, size_t length);

#endif
