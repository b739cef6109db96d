/*
 * Vectors and message headers as text, with the data and the ancillary data behind them. Used by call.c. Pure.
 */
#ifndef SWORN_VERIFY_MESSAGE_H
#define SWORN_VERIFY_MESSAGE_H

#include "../traces/event.h"
#include "out.h"

struct message_view {
	struct out *out;
	const struct event *event;
	unsigned int argument;
	size_t strings; /* bytes of a string that are shown */
	bool failed;	/* the call did */
};

/* An array of `count` struct iovec at an address. */
void message_put_vector(const struct message_view *view, uint64_t address, uint64_t count);
/* struct msghdr. */
void message_put(const struct message_view *view, uint64_t address);
/* The struct mmsghdr that the call got through. */
void message_put_many(const struct message_view *view, uint64_t address);

#endif
