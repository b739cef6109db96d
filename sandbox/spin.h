/*
 * Cutting a turn without a counter: a thread that spins, waiting for somebody else, comes back to the very same registers
 * and memory in a few steps. Any round is then as good as any other but for the first ones, which may still have brought memory to
 * what it stays: registers and state name the point (seek_reach()).
 */
#ifndef SWORN_SANDBOX_SPIN_H
#define SWORN_SANDBOX_SPIN_H

#include "guest.h"

#define SPIN_STEPS_MAX 4096

/*
 * Record: the thread was interrupted inside computation, its registers are read. Steps it until they repeat. 0 when
 * they do and memory did not change on the way: the thread stands there; 1 when another stop came first
 * (*ret_status); 2 when this is no spin, the thread stands somewhere near, with its registers read.
 */
int spin_find(const struct guests *guests, struct thread *thread, int *ret_status);

#endif
