#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/array.h"
#include "recorder.h"

static int item_add(struct capture *capture, const struct captured *item)
{
	struct captured *grown = array_grow(capture->items, capture->count, &capture->capacity,
					    sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	capture->items = grown;
	capture->items[capture->count++] = *item;
	return 0;
}

/* Room for at least one byte of payload; writes out what is there when the buffer is full. */
static int make_room(struct recorder *rec, struct thread *thread)
{
	struct capture *capture = &thread->record->capture;

	if (!capture->bytes) {
		capture->bytes = malloc(EVENT_PART_BYTES);
		if (!capture->bytes)
			return -ENOMEM;
	}
	if (capture->length == EVENT_PART_BYTES || capture->count == EVENT_PAYLOADS_MAX)
		return capture_flush(rec, thread);
	return 0;
}

int capture_range(struct recorder *rec, struct thread *thread, const struct range *range)
{
	return capture_range_in(rec, thread, thread, range);
}

int capture_range_in(struct recorder *rec, struct thread *thread, struct thread *witness,
		     const struct range *range)
{
	struct capture *capture = &thread->record->capture;
	uint64_t done = 0;

	while (done < range->length) {
		struct captured item = { .arg = range->arg, .direction = range->direction };
		size_t want;
		int r = make_room(rec, thread);

		if (r < 0)
			return r;
		want = EVENT_PART_BYTES - capture->length;
		if (want > range->length - done)
			want = (size_t)(range->length - done);
		item.address = range->address + done;
		item.offset = capture->length;
		item.length = guest_read(witness, item.address, capture->bytes + capture->length, want);
		if (item.length == 0)
			return 0;
		r = item_add(capture, &item);
		if (r < 0)
			return r;
		capture->length += item.length;
		done += item.length;
		if (item.length < want)
			return 0;
	}
	return 0;
}

int capture_bytes(struct recorder *rec, struct thread *thread, const struct payload *payload)
{
	struct capture *capture = &thread->record->capture;
	size_t done = 0;

	while (done < payload->length) {
		struct captured item = { .arg = payload->arg, .direction = payload->direction };
		int r = make_room(rec, thread);

		if (r < 0)
			return r;
		item.address = payload->address + done;
		item.offset = capture->length;
		item.length = EVENT_PART_BYTES - capture->length;
		if (item.length > payload->length - done)
			item.length = payload->length - done;
		memcpy(capture->bytes + capture->length, payload->bytes + done, item.length);
		r = item_add(capture, &item);
		if (r < 0)
			return r;
		capture->length += item.length;
		done += item.length;
	}
	return 0;
}

int capture_emit(struct recorder *rec, struct thread *thread, struct event *event)
{
	struct capture *capture = &thread->record->capture;
	struct payload local[16], *payloads = local;
	int r;

	if (capture->count > 16) {
		payloads = calloc(capture->count, sizeof(*payloads));
		if (!payloads)
			return -ENOMEM;
	}
	for (size_t i = 0; i < capture->count; i++) {
		const struct captured *item = &capture->items[i];

		payloads[i] = (struct payload){
			.arg = item->arg,
			.direction = item->direction,
			.address = item->address,
			.length = item->length,
			.bytes = capture->bytes + item->offset,
		};
	}
	event->payloads = payloads;
	event->payloads_count = capture->count;
	capture->count = 0;
	capture->length = 0;
	r = record_event(rec, event);
	if (payloads != local)
		free(payloads);
	return r;
}

int capture_flush(struct recorder *rec, struct thread *thread)
{
	struct event part = { .kind = EVENT_PART, .thread = thread->number, .nr = thread->call.nr };

	if (thread->record->capture.count == 0)
		return 0;
	return capture_emit(rec, thread, &part);
}

void capture_release(struct capture *capture)
{
	free(capture->items);
	free(capture->bytes);
	*capture = (struct capture){ 0 };
}
