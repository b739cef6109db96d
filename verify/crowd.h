/*
 * Which numbers guests know each thread by. Much less than a history, for printers that go through every event. Pure.
 */
#ifndef SWORN_VERIFY_CROWD_H
#define SWORN_VERIFY_CROWD_H

#include "../traces/event.h"

struct crowd_member {
	uint32_t pid, tid; /* 0: not known */
};

struct crowd {
	struct crowd_member *members; /* owned; by serial number of the thread */
	size_t count;
};

void crowd_release(struct crowd *crowd);

/* Follows one event, in the order of the trace. 0 or -ENOMEM. */
int crowd_event(struct crowd *crowd, const struct event *event);
struct crowd_member crowd_member(const struct crowd *crowd, uint32_t thread);

#endif
