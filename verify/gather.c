#include "gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/array.h"
#include "../traces/buffer.h"

/* What came of one thread's call so far. Bytes may move while they grow, so payloads hold offsets until they are given. */
struct pending {
	uint32_t thread;
	bool cut;
	struct buffer bytes;
	struct payload *payloads; /* owned */
	size_t count, capacity;
};

struct gather {
	struct pending *pending; /* owned; those with a thread wait, the others are kept for their memory */
	size_t count, capacity;
	bool cut;
};

struct gather *gather_new(void)
{
	return calloc(1, sizeof(struct gather));
}

void gather_release(struct gather *gather)
{
	if (!gather)
		return;
	for (size_t i = 0; i < gather->count; i++) {
		buffer_release(&gather->pending[i].bytes);
		free(gather->pending[i].payloads);
	}
	free(gather->pending);
	free(gather);
}

static struct pending *find(struct gather *gather, uint32_t thread)
{
	for (size_t i = 0; i < gather->count; i++)
		if (gather->pending[i].thread == thread)
			return &gather->pending[i];
	return NULL;
}

static struct pending *start(struct gather *gather, uint32_t thread)
{
	struct pending *pending = find(gather, 0), *grown;
	if (!pending) {
		grown = array_grow(gather->pending, gather->count, &gather->capacity, sizeof(*grown));
		if (!grown)
			return NULL;
		gather->pending = grown;
		pending = &grown[gather->count++];
		*pending = (struct pending){ 0 };
	}
	pending->thread = thread;
	pending->count = 0;
	pending->bytes.length = 0;
	pending->cut = false;
	return pending;
}

/* Keeps one payload; its bytes are found by their offset until all are there. */
static int keep(struct pending *pending, const struct payload *payload)
{
	struct payload *grown;
	if (payload->length > GATHER_BYTES_MAX - pending->bytes.length) {
		pending->cut = true;
		return 0;
	}
	grown = array_grow(pending->payloads, pending->count, &pending->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pending->payloads = grown;
	grown[pending->count] = *payload;
	grown[pending->count].bytes = NULL;
	if (buffer_append(&pending->bytes, payload->bytes, payload->length) < 0)
		return -ENOMEM;
	pending->count++;
	return 0;
}

static int keep_part(struct gather *gather, const struct event *event)
{
	struct pending *pending = find(gather, event->thread);
	if (!pending)
		pending = start(gather, event->thread);
	for (size_t i = 0; pending && i < event->payloads_count; i++)
		if (keep(pending, &event->payloads[i]) < 0)
			return -ENOMEM;
	return pending ? 0 : -ENOMEM;
}

/* Parts lie before the event that they belong to; events of another sort may come between. */
static bool ends_call(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_EXEC:
	case EVENT_CLONE:
	case EVENT_REFUSED:
	case EVENT_EXIT: return true;
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	return false;
}

int gather_event(struct gather *gather, const struct event *event, struct event *ret_event)
{
	struct pending *pending;
	size_t offset = 0, parts;
	gather->cut = false;
	if (event->kind == EVENT_PART)
		return event->thread ? keep_part(gather, event) : 0;
	*ret_event = *event;
	if (gather->count == 0 || !ends_call(event) || event->thread == 0)
		return 1;
	pending = find(gather, event->thread);
	if (!pending)
		return 1;
	parts = pending->count;
	for (size_t i = 0; i < event->payloads_count; i++) {
		struct payload *grown = array_grow(pending->payloads, pending->count,
						   &pending->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		pending->payloads = grown;
		grown[pending->count++] = event->payloads[i];
	}
	for (size_t i = 0; i < parts; i++) {
		pending->payloads[i].bytes = pending->bytes.bytes + offset;
		offset += pending->payloads[i].length;
	}
	pending->thread = 0;
	gather->cut = pending->cut;
	ret_event->payloads = pending->payloads;
	ret_event->payloads_count = pending->count;
	return 1;
}

bool gather_was_cut(const struct gather *gather)
{
	return gather->cut;
}
