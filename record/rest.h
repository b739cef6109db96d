/*
 * Who is at rest: asleep in its call until somebody else acts, stopped, or gone. seeded.c decides nothing before all are. It asks after
 * each call that may have woken somebody, so that what /proc is read for counts.
 */
#ifndef SWORN_RECORD_REST_H
#define SWORN_RECORD_REST_H

#include "recorder.h"

/* The thread begins to execute its call: forgets where the one before slept. */
void rest_begin(struct thread *thread);

/* The thread is asleep in its call until somebody else acts, or in a group stop. */
bool rest_is_asleep(const struct recorder *rec, struct thread *thread);

/* Each but `except`, when it was looked at. `except` may be moving: NULL, or the one in whose call the caller waits. */
bool rest_all(const struct recorder *rec, const struct thread *except);

/* All of them, at one moment. */
bool rest_all_at_once(const struct recorder *rec);

#endif
