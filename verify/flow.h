/*
 * The bytes that a call moved through a descriptor: which way, how many, and where they lie in the event's payloads, one
 * message after the other. One place knows how read, writev, recvmsg and the others carry their data. Used by the history of a
 * trace and by `sworn audit cat`. Pure.
 */
#ifndef SWORN_VERIFY_FLOW_H
#define SWORN_VERIFY_FLOW_H

#include "../traces/extent.h"

enum flow_way { FLOW_READ = 0, FLOW_WRITE = 1 };

struct slice {
	const uint8_t *bytes; /* borrowed from the event; NULL: nothing */
	size_t length;
};

/* A plain read or write is one message. */
struct flow_message {
	struct slice address; /* of the other side, a struct sockaddr; empty where none was given */
	struct slice control; /* ancillary data as the kernel lays it out */
	size_t first, count;  /* in the flow's slices: the data */
	uint64_t bytes;	      /* moved, whether they are all in the slices or not */
};

struct flow {
	enum flow_way way;
	int fd;
	bool seen; /* the slices hold all bytes; false: the kernel moved them without showing them */
	uint64_t bytes;
	struct slice *slices; /* owned, as the rest; reused */
	size_t slices_count, slices_capacity;
	struct flow_message *messages;
	size_t messages_count, messages_capacity;
	struct range_list before, after;
};

void flow_release(struct flow *flow);

/* Whether calls of this number move data at all. */
bool flow_is_known(uint32_t nr);

/*
 * What a whole call (gather.h) moved, in *flow, which keeps its arrays from call to call. 1; 0 when it moved nothing: another
 * call, one that failed, was restarted, or only looked (MSG_PEEK); -ENOMEM.
 */
int flow_of(const struct event *event, struct flow *flow);

#endif
