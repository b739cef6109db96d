#include "audit.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "crowd.h"
#include "gather.h"
#include "../traces/syscall.h"

#define CONTEXT_BYTES 24U /* shown before and after */

struct search {
	struct audit *audit;
	struct crowd crowd;
	struct gather *gather;
	const char *text;
	size_t length;
};

static bool equal(const struct search *search, const uint8_t *bytes)
{
	if (!search->audit->options.ignore_case)
		return memcmp(bytes, search->text, search->length) == 0;
	for (size_t i = 0; i < search->length; i++)
		if (tolower(bytes[i]) != tolower((unsigned char)search->text[i]))
			return false;
	return true;
}

/* Where the text is in the bytes from `start` on; `length` when it is not. */
static size_t find(const struct search *search, const uint8_t *bytes, size_t length, size_t start)
{
	if (search->length > length)
		return length;
	if (!search->audit->options.ignore_case) {
		const uint8_t *at = memmem(bytes + start, length - start, search->text, search->length);
		return at ? (size_t)(at - bytes) : length;
	}
	for (size_t i = start; i + search->length <= length; i++)
		if (equal(search, bytes + i))
			return i;
	return length;
}

static void put(struct search *search, const struct event *event, const struct payload *payload,
		size_t at)
{
	struct out *out = &search->audit->out;
	const struct row *row = syscall_row(event->nr);
	struct crowd_member member = crowd_member(&search->crowd, event->thread);
	size_t start = at < CONTEXT_BYTES ? 0 : at - CONTEXT_BYTES;
	size_t end = at + search->length + CONTEXT_BYTES;
	const char *call = event->kind == EVENT_CALL || event->nr ? (row ? row->name : "?")
								  : event_kind_name(event->kind);
	end = end < payload->length ? end : payload->length;
	out_line(out, "match");
	if (out->json) {
		out_member_uint(out, "event", event->number);
		out_member_uint(out, "pid", member.pid);
		out_member_text(out, "call", call);
		out_member_uint(out, "argument", payload->arg);
		out_member_text(out, "way",
				payload->direction == DIRECTION_IN ? "from-guest" : "to-guest");
		out_member_uint(out, "offset", at);
		out_member_uint(out, "length", payload->length);
		out_member_uint(out, "fd", event->args[0]);
		out_member_bytes(out, "bytes", payload->bytes + start, end - start);
	} else {
		out_format(out, "%llu pid %u %s", (unsigned long long)event->number, member.pid, call);
		if (row && row->args[0].kind == ARG_FD)
			out_format(out, " fd %d", (int)event->args[0]);
		out_format(out, " %s, byte %zu of %zu: ",
			   payload->direction == DIRECTION_IN ? "from the guest" : "to the guest",
			   at, payload->length);
		if (start > 0)
			out_text(out, "...");
		out_quoted(out, payload->bytes + start, end - start);
		if (end < payload->length)
			out_text(out, "...");
	}
	out_end(out);
}

static int take(void *context, const struct event *event)
{
	struct search *search = context;
	const struct audit_options *options = &search->audit->options;
	struct event whole;
	int r = crowd_event(&search->crowd, event);
	if (r == 0)
		r = gather_event(search->gather, event, &whole);
	if (r <= 0)
		return r;
	if (whole.kind == EVENT_CHECKPOINT || whole.number < options->from ||
	    whole.number > options->to ||
	    (options->pid && crowd_member(&search->crowd, whole.thread).pid != options->pid))
		return 0;
	for (size_t i = 0; i < whole.payloads_count; i++) {
		const struct payload *payload = &whole.payloads[i];
		size_t at = find(search, payload->bytes, payload->length, 0);
		if (at < payload->length && payload->arg < PAYLOAD_IMAGE)
			put(search, &whole, payload, at);
	}
	return 0;
}

int audit_grep(struct audit *audit)
{
	struct search search = { .audit = audit,
				 .text = audit->arguments[0],
				 .length = strlen(audit->arguments[0]),
				 .gather = gather_new() };
	uint64_t before = audit->out.lines;
	char quoted[128];
	if (search.length == 0) {
		gather_release(search.gather);
		return audit_fail(audit, VERIFY_USAGE, "the text is empty; name what to look for");
	}
	int code = audit_end(audit, search.gather ? audit_each(audit, take, &search) : -ENOMEM);
	crowd_release(&search.crowd);
	gather_release(search.gather);
	if (code == VERIFY_OK && audit->out.lines == before)
		return audit_fail(audit, VERIFY_NOTHING,
				  "no call's bytes hold %s; -i takes upper and lower case as the same",
				  audit_quote(search.text, quoted, sizeof(quoted)));
	return code;
}
