/*
 * Hardware breakpoints on instructions of a stopped guest thread, as perf events: they need no change to
 * the guest's text, the kernel counts the hits, and their SIGTRAP is an ordinary signal to the tracer, so that a guest
 * that ignores SIGTRAP keeps its disposition. There are four on x86, shared with whoever debugs the machine.
 */
#ifndef SWORN_SANDBOX_BREAKPOINT_H
#define SWORN_SANDBOX_BREAKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BREAKPOINTS_MAX 4

/*
 * Stops the thread with SIGTRAP at every `hits`-th arrival at `address`, before the instruction there runs.
 * SIGTRAP must not be blocked. An fd to close when done, -ENOSPC when all are taken, -errno (Linux 5.13 and later:
 * perf_event_open(2), sigtrap).
 */
int breakpoint_open(pid_t tid, uint64_t address, uint64_t hits);
/* Those of one run of a thread. */
struct breakpoints {
	int fd[BREAKPOINTS_MAX]; /* -1 = free */
};
#define BREAKPOINTS_NONE               \
	{                              \
		{                      \
			-1, -1, -1, -1 \
		}                      \
	}

/* breakpoint_open() into place `i`, instead of what is there. 0, SWORN_EGONE when the thread died, -errno. */
int breakpoint_put(struct breakpoints *breakpoints, size_t i, pid_t tid, uint64_t address,
		   uint64_t hits);
void breakpoint_drop(struct breakpoints *breakpoints, size_t i);
void breakpoints_drop(struct breakpoints *breakpoints);

/* Is this the siginfo of such a stop? */
bool breakpoint_is_hit(const void *siginfo);

#endif
