/*
 * What the kernel goes on doing after a call came back: a worker carries what was written to a terminal to its other
 * end. In a seeded recording that has to be over before anybody is believed to sleep.
 */
#ifndef SWORN_RECORD_BACKGROUND_H
#define SWORN_RECORD_BACKGROUND_H

#include "recorder.h"

/* A call came back with `result`: what it left to the background is done when this returns. */
void background_finish(struct recorder *rec, struct thread *thread, int64_t result);

#endif
