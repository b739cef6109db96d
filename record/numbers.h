/*
 * Numbers and times that the kernel tells about its own objects: addresses in an order, counters of the whole host,
 * clocks of sockets. Changed in the guest's memory before they are captured, as the view does with files.
 */
#ifndef SWORN_RECORD_NUMBERS_H
#define SWORN_RECORD_NUMBERS_H

#include "recorder.h"

/* After a call in a seeded recording: changes what it wrote for the guest, and *result with the register. 0 or negative. */
int numbers_return(struct recorder *rec, struct thread *thread, int64_t *result);

#endif
