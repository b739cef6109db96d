/*
 * Hardware breakpoints on instructions of a stopped guest thread, as perf events: they need no change to
 * the guest's text, the kernel counts the hits, and their SIGTRAP is an ordinary signal to the tracer, so that a guest
 * that ignores SIGTRAP keeps its disposition. There are four on x86, shared with whoever debugs the machine.
 */
#ifndef SWORN_SANDBOX_BREAKPOINT_H
#define SWORN_SANDBOX_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BREAKPOINTS_MAX 4

/*
 * Stops the thread with SIGTRAP at every `hits`-th arrival at `address`, before the instruction there runs.
 * SIGTRAP must not be blocked. An fd to close when done, -ENOSPC when all are taken, -errno (Linux 5.13 and later:
 * perf_event_open(2), sigtrap).
 */
int breakpoint_open(pid_t tid, uint64_t address, uint64_t hits);
/* Is this the siginfo of such a stop? */
bool breakpoint_is_hit(const void *siginfo);

#endif
