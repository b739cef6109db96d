#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "../traces/error.h"
#include "../traces/syscall.h"

#define CALLS_MAX 512U

struct tally {
	uint64_t calls, errors, refused, bytes[2];
};

struct stats {
	struct audit *audit;
	struct crowd crowd;
	struct tally calls[CALLS_MAX];
	uint64_t kinds[EVENT_END + 1], payload_bytes;
};

static int count(void *context, const struct event *event)
{
	struct stats *stats = context;
	int r = crowd_event(&stats->crowd, event);
	if (stats->audit->options.pid &&
	    crowd_member(&stats->crowd, event->thread).pid != stats->audit->options.pid)
		return r;
	stats->kinds[event->kind]++;
	struct tally *tally = event->nr < CALLS_MAX ? &stats->calls[event->nr] : NULL;
	bool call = event->kind == EVENT_CALL || event->kind == EVENT_REFUSED;
	for (size_t i = 0; i < event->payloads_count; i++) {
		stats->payload_bytes += event->payloads[i].length;
		if (tally && (call || event->kind == EVENT_PART))
			tally->bytes[event->payloads[i].direction == DIRECTION_IN] += event->payloads[i]
											      .length;
	}
	if (!tally || !(call || event->kind == EVENT_EXEC))
		return r;
	tally->calls++;
	tally->errors += call && event->result < 0 && event->result >= -4095;
	tally->refused += event->kind == EVENT_REFUSED;
	return r;
}

static void put_kinds(struct audit *audit, const struct stats *stats)
{
	struct out *out = &audit->out;
	for (unsigned int i = 0; i <= EVENT_END; i++) {
		if (stats->kinds[i] == 0)
			continue;
		out_line(out, "event-kind");
		if (out->json) {
			out_member_text(out, "name", event_kind_name((enum event_kind)i));
			out_member_uint(out, "events", stats->kinds[i]);
		} else {
			out_format(out, "%10llu events: %s", (unsigned long long)stats->kinds[i],
				   event_kind_name((enum event_kind)i));
		}
		out_end(out);
	}
}

static void put_call(struct audit *audit, uint32_t nr, const struct tally *tally)
{
	const struct row *row = syscall_row(nr);
	struct out *out = &audit->out;
	out_line(out, "call-count");
	if (out->json) {
		out_member_text(out, "name", row ? row->name : NULL);
		out_member_uint(out, "nr", nr);
		out_member_uint(out, "calls", tally->calls);
		out_member_uint(out, "errors", tally->errors);
		out_member_uint(out, "refused", tally->refused);
		out_member_uint(out, "bytes_to_guests", tally->bytes[0]);
		out_member_uint(out, "bytes_from_guests", tally->bytes[1]);
	} else {
		out_format(out, "%10llu %-24s %llu errors, %llu bytes to guests, %llu from them",
			   (unsigned long long)tally->calls, row ? row->name : "?",
			   (unsigned long long)tally->errors, (unsigned long long)tally->bytes[0],
			   (unsigned long long)tally->bytes[1]);
		if (tally->refused)
			out_format(out, ", %llu refused", (unsigned long long)tally->refused);
	}
	out_end(out);
}

/* The most frequent first. */
static void put_calls(struct audit *audit, struct stats *stats)
{
	for (;;) {
		uint32_t most = 0;
		for (uint32_t i = 1; i < CALLS_MAX; i++)
			if (stats->calls[i].calls > stats->calls[most].calls)
				most = i;
		if (stats->calls[most].calls == 0)
			return;
		put_call(audit, most, &stats->calls[most]);
		stats->calls[most].calls = 0;
	}
}

int audit_stats(struct audit *audit)
{
	struct stats *stats = calloc(1, sizeof(*stats));
	int r = stats ? 0 : -ENOMEM;
	if (stats) {
		stats->audit = audit;
		r = audit_each(audit, count, stats);
		put_kinds(audit, stats);
		put_calls(audit, stats);
		crowd_release(&stats->crowd);
	}
	free(stats);
	return audit_end(audit, r);
}
