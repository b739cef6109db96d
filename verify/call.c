#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "constant.h"
#include "message.h"
#include "shape.h"

#define CALLS_MAX 512U

enum style_kind {
	STYLE_PLAIN = 0,
	STYLE_BITS,
	STYLE_VALUE,
	STYLE_ONE,  /* a structure of fixed size */
	STYLE_SET,  /* one of any size */
	STYLE_EACH, /* as many as the bytes hold */
	STYLE_UNSIGNED,
	STYLE_HEX,
	STYLE_MODE,
	STYLE_MODE_TYPE,
	STYLE_DEVICE,
	STYLE_DIRECTORY,
	STYLE_OPEN_FLAGS,
	STYLE_OPEN_BITS,
	STYLE_CREATE_MODE, /* shown when O_CREAT is among the flags before it */
	STYLE_MAP_FLAGS,
	STYLE_IF_BIT, /* shown when another argument has a bit */
	STYLE_SOCKET_TYPE,
	STYLE_SOCKET_PROTOCOL,
	STYLE_SOCKET_OPTION,
	STYLE_OPTION_VALUE,
	STYLE_LENGTH, /* int: before => after */
	STYLE_FUTEX_OP,
	STYLE_FCNTL_ARGUMENT,
	STYLE_POLL,
	STYLE_FDSET,
	STYLE_REST,   /* of a sleep that was interrupted */
	STYLE_HIDDEN, /* and all behind it */
	STYLE_SKIPPED,
};

struct style {
	uint8_t kind, of, bit;
};

#define PLAIN                     \
	{                         \
		STYLE_PLAIN, 0, 0 \
	}
#define BITS(set)                        \
	{                                \
		STYLE_BITS, SET_##set, 0 \
	}
#define VALUE(set)                        \
	{                                 \
		STYLE_VALUE, SET_##set, 0 \
	}
#define ONE(shape)                          \
	{                                   \
		STYLE_ONE, SHAPE_##shape, 0 \
	}
#define SET(shape)                          \
	{                                   \
		STYLE_SET, SHAPE_##shape, 0 \
	}
#define EACH(shape)                          \
	{                                    \
		STYLE_EACH, SHAPE_##shape, 0 \
	}
#define IF_BIT(argument, bits)               \
	{                                    \
		STYLE_IF_BIT, argument, bits \
	}
#define UNSIGNED                     \
	{                            \
		STYLE_UNSIGNED, 0, 0 \
	}
#define HEX                     \
	{                       \
		STYLE_HEX, 0, 0 \
	}
#define MODE                     \
	{                        \
		STYLE_MODE, 0, 0 \
	}
#define MODE_TYPE                     \
	{                             \
		STYLE_MODE_TYPE, 0, 0 \
	}
#define DEVICE                     \
	{                          \
		STYLE_DEVICE, 0, 0 \
	}
#define DIRECTORY                     \
	{                             \
		STYLE_DIRECTORY, 0, 0 \
	}
#define OPEN_FLAGS                     \
	{                              \
		STYLE_OPEN_FLAGS, 0, 0 \
	}
#define OPEN_BITS                     \
	{                             \
		STYLE_OPEN_BITS, 0, 0 \
	}
#define CREATE_MODE                     \
	{                               \
		STYLE_CREATE_MODE, 0, 0 \
	}
#define MAP_FLAGS                     \
	{                             \
		STYLE_MAP_FLAGS, 0, 0 \
	}
#define SOCKET_TYPE                     \
	{                               \
		STYLE_SOCKET_TYPE, 0, 0 \
	}
#define SOCKET_PROTOCOL                     \
	{                                   \
		STYLE_SOCKET_PROTOCOL, 0, 0 \
	}
#define SOCKET_OPTION                     \
	{                                 \
		STYLE_SOCKET_OPTION, 0, 0 \
	}
#define OPTION_VALUE                     \
	{                                \
		STYLE_OPTION_VALUE, 0, 0 \
	}
#define LENGTH                     \
	{                          \
		STYLE_LENGTH, 0, 0 \
	}
#define FUTEX_OP                     \
	{                            \
		STYLE_FUTEX_OP, 0, 0 \
	}
#define FCNTL_ARGUMENT                     \
	{                                  \
		STYLE_FCNTL_ARGUMENT, 0, 0 \
	}
#define POLL                     \
	{                        \
		STYLE_POLL, 0, 0 \
	}
#define FDSET                     \
	{                         \
		STYLE_FDSET, 0, 0 \
	}
#define REST                     \
	{                        \
		STYLE_REST, 0, 0 \
	}
#define HIDDEN                     \
	{                          \
		STYLE_HIDDEN, 0, 0 \
	}
#define SKIPPED                     \
	{                           \
		STYLE_SKIPPED, 0, 0 \
	}
#define CALL(number, ...) [number] = { __VA_ARGS__ },

static const struct style styles[CALLS_MAX][6] = {
#include "style_table.def"
};

/* One argument on its way to text. */
struct argument {
	struct out *out;
	const struct event *event;
	const struct row *row;
	const struct call_options *options;
	unsigned int i;
	uint64_t value; /* as comparison sees it */
	bool failed;	/* the call did: what it was to write is not there */
};

static const struct payload *find(const struct argument *a, uint64_t address, uint8_t direction)
{
	for (size_t n = 0; n < a->event->payloads_count; n++) {
		const struct payload *p = &a->event->payloads[n];
		if (p->arg == a->i && p->direction == direction && p->address == address)
			return p;
	}
	return NULL;
}

/* The bytes behind the argument: those that went in, else those that came out of a call that did not fail. */
static const struct payload *bytes_of(const struct argument *a)
{
	const struct payload *p = find(a, a->value, DIRECTION_IN);
	return p || a->failed ? p : find(a, a->value, DIRECTION_OUT);
}

static void put_pointer(struct out *out, uint64_t value)
{
	if (value)
		out_hex(out, value);
	else
		out_text(out, "NULL");
}

/* `length` may be more than the bytes that are there. */
static void put_string(const struct argument *a, const struct payload *p, uint64_t length)
{
	size_t shown = p->length < length ? p->length : (size_t)length;
	bool cut = shown > a->options->strings;
	out_quoted(a->out, p->bytes, cut ? a->options->strings : shown);
	if (cut || length > shown)
		out_text(a->out, "...");
}

static void put_text(const struct argument *a)
{
	const struct payload *p = find(a, a->value, DIRECTION_IN);
	if (!p || p->length == 0) {
		put_pointer(a->out, a->value);
		return;
	}
	bool ended = p->bytes[p->length - 1] == '\0';
	bool path = a->row->args[a->i].unit == PATH_BYTES_MAX;
	if (path)
		out_quoted(a->out, p->bytes, p->length - ended);
	else
		put_string(a, p, p->length - ended);
}

static void put_buffer(const struct argument *a)
{
	const struct arg *arg = &a->row->args[a->i];
	const struct payload *p = bytes_of(a);
	bool out = arg->direction == DIRECTION_OUT;
	uint64_t length = a->event->args[arg->arg];
	if (out)
		length = a->event->result < 0 ? 0 : (uint64_t)a->event->result;
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
		put_string(a, p, length);
	else if (a->value && length == 0 && !a->failed)
		out_text(a->out, "\"\"");
	else
		put_pointer(a->out, a->value);
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
		put_string(a, &string, string.length);
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
		put_string(a, &string, string.length);
		at += string.length + 1;
	}
	out_char(a->out, ']');
}

static void put_strings(const struct argument *a)
{
	const struct payload *p = find(a, a->value, DIRECTION_IN);
	size_t count = p ? p->length / sizeof(uint64_t) : 0;
	if (a->event->kind == EVENT_EXEC && a->value == 0) {
		put_packed(a);
		return;
	}
	if (!p) {
		put_pointer(a->out, a->value);
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
			put_pointer(a->out, address);
	}
	out_char(a->out, ']');
}

/* Groups and the like: 32 bits each. */
static void put_numbers(const struct argument *a)
{
	const struct payload *p = bytes_of(a);
	if (!p && (a->value == 0 || a->failed)) {
		put_pointer(a->out, a->value);
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
	const struct payload *p = bytes_of(a);
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

static void put_memory(const struct argument *a)
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
	put_pointer(a->out, a->value);
}

static void put_plain(const struct argument *a)
{
	struct out *out = a->out;
	switch ((enum arg_kind)a->row->args[a->i].kind) {
	case ARG_NONE: return;
	case ARG_FD:
	case ARG_INT:
	case ARG_PID: out_int(out, (int32_t)a->value); return;
	case ARG_WORD: out_int(out, (int64_t)a->value); return;
	case ARG_SIZE: out_uint(out, a->value); return;
	case ARG_FLAGS:
		if (a->value)
			out_hex(out, a->value);
		else
			out_char(out, '0');
		return;
	case ARG_MODE: shape_put_mode(out, (uint32_t)a->value); return;
	case ARG_SIGNAL: constant_put_signal(out, (int32_t)a->value); return;
	case ARG_ADDR: put_pointer(out, a->value); return;
	case ARG_MEMORY: put_memory(a); return;
	}
}

static void put_shape(const struct argument *a, const struct style *style)
{
	const struct payload *p = bytes_of(a);
	bool counted = a->row->args[a->i].extent == EXTENT_RESULT && !a->failed;
	if (!p && counted && a->value)
		out_text(a->out, "[]");
	else if (!p || a->value == 0)
		put_pointer(a->out, a->value);
	else if (style->kind == STYLE_EACH)
		shape_put_list(a->out, (enum shape)style->of, p->bytes, p->length);
	else
		shape_put(a->out, (enum shape)style->of, p->bytes, p->length);
}

static void put_rest(const struct argument *a)
{
	const struct payload *p = a->event->result == -EINTR ? find(a, a->value, DIRECTION_OUT) : NULL;
	if (p)
		shape_put(a->out, SHAPE_timespec, p->bytes, p->length);
	else
		put_pointer(a->out, a->value);
}

static void put_length(const struct argument *a)
{
	const struct payload *before = find(a, a->value, DIRECTION_IN),
			     *after = find(a, a->value, DIRECTION_OUT);
	int32_t numbers[2] = { 0, 0 };
	if (!before || before->length < sizeof(int32_t)) {
		put_pointer(a->out, a->value);
		return;
	}
	memcpy(&numbers[0], before->bytes, sizeof(int32_t));
	memcpy(&numbers[1],
	       after && after->length >= sizeof(int32_t) && !a->failed ? after->bytes : before->bytes,
	       sizeof(int32_t));
	out_char(a->out, '[');
	out_int(a->out, numbers[0]);
	if (numbers[0] != numbers[1]) {
		out_text(a->out, " => ");
		out_int(a->out, numbers[1]);
	}
	out_char(a->out, ']');
}

static void put_socket_option(const struct argument *a)
{
	int level = (int)a->event->args[1];
	enum constant_set set = level == SOL_SOCKET ? SET_socket_option
				: level == 6	    ? SET_tcp_option
				: level == 0	    ? SET_ip_option
				: level == 41	    ? SET_ipv6_option
						    : SET_none;
	if (set == SET_none)
		out_hex(a->out, a->value);
	else
		constant_put(a->out, set, a->value);
}

static void put_option_value(const struct argument *a)
{
	const struct payload *p = bytes_of(a);
	int level = (int)a->event->args[1], option = (int)a->event->args[2];
	if (!p)
		put_pointer(a->out, a->value);
	else if (level == SOL_SOCKET && option == SO_LINGER)
		shape_put(a->out, SHAPE_linger, p->bytes, p->length);
	else if (level == SOL_SOCKET && option == SO_PEERCRED)
		shape_put(a->out, SHAPE_credentials, p->bytes, p->length);
	else if (level == SOL_SOCKET && (option == 20 || option == 21))
		shape_put(a->out, SHAPE_timeval, p->bytes, p->length);
	else if (p->length == sizeof(int32_t))
		shape_put(a->out, SHAPE_integer, p->bytes, p->length);
	else
		put_string(a, p, p->length);
}

static void put_protocol(const struct argument *a)
{
	int family = (int)a->event->args[0];
	if (family == AF_INET || family == AF_INET6)
		constant_put(a->out, SET_ip_protocol, a->value);
	else if (family == AF_NETLINK)
		constant_put(a->out, SET_netlink_protocol, a->value);
	else
		out_int(a->out, (int32_t)a->value);
}

static void put_fcntl(const struct argument *a)
{
	const struct payload *p = bytes_of(a);
	switch ((int)a->event->args[1]) {
	case F_SETFD: constant_put_bits(a->out, SET_descriptor_flags, a->value); return;
	case F_SETFL: shape_put_open_flags(a->out, a->value); return;
	case F_SETLEASE: constant_put(a->out, SET_lock_type, a->value); return;
	case F_SETSIG: constant_put_signal(a->out, (int)a->value); return;
	case F_GETLK:
	case F_OFD_GETLK:
		p = a->failed ? p : find(a, a->value, DIRECTION_OUT);
		if (p) {
			shape_put(a->out, SHAPE_found_lock, p->bytes, p->length);
			return;
		}
		break;
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		if (p) {
			shape_put(a->out, SHAPE_flock, p->bytes, p->length);
			return;
		}
	}
	put_plain(a);
}

/* Bits of descriptors: of a set that the call changed, those that it left. */
static void put_fdset(const struct argument *a)
{
	const struct payload *p = find(a, a->value, DIRECTION_IN);
	bool more = false;
	if (!p) {
		put_pointer(a->out, a->value);
		return;
	}
	out_char(a->out, '[');
	for (uint64_t bit = 0; bit < a->event->args[0] && bit / 8 < p->length; bit++) {
		if (!(p->bytes[bit / 8] & 1U << bit % 8))
			continue;
		if (more)
			out_char(a->out, ' ');
		out_uint(a->out, bit);
		more = true;
	}
	out_char(a->out, ']');
}

static void put_bits_with(struct out *out, enum constant_set low, uint64_t low_mask,
			  enum constant_set high, uint64_t value)
{
	constant_put(out, low, value & low_mask);
	if (value & ~low_mask) {
		out_char(out, '|');
		constant_put_bits(out, high, value & ~low_mask);
	}
}

static void put_futex(const struct argument *a)
{
	uint64_t flags = a->value & 0x180;
	constant_put(a->out, SET_futex_op, a->value & ~0x180ULL);
	if (flags & 0x80)
		out_text(a->out, "_PRIVATE");
	if (flags & 0x100)
		out_text(a->out, "|FUTEX_CLOCK_REALTIME");
}

static void put_styled(const struct argument *a, const struct style *style)
{
	struct out *out = a->out;
	switch ((enum style_kind)style->kind) {
	case STYLE_PLAIN:
	case STYLE_IF_BIT:
	case STYLE_CREATE_MODE: put_plain(a); return;
	case STYLE_BITS: constant_put_bits(out, (enum constant_set)style->of, a->value); return;
	case STYLE_VALUE:
		constant_put(out, (enum constant_set)style->of, (uint64_t)(int64_t)(int32_t)a->value);
		return;
	case STYLE_ONE:
	case STYLE_SET:
	case STYLE_EACH: put_shape(a, style); return;
	case STYLE_UNSIGNED: out_uint(out, (uint32_t)a->value); return;
	case STYLE_HEX:
		if (a->value)
			out_hex(out, a->value);
		else
			out_char(out, '0');
		return;
	case STYLE_MODE: shape_put_mode(out, (uint32_t)a->value & 07777); return;
	case STYLE_MODE_TYPE: shape_put_mode(out, (uint32_t)a->value); return;
	case STYLE_DEVICE:
		out_format(out, "makedev(%#x, %#x)", major(a->value), minor(a->value));
		return;
	case STYLE_DIRECTORY:
		if ((int32_t)a->value == AT_FDCWD)
			out_text(out, "AT_FDCWD");
		else
			out_int(out, (int32_t)a->value);
		return;
	case STYLE_OPEN_FLAGS: shape_put_open_flags(out, a->value); return;
	case STYLE_OPEN_BITS: constant_put_bits(out, SET_open_flags, a->value); return;
	case STYLE_MAP_FLAGS: put_bits_with(out, SET_map_sort, 3, SET_map_flags, a->value); return;
	case STYLE_SOCKET_TYPE:
		put_bits_with(out, SET_socket_sort, 0xf, SET_socket_flags, a->value);
		return;
	case STYLE_SOCKET_PROTOCOL: put_protocol(a); return;
	case STYLE_SOCKET_OPTION: put_socket_option(a); return;
	case STYLE_OPTION_VALUE: put_option_value(a); return;
	case STYLE_LENGTH: put_length(a); return;
	case STYLE_FUTEX_OP: put_futex(a); return;
	case STYLE_FCNTL_ARGUMENT: put_fcntl(a); return;
	case STYLE_POLL: put_shape(a, &(struct style){ STYLE_EACH, SHAPE_pollfd, 0 }); return;
	case STYLE_FDSET: put_fdset(a); return;
	case STYLE_REST: put_rest(a); return;
	case STYLE_HIDDEN:
	case STYLE_SKIPPED: return;
	}
}

static bool is_shown(const struct event *event, unsigned int i)
{
	const struct style *style = event->nr < CALLS_MAX ? &styles[event->nr][i] : NULL;
	if (style && style->kind == STYLE_DEVICE)
		return S_ISCHR(event->args[i - 1]) || S_ISBLK(event->args[i - 1]);
	/* The upper half of a position that the lower one holds already. */
	if (style && style->kind == STYLE_HIDDEN)
		return false;
	if (style && style->kind == STYLE_CREATE_MODE)
		return event->args[i - 1] & O_CREAT || (event->args[i - 1] & O_TMPFILE) == O_TMPFILE;
	return !style || style->kind != STYLE_IF_BIT || event->args[style->of] & style->bit;
}

/* A number that the kernel keeps to itself, such as that of a restart, is no error of the call. */
static bool has_failed(const struct event *event)
{
	return (event->result < 0 && event->result >= -4095) ||
	       event->flags & (CALL_RESTARTED | CALL_UNFINISHED);
}

static void put_one(struct out *out, const struct event *event, const struct row *row,
		    unsigned int i, const struct call_options *options)
{
	static const struct style plain = PLAIN;
	const struct style *style = event->nr < CALLS_MAX ? &styles[event->nr][i] : &plain;
	const struct row *own = syscall_row(event->nr);
	const char *request = row != own ? strchr(row->name, ':') : NULL;
	struct argument a = {
		out, event, row, options, i, row_argument(row, i, event->args), has_failed(event)
	};
	if (request && own && i == own->key && row != own->fallback && style->kind == STYLE_PLAIN)
		out_text(out, request + 1);
	else
		put_styled(&a, style);
}

bool call_put_argument(struct out *out, const struct event *event, unsigned int argument,
		       const struct call_options *options)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	if (!row || argument >= row_args(row) || !is_shown(event, argument))
		return false;
	put_one(out, event, row, argument, options);
	return true;
}

const char *call_name(const struct event *event)
{
	const struct row *row = syscall_row(event->nr);
	return row ? row->name : "?";
}

static void put_clone(struct out *out, const struct event *event)
{
	uint64_t flags = event->args[0] & ~0xffULL, signal = event->args[0] & 0xff;
	out_text(out, "child_stack=");
	put_pointer(out, event->args[1]);
	out_text(out, ", flags=");
	if (flags || !signal)
		constant_put_bits(out, SET_clone_flags, flags);
	if (signal) {
		if (flags)
			out_char(out, '|');
		constant_put_signal(out, (int)signal);
	}
	if (flags & (CLONE_PARENT_SETTID | 0x1000)) {
		out_text(out, ", parent_tid=");
		put_pointer(out, event->args[2]);
	}
	if (flags & CLONE_SETTLS) {
		out_text(out, ", tls=");
		put_pointer(out, event->args[4]);
	}
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		out_text(out, ", child_tidptr=");
		put_pointer(out, event->args[3]);
	}
}

void call_put(struct out *out, const struct event *event, const struct call_options *options)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	unsigned int count = row ? row_args(row) : 0;
	if (!row) {
		out_format(out, "syscall_%u(0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx)", event->nr,
			   (unsigned long long)event->args[0], (unsigned long long)event->args[1],
			   (unsigned long long)event->args[2], (unsigned long long)event->args[3],
			   (unsigned long long)event->args[4], (unsigned long long)event->args[5]);
		return;
	}
	out_text(out, call_name(event));
	out_char(out, '(');
	if (event->nr == SYS_clone)
		put_clone(out, event);
	for (unsigned int i = 0; i < count && event->nr != SYS_clone; i++) {
		if (!is_shown(event, i))
			break;
		if (event->nr < CALLS_MAX && styles[event->nr][i].kind == STYLE_SKIPPED)
			continue;
		if (i > 0)
			out_text(out, ", ");
		put_one(out, event, row, i, options);
	}
	out_char(out, ')');
}

/* What some calls return besides, in parentheses. */
static void put_more(struct out *out, const struct event *event)
{
	bool waits = event->nr == SYS_poll || event->nr == SYS_ppoll || event->nr == SYS_select ||
		     event->nr == SYS_pselect6;
	bool more = false;
	if (event->nr == SYS_fcntl && (int)event->args[1] == F_GETFL) {
		out_text(out, " (flags ");
		shape_put_open_flags(out, (uint64_t)event->result);
		out_char(out, ')');
	} else if (event->nr == SYS_fcntl && (int)event->args[1] == F_GETFD && event->result) {
		out_text(out, " (flags FD_CLOEXEC)");
	} else if (waits && event->result == 0) {
		out_text(out, " (Timeout)");
	}
	if ((event->nr != SYS_poll && event->nr != SYS_ppoll) || event->result == 0)
		return;
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->arg != 0 || p->direction != DIRECTION_OUT)
			continue;
		out_text(out, " ([");
		for (size_t at = 0; at + 8 <= p->length; at += 8) {
			int32_t fd;
			uint16_t events;
			memcpy(&fd, p->bytes + at, sizeof(fd));
			memcpy(&events, p->bytes + at + 6, sizeof(events));
			if (!events)
				continue;
			out_format(out, "%s{fd=%d, revents=", more ? ", " : "", fd);
			constant_put_bits(out, SET_poll_events, events);
			out_char(out, '}');
			more = true;
		}
		out_text(out, "])");
	}
}

void call_put_result(struct out *out, const struct event *event)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	const char *error = event->result < 0 && event->result >= -4095
				    ? strerrorname_np((int)-event->result)
				    : NULL;
	bool flags = event->nr == SYS_fcntl &&
		     ((int)event->args[1] == F_GETFL || (int)event->args[1] == F_GETFD);
	if (event->flags & (CALL_RESTARTED | CALL_UNFINISHED)) {
		out_text(out, event->flags & CALL_RESTARTED ? "? (restarted)" : "? (unfinished)");
	} else if (event->result < 0 && event->result >= -4095) {
		out_text(out, "-1 ");
		if (error)
			out_text(out, error);
		else
			out_int(out, -event->result);
	} else {
		if (row && (row->result == RESULT_ADDR || (flags && event->result)))
			out_hex(out, (uint64_t)event->result);
		else if (event->nr == SYS_umask)
			shape_put_mode(out, (uint32_t)event->result);
		else
			out_int(out, event->result);
		put_more(out, event);
	}
}
