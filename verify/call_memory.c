#include "call_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "message.h"
#include "shape.h"

const struct payload *call_find(const struct argument *a, uint64_t address, uint8_t direction)
{
	for (size_t n = 0; n < a->event->payloads_count; n++) {
		const struct payload *p = &a->event->payloads[n];
		if (p->arg == a->i && p->direction == direction && p->address == address)
			return p;
	}
	return NULL;
}

/* The bytes behind the argument: those that went in, else those that came out of a call that did not fail. */
const struct payload *call_bytes(const struct argument *a)
{
	const struct payload *p = call_find(a, a->value, DIRECTION_IN);
	return p || a->failed ? p : call_find(a, a->value, DIRECTION_OUT);
}

void call_put_pointer(struct out *out, uint64_t value)
{
	if (value)
		out_hex(out, value);
	else
		out_text(out, "NULL");
}

/* `length` may be more than the bytes that are there. */
void call_put_string(const struct argument *a, const struct payload *p, uint64_t length)
{
	size_t shown = p->length < length ? p->length : (size_t)length;
	bool cut = shown > a->options->strings;
	out_quoted(a->out, p->bytes, cut ? a->options->strings : shown);
	if (cut || length > shown)
		out_text(a->out, "...");
}

static void put_text(const struct argument *a)
{
	const struct payload *p = call_find(a, a->value, DIRECTION_IN);
	if (!p || p->length == 0) {
		call_put_pointer(a->out, a->value);
		return;
	}
	bool ended = p->bytes[p->length - 1] == '\0';
	bool path = a->row->args[a->i].unit == PATH_BYTES_MAX;
	if (path)
		out_quoted(a->out, p->bytes, p->length - ended);
	else
		call_put_string(a, p, p->length - ended);
}

static void put_buffer(const struct argument *a)
{
	const struct arg *arg = &a->row->args[a->i];
	const struct payload *p = call_bytes(a);
	bool out = arg->direction == DIRECTION_OUT;
	uint64_t length = a->event->args[arg->arg];
	uint64_t room = length;
	if (out)
		length = a->event->result < 0 ? 0 : (uint64_t)a->event->result;
	/* A message that was longer than its buffer. */
	if (out && arg->extent == EXTENT_RESULT && length > room)
		length = room;
	/* The kernel could not read all of it. */
	if (a->event->result == -EFAULT)
		p = NULL;
	/* It counts the NUL behind the path. */
	if (a->event->nr == SYS_getcwd && length > 0)
		length--;
	if (arg->extent == EXTENT_DEREF ||
	    (arg->direction == DIRECTION_IN && arg->kind == ARG_MEMORY && p && p->length < length))
		length = p ? p->length : 0;
	if (p)
		call_put_string(a, p, length);
	else if (a->value && length == 0 && !a->failed)
		out_text(a->out, "\"\"");
	else
		call_put_pointer(a->out, a->value);
}

/* A string of a vector: anywhere in the payloads of the argument. */
static bool put_string_at(const struct argument *a, uint64_t address)
{
	for (size_t n = 0; n < a->event->payloads_count; n++) {
		const struct payload *p = &a->event->payloads[n];
		if (p->arg != a->i || p->direction != DIRECTION_IN || address < p->address ||
		    address - p->address >= p->length)
			continue;
		const uint8_t *text = p->bytes + (address - p->address);
		size_t left = p->length - (size_t)(address - p->address);
		struct payload string = { .bytes = text, .length = strnlen((const char *)text, left) };
		call_put_string(a, &string, string.length);
		return true;
	}
	return false;
}

/* The first program was given no vector by a guest: its strings follow each other in a payload of their own. */
static void put_packed(const struct argument *a)
{
	const struct payload *packed = NULL;
	for (size_t n = 0; n < a->event->payloads_count; n++)
		if (a->event->payloads[n].arg == a->i)
			packed = &a->event->payloads[n];
	out_char(a->out, '[');
	for (size_t at = 0; packed && at < packed->length;) {
		const char *text = (const char *)packed->bytes + at;
		struct payload string = { .bytes = packed->bytes + at,
					  .length = strnlen(text, packed->length - at) };
		if (at > 0)
			out_text(a->out, ", ");
		call_put_string(a, &string, string.length);
		at += string.length + 1;
	}
	out_char(a->out, ']');
}

static void put_strings(const struct argument *a)
{
	const struct payload *p = call_find(a, a->value, DIRECTION_IN);
	size_t count = p ? p->length / sizeof(uint64_t) : 0;
	if (a->event->kind == EVENT_EXEC && a->value == 0) {
		put_packed(a);
		return;
	}
	if (!p) {
		call_put_pointer(a->out, a->value);
		return;
	}
	out_char(a->out, '[');
	for (size_t n = 0; n < count; n++) {
		uint64_t address;
		memcpy(&address, p->bytes + n * sizeof(address), sizeof(address));
		if (!address)
			break;
		if (n > 0)
			out_text(a->out, ", ");
		if (!put_string_at(a, address))
			call_put_pointer(a->out, address);
	}
	out_char(a->out, ']');
}

/* Groups and the like: 32 bits each. */
static void put_numbers(const struct argument *a)
{
	const struct payload *p = call_bytes(a);
	if (!p && (a->value == 0 || a->failed)) {
		call_put_pointer(a->out, a->value);
		return;
	}
	out_char(a->out, '[');
	for (size_t at = 0; p && at + sizeof(uint32_t) <= p->length; at += sizeof(uint32_t)) {
		uint32_t number;
		memcpy(&number, p->bytes + at, sizeof(number));
		if (at > 0)
			out_text(a->out, ", ");
		out_uint(a->out, number);
	}
	out_char(a->out, ']');
}

/* What requests carry, where it is more than a number. */
static const struct carried {
	uint32_t nr;
	uint64_t request;
	uint8_t shape; /* SHAPE_none: a string */
} carried[] = {
	{ SYS_ioctl, TCGETS, SHAPE_termios },	  { SYS_ioctl, TCSETS, SHAPE_termios },
	{ SYS_ioctl, TCSETSW, SHAPE_termios },	  { SYS_ioctl, TCSETSF, SHAPE_termios },
	{ SYS_ioctl, TIOCGWINSZ, SHAPE_winsize }, { SYS_ioctl, TIOCSWINSZ, SHAPE_winsize },
	{ SYS_prctl, PR_GET_NAME, SHAPE_none },	  { SYS_prctl, PR_SET_NAME, SHAPE_none },
};

static bool put_fixed(const struct argument *a)
{
	const struct payload *p = call_bytes(a);
	if (!p)
		return false;
	for (size_t n = 0; n < sizeof(carried) / sizeof(carried[0]); n++) {
		if (carried[n].nr != a->event->nr || a->row->sub_value != carried[n].request)
			continue;
		if (carried[n].shape != SHAPE_none)
			shape_put(a->out, (enum shape)carried[n].shape, p->bytes, p->length);
		else
			out_quoted(a->out, p->bytes, strnlen((const char *)p->bytes, p->length));
		return true;
	}
	if (a->row->args[a->i].unit != sizeof(int32_t))
		return false;
	shape_put(a->out, SHAPE_integer, p->bytes, p->length);
	return true;
}

void call_put_memory(const struct argument *a)
{
	const struct arg *arg = &a->row->args[a->i];
	struct message_view view = { a->out, a->event, a->i, a->options->strings, a->failed };
	switch ((enum extent)arg->extent) {
	case EXTENT_STRING: put_text(a); return;
	case EXTENT_STRINGS: put_strings(a); return;
	case EXTENT_IOVEC: message_put_vector(&view, a->value, a->event->args[arg->arg]); return;
	case EXTENT_MSGHDR: message_put(&view, a->value); return;
	case EXTENT_MMSGHDR: message_put_many(&view, a->value); return;
	case EXTENT_COUNT:
	case EXTENT_RESULT:
	case EXTENT_DEREF:
		if (arg->unit <= 1)
			put_buffer(a);
		else if (arg->unit == sizeof(uint32_t))
			put_numbers(a);
		else
			break;
		return;
	case EXTENT_FIXED:
		if (put_fixed(a))
			return;
		break;
	case EXTENT_FDSET:
	case EXTENT_PAGES:
	case EXTENT_MSGBUF:
	case EXTENT_SPAN:
	case EXTENT_PROGRAM:
	case EXTENT_IFCONF:
	case EXTENT_LIST:
	case EXTENT_SPECIAL: break;
	}
	call_put_pointer(a->out, a->value);
}
