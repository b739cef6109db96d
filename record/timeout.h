/*
 * Waits with a timeout, on the virtual clock: the kernel is asked to wait without one, and when the clock gets to the deadline the
 * call is interrupted and ends as if the kernel had timed it out. nanosleep runs as pause.
 */
#ifndef SWORN_RECORD_TIMEOUT_H
#define SWORN_RECORD_TIMEOUT_H

#include "recorder.h"

/* The thread stands at the entry of its call, which it is about to execute. `again`: it starts over after a signal, with the
 * deadline it had. 0 or negative. */
int timeout_enter(struct recorder *rec, struct thread *thread, bool again);

/* The call came back, registers are read: puts the guest's arguments back, and the result where the deadline ended it. */
int timeout_leave(struct recorder *rec, struct thread *thread);

/* The earliest deadline of a thread that sleeps, UINT64_MAX for none. */
uint64_t timeout_next(const struct recorder *rec);

/* Ends every sleep whose deadline is not after the virtual clock. */
int timeout_expire(struct recorder *rec);

/* What the clock `id` showed when the virtual clock stood at 0, nanoseconds; 0 for clocks that count from there. */
uint64_t timeout_origin(const struct recorder *rec, clockid_t id);

#endif
