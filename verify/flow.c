#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../traces/array.h"

#define NO_ARG 0xff

/* How calls carry data. */
static const struct carrier {
	uint32_t nr;
	uint8_t way, fd, data, address, flags; /* indices of arguments, or NO_ARG */
} carriers[] = {
	{ SYS_read, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
	{ SYS_write, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_pread64, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
	{ SYS_pwrite64, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_readv, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
	{ SYS_writev, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_preadv, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
	{ SYS_pwritev, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_preadv2, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
	{ SYS_pwritev2, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_sendto, FLOW_WRITE, 0, 1, 4, 3 },
	{ SYS_recvfrom, FLOW_READ, 0, 1, 4, 3 },
	{ SYS_sendmsg, FLOW_WRITE, 0, 1, NO_ARG, 2 },
	{ SYS_recvmsg, FLOW_READ, 0, 1, NO_ARG, 2 },
	{ SYS_sendmmsg, FLOW_WRITE, 0, 1, NO_ARG, 3 },
	{ SYS_recvmmsg, FLOW_READ, 0, 1, NO_ARG, 3 },
	{ SYS_mq_timedsend, FLOW_WRITE, 0, 1, NO_ARG, NO_ARG },
	{ SYS_mq_timedreceive, FLOW_READ, 0, 1, NO_ARG, NO_ARG },
};

static const struct carrier *find_carrier(uint32_t nr)
{
	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (carriers[i].nr == nr)
			return &carriers[i];
	return NULL;
}

bool flow_is_known(uint32_t nr)
{
	return find_carrier(nr) != NULL;
}

void flow_release(struct flow *flow)
{
	free(flow->slices);
	free(flow->messages);
	range_list_release(&flow->before);
	range_list_release(&flow->after);
	*flow = (struct flow){ 0 };
}

static struct flow_message *add_message(struct flow *flow)
{
	struct flow_message *grown = array_grow(flow->messages, flow->messages_count,
						&flow->messages_capacity, sizeof(*grown));
	if (!grown)
		return NULL;
	flow->messages = grown;
	grown[flow->messages_count] = (struct flow_message){ .first = flow->slices_count };
	return &grown[flow->messages_count++];
}

static int add_slice(struct flow *flow, const uint8_t *bytes, size_t length)
{
	struct slice *grown = array_grow(flow->slices, flow->slices_count, &flow->slices_capacity,
					 sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	flow->slices = grown;
	grown[flow->slices_count++] = (struct slice){ bytes, length };
	flow->messages[flow->messages_count - 1].count++;
	return 0;
}

/* One buffer: its payloads follow each other. */
static int plain(const struct event *event, const struct carrier *carrier, struct flow *flow)
{
	uint8_t direction = carrier->way == FLOW_READ ? DIRECTION_OUT : DIRECTION_IN;
	uint64_t left = carrier->nr == SYS_mq_timedsend ? event->args[2] : (uint64_t)event->result;
	struct flow_message *message = add_message(flow);
	if (!message)
		return -ENOMEM;
	message->bytes = flow->bytes = left;
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->arg == carrier->address && p->address == event->args[carrier->address] &&
		    p->direction == direction)
			message->address = (struct slice){ p->bytes, p->length };
		if (p->arg != carrier->data || p->direction != direction || left == 0)
			continue;
		size_t length = p->length < left ? p->length : (size_t)left;
		if (add_slice(flow, p->bytes, length) < 0)
			return -ENOMEM;
		left -= length;
	}
	flow->seen = left == 0;
	return 0;
}

/* Memory as the payloads tell it: after the call, or, where nothing was written, before. */
static const uint8_t *peek(const struct event *event, uint64_t address, uint8_t direction,
			   size_t *ret_left)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->direction != direction || address < p->address || address - p->address >= p->length)
			continue;
		*ret_left = p->length - (size_t)(address - p->address);
		return p->bytes + (address - p->address);
	}
	return NULL;
}

struct view {
	const struct event *event;
	bool after;
};

static size_t read_payloads(void *context, uint64_t address, void *buffer, size_t length)
{
	const struct view *view = context;
	size_t done = 0, left = 0;
	while (done < length) {
		const uint8_t *bytes = NULL;
		if (view->after)
			bytes = peek(view->event, address + done, DIRECTION_OUT, &left);
		if (!bytes)
			bytes = peek(view->event, address + done, DIRECTION_IN, &left);
		if (!bytes)
			break;
		left = left < length - done ? left : length - done;
		memcpy((uint8_t *)buffer + done, bytes, left);
		done += left;
	}
	return done;
}

static int add_range(const struct event *event, struct flow *flow, const struct range *range,
		     uint64_t length)
{
	uint64_t done = 0;
	while (done < length) {
		size_t left;
		const uint8_t *bytes = peek(event, range->address + done, range->direction, &left);
		if (!bytes) {
			flow->seen = false;
			return 0;
		}
		left = left < length - done ? left : (size_t)(length - done);
		if (add_slice(flow, bytes, left) < 0)
			return -ENOMEM;
		done += left;
	}
	return 0;
}

/* Bytes of one message: what the call returned, or the length that the kernel stored in its header. */
static uint64_t message_bytes(const struct event *event, const struct range *range)
{
	struct view view = { event, true };
	uint32_t length = 0;
	if (range->trim == TRIM_STREAM)
		return (uint64_t)event->result;
	return read_payloads(&view, range->measure, &length, sizeof(length)) == sizeof(length) ? length
											       : 0;
}

static struct slice whole(const struct event *event, const struct range *range)
{
	size_t left = 0;
	const uint8_t *bytes = peek(event, range->address, range->direction, &left);
	return (struct slice){ bytes, left < range->length ? left : (size_t)range->length };
}

/* Message headers and vectors: the table walk finds where the data is. */
static int vector(const struct event *event, const struct row *row, struct flow *flow)
{
	struct view before = { event, false }, after = { event, true };
	uint8_t direction = flow->way == FLOW_READ ? DIRECTION_OUT : DIRECTION_IN;
	int r = extent_entry(row, event->args, read_payloads, &before, &flow->before);
	const struct range_list *list = &flow->before;
	if (r == 0 && flow->way == FLOW_READ) {
		r = extent_exit(row, event->args, event->result, &flow->before, read_payloads,
				&after, &flow->after);
		list = &flow->after;
	}
	uint32_t number = UINT32_MAX;
	uint64_t left = 0;
	flow->seen = true;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		const struct range *range = &list->ranges[i];
		bool data = range->trim == TRIM_STREAM || range->trim == TRIM_MESSAGE;
		bool more = data || range->trim == TRIM_WORD32 || range->trim == TRIM_WORD64;
		if (range->direction != direction || !more || range->message > (uint64_t)event->result)
			continue;
		if (range->message != number) {
			if (!add_message(flow))
				return -ENOMEM;
			number = range->message;
			left = UINT64_MAX;
		}
		struct flow_message *message = &flow->messages[flow->messages_count - 1];
		if (range->trim == TRIM_WORD32)
			message->address = whole(event, range);
		else if (range->trim == TRIM_WORD64)
			message->control = whole(event, range);
		if (!data)
			continue;
		if (left == UINT64_MAX)
			left = message->bytes = message_bytes(event, range);
		uint64_t length = range->length < left ? range->length : left;
		r = add_range(event, flow, range, length);
		left -= length;
	}
	for (size_t i = 0; i < flow->messages_count; i++)
		flow->bytes += flow->messages[i].bytes;
	/* More ranges than any call may have: what was found so far. */
	return r == -ENOMEM ? r : 0;
}

int flow_of(const struct event *event, struct flow *flow)
{
	const struct carrier *carrier = find_carrier(event->nr);
	const struct row *row = carrier ? syscall_row(event->nr) : NULL;
	int r;
	flow->slices_count = flow->messages_count = 0;
	flow->bytes = 0;
	if (!row || event->kind != EVENT_CALL || event->result < 0 ||
	    event->flags & (CALL_RESTARTED | CALL_UNFINISHED))
		return 0;
	if (carrier->flags != NO_ARG && carrier->way == FLOW_READ && event->args[carrier->flags] & MSG_PEEK)
		return 0;
	flow->way = (enum flow_way)carrier->way;
	flow->fd = (int)event->args[carrier->fd];
	switch ((enum extent)row->args[carrier->data].extent) {
	case EXTENT_COUNT:
	case EXTENT_RESULT: r = plain(event, carrier, flow); break;
	case EXTENT_IOVEC:
	case EXTENT_MSGHDR:
	case EXTENT_MMSGHDR: r = vector(event, row, flow); break;
	default: r = 0;
	}
	return r < 0 ? r : 1;
}
