/* Calls that wait until something is ready, in seeded recordings. */
#ifndef SWORN_RECORD_READINESS_H
#define SWORN_RECORD_READINESS_H

#include "recorder.h"

/*
 * The call came back from sleep (registers are read): what woke it may have gone on making other things ready while it came
 * back. Looks again, now that all others are at rest, so that the answer does not depend on how far it had come. 0 or negative.
 */
int readiness_complete(struct thread *thread);

#endif
