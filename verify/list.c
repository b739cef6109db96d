#include "list.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../traces/digest.h"

#define PREFIX_BYTES 8

static void print_uint(FILE *out, const char *name, uint64_t value)
{
	if (value)
		fprintf(out, " %s=%" PRIu64, name, value);
}

static void print_hex(FILE *out, const char *name, uint64_t value)
{
	if (value)
		fprintf(out, " %s=0x%" PRIx64, name, value);
}

static void print_prefix(FILE *out, const uint8_t *digest)
{
	char text[2 * PREFIX_BYTES + 1];
	hex_encode(digest, PREFIX_BYTES, text);
	fputs(text, out);
}

static void print_prefix_of(FILE *out, const void *bytes, size_t length)
{
	uint8_t digest[DIGEST_BYTES];
	digest_of(bytes, length, digest);
	print_prefix(out, digest);
}

static void print_digest(FILE *out, const char *name, const uint8_t digest[DIGEST_BYTES])
{
	char text[DIGEST_HEX_BYTES];
	if (digest_is_zero(digest))
		return;
	digest_hex(digest, text);
	fprintf(out, " %s=%s", name, text);
}

/* Bytes that would end the field or the line, or are no printable ASCII, as %XX. */
static void print_escaped(FILE *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c > 0x20 && *c < 0x7f && *c != '%' && *c != ',')
			fputc(*c, out);
		else
			fprintf(out, "%%%02x", *c);
	}
}

static void print_path(FILE *out, const char *path)
{
	if (!path)
		return;
	fputs(" path=", out);
	print_escaped(out, path);
}

static void print_call(FILE *out, const struct event *event)
{
	bool call = event->kind == EVENT_CALL || event->kind == EVENT_REFUSED;
	unsigned int used = 6;
	if (call || event->kind == EVENT_PART || event->nr)
		fprintf(out, " nr=%" PRIu32, event->nr);
	while (used > 0 && event->args[used - 1] == 0)
		used--;
	for (unsigned int i = 0; i < used; i++)
		fprintf(out, "%s0x%" PRIx64, i ? "," : " args=", event->args[i]);
	if (call || event->result)
		fprintf(out, " result=%" PRId64, event->result);
	print_uint(out, "flags", event->flags);
	print_uint(out, "sink", event->sink);
}

static void print_memory(FILE *out, const struct event *event)
{
	static const char *const backings[] = { "anon", "blob", "shared" };
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		fprintf(out, " payload=%u,%s,0x%" PRIx64 ",%zu,", p->arg,
			p->direction == DIRECTION_IN ? "in" : "out", p->address, p->length);
		print_prefix_of(out, p->bytes, p->length);
	}
	for (size_t i = 0; i < event->mappings_count; i++) {
		const struct mapping *m = &event->mappings[i];
		fprintf(out, " mapping=0x%" PRIx64 "-0x%" PRIx64 ",%" PRIu32 ",0x%" PRIx32 ",%s,",
			m->start, m->end, m->prot, m->flags, backings[m->backing]);
		print_prefix(out, m->digest);
		fprintf(out, ",0x%" PRIx64 ",%" PRIu64 ",%" PRIu64, m->offset, m->length, m->object);
		if (m->path) {
			fputc(',', out);
			print_escaped(out, m->path);
		}
	}
}

static void print_state(FILE *out, const struct event *event)
{
	if (event->registers) {
		fputs(" registers=", out);
		print_prefix_of(out, event->registers, sizeof(*event->registers));
	}
	if (event->vector) {
		fprintf(out, " vector=%zu,", event->vector_length);
		print_prefix_of(out, event->vector, event->vector_length);
	}
}

static void print_signal(FILE *out, const struct event *event)
{
	char text[2 * SIGINFO_BYTES + 1];
	size_t used = SIGINFO_BYTES;
	print_uint(out, "action", event->signal.action);
	print_uint(out, "synchronous", event->signal.synchronous);
	while (used > 0 && event->signal.siginfo[used - 1] == 0)
		used--;
	hex_encode(event->signal.siginfo, used, text);
	if (used > 0)
		fprintf(out, " siginfo=%s", text);
	print_hex(out, "mask", event->signal.mask);
}

static void print_end(FILE *out, const struct event *event)
{
	print_uint(out, "status", event->end.status);
	print_uint(out, "units", event->end.units);
	print_uint(out, "threads", event->end.threads);
	print_digest(out, "state", event->end.state);
	for (size_t i = 0; i < event->end.sinks_count; i++) {
		const struct sink *sink = &event->end.sinks[i];
		fprintf(out, " output=%" PRIu32 ",%u,%" PRIu64 ",", sink->number, sink->kind,
			sink->bytes);
		print_prefix(out, sink->digest);
	}
}

static void print_exec(FILE *out, const struct event *event)
{
	print_uint(out, "unit", event->exec.unit);
	print_uint(out, "process", event->exec.process);
	print_hex(out, "brk", event->exec.brk);
	print_hex(out, "stack_limit", event->exec.stack_limit);
	print_path(out, event->exec.path);
}

static void print_clone(FILE *out, const struct event *event)
{
	print_uint(out, "child", event->clone.child);
	print_uint(out, "tid", event->clone.tid);
	print_uint(out, "pid", event->clone.pid);
	print_hex(out, "clone_flags", event->clone.clone_flags);
	print_hex(out, "stack", event->clone.stack);
	print_hex(out, "tls", event->clone.tls);
}

static void print_kind(FILE *out, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_PART:
	case EVENT_SIGRETURN:
	case EVENT_REFUSED: break;
	case EVENT_TURN:
		print_uint(out, "end", event->turn.end);
		print_uint(out, "next", event->turn.next);
		print_uint(out, "count", event->turn.count);
		print_digest(out, "state", event->turn.state);
		break;
	case EVENT_EXEC: print_exec(out, event); break;
	case EVENT_CLONE: print_clone(out, event); break;
	case EVENT_EXIT:
		print_uint(out, "cause", event->exit.cause);
		print_uint(out, "process_gone", event->exit.process_gone);
		print_uint(out, "status", event->exit.status);
		break;
	case EVENT_SIGNAL: print_signal(out, event); break;
	case EVENT_TRAP:
		print_uint(out, "trap", event->trap.kind);
		print_hex(out, "value", event->trap.value);
		print_uint(out, "aux", event->trap.aux);
		print_hex(out, "more", event->trap.more);
		break;
	case EVENT_CHECKPOINT:
		print_uint(out, "reason", event->checkpoint.reason);
		print_uint(out, "unit", event->checkpoint.unit);
		print_uint(out, "last", event->checkpoint.last);
		print_digest(out, "hash", event->checkpoint.hash);
		print_uint(out, "shift", event->checkpoint.shift);
		break;
	case EVENT_MEMORY:
		print_uint(out, "object", event->memory.object);
		print_uint(out, "length", event->memory.length);
		print_uint(out, "target", event->memory.target);
		break;
	case EVENT_END: print_end(out, event); break;
	}
}

int list_event(FILE *out, const struct event *event)
{
	fprintf(out, "%" PRIu64 " %s %" PRIu32, event->number, event_kind_name(event->kind),
		event->thread);
	print_hex(out, "ip", event->ip);
	print_hex(out, "regs", event->registers_hash);
	print_call(out, event);
	print_memory(out, event);
	print_state(out, event);
	print_kind(out, event);
	fputc('\n', out);
	return ferror(out) ? -EIO : 0;
}
