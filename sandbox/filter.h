/*
 * The seccomp filters of guests and of the replayer, assembled here as classic BPF because
 * libseccomp cannot compare the instruction pointer. Used by ambient.c, stub.c and isolation.c;
 * depends on nothing but the kernel. Everything here is async-signal-safe.
 */
#ifndef SWORN_SANDBOX_FILTER_H
#define SWORN_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stddef.h>

#define FILTER_INSTRUCTIONS_MAX 128 /* jumps reach 255 */

struct filter {
	unsigned short count;
	struct sock_filter code[FILTER_INSTRUCTIONS_MAX];
};

/*
 * Recording: calls of any other architecture kill the process; a listed call from the call page runs
 * without a stop; everything else, x32 numbers too, is SECCOMP_RET_TRACE. The listed ones are
 * those that a recorder injects: mmap munmap mprotect mremap madvise rt_sigaction rt_sigprocmask
 * prctl arch_prctl close.
 */
void filter_recording(struct filter *ret);

/*
 * Replay: as above with mmap munmap mprotect mremap madvise clone exit exit_group. A clone with a
 * namespace flag or CLONE_UNTRACED from the call page kills the process.
 */
void filter_replay(struct filter *ret);

/*
 * The replayer itself: sockets, exec by path, changes of the file tree, mounts, namespaces, keys,
 * modules, clocks and the like are SECCOMP_RET_TRACE, which is ENOSYS for a process that nobody
 * traces. Guests inherit it: for them the same calls are a stop, as in filter_replay(), so
 * nothing is hidden from the replayer.
 */
void filter_supervisor(struct filter *ret);

/* Installs it for the calling thread, which needs no_new_privs or CAP_SYS_ADMIN. 0 or -errno. */
int filter_install(const struct filter *filter);

#endif
