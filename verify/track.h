/*
 * What a trace says, from its events alone, of the run behind it: to which unit each thread belongs, what
 * its descriptors refer to, what is mapped where. For people who ask what an event was about: names,
 * never part of a verdict. Used by compare.c. Pure.
 */
#ifndef SWORN_VERIFY_TRACK_H
#define SWORN_VERIFY_TRACK_H

#include "../traces/event.h"

struct track;

/* NULL when memory is short. */
struct track *track_new(void);
void track_release(struct track *track); /* NULL allowed */

/* Follows one event, in the order of the trace. 0 or -ENOMEM. */
int track_event(struct track *track, const struct event *event);

/* The unit that a thread belongs to, 0 when it is not known. */
uint32_t track_unit(const struct track *track, uint32_t thread);
/* What a descriptor of the thread was opened as: a path, or the name of the call that made it ("[socket]", "[pipe]");
 * NULL when it is not known. Valid until the next track_event(). */
const char *track_descriptor(const struct track *track, uint32_t thread, int descriptor);
/* The path behind the mapping that was made last over the address in the thread's unit, or NULL. */
const char *track_region(const struct track *track, uint32_t thread, uint64_t address);

/* The text that a call was given as its first path, or NULL. Ends with a NUL inside the payload. */
const char *event_path(const struct event *event);

#endif
