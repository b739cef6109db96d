/*
 * What call.c, call_argument.c and call_memory.c share. Nobody else includes this.
 */
#ifndef SWORN_VERIFY_CALL_INSIDE_H
#define SWORN_VERIFY_CALL_INSIDE_H

#include "call.h"

/* One argument on its way to text. */
struct argument {
	struct out *out;
	const struct event *event;
	const struct row *row;
	const struct call_options *options;
	unsigned int i;
	uint64_t value; /* as comparison sees it */
	bool failed;	/* the call did: what it was to write is not there */
};

/* The bytes of the argument at an address, one way; and those behind it: that went in, else that came out of a call that did
 * not fail. NULL where there are none. */
const struct payload *call_find(const struct argument *a, uint64_t address, uint8_t direction);
const struct payload *call_bytes(const struct argument *a);
/* In quotes, cut; `length` may be more than the bytes that are there. */
void call_put_string(const struct argument *a, const struct payload *p, uint64_t length);
/* An argument that is memory, by its extent. */
void call_put_memory(const struct argument *a);

/* Whether an argument is shown at all (no mode without O_CREAT; nothing behind either), or passed over. */
bool call_is_shown(const struct event *event, unsigned int i);
bool call_is_skipped(const struct event *event, unsigned int i);
void call_put_one(struct out *out, const struct event *event, const struct row *row, unsigned int i,
		  const struct call_options *options);
/* In hexadecimal, NULL for 0. */
void call_put_pointer(struct out *out, uint64_t value);

#endif
