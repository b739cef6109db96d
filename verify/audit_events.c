#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "call.h"
#include "constant.h"
#include "crowd.h"
#include "gather.h"
#include "list.h"
#include "shape.h"
#include "../traces/describe.h"
#include "../traces/digest.h"

#define HEX_ROW 16U

struct printer {
	struct audit *audit;
	struct crowd crowd;
	struct gather *gather;
	struct call_options options;
	struct out scratch;	 /* JSON: an argument's text on its way */
	int64_t nr;		 /* of --call, -1: all */
	const uint64_t *numbers; /* show: those that are asked for, ascending */
	size_t numbers_count, shown;
};

/* How people speak of an event, and whether it is told without --all. */
static bool is_told(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_EXEC:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_REFUSED: return true;
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_CLONE:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	return false;
}

static void put_exit(struct out *out, const struct event *event)
{
	int status = (int)event->exit.status;
	if (event->exit.cause == EXIT_CALL && event->nr) {
		out_format(out, "%s(%d) = ?", call_name(event), (int)event->args[0]);
		return;
	}
	if (WIFSIGNALED(status)) {
		out_text(out, "+++ killed by ");
		constant_put_signal(out, WTERMSIG(status));
		out_text(out, WCOREDUMP(status) ? " (core dumped) +++" : " +++");
	} else {
		out_format(out, "+++ exited with %d +++", WEXITSTATUS(status));
	}
}

static void put_signal(struct out *out, const struct event *event)
{
	int32_t number;
	memcpy(&number, event->signal.siginfo, sizeof(number));
	out_text(out, "--- ");
	constant_put_signal(out, number);
	out_char(out, ' ');
	shape_put(out, SHAPE_siginfo, event->signal.siginfo, SIGINFO_BYTES);
	out_text(out, event->signal.action == SIGNAL_FATAL ? " --- (fatal)" : " ---");
}

static void put_text(struct printer *printer, struct out *out, const struct event *event)
{
	char text[DESCRIPTION_BYTES];
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED:
		call_put(out, event, &printer->options);
		out_text(out, " = ");
		call_put_result(out, event);
		if (event->kind == EVENT_REFUSED)
			out_text(out, " (refused)");
		return;
	case EVENT_EXEC:
		call_put(out, event, &printer->options);
		out_text(out, " = 0");
		return;
	case EVENT_SIGRETURN: out_text(out, "rt_sigreturn()"); return;
	case EVENT_EXIT: put_exit(out, event); return;
	case EVENT_SIGNAL: put_signal(out, event); return;
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_CLONE:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	describe_event(event, text, sizeof(text));
	const char *words = strchr(text, ' ');
	out_text(out, "* ");
	out_text(out, words ? words + 1 : text);
}

static void put_who(struct out *out, const struct event *event, struct crowd_member member)
{
	out_uint(out, event->number);
	out_char(out, ' ');
	if (member.pid) {
		out_uint(out, member.pid);
		if (member.tid != member.pid) {
			out_char(out, '/');
			out_uint(out, member.tid);
		}
	} else {
		out_char(out, '-');
	}
	out_char(out, ' ');
}

static bool is_call(const struct event *event)
{
	return event->kind == EVENT_CALL || event->kind == EVENT_REFUSED ||
	       event->kind == EVENT_EXEC || event->kind == EVENT_CLONE;
}

static void json_text_of(struct printer *printer, const char *key, size_t from)
{
	out_member_bytes(&printer->audit->out, key, printer->scratch.bytes + from,
			 printer->scratch.used - from);
	printer->scratch.used = 0;
}

static void json_event(struct printer *printer, const struct event *event, struct crowd_member member)
{
	struct out *out = &printer->audit->out;
	out_line(out, "event");
	out_member_uint(out, "event", event->number);
	out_member_text(out, "what", event_kind_name(event->kind));
	out_member_uint(out, "thread", event->thread);
	out_member_uint(out, "pid", member.pid);
	out_member_uint(out, "tid", member.tid);
	if (is_call(event)) {
		out_member_text(out, "call", call_name(event));
		out_open(out, "args", '[');
		for (unsigned int i = 0;
		     call_put_argument(&printer->scratch, event, i, &printer->options); i++)
			json_text_of(printer, NULL, 0);
		out_shut(out, ']');
		out_member_int(out, "result", event->result);
		out_member_text(out, "error",
				event->result < 0 && event->result >= -4095
					? strerrorname_np((int)-event->result)
					: NULL);
		out_member_uint(out, "flags", event->flags);
	}
	put_text(printer, &printer->scratch, event);
	json_text_of(printer, "text", 0);
}

static bool is_asked(const struct printer *printer, const struct event *event, struct crowd_member member)
{
	const struct audit_options *options = &printer->audit->options;
	if (event->number < options->from || event->number > options->to)
		return false;
	if (options->pid && member.pid != options->pid)
		return false;
	if (printer->nr >= 0)
		return is_call(event) && event->kind != EVENT_CLONE && event->nr == printer->nr;
	return options->all || is_told(event);
}

/* Threads that end are followed for one event more than those that live. */
static int take(void *context, const struct event *event)
{
	struct printer *printer = context;
	struct out *out = &printer->audit->out;
	struct event whole;
	int r = crowd_event(&printer->crowd, event);
	if (r == 0)
		r = gather_event(printer->gather, event, &whole);
	if (r <= 0)
		return r;
	struct crowd_member member = crowd_member(&printer->crowd, whole.thread);
	if (!is_asked(printer, &whole, member))
		return 0;
	if (out->json) {
		json_event(printer, &whole, member);
	} else {
		out_line(out, NULL);
		put_who(out, &whole, member);
		put_text(printer, out, &whole);
	}
	out_end(out);
	return out->error ? out->error : 0;
}

static int printer_init(struct printer *printer, struct audit *audit)
{
	*printer = (struct printer){ .audit = audit,
				     .gather = gather_new(),
				     .options = { .strings = audit->options.strings },
				     .nr = -1 };
	if (!printer->gather || out_init(&printer->scratch, -1, false) < 0)
		return -ENOMEM;
	return 0;
}

static void printer_release(struct printer *printer)
{
	crowd_release(&printer->crowd);
	gather_release(printer->gather);
	printer->scratch.used = 0;
	if (printer->scratch.bytes)
		out_close(&printer->scratch);
}

/* Number of a call by its name; says which name is nearest when there is none. */
static int find_call(const struct audit *audit, const char *name, int64_t *ret_nr)
{
	const char *nearest = "read";
	char text[64];
	for (size_t i = 0; i < syscall_rows(); i++) {
		const struct row *row = syscall_row_at(i);
		if (strcmp(row->name, name) == 0) {
			*ret_nr = row->nr;
			return VERIFY_OK;
		}
		if (!strchr(row->name, ':') &&
		    audit_distance(name, row->name) < audit_distance(name, nearest))
			nearest = row->name;
	}
	return audit_fail(audit, VERIFY_USAGE,
			  "no call is named %s; the nearest is --call %s, "
			  "docs/SYSCALLS.md lists all",
			  audit_quote(name, text, sizeof(text)), nearest);
}

int audit_events(struct audit *audit)
{
	struct printer printer;
	int r = printer_init(&printer, audit), code = VERIFY_OK;
	if (audit->options.call)
		code = find_call(audit, audit->options.call, &printer.nr);
	if (code == VERIFY_OK) {
		if (r == 0)
			r = audit_each(audit, take, &printer);
		code = audit_end(audit, r == -EPIPE ? 0 : r);
	}
	printer_release(&printer);
	return code;
}

static void dump_row(struct out *out, const uint8_t *bytes, size_t offset, size_t length)
{
	out_line(out, NULL);
	out_format(out, "    %08zx ", offset);
	for (size_t i = 0; i < HEX_ROW; i++) {
		if (i < length)
			out_format(out, " %02x", bytes[offset + i]);
		else
			out_text(out, "   ");
	}
	out_text(out, "  |");
	for (size_t i = 0; i < length; i++) {
		uint8_t c = bytes[offset + i];
		out_char(out, c >= 0x20 && c < 0x7f ? (char)c : '.');
	}
	out_char(out, '|');
	out_end(out);
}

static void dump(struct out *out, const struct payload *payload)
{
	for (size_t at = 0; at < payload->length; at += HEX_ROW)
		dump_row(out, payload->bytes, at,
			 payload->length - at < HEX_ROW ? payload->length - at : HEX_ROW);
}

static const char *source_name(const struct event *event, unsigned int source)
{
	static const char *const names[] = {
		"image",	"set-tid word",	 "clear-tid word",	 "robust futex word",
		"signal frame", "shared object", "child's set-tid word", "tags",
		"replaced text"
	};
	const struct row *row = source < 6 ? syscall_resolve(event->nr, event->args) : NULL;
	if (source < 6)
		return row && row->args[source].name ? row->args[source].name : "argument";
	return source - 6 < sizeof(names) / sizeof(names[0]) ? names[source - 6] : "?";
}

static void show_payload(struct out *out, const struct event *event, const struct payload *payload)
{
	uint8_t digest[DIGEST_BYTES];
	digest_of(payload->bytes, payload->length, digest);
	if (out->json) {
		out_open(out, NULL, '{');
		out_member_uint(out, "source", payload->arg);
		out_member_text(out, "name", source_name(event, payload->arg));
		out_member_text(out, "way",
				payload->direction == DIRECTION_IN ? "from-guest" : "to-guest");
		out_member_uint(out, "address", payload->address);
		out_member_uint(out, "length", payload->length);
		out_member_digest(out, "digest", digest);
		out_member_bytes(out, "bytes", payload->bytes, payload->length);
		out_shut(out, '}');
		return;
	}
	out_line(out, NULL);
	out_format(out, "  %s %s at 0x%llx, %zu bytes ",
		   payload->direction == DIRECTION_IN ? "from the guest:" : "to the guest:",
		   source_name(event, payload->arg), (unsigned long long)payload->address,
		   payload->length);
	out_digest(out, digest);
	out_end(out);
	dump(out, payload);
}

/* The list form has every field. */
static int put_fields(struct out *out, const struct event *event)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	if (!memory)
		return -ENOMEM;
	list_event(memory, event);
	if (fclose(memory) != 0) {
		free(text);
		return -ENOMEM;
	}
	length -= length > 0 && text[length - 1] == '\n';
	if (out->json) {
		out_member_bytes(out, "fields", text, length);
	} else {
		out_line(out, NULL);
		out_text(out, "  ");
		out_raw(out, text, length);
		out_end(out);
	}
	free(text);
	return 0;
}

static int show(struct printer *printer, const struct event *event)
{
	struct out *out = &printer->audit->out;
	struct crowd_member member = crowd_member(&printer->crowd, event->thread);
	printer->shown++;
	if (out->json) {
		json_event(printer, event, member);
	} else {
		out_line(out, NULL);
		put_who(out, event, member);
		put_text(printer, out, event);
		out_end(out);
	}
	int r = put_fields(out, event);
	if (out->json)
		out_open(out, "payloads", '[');
	for (size_t i = 0; i < event->payloads_count; i++)
		show_payload(out, event, &event->payloads[i]);
	if (out->json) {
		out_shut(out, ']');
		out_end(out);
	}
	return r;
}

static int take_shown(void *context, const struct event *event)
{
	struct printer *printer = context;
	struct event whole;
	int r = crowd_event(&printer->crowd, event);
	bool part = event->kind == EVENT_PART;
	if (r == 0)
		r = gather_event(printer->gather, event, &whole);
	if (r < 0)
		return r;
	for (size_t i = 0; i < printer->numbers_count; i++)
		if (printer->numbers[i] == event->number)
			return show(printer, part ? event : &whole);
	return 0;
}

int audit_show(struct audit *audit)
{
	uint64_t numbers[64], events = audit->events;
	struct printer printer;
	size_t count = (size_t)audit->arguments_count;
	char text[64];
	for (size_t i = 0; i < count; i++)
		if (!audit_number(audit->arguments[i], &numbers[i]))
			return audit_fail(audit, VERIFY_USAGE,
					  "an event is a number, not %s; `sworn audit events TRACE` has them",
					  audit_quote(audit->arguments[i], text, sizeof(text)));
	for (size_t i = 0; i < count; i++)
		if (numbers[i] >= events)
			return audit_fail(audit, VERIFY_NOTHING,
					  "no event %s; the last is `sworn audit show %llu TRACE`",
					  audit->arguments[i],
					  (unsigned long long)(events ? events - 1 : 0));
	int r = printer_init(&printer, audit);
	printer.numbers = numbers;
	printer.numbers_count = count;
	if (r == 0)
		r = audit_each(audit, take_shown, &printer);
	printer_release(&printer);
	return audit_end(audit, r);
}
