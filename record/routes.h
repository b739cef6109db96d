/*
 * What the kernel tells about interfaces and addresses over netlink: when they came up, and times that it draws at random.
 * Changed in the guest's memory before they are captured.
 */
#ifndef SWORN_RECORD_ROUTES_H
#define SWORN_RECORD_ROUTES_H

#include "recorder.h"

/* `received` bytes came into the guest's memory from the socket that is the call's first argument. 0 or negative. */
int routes_received(struct recorder *rec, struct thread *thread, int64_t received);

#endif
