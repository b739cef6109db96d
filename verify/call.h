/*
 * A call as text, in the way of strace(1): its name, arguments with their names for flags and structures, and what it
 * returned. The rows of the syscall table say what the arguments are; style_table.def what their numbers mean. Used by
 * `sworn audit events`. Pure.
 */
#ifndef SWORN_VERIFY_CALL_H
#define SWORN_VERIFY_CALL_H

#include "../traces/syscall.h"
#include "../traces/event.h"
#include "out.h"

struct call_options {
	size_t strings; /* bytes of a string that are shown */
	size_t list;	/* entries of a list of strings; 0: all */
};

/* Name and arguments of a whole call (gather.h) of kind CALL, REFUSED, EXEC, CLONE or SIGRETURN. */
void call_put(struct out *out, const struct event *event, const struct call_options *options);
/* One argument; false when the row has none there. */
bool call_put_argument(struct out *out, const struct event *event, unsigned int argument,
		       const struct call_options *options);
/* "3", "-1 ENOENT", "0x7f0000000000", "?". */
void call_put_result(struct out *out, const struct event *event);
/* Name of the call, "?" without one. */
const char *call_name(const struct event *event);

#endif
