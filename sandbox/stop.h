/*
 * Ptrace stops: resuming one guest thread, waiting for one, and telling stops apart. The only place that
 * calls ptrace's resume requests and waitpid for guests.
 */
#ifndef SWORN_SANDBOX_STOP_H
#define SWORN_SANDBOX_STOP_H

#include <sys/types.h>
#include "guest.h"

enum stop_kind {
	STOP_ENTRY,	/* seccomp: at the entry of a call */
	STOP_RETURN,	/* a call came back (syscall exit) */
	STOP_SIGNAL,	/* a signal is about to be delivered */
	STOP_CLONE,	/* inside clone, fork or vfork: a new thread exists */
	STOP_EXEC,	/* a new image is in place */
	STOP_EXIT,	/* the thread is dying; its memory is still there */
	STOP_GROUP,	/* job control stopped the process */
	STOP_INTERRUPT, /* PTRACE_INTERRUPT, a birth, or the end of a group stop */
	STOP_GONE,	/* reaped: exited or killed */
};

enum stop_kind stop_kind(int status);
int stop_signal(int status); /* STOP_SIGNAL: which */

/* PTRACE_CONT, PTRACE_SYSCALL, PTRACE_LISTEN or PTRACE_SINGLESTEP with `signal`. 0 or SWORN_EGONE. */
int stop_resume(struct thread *thread, int request, int signal);
/* Blocks until the thread stops or is gone; fills *ret_status. 0, -EINTR, or SWORN_EGONE on ECHILD. */
int stop_wait(struct thread *thread, int *ret_status);
/* PTRACE_GETEVENTMSG. */
int stop_message(struct thread *thread, unsigned long *ret_message);
/* Siginfo of a signal stop. */
int stop_siginfo(struct thread *thread, uint8_t ret_siginfo[SIGINFO_BYTES]);

/* True when the thread runs no more: a zombie (a leader whose threads live on stays one), or gone. */
bool stop_is_over(pid_t tid);

/* Reads the registers into thread->registers; writes them from there. */
int stop_get_registers(struct thread *thread);
int stop_set_registers(struct thread *thread);

/*
 * Runs one call in the stopped thread from the call page and puts every register back. The
 * thread must be at any stop but STOP_GROUP, STOP_EXIT and STOP_GONE; a call that it was about to make is
 * cancelled (orig_rax becomes -1; the caller puts the result where it belongs). Result or -errno of the call in
 * *ret_result. 0 or SWORN_EGONE. `trap`: come back by the page's int3 (replay: one stop), else by
 * syscall stops, which leave the guest's SIGTRAP alone (record).
 */
int stop_inject(struct thread *thread, bool trap, uint32_t nr, const uint64_t args[6],
		int64_t *ret_result);

/*
 * At a STOP_ENTRY of a call from the vsyscall page: cancels it and lets the thread return to its caller, where it
 * stops again before it has executed anything. Registers are read anew, rax is -ENOSYS. The kernel emulates these
 * calls in a page fault: they have no stop at their return, and it kills a thread whose rip was moved at their
 * entry. At any other stop it does nothing. 0 or SWORN_EGONE.
 */
int stop_leave_vsyscall(struct thread *thread);

struct injection {
	uint32_t nr;
	uint64_t args[6];
};
/* The same by syscall stops from a `syscall` instruction at `address`, for the moment before there is a call page. */
int stop_inject_at(struct thread *thread, uint64_t address, const struct injection *injection,
		   int64_t *ret_result);

/* One instruction of a thread whose registers are read, which leaves no trace of having been stepped. 0 with the registers read
 * again, 1 when another stop came (*ret_status), negative. */
int stop_step(struct thread *thread, int *ret_status);

#endif
