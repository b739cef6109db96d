/*
 * Calls with all their bytes. A call that moves more than one event holds comes as PART events and then the event
 * itself; here the parts are kept until it comes, so that whoever looks at calls sees each of them once and whole. Used by
 * history.c and the printers of `sworn audit`. Pure.
 */
#ifndef SWORN_VERIFY_GATHER_H
#define SWORN_VERIFY_GATHER_H

#include "../traces/event.h"

#define GATHER_BYTES_MAX (64U << 20) /* of one call; what comes after is left out, and said to be */

struct gather;

/* NULL when memory is short. */
struct gather *gather_new(void);
void gather_release(struct gather *gather); /* NULL allowed */

/*
 * Takes the next event of the trace. 1 and *ret_event: the event, with the payloads of its parts before its own; valid as
 * long as `event`, and until the next call here. 0: it was a part and is kept. -ENOMEM.
 */
int gather_event(struct gather *gather, const struct event *event, struct event *ret_event);

/* Whether the event given last had more bytes than are kept of one call. */
bool gather_was_cut(const struct gather *gather);

#endif
