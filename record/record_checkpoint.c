/* Checkpoints: the state of a process, hashed. */
#include <endian.h>
#include <string.h>
#include <xxhash.h>

#include "recorder.h"

#define SETTLE_TRIES_MAX 100
#define TOLD_BYTES_MIN 16384

static bool is_in_flight(const struct thread *thread, const struct thread *except,
			 const struct space *space)
{
	const struct row *row = thread->call.row;

	if (thread->process->space != space || thread->stand != STAND_ENTRY || !row)
		return false;
	return thread != except || (row->family != FAMILY_EXIT && row->family != FAMILY_EXEC);
}

static uint64_t print_range(struct thread *thread, const struct range *range, uint64_t seed)
{
	static uint8_t bytes[65536];

	for (uint64_t done = 0; done < range->length;) {
		uint64_t left = range->length - done;
		size_t want = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
		size_t got = guest_read(thread, range->address + done, bytes, want);

		seed = XXH3_64bits_withSeed(bytes, got, seed);
		if (got < want)
			break;
		done += got;
	}
	return seed;
}

/* A number for all that the ranges of calls in flight hold. */
static uint64_t fingerprint(struct recorder *rec, const struct thread *except, const struct space *space)
{
	uint64_t print = 0;

	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (!is_in_flight(t, except, space))
			continue;
		for (size_t i = 0; i < t->call.entry.count; i++) {
			if (t->call.entry.ranges[i].direction == DIRECTION_OUT)
				print = print_range(t, &t->call.entry.ranges[i], print);
		}
	}
	return print;
}

int record_in_flight(struct recorder *rec, struct thread *thread, struct thread *witness)
{
	struct event event;
	int r = capture_flush(rec, thread);

	for (size_t i = 0; r == 0 && i < thread->call.entry.count; i++) {
		if (thread->call.entry.ranges[i].direction == DIRECTION_OUT)
			r = capture_range_in(rec, thread, witness, &thread->call.entry.ranges[i]);
	}
	if (r < 0 || thread->record->capture.count == 0)
		return r;
	event = record_call_event(thread, EVENT_CALL);
	event.flags = CALL_UNFINISHED;
	return capture_emit(rec, thread, &event);
}

/* Calls in flight may have written, or be done in the kernel without having come back here: what their ranges hold now
 * is part of the state, so the trace must say it first. */
static int capture_in_flight(struct recorder *rec, const struct thread *except, const struct space *space)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		int r;

		if (!is_in_flight(t, except, space))
			continue;
		r = record_in_flight(rec, t, t);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Long ranges are told once for each call, and then when they have changed: a program may fork a lot meanwhile. */
static bool is_told(struct thread *thread, struct thread *witness)
{
	const struct range_list *entry = &thread->call.entry;
	uint64_t print = 0, length = 0, told = thread->record->told;

	for (size_t i = 0; i < entry->count; i++) {
		if (entry->ranges[i].direction == DIRECTION_OUT)
			length += entry->ranges[i].length;
	}
	if (length < TOLD_BYTES_MIN)
		return false;
	for (size_t i = 0; i < entry->count; i++) {
		if (entry->ranges[i].direction == DIRECTION_OUT)
			print = print_range(witness, &entry->ranges[i], print);
	}
	thread->record->told = print;
	return told == print;
}

int record_copied(struct recorder *rec, const struct thread *parent, struct thread *child)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		int r = 0;

		if (t == parent || !is_in_flight(t, parent, parent->process->space))
			continue;
		if (!is_told(t, child))
			r = record_in_flight(rec, t, child);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Tags as payloads, one for each run of neighbours; returns how many. */
static size_t runs_of(const struct page_tags *tags, unsigned int shift, struct payload *payloads,
		      uint64_t *words)
{
	size_t count = 0;
	uint64_t expected = 0;

	for (size_t i = 0; i < tags->count; i++) {
		const struct page_tag *tag = &tags->entries[i];

		words[i] = htole64(tag->tag);
		if (i == 0 || tag->address != expected)
			payloads[count++] = (struct payload){ .arg = PAYLOAD_TAGS,
							      .direction = DIRECTION_OUT,
							      .address = tag->address,
							      .bytes = (const uint8_t *)&words[i] };
		payloads[count - 1].length += sizeof(*words);
		expected = tags_after(tag->address, shift);
	}
	return count;
}

/* With as many pages to a tag as it takes for one event to hold them all. */
static int emit(struct recorder *rec, struct event *event, struct page_tags *tags)
{
	static struct payload payloads[EVENT_PAYLOADS_MAX];
	static uint64_t words[EVENT_PART_BYTES / sizeof(uint64_t)];
	unsigned int shift = 0;

	while (shift < CHECKPOINT_SHIFT_MAX &&
	       (tags_count(tags, shift) > sizeof(words) / sizeof(words[0]) ||
		tags_runs(tags, shift) > EVENT_PAYLOADS_MAX))
		shift++;
	tags_fold(tags, shift);
	event->checkpoint.shift = shift;
	event->payloads = payloads;
	event->payloads_count = runs_of(tags, shift, payloads, words);
	return record_event(rec, event);
}

/* The state's hash, after what calls in flight have written so far. One of them may write once more in between: an event
 * or a signal from outside does not wait. */
int record_state(struct recorder *rec, struct thread *thread, const struct state_request *request,
		 uint8_t ret_hash[DIGEST_BYTES])
{
	const struct space *space = thread->process->space;
	uint64_t before;
	int r;

	for (unsigned int i = 0;; i++) {
		before = request->with_memory ? fingerprint(rec, thread, space) : 0;
		if (request->tags)
			tags_release(request->tags);
		r = request->with_memory ? capture_in_flight(rec, thread, space) : 0;
		if (r == 0)
			r = guest_state(&rec->guests, thread, request, ret_hash);
		if (r < 0 || !request->with_memory || i == SETTLE_TRIES_MAX ||
		    fingerprint(rec, thread, space) == before)
			return r;
	}
}

int record_checkpoint(struct recorder *rec, struct thread *thread, enum checkpoint_reason reason)
{
	struct process *process = thread->process;
	bool with_memory = process->space->references == 1 && !thread->unplaced;
	bool ends = reason == CHECKPOINT_EXIT || reason == CHECKPOINT_EXEC;
	struct event event = { .kind = EVENT_CHECKPOINT, .thread = thread->number };
	struct page_tags tags = { 0 };
	struct state_request request = { .with_memory = with_memory, .tags = &tags };
	int r;

	if (thread->unplaced) {
		event.flags = CHECKPOINT_UNPLACED;
	} else if (thread->stand == STAND_ENTRY) {
		event.nr = thread->call.nr;
		event.ip = thread->call.ip;
	}
	event.checkpoint.reason = reason;
	event.checkpoint.unit = process->unit->number;
	event.checkpoint.last = ends && unit_ends_with(process);
	request.pages = event.checkpoint.last ? PAGE_SHA256 : PAGE_XXH3;
	r = record_state(rec, thread, &request, event.checkpoint.hash);
	if (r == 0)
		r = emit(rec, &event, &tags);
	tags_release(&tags);
	if (r < 0)
		return r;
	if (event.checkpoint.last) {
		memcpy(process->unit->final, event.checkpoint.hash, DIGEST_BYTES);
		process->unit->final_known = true;
	}
	if (reason == CHECKPOINT_EXIT)
		process->checkpointed = true;
	return 0;
}
