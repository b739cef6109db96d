#include "describe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "syscall.h"

#define DECIMAL_MAX 1000000 /* larger numbers are more likely bits or addresses */

struct text {
	char *bytes;
	size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
	va_list list;
	if (text->length + 1 >= text->size)
		return;
	va_start(list, format);
	int n = vsnprintf(text->bytes + text->length, text->size - text->length, format, list);
	va_end(list);
	text->length += n > 0 ? (size_t)n : 0;
	if (text->length < text->size)
		return;
	text->length = text->size - 1;
	if (text->size > 4)
		memcpy(text->bytes + text->size - 4, "...", 4);
}

static void put_quoted(struct text *text, const uint8_t *bytes, size_t length)
{
	size_t shown = length < DESCRIBE_SHOWN_BYTES ? length : DESCRIBE_SHOWN_BYTES;
	put(text, "\"");
	for (size_t i = 0; i < shown; i++) {
		if (bytes[i] == '\n')
			put(text, "\\n");
		else if (bytes[i] == '\t')
			put(text, "\\t");
		else if (bytes[i] == '"' || bytes[i] == '\\')
			put(text, "\\%c", bytes[i]);
		else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			put(text, "%c", bytes[i]);
		else
			put(text, "\\x%02x", bytes[i]);
	}
	put(text, shown < length ? "\"..." : "\"");
}

static void put_number(struct text *text, uint64_t value)
{
	int64_t number = (int64_t)value;
	if (number > -DECIMAL_MAX && number < DECIMAL_MAX)
		put(text, "%" PRId64, number);
	else
		put(text, "0x%" PRIx64, value);
}

static void put_address(struct text *text, uint64_t value)
{
	if (value)
		put(text, "0x%" PRIx64, value);
	else
		put(text, "NULL");
}

static void put_signal(struct text *text, int number)
{
	const char *name = sigabbrev_np(number);
	if (name)
		put(text, "SIG%s", name);
	else
		put(text, "signal %d", number);
}

static void put_payload(struct text *text, const struct arg *arg, const struct payload *payload)
{
	bool terminated = arg->extent == EXTENT_STRING || arg->extent == EXTENT_STRINGS;
	size_t length = payload->length;
	/* Past what was kept of the bytes nothing may be read. */
	if (terminated && length > 0 && length <= DESCRIBE_SHOWN_BYTES + 1 &&
	    payload->bytes[length - 1] == '\0')
		length--;
	put_quoted(text, payload->bytes, length);
}

/* The payload with the bytes at the argument's address, or, of a vector, with the first that it leads to. */
static const struct payload *find_payload(const struct event *event, unsigned int i, bool behind)
{
	for (size_t n = 0; n < event->payloads_count && n < DESCRIBE_PAYLOADS; n++) {
		const struct payload *payload = &event->payloads[n];
		if (payload->arg == i && (payload->address != event->args[i]) == behind)
			return payload;
	}
	return NULL;
}

static void put_memory(struct text *text, const struct event *event, const struct row *row,
		       unsigned int i)
{
	const struct arg *arg = &row->args[i];
	const struct payload *payload = NULL;
	bool vector = false;
	switch ((enum extent)arg->extent) {
	case EXTENT_STRING: payload = find_payload(event, i, false); break;
	case EXTENT_COUNT:
	case EXTENT_RESULT:
		if (arg->unit <= 1)
			payload = find_payload(event, i, false);
		break;
	case EXTENT_STRINGS:
	case EXTENT_IOVEC:
	case EXTENT_MSGHDR:
	case EXTENT_MMSGHDR:
		vector = true;
		payload = find_payload(event, i, true);
		break;
	case EXTENT_FIXED:
	case EXTENT_DEREF:
	case EXTENT_FDSET:
	case EXTENT_PAGES:
	case EXTENT_MSGBUF:
	case EXTENT_SPAN:
	case EXTENT_PROGRAM:
	case EXTENT_IFCONF:
	case EXTENT_LIST:
	case EXTENT_SPECIAL: break;
	}
	if (!payload) {
		put_address(text, event->args[i]);
		return;
	}
	if (vector)
		put(text, "[");
	put_payload(text, arg, payload);
	if (vector)
		put(text, ", ...]");
}

/* Bits, though the kernel takes them as a number. */
static bool is_bits(const struct arg *arg)
{
	return arg->kind == ARG_FLAGS ||
	       (arg->name && (!strcmp(arg->name, "flags") || !strcmp(arg->name, "prot")));
}

static void put_argument(struct text *text, const struct event *event, const struct row *row,
			 unsigned int i)
{
	uint64_t value = event->args[i];
	if (is_bits(&row->args[i])) {
		put(text, value ? "0x%" PRIx64 : "%" PRIu64, value);
		return;
	}
	switch ((enum arg_kind)row->args[i].kind) {
	case ARG_NONE: put(text, "-"); return;
	case ARG_FD:
		if ((int)value == AT_FDCWD)
			put(text, "AT_FDCWD");
		else
			put(text, "%d", (int)value);
		return;
	case ARG_INT:
	case ARG_PID: put_number(text, (uint64_t)(int)value); return;
	case ARG_WORD:
	case ARG_SIZE:
	case ARG_FLAGS: put_number(text, value); return;
	case ARG_MODE: put(text, value ? "0%" PRIo64 : "%" PRIu64, value); return;
	case ARG_SIGNAL: put_signal(text, (int)value); return;
	case ARG_ADDR: put_address(text, value); return;
	case ARG_MEMORY: put_memory(text, event, row, i); return;
	}
}

static const char *const instructions[] = { "rdtsc", "rdtscp", "rdrand or rdseed",
					    "cpuid", "rdpid",  "code that runs first" };

static void put_call(struct text *text, const struct event *event)
{
	const struct row *row = syscall_row(event->nr), *own = syscall_resolve(event->nr, event->args);
	const char *request = own ? strchr(own->name, ':') : NULL;
	unsigned int count = own ? row_args(own) : 0;
	if (!row || !own) {
		put(text, "call %" PRIu32 "(", event->nr);
		put(text, "0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ")", event->args[0],
		    event->args[1], event->args[2]);
		return;
	}
	put(text, "%s(", row->name);
	for (unsigned int i = 0; i < count; i++) {
		if (i)
			put(text, ", ");
		if (request && own != row->fallback && i == row->key)
			put(text, "%s", request + 1);
		else
			put_argument(text, event, own, i);
	}
	put(text, ")");
}

static void put_result(struct text *text, const struct event *event)
{
	const struct row *row = syscall_row(event->nr);
	const char *name = NULL;
	if (event->flags & (CALL_RESTARTED | CALL_UNFINISHED)) {
		put(text, event->flags & CALL_RESTARTED ? " is restarted" : " is still in flight");
		return;
	}
	if (event->result < 0 && event->result >= -4095)
		name = strerrorname_np((int)-event->result);
	if (name)
		put(text, " = -1 %s", name);
	else if (row && row->result == RESULT_ADDR)
		put(text, " = 0x%" PRIx64, (uint64_t)event->result);
	else
		put(text, " = %" PRId64, event->result);
}

static void put_status(struct text *text, uint32_t status)
{
	if (WIFSIGNALED((int)status)) {
		put(text, "killed by ");
		put_signal(text, WTERMSIG((int)status));
	} else {
		put(text, "status %d", WEXITSTATUS((int)status));
	}
}

static void put_path(struct text *text, const char *path)
{
	for (; path && *path; path++)
		put(text, "%c", *path >= 0x20 && *path < 0x7f ? *path : '?');
}

static void put_signal_event(struct text *text, const struct event *event)
{
	int number;
	memcpy(&number, event->signal.siginfo, sizeof(number));
	put_signal(text, number);
	put(text, event->signal.action == SIGNAL_HANDLED ? ": its handler starts" : " ends the process");
}

static const char *checkpoint_name(unsigned int reason)
{
	static const char *const names[] = { "exit", "exec", "new image", "interval" };
	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "?";
}

static void put_turn(struct text *text, const struct event *event)
{
	switch (event->turn.end) {
	case TURN_BOUNDARY: put(text, "stops"); break;
	case TURN_ENTRY:
		put(text, "stops in ");
		put_call(text, event);
		break;
	case TURN_COUNT:
	case TURN_ADDRESS: put(text, "is cut after %" PRIu64 " branches", event->turn.count); break;
	case TURN_STATE: put(text, "is cut at a state"); break;
	}
	put(text, "; thread %" PRIu32 " goes on", event->turn.next);
}

static void put_kind(struct text *text, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED:
	case EVENT_SIGRETURN:
		put_call(text, event);
		put_result(text, event);
		if (event->kind == EVENT_REFUSED)
			put(text, " (refused)");
		return;
	case EVENT_PART:
		put(text, "part of the bytes of %s",
		    syscall_row(event->nr) ? syscall_row(event->nr)->name : "a call");
		return;
	case EVENT_TURN: put_turn(text, event); return;
	case EVENT_EXEC:
		put(text, "exec: unit %" PRIu32 " starts ", event->exec.unit);
		put_path(text, event->exec.path);
		return;
	case EVENT_CLONE:
		put_call(text, event);
		put(text, " = %" PRIu32 ": thread %" PRIu32 " starts", event->clone.tid,
		    event->clone.child);
		return;
	case EVENT_EXIT:
		put(text, event->exit.process_gone ? "ends with its process: " : "ends: ");
		put_status(text, event->exit.status);
		return;
	case EVENT_SIGNAL: put_signal_event(text, event); return;
	case EVENT_TRAP:
		put(text, "%s = 0x%" PRIx64, instructions[event->trap.kind], event->trap.value);
		return;
	case EVENT_CHECKPOINT:
		put(text, "checkpoint of unit %" PRIu32 ": %s", event->checkpoint.unit,
		    checkpoint_name(event->checkpoint.reason));
		return;
	case EVENT_MEMORY:
		if (event->memory.object == 0)
			put(text, "memory of thread %" PRIu32 " is written by another",
			    event->memory.target);
		else
			put(text, "shared object %" PRIu64 " is written from outside",
			    event->memory.object);
		return;
	case EVENT_END:
		put(text, "end: ");
		put_status(text, event->end.status);
		return;
	}
}

void describe_event(const struct event *event, char *ret_text, size_t size)
{
	struct text text = { ret_text, size, 0 };
	put(&text, "%" PRIu64 " ", event->number);
	if (event->thread)
		put(&text, "thread %" PRIu32 " ", event->thread);
	put_kind(&text, event);
}

void describe_call(const struct event *event, char *ret_text, size_t size)
{
	struct text text = { ret_text, size, 0 };
	put_call(&text, event);
}

static void keep_payloads(const struct event *event, struct past_event *ret)
{
	size_t count = event->payloads_count < DESCRIBE_PAYLOADS ? event->payloads_count
								 : DESCRIBE_PAYLOADS;
	for (size_t i = 0; i < count; i++) {
		const struct payload *from = &event->payloads[i];
		size_t length = from->length < sizeof(ret->bytes[i]) ? from->length
								     : sizeof(ret->bytes[i]);
		memcpy(ret->bytes[i], from->bytes, length);
		ret->payloads[i] = *from;
		ret->payloads[i].bytes = ret->bytes[i];
	}
	ret->event.payloads = ret->payloads;
	ret->event.payloads_count = count;
}

void describe_keep(const struct event *event, struct past_event *ret_past)
{
	ret_past->event = *event;
	keep_payloads(event, ret_past);
	if (event->kind == EVENT_EXEC && event->exec.path) {
		snprintf(ret_past->path, sizeof(ret_past->path), "%s", event->exec.path);
		ret_past->event.exec.path = ret_past->path;
	}
	ret_past->event.mappings = NULL;
	ret_past->event.mappings_count = 0;
	ret_past->event.registers = NULL;
	ret_past->event.vector = NULL;
}
