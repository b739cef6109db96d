/*
 * The seeded schedule: which thread goes on, and for how long, follows from the seed and from what guests have done, never from
 * time. schedule.c asks here when the recording is seeded.
 */
#ifndef SWORN_RECORD_SEEDED_H
#define SWORN_RECORD_SEEDED_H

#include "recorder.h"

/* Waits until every thread but the one that runs its own code has come to rest, and takes in the deaths, by number.
 * 0 or negative. Threads may be gone afterwards. */
int seeded_settle(struct recorder *rec);

/* The current thread is inside a call that may sleep: waits for its stop, its death, or its sleep, which ends its turn.
 * 0 or negative. */
int seeded_wait(struct recorder *rec, struct thread *thread);

/* Chooses among those that are ready, and how many events the turn may have. NULL when none is. */
struct thread *seeded_choose(struct recorder *rec);

/* Nobody is ready: brings the virtual clock to the next deadline, or waits for what the outside does. 0 or negative; SWORN_EDEADLOCK when
 * nothing can come. */
int seeded_idle(struct recorder *rec);

/* The thread computes on until somebody else acts. When nobody is ready to, the virtual clock goes to the next deadline. 0 or negative. */
int seeded_end_spin(struct recorder *rec, const struct thread *thread);

/* A thread has computed for a full slice, of `ns` on the virtual clock: that goes on as far, to the next deadline at most. 0 or negative. */
int seeded_end_slice(struct recorder *rec, uint64_t ns);

#endif
