/*
 * Hardware breakpoints on instructions of a stopped guest thread by its debug registers, which any tracer may set: no
 * counter, no perf events, no change to the guest's text. A hit is a SIGTRAP that the kernel forces: the guest must
 * neither block nor ignore it.
 */
#ifndef SWORN_SANDBOX_DEBUGREG_H
#define SWORN_SANDBOX_DEBUGREG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DEBUGREG_MAX 4

/* Breakpoints at these addresses and nowhere else; 0 in the list leaves one unused. SWORN_EGONE, -errno. */
int debugreg_set(pid_t tid, const uint64_t *addresses, size_t count);
/* Is the stop with this wait status such a hit? */
bool debugreg_is_hit(pid_t tid, int status);

#endif
