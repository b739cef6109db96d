/*
 * Events as people read them: one line each, a call with its arguments in the way of strace(1), from the
 * syscall table and the payloads. Used by reports. Pure; what it prints is printable ASCII whatever the
 * event holds.
 */
#ifndef SWORN_TRACES_DESCRIBE_H
#define SWORN_TRACES_DESCRIBE_H

#include "event.h"

#define DESCRIBE_SHOWN_BYTES 32 /* of a payload */
#define DESCRIBE_PAYLOADS 4	/* of an event are looked at */
#define DESCRIPTION_BYTES 192	/* what callers set aside for one line */

/* Writes number, thread and what happened; cut with "..." where `size` bytes are too few. */
void describe_event(const struct event *event, char *ret_text, size_t size);

/* The call alone: name(arguments), without a result. */
void describe_call(const struct event *event, char *ret_text, size_t size);

/* An event that outlives its reader: as much as describe_event() looks at. */
struct past_event {
	struct event event; /* pointers lead into this struct */
	struct payload payloads[DESCRIBE_PAYLOADS];
	uint8_t bytes[DESCRIBE_PAYLOADS][DESCRIBE_SHOWN_BYTES + 1];
	char path[64];
};
/* Copies; cheap enough for every event. */
void describe_keep(const struct event *event, struct past_event *ret_past);

#endif
