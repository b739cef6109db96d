/*
 * Two observations of one command, compared by what somebody outside could see. Used by `sworn gate`. Pure.
 */
#ifndef SWORN_VERIFY_OBSERVE_COMPARE_H
#define SWORN_VERIFY_OBSERVE_COMPARE_H

#include "observe.h"

/* One thing in which they differ. */
struct observed_change {
	char *where, *expected, *actual; /* owned, printable ASCII */
	uint64_t events[2]; /* in the first and the second trace; HISTORY_NO_EVENT: in none */
};

struct observed_changes {
	struct observed_change *list; /* owned; in the order of their events */
	size_t count, capacity;
	char *unknown; /* owned: what could not be compared because a trace does not show it, or NULL */
};

/* What the runs did. 0 or -ENOMEM; *ret is to be released in any case. */
int observed_compare(const struct observation *const runs[2], struct observed_changes *ret);
/* What they were given: files that both read, as far as both show them. Likewise. */
int observed_compare_inputs(const struct observation *const runs[2], struct observed_changes *ret);
void observed_release(struct observed_changes *changes);

#endif
