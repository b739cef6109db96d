#include "call_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "constant.h"
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
	case ARG_ADDR: call_put_pointer(out, a->value); return;
	case ARG_MEMORY: call_put_memory(a); return;
	}
}

static void put_shape(const struct argument *a, const struct style *style)
{
	const struct payload *p = call_bytes(a);
	bool counted = a->row->args[a->i].extent == EXTENT_RESULT && !a->failed;
	if (!p && counted && a->value)
		out_text(a->out, "[]");
	else if (!p || a->value == 0)
		call_put_pointer(a->out, a->value);
	else if (style->kind == STYLE_EACH)
		shape_put_list(a->out, (enum shape)style->of, p->bytes, p->length);
	else
		shape_put(a->out, (enum shape)style->of, p->bytes, p->length);
	/* A position that the call moved on. */
	const struct payload *after = a->failed ? NULL : call_find(a, a->value, DIRECTION_OUT);
	if (style->of == SHAPE_word && p && after && after != p && after->length == p->length &&
	    memcmp(after->bytes, p->bytes, p->length) != 0) {
		out_text(a->out, " => ");
		shape_put(a->out, SHAPE_word, after->bytes, after->length);
	}
}

static void put_rest(const struct argument *a)
{
	const struct payload *p = a->event->result == -EINTR ? call_find(a, a->value, DIRECTION_OUT)
							     : NULL;
	if (p)
		shape_put(a->out, SHAPE_timespec, p->bytes, p->length);
	else
		call_put_pointer(a->out, a->value);
}

static void put_length(const struct argument *a)
{
	const struct payload *before = call_find(a, a->value, DIRECTION_IN),
			     *after = call_find(a, a->value, DIRECTION_OUT);
	int32_t numbers[2] = { 0, 0 };
	if (!before || before->length < sizeof(int32_t)) {
		call_put_pointer(a->out, a->value);
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
	const struct payload *p = call_bytes(a);
	int level = (int)a->event->args[1], option = (int)a->event->args[2];
	if (!p)
		call_put_pointer(a->out, a->value);
	else if (level == SOL_SOCKET && option == SO_LINGER)
		shape_put(a->out, SHAPE_linger, p->bytes, p->length);
	else if (level == SOL_SOCKET && option == SO_PEERCRED)
		shape_put(a->out, SHAPE_credentials, p->bytes, p->length);
	else if (level == SOL_SOCKET && (option == 20 || option == 21))
		shape_put(a->out, SHAPE_timeval, p->bytes, p->length);
	else if (p->length == sizeof(int32_t))
		shape_put(a->out, SHAPE_integer, p->bytes, p->length);
	else
		call_put_string(a, p, p->length);
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
	const struct payload *p = call_bytes(a);
	switch ((int)a->event->args[1]) {
	case F_SETFD: constant_put_bits(a->out, SET_descriptor_flags, a->value); return;
	case F_SETFL: shape_put_open_flags(a->out, a->value); return;
	case F_SETLEASE: constant_put(a->out, SET_lock_type, a->value); return;
	case F_SETSIG: constant_put_signal(a->out, (int)a->value); return;
	case F_GETLK:
	case F_OFD_GETLK:
		p = a->failed ? p : call_find(a, a->value, DIRECTION_OUT);
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
	const struct payload *p = call_find(a, a->value, DIRECTION_IN);
	bool more = false;
	if (!p) {
		call_put_pointer(a->out, a->value);
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

bool call_is_shown(const struct event *event, unsigned int i)
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

void call_put_one(struct out *out, const struct event *event, const struct row *row, unsigned int i,
		  const struct call_options *options)
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
	if (!row || argument >= row_args(row) || !call_is_shown(event, argument))
		return false;
	call_put_one(out, event, row, argument, options);
	return true;
}

bool call_is_skipped(const struct event *event, unsigned int i)
{
	return event->nr < CALLS_MAX && styles[event->nr][i].kind == STYLE_SKIPPED;
}
