/*
 * Domains: where guests run. The ambient recording domain (what the user sees, less network and
 * other processes) and the replay domain (nothing at all), as root and as an ordinary user.
 * Starts guests in them, seized and stopped. Used by record/ and replay/ before the first stop.
 */
#ifndef SWORN_SANDBOX_DOMAIN_H
#define SWORN_SANDBOX_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "../traces/event.h"
#include "substitute.h"

#ifndef SYS_mseal /* the headers of Debian 12 end before it */
#define SYS_mseal 462
#endif

/*
 * One page at a fixed address in every guest, in record and replay: the only place from which the
 * kernel accepts injected calls. CALL_PAGE_SYSCALL is the address of its `syscall` instruction,
 * followed by int3.
 */
#define CALL_PAGE 0x70000000UL
#define CALL_PAGE_BYTES 4096UL
#define CALL_PAGE_SYSCALL (CALL_PAGE + 16)
#define CALL_PAGE_AFTER (CALL_PAGE_SYSCALL + 2)
/* Content of the page (4096 bytes, static). */
const void *call_page_bytes(void);

#define DOMAIN_PRIVATE_TMP "/tmp of its own" /* in the text of `isolation` */

struct domain_report {
	char isolation[256]; /* printable: what was reached, "ambient: user mount pid ..." */
	bool complete;	     /* every mechanism of this domain that the host could offer is on */
};

struct ambient_options {
	char *const *argv; /* command; argv[0] is looked up in PATH before anything starts */
	char *const *environment;
	const char *const *hidden; /* what guests must not see (store, trace), NULL-terminated */
	bool allow_network;
	bool as_root;	   /* an ordinary user's guests see themselves as user 0 and group 0 */
	bool acknowledges; /* TCP over loopback does so at once (loopback.h) */
	bool placed; /* what the command is started with lies at the same addresses each time */
	const char *host_name; /* NULL: the host's; needs a namespace of its own, or stays the host's */
	const char *workdir; /* absolute path at which the working directory is shown, with umask 022, or NULL */
	bool private_tmp; /* /tmp and /var/tmp are empty and the guests' own */
	const struct substitute *substitutes; /* shown in other places, relative ones in the working directory, or NULL */
};

/* A guest started by the recorder. */
struct ambient_guest {
	pid_t tid;	 /* as this process names it: ptrace, waitpid */
	pid_t guest_pid; /* as the guest names itself */
	pid_t init;	 /* namespace init to reap at the end (a child of ours), or 0 */
	/* No network namespace: the recorder must answer socket() of any family but AF_UNIX with
	 * EAFNOSUPPORT at its entry stop (a filter would hide the call from the trace). */
	bool refuse_sockets;
	/* The command's set-user-ID or set-group-ID bit or file capabilities have no effect here. */
	bool stays_unprivileged;
	struct domain_report report;
};

/*
 * Starts the command's process in the ambient domain: seized by the calling thread with all of
 * PTRACE_O_{EXITKILL, TRACESECCOMP, TRACECLONE, TRACEFORK, TRACEVFORK, TRACEEXEC, TRACEEXIT,
 * TRACESYSGOOD}, ASLR off (where the host allows), PR_SET_TSC set to trap, recording filter
 * installed, stopped at the seccomp stop of its execve of the command. Signal mask and
 * dispositions are those of the calling thread, so call this before changing any; a handler
 * becomes the default. -ENOENT: it or its interpreter not found (127), -EACCES or -ENOEXEC: not
 * executable (126);
 * others are set-up failures (125); `ret->report.isolation` says what could not be had.
 */
int ambient_start(const struct ambient_options *options, struct ambient_guest *ret);

/*
 * Puts the calling process (single-threaded, trace already open) into the replay domain for good:
 * no privileges, unprivileged uid, no_new_privs, own namespaces and empty root where the host
 * allows, Landlock where present, limits (cpu_seconds per process, 0 = a day; memory_bytes of
 * private memory per process, 0 = unlimited). `keep` are fds to keep open besides 0..2. The
 * environment is emptied but for SWORN_WITHOUT.
 *
 * With namespaces this forks: the function returns in a new process, whose parent is the init of
 * its pid namespace; the calling process never comes back, but waits and exits as that one did,
 * or with 3 when a signal killed it. Pids, threads and POSIX locks of the caller are gone; flock
 * locks live on in `keep`. 0 or negative: then nothing may be replayed, and privileges may
 * already be gone.
 */
int replay_domain_enter(const int *keep, size_t keep_count, uint64_t cpu_seconds,
			uint64_t memory_bytes, struct domain_report *ret_report);

/*
 * Starts an empty guest in the replay domain: a process that holds only the call page, seized and
 * stopped (options as above), rip in the call page; PR_SET_TSC set to trap; the replay filter
 * installed; RLIMIT_STACK set. Its only descriptors are `blob_fd` as STUB_BLOB_FD and `object_fd`
 * as STUB_OBJECT_FD (negative: none). It has no stack, and a session of its own. The caller must
 * be dumpable, as replay_domain_enter() leaves it. 0, SWORN_EHOST, SWORN_EGONE or -errno.
 */
#define STUB_BLOB_FD 3
#define STUB_OBJECT_FD 4
int stub_start(int blob_fd, int object_fd, uint64_t stack_limit, pid_t *ret_tid);

/* How far the stack of a guest may grow from now on, as far as its hard limit lets it. 0 or -errno. */
int stub_limit_stack(pid_t tid, uint64_t bytes);

#endif
