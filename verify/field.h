/*
 * The first field in which two events differ, named and shown side by side. Used by compare.c. Pure;
 * what it prints is printable ASCII whatever the events hold.
 */
#ifndef SWORN_VERIFY_FIELD_H
#define SWORN_VERIFY_FIELD_H

#include "../traces/event.h"

#define FIELD_WHERE_BYTES 192
#define FIELD_VALUE_BYTES 256

/* What is known of the event's meaning depends on which of these differ. */
enum field {
	FIELD_THREAD = 1, /* another thread, or an event where the other has none of its kind */
	FIELD_KIND,
	FIELD_STOP,    /* where the thread stood: call number, instruction pointer, registers */
	FIELD_GIVEN,   /* what the guest gave: arguments, bytes it showed, flags */
	FIELD_RESULT,  /* what it got */
	FIELD_BYTES,   /* bytes that were written for it */
	FIELD_MAPPING, /* where a mapping lies */
	FIELD_CONTENT, /* what a mapping holds */
	FIELD_DETAIL,  /* a field of the event's kind */
	FIELD_STATE,   /* registers, vector state, state hash */
};

struct difference {
	enum field field;
	size_t index; /* FIELD_BYTES: of the payload; FIELD_MAPPING, FIELD_CONTENT: of the mapping */
	size_t offset;	  /* FIELD_BYTES: of the first byte that differs */
	uint64_t address; /* of that byte; FIELD_STATE of a checkpoint: of the page, 0 = not known */
	char where[FIELD_WHERE_BYTES];
	char values[2][FIELD_VALUE_BYTES];
};

/* Whether they differ in anything but their numbers; then *ret_difference says in what. */
bool events_differ(const struct event *a, const struct event *b, struct difference *ret_difference);

/* Up to 48 bytes in quotes, others than printable ones escaped. */
void field_quote(const uint8_t *bytes, size_t length, char *ret_text, size_t size);

#endif
