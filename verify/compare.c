#include "compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/buffer.h"
#include "../traces/error.h"
#include "../traces/record.h"
#include "../traces/syscall.h"

struct compare {
	struct reader *readers[2];
	struct event events[2];
	struct track *track;	  /* owned */
	struct buffer records[2]; /* owned: of the two events */
	struct past_event *past;  /* owned: the last COMPARE_PREVIOUS events, a ring */
	uint64_t count;		  /* of equal events */
	struct comparison *found;
};

static bool head_differs(struct comparison *found, const char *where, const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return false;
	found->in_head = true;
	found->origin = ORIGIN_COMMAND;
	snprintf(found->difference.where, sizeof(found->difference.where), "%s", where);
	field_quote((const uint8_t *)a, strlen(a), found->difference.values[0], FIELD_VALUE_BYTES);
	field_quote((const uint8_t *)b, strlen(b), found->difference.values[1], FIELD_VALUE_BYTES);
	return true;
}

static bool number_differs(struct comparison *found, const char *where, uint64_t a, uint64_t b)
{
	char texts[2][24];
	snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, a);
	snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, b);
	return head_differs(found, where, texts[0], texts[1]);
}

static bool argv_differs(struct comparison *found, const char *const *a, const char *const *b)
{
	size_t i = 0;
	for (; a[i] && b[i]; i++)
		if (head_differs(found, "the command", a[i], b[i]))
			return true;
	return (a[i] || b[i]) && head_differs(found, "the command", a[i] ? "one argument more" : "",
					      b[i] ? "one argument more" : "");
}

/* What was recorded, as far as events can only be equal when it is. */
static bool infos_differ(struct comparison *found, const struct trace_info *a,
			 const struct trace_info *b, const struct compare_options *options)
{
	return number_differs(found, "version of the call table", a->table_version, b->table_version) ||
	       argv_differs(found, a->argv, b->argv) ||
	       head_differs(found, "the seed", a->seed, b->seed) ||
	       head_differs(found, "the clock", a->clock_virtual ? "virtual" : "real",
			    b->clock_virtual ? "virtual" : "real") ||
	       number_differs(found, "the clock's start", a->epoch_ns, b->epoch_ns) ||
	       head_differs(found, "the schedule", a->schedule_seeded ? "seeded" : "observed",
			    b->schedule_seeded ? "seeded" : "observed") ||
	       (!options->other_directory &&
		head_differs(found, "the working directory", a->directory, b->directory));
}

static int encode(struct buffer *buffer, const struct event *event)
{
	struct cbor_out out;
	int r = buffer_reserve(buffer, record_bound(event));
	if (r < 0)
		return r;
	out = (struct cbor_out){ .bytes = buffer->bytes, .capacity = buffer->capacity };
	r = record_encode(event, &out);
	buffer->length = out.length;
	return r;
}

/*
 * Whether the two events differ: 1, 0, or negative. Their records decide, which hold all that an event has; the
 * fields are looked at only to name what it is.
 */
static int differ(struct compare *compare)
{
	struct buffer *a = &compare->records[0], *b = &compare->records[1];
	struct difference *difference = &compare->found->difference;
	int r = encode(a, &compare->events[0]);
	if (r == 0)
		r = encode(b, &compare->events[1]);
	if (r < 0 || (a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0))
		return r;
	if (events_differ(&compare->events[0], &compare->events[1], difference))
		return 1;
	difference->field = FIELD_DETAIL;
	snprintf(difference->where, sizeof(difference->where), "the record");
	for (int side = 0; side < 2; side++)
		snprintf(difference->values[side], FIELD_VALUE_BYTES, "%zu bytes",
			 compare->records[side].length);
	return 1;
}

static int check(struct compare *compare, int side)
{
	struct trace_report report;
	int r = reader_check(compare->readers[side], &report, NULL, NULL);
	struct comparison *found = compare->found;
	found->of[side] = report.events;
	if (r == 0 && side == 0) {
		found->units = report.units;
		memcpy(found->state, report.state, DIGEST_BYTES);
	}
	if (r == 0 && report.events == 0)
		r = SWORN_ETRUNCATED;
	if (r < 0) {
		found->bad = side;
		snprintf(found->reason, sizeof(found->reason), "%s", report.reason);
	}
	return r;
}

static void name_call(const struct event *event, char *name, size_t size)
{
	bool call = event->kind == EVENT_CALL || event->kind == EVENT_REFUSED ||
		    event->kind == EVENT_PART;
	const struct row *row = call ? syscall_row(event->nr) : NULL;
	snprintf(name, size, "%s", row ? row->name : event_kind_name(event->kind));
}

/* Reads on to the event that a part belongs to; where there is none, nothing is known of its bytes any more. */
static void leave_part(struct reader *reader, struct event *event)
{
	struct event next;
	event->payloads_count = event->mappings_count = 0;
	while (trace_next(reader, &next) > 0) {
		if (next.thread != event->thread || next.kind == EVENT_PART)
			continue;
		*event = next;
		return;
	}
}

/* Bytes of a large call come before it. A longer call has more such parts, which are no other kind of event. */
static void leave_parts(struct compare *compare)
{
	struct difference behind;
	bool parts = false;
	for (int side = 0; side < 2; side++) {
		if (compare->events[side].kind != EVENT_PART)
			continue;
		leave_part(compare->readers[side], &compare->events[side]);
		parts = true;
	}
	if (parts && compare->found->difference.field == FIELD_KIND &&
	    events_differ(&compare->events[0], &compare->events[1], &behind))
		compare->found->difference = behind;
}

/* What an assumption speaks of when the difference comes from there and has no path. */
static const char *assumed_word(enum origin origin)
{
	switch ((int)origin) {
	case ORIGIN_LAYOUT: return "address space layout";
	case ORIGIN_ORDER: return "a turn ended";
	case ORIGIN_CPU:
	case ORIGIN_UNRECORDED: return "CPUID";
	default: return NULL;
	}
}

/* What a trace says it took for granted about the subject's path, or about where the difference came from. */
static void find_assumption(struct compare *compare)
{
	struct comparison *found = compare->found;
	const char *path = strchr(found->subject, '/'),
		   *word = path ? path : assumed_word(found->origin);
	for (int side = 0; side < 2 && word; side++) {
		const struct trace_summary *summary = reader_summary(compare->readers[side]);
		for (const char *const *text = summary ? summary->assumptions : NULL; text && *text;
		     text++)
			if (strstr(*text, word))
				snprintf(found->assumption, sizeof(found->assumption), "%s", *text);
	}
}

static void conclude(struct compare *compare)
{
	struct comparison *found = compare->found;
	const struct trace_summary *summary = reader_summary(compare->readers[0]);
	const struct trace_info *infos[2] = { reader_info(compare->readers[0]),
					      reader_info(compare->readers[1]) };
	struct suspects suspects = {
		.events = { &compare->events[0], &compare->events[1] },
		.track = compare->track,
		.other_cpu = !(summary && summary->requires_cpu) &&
			     (strcmp(infos[0]->cpu, infos[1]->cpu) != 0 ||
			      infos[0]->xcr0 != infos[1]->xcr0),
	};
	found->thread = compare->events[0].thread;
	found->unit = track_unit(compare->track, found->thread);
	name_call(&compare->events[0], found->call, sizeof(found->call));
	for (int side = 0; side < 2; side++)
		describe_event(&compare->events[side], found->lines[side], DESCRIPTION_BYTES);
	found->previous_count = compare->count < COMPARE_PREVIOUS ? (size_t)compare->count
								  : COMPARE_PREVIOUS;
	for (size_t i = 0; i < found->previous_count; i++) {
		uint64_t number = compare->count - found->previous_count + i;
		describe_event(&compare->past[number % COMPARE_PREVIOUS].event, found->previous[i],
			       DESCRIPTION_BYTES);
	}
	leave_parts(compare);
	found->origin = origin_of(&suspects, &found->difference, found->subject);
	find_assumption(compare);
}

/* One trace ends where the other goes on: what the reader found whole must be one of a crashed recorder. */
static int ends_early(struct compare *compare, int side)
{
	compare->found->bad = side;
	snprintf(compare->found->reason, sizeof(compare->found->reason), "it ends without an end event");
	return SWORN_ETRUNCATED;
}

/* Goes through both. 0 with the answer in compare->found. */
static int walk(struct compare *compare)
{
	for (;;) {
		for (int side = 0; side < 2; side++) {
			int r = trace_next(compare->readers[side], &compare->events[side]);
			compare->found->bad = side;
			if (r < 0)
				return r;
			if (r == 0)
				return ends_early(compare, side);
		}
		int r = differ(compare);
		if (r < 0)
			return r;
		if (r > 0) {
			conclude(compare);
			return 0;
		}
		describe_keep(&compare->events[0], &compare->past[compare->count % COMPARE_PREVIOUS]);
		compare->found->events = ++compare->count;
		if (track_event(compare->track, &compare->events[0]) < 0)
			return -ENOMEM;
		if (compare->events[0].kind == EVENT_END) {
			compare->found->status = compare->events[0].end.status;
			compare->found->equal = true;
			return 0;
		}
	}
}

int compare_traces(struct reader *a, struct reader *b, const struct compare_options *options,
		   struct comparison *ret_comparison)
{
	struct compare compare = { .readers = { a, b }, .found = ret_comparison };
	int r;
	memset(ret_comparison, 0, sizeof(*ret_comparison));
	r = check(&compare, 0);
	if (r == 0)
		r = check(&compare, 1);
	ret_comparison->seeded = reader_info(a)->schedule_seeded;
	ret_comparison->virtual_clock = reader_info(a)->clock_virtual;
	if (r < 0 || infos_differ(ret_comparison, reader_info(a), reader_info(b), options))
		return r;
	compare.track = track_new();
	compare.past = calloc(COMPARE_PREVIOUS, sizeof(*compare.past));
	r = compare.track && compare.past ? walk(&compare) : -ENOMEM;
	track_release(compare.track);
	for (int side = 0; side < 2; side++)
		buffer_release(&compare.records[side]);
	free(compare.past);
	return r;
}
