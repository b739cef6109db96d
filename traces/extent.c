#include "extent.h"
#include "array.h"
#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Kernel layouts (x86-64): struct iovec, struct msghdr, struct mmsghdr, struct ifconf. */
#define IOVEC_BYTES 16
#define MSGHDR_BYTES 56
#define MSGHDR_NAME_LENGTH 8
#define MSGHDR_CONTROL_LENGTH 40
#define MMSGHDR_BYTES 64
#define MMSGHDR_LENGTH 56
#define IFCONF_BYTES 16
#define SPAN_BYTES 16
#define PROGRAM_BYTES 16 /* struct sock_fprog */
#define PROGRAM_INSTRUCTIONS_MAX 4096
#define SOCKADDR_BYTES_MAX 128
#define FDSET_BITS_MAX (1u << 20)
#define PAGE_BYTES 4096
#define SMALL_BYTES 1024
#define STRINGS_VECTOR_MAX 65536
#define STRINGS_RANGE_BYTES_MAX (8 * 1024 * 1024) /* execve takes 6 MiB at most */

struct walk {
	const struct row *row;
	const uint64_t *args;
	guest_reader *read;
	void *context;
	struct range_list *list;
};

struct message {
	uint64_t address, name, iov, iov_count, control, control_length;
	uint32_t name_length;
	uint32_t number; /* from 1 inside a vector, 0 for a single one */
};

void range_list_release(struct range_list *list)
{
	free(list->ranges);
	*list = (struct range_list){ 0 };
}

static int list_append(struct range_list *list, const struct range *range)
{
	struct range *grown;

	if (list->count >= EXTENT_RANGES_MAX)
		return SWORN_ELIMIT;
	grown = array_grow(list->ranges, list->count, &list->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->ranges = grown;
	list->ranges[list->count++] = *range;
	return 0;
}

/* Appends `range` once for each way that `direction` names; bounds its length first. */
static int push(struct walk *walk, struct range range, unsigned int direction)
{
	int r = 0;

	if (range.address == 0 || range.length == 0)
		return 0;
	if (range.length > EXTENT_LENGTH_MAX)
		range.length = EXTENT_LENGTH_MAX;
	if (range.length - 1 > UINT64_MAX - range.address)
		range.length = UINT64_MAX - range.address + 1;
	if (direction & DIRECTION_IN) {
		range.direction = DIRECTION_IN;
		r = list_append(walk->list, &range);
	}
	if (r == 0 && direction & DIRECTION_OUT) {
		range.direction = DIRECTION_OUT;
		r = list_append(walk->list, &range);
	}
	return r;
}

static int push_plain(struct walk *walk, unsigned int i, uint64_t address, uint64_t length,
		      unsigned int direction)
{
	return push(walk, (struct range){ .arg = (uint8_t)i, .address = address, .length = length },
		    direction);
}

static bool read_exactly(struct walk *walk, uint64_t address, void *buffer, size_t length)
{
	return address != 0 && walk->read(walk->context, address, buffer, length) == length;
}

static uint32_t load32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint64_t load64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* Argument `i` as a count: an int is signed in the kernel, and a negative one counts nothing. */
static uint64_t argument_count(const struct walk *walk, unsigned int i)
{
	uint64_t value = row_argument(walk->row, i, walk->args);

	return walk->row->args[i].kind == ARG_INT && value > INT32_MAX ? 0 : value;
}

/* The product, or a number over every limit. */
static uint64_t scale(uint64_t count, uint64_t unit)
{
	uint64_t product;

	return __builtin_mul_overflow(count, unit, &product) ? UINT64_MAX : product;
}

/* Bytes up to and with the first NUL, or as many as are readable within `limit`. */
static uint64_t string_length(struct walk *walk, uint64_t address, uint64_t limit)
{
	uint8_t chunk[512];
	uint64_t length = 0;

	while (length < limit && address <= UINT64_MAX - length) {
		size_t want = limit - length < sizeof(chunk) ? (size_t)(limit - length) : sizeof(chunk);
		size_t got = walk->read(walk->context, address + length, chunk, want);
		const uint8_t *end = memchr(chunk, 0, got);

		if (end)
			return length + (uint64_t)(end - chunk) + 1;
		length += got;
		if (got < want)
			break;
	}
	return length;
}

/* Strings that lie next to each other, as argv and envp of a new program do, make one range. */
static int push_string(struct walk *walk, unsigned int i, uint64_t address, size_t first)
{
	struct range_list *list = walk->list;
	struct range *last = list->count > first ? &list->ranges[list->count - 1] : NULL;

	if (last && address == last->address + last->length && last->length < STRINGS_RANGE_BYTES_MAX) {
		last->length += string_length(walk, address, EXTENT_STRING_MAX);
		return 0;
	}
	if (list->count - first >= EXTENT_STRINGS_MAX)
		return 0;
	return push_plain(walk, i, address, string_length(walk, address, EXTENT_STRING_MAX),
			  DIRECTION_IN);
}

static int walk_strings(struct walk *walk, unsigned int i, uint64_t vector)
{
	uint64_t entries = 0, pointer = 0;
	size_t first;
	int r;

	while (entries < STRINGS_VECTOR_MAX && entries * 8 <= UINT64_MAX - vector &&
	       read_exactly(walk, vector + entries * 8, &pointer, sizeof(pointer))) {
		entries++;
		if (pointer == 0)
			break;
	}
	r = push_plain(walk, i, vector, entries * 8, DIRECTION_IN);
	first = walk->list->count;
	for (uint64_t k = 0; r == 0 && k < entries; k++) {
		if (read_exactly(walk, vector + k * 8, &pointer, sizeof(pointer)) && pointer != 0)
			r = push_string(walk, i, pointer, first);
	}
	return r;
}

/* The array and, as `data` says, each buffer. `data` carries argument and trim, no address. */
static int walk_iovec(struct walk *walk, struct range data, uint64_t address, uint64_t count,
		      unsigned int direction)
{
	uint8_t array[EXTENT_VECTOR_MAX * IOVEC_BYTES];
	size_t got;
	int r;

	if (address == 0 || count == 0 || count > EXTENT_VECTOR_MAX)
		return 0;
	got = walk->read(walk->context, address, array, (size_t)count * IOVEC_BYTES);
	r = push_plain(walk, data.arg, address, count * IOVEC_BYTES, DIRECTION_IN);
	for (size_t at = 0; r == 0 && at + IOVEC_BYTES <= got; at += IOVEC_BYTES) {
		data.address = load64(array + at);
		data.length = load64(array + at + 8);
		if (data.length > INT64_MAX)
			break;
		r = push(walk, data, direction);
	}
	return r;
}

static void message_decode(const uint8_t *bytes, uint64_t address, struct message *ret)
{
	*ret = (struct message){
		.address = address,
		.name = load64(bytes),
		.name_length = load32(bytes + MSGHDR_NAME_LENGTH),
		.iov = load64(bytes + 16),
		.iov_count = load64(bytes + 24),
		.control = load64(bytes + 32),
		.control_length = load64(bytes + MSGHDR_CONTROL_LENGTH),
	};
	if (ret->name_length > INT32_MAX)
		ret->name_length = 0;
	else if (ret->name_length > SOCKADDR_BYTES_MAX)
		ret->name_length = SOCKADDR_BYTES_MAX;
}

/* Everything behind one message header, but not the header. */
static int walk_message(struct walk *walk, unsigned int i, const struct message *message)
{
	unsigned int direction = walk->row->args[i].direction;
	struct range range = { .arg = (uint8_t)i, .message = message->number };
	int r;

	range.address = message->name;
	range.length = message->name_length;
	range.trim = TRIM_WORD32;
	range.unit = 1;
	range.measure = message->address + MSGHDR_NAME_LENGTH;
	r = push(walk, range, direction);
	if (r < 0)
		return r;
	range.address = message->control;
	range.length = message->control_length;
	range.trim = TRIM_WORD64;
	range.measure = message->address + MSGHDR_CONTROL_LENGTH;
	r = push(walk, range, direction);
	if (r < 0)
		return r;
	range.trim = message->number ? TRIM_MESSAGE : TRIM_STREAM;
	range.measure = message->number ? message->address + MMSGHDR_LENGTH : 0;
	return walk_iovec(walk, range, message->iov, message->iov_count, direction);
}

static int walk_msghdr(struct walk *walk, unsigned int i, uint64_t address)
{
	uint8_t bytes[MSGHDR_BYTES];
	struct message message;
	int r = push_plain(walk, i, address, MSGHDR_BYTES, DIRECTION_IN | walk->row->args[i].direction);

	if (r < 0 || !read_exactly(walk, address, bytes, sizeof(bytes)))
		return r;
	message_decode(bytes, address, &message);
	return walk_message(walk, i, &message);
}

/* The kernel stores each message's length in its header, whichever way the data goes. */
static int walk_mmsghdr(struct walk *walk, unsigned int i, uint64_t address)
{
	uint64_t count = argument_count(walk, walk->row->args[i].arg);
	struct range array = {
		.arg = (uint8_t)i, .address = address, .trim = TRIM_RESULT, .unit = MMSGHDR_BYTES
	};
	int r;

	if (count > EXTENT_VECTOR_MAX)
		count = EXTENT_VECTOR_MAX;
	array.length = count * MMSGHDR_BYTES;
	r = push(walk, array, DIRECTION_INOUT);
	for (uint64_t k = 0; r == 0 && k < count; k++) {
		uint8_t bytes[MMSGHDR_BYTES];
		uint64_t at = address + k * MMSGHDR_BYTES;
		struct message message;

		if (!read_exactly(walk, at, bytes, sizeof(bytes)))
			break;
		message_decode(bytes, at, &message);
		message.number = (uint32_t)k + 1;
		r = walk_message(walk, i, &message);
	}
	return r;
}

static int walk_span(struct walk *walk, unsigned int i, uint64_t address)
{
	uint8_t bytes[SPAN_BYTES];
	const struct arg *arg = &walk->row->args[i];
	struct range data = { .arg = (uint8_t)i, .trim = TRIM_RESULT, .unit = 1 };
	int r = push_plain(walk, i, address, SPAN_BYTES, DIRECTION_IN);

	if (r < 0 || !read_exactly(walk, address, bytes, sizeof(bytes)))
		return r;
	data.address = load64(bytes);
	data.length = arg->unit == 4 ? load32(bytes + 8) : load64(bytes + 8);
	return push(walk, data, arg->direction);
}

static int walk_list(struct walk *walk, unsigned int i, uint64_t address)
{
	const struct arg *arg = &walk->row->args[i];
	uint8_t count[4];
	uint64_t length = arg->head;

	if (read_exactly(walk, address + arg->arg, count, sizeof(count)))
		length += scale(load32(count), arg->unit);
	return push_plain(walk, i, address, length, arg->direction);
}

static int walk_program(struct walk *walk, unsigned int i, uint64_t address)
{
	uint8_t bytes[PROGRAM_BYTES];
	int r = push_plain(walk, i, address, PROGRAM_BYTES, DIRECTION_IN);
	uint32_t count;

	if (r < 0 || !read_exactly(walk, address, bytes, sizeof(bytes)))
		return r;
	count = bytes[0] | (uint32_t)bytes[1] << 8;
	return count > PROGRAM_INSTRUCTIONS_MAX
		       ? 0
		       : push_plain(walk, i, load64(bytes + 8), count * 8UL, DIRECTION_IN);
}

static int walk_ifconf(struct walk *walk, unsigned int i, uint64_t address)
{
	uint8_t bytes[IFCONF_BYTES];
	struct range buffer = { .arg = (uint8_t)i, .trim = TRIM_WORD32, .unit = 1, .measure = address };
	int r = push_plain(walk, i, address, IFCONF_BYTES, DIRECTION_INOUT);

	if (r < 0 || !read_exactly(walk, address, bytes, sizeof(bytes)))
		return r;
	buffer.address = load64(bytes + 8);
	buffer.length = load32(bytes) > INT32_MAX ? 0 : load32(bytes);
	return push(walk, buffer, DIRECTION_OUT);
}

static int walk_deref(struct walk *walk, unsigned int i, uint64_t address)
{
	const struct arg *arg = &walk->row->args[i];
	uint8_t bytes[4];
	struct range range = { .arg = (uint8_t)i,
			       .address = address,
			       .trim = TRIM_WORD32,
			       .unit = arg->unit,
			       .measure = walk->args[arg->arg] };

	if (!read_exactly(walk, range.measure, bytes, sizeof(bytes)))
		return 0;
	range.length = load32(bytes) > INT32_MAX ? 0 : scale(load32(bytes), arg->unit);
	return push(walk, range, arg->direction);
}

static int walk_result(struct walk *walk, unsigned int i, uint64_t address)
{
	const struct arg *arg = &walk->row->args[i];
	struct range range = {
		.arg = (uint8_t)i, .address = address, .trim = TRIM_RESULT, .unit = arg->unit
	};

	range.length = scale(argument_count(walk, arg->arg), arg->unit);
	return push(walk, range, arg->direction);
}

static int walk_msgbuf(struct walk *walk, unsigned int i, uint64_t address)
{
	const struct arg *arg = &walk->row->args[i];
	struct range range = {
		.arg = (uint8_t)i, .address = address, .trim = TRIM_RESULT, .base = 8, .unit = 1
	};
	uint64_t size = argument_count(walk, arg->arg);

	range.length = size < EXTENT_LENGTH_MAX ? size + 8 : EXTENT_LENGTH_MAX;
	return push(walk, range, arg->direction);
}

static uint64_t fdset_bytes(const struct walk *walk, unsigned int i)
{
	uint64_t bits = argument_count(walk, walk->row->args[i].arg);

	if (bits > FDSET_BITS_MAX)
		bits = FDSET_BITS_MAX;
	return (bits + 63) / 64 * 8;
}

static uint64_t pages_bytes(const struct walk *walk, unsigned int i)
{
	uint64_t bytes = argument_count(walk, walk->row->args[i].arg);

	return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

static int walk_argument(struct walk *walk, unsigned int i)
{
	const struct arg *arg = &walk->row->args[i];
	const uint64_t address = walk->args[i];
	uint64_t length = 0;

	switch ((enum extent)arg->extent) {
	case EXTENT_FIXED: length = arg->unit; break;
	case EXTENT_COUNT: length = scale(argument_count(walk, arg->arg), arg->unit); break;
	case EXTENT_FDSET: length = fdset_bytes(walk, i); break;
	case EXTENT_PAGES: length = pages_bytes(walk, i); break;
	case EXTENT_STRING:
		length = string_length(walk, address, arg->unit ? arg->unit : EXTENT_STRING_MAX);
		break;
	case EXTENT_RESULT: return walk_result(walk, i, address);
	case EXTENT_DEREF: return walk_deref(walk, i, address);
	case EXTENT_MSGBUF: return walk_msgbuf(walk, i, address);
	case EXTENT_STRINGS: return walk_strings(walk, i, address);
	case EXTENT_IOVEC:
		return walk_iovec(walk, (struct range){ .arg = (uint8_t)i, .trim = TRIM_STREAM },
				  address, argument_count(walk, arg->arg), arg->direction);
	case EXTENT_MSGHDR: return walk_msghdr(walk, i, address);
	case EXTENT_MMSGHDR: return walk_mmsghdr(walk, i, address);
	case EXTENT_SPAN: return walk_span(walk, i, address);
	case EXTENT_PROGRAM: return walk_program(walk, i, address);
	case EXTENT_IFCONF: return walk_ifconf(walk, i, address);
	case EXTENT_LIST: return walk_list(walk, i, address);
	case EXTENT_SPECIAL: return 0;
	}
	return push_plain(walk, i, address, length, arg->direction);
}

int extent_entry(const struct row *row, const uint64_t args[6], guest_reader *read, void *context,
		 struct range_list *list)
{
	struct walk walk = { .row = row, .args = args, .read = read, .context = context, .list = list };
	int r = 0;

	list->count = 0;
	for (unsigned int i = 0; r == 0 && i < 6; i++) {
		if (row->args[i].kind == ARG_MEMORY && args[i] != 0)
			r = walk_argument(&walk, i);
	}
	return r;
}

/* What the data ranges before this one left of the bytes that they share. */
struct stream {
	bool started;
	bool faulted; /* the message behind those that the result counts was received in part */
	uint64_t measure, left;
};

static uint64_t stored_length(guest_reader *read, void *context, uint64_t address, size_t bytes)
{
	uint8_t word[8] = { 0 };

	return read(context, address, word, bytes) == bytes ? load64(word) : 0;
}

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A unit at the end of memory may be written in part, and is not counted then. */
static uint64_t counted(const struct range *range, uint64_t result)
{
	uint64_t bytes = range->base + result * range->unit;
	uint64_t next = range->address + bytes;

	if (range->unit > 1 && next / PAGE_BYTES != (next + range->unit - 1) / PAGE_BYTES)
		bytes += range->unit;
	return minimum(range->length, bytes);
}

/* True when memory ends inside what this message of a vector would fill. */
static bool ends_inside(const struct range_list *entry, uint64_t message, guest_reader *read,
			void *context)
{
	for (size_t i = 0; i < entry->count; i++) {
		const struct range *range = &entry->ranges[i];
		uint8_t byte;

		if (range->direction == DIRECTION_OUT && range->message == message &&
		    read(context, range->address + range->length - 1, &byte, 1) == 0)
			return true;
	}
	return false;
}

/* Bytes of `range` that a call with this non-negative result wrote. */
static uint64_t written(const struct range *range, uint64_t result, struct stream *stream,
			guest_reader *read, void *context)
{
	uint64_t length = range->length;

	if (range->message > result)
		return stream->faulted && range->message == result + 1 ? length : 0;
	switch ((enum range_trim)range->trim) {
	case TRIM_NONE: return length;
	case TRIM_RESULT: return result > EXTENT_LENGTH_MAX ? length : counted(range, result);
	case TRIM_WORD32:
		return minimum(length, stored_length(read, context, range->measure, 4) * range->unit);
	case TRIM_WORD64: return minimum(length, stored_length(read, context, range->measure, 8));
	case TRIM_STREAM:
	case TRIM_MESSAGE:
		if (!stream->started || stream->measure != range->measure) {
			stream->left = range->trim == TRIM_STREAM
					       ? result
					       : stored_length(read, context, range->measure, 4);
			stream->measure = range->measure;
			stream->started = true;
		}
		length = minimum(length, stream->left);
		stream->left -= length;
		return length;
	}
	return length;
}

int extent_exit(const struct row *row, const uint64_t args[6], int64_t result,
		const struct range_list *entry, guest_reader *read, void *context,
		struct range_list *list)
{
	const bool failed = result < 0 && result >= -4095;
	const bool all = result == -EFAULT || result == -EINTR;
	struct stream stream = { 0 };
	int r = 0;

	(void)row;
	(void)args;
	list->count = 0;
	if (!failed && entry->count > 0 && entry->ranges[entry->count - 1].message > (uint64_t)result)
		stream.faulted = ends_inside(entry, (uint64_t)result + 1, read, context);
	for (size_t i = 0; r == 0 && i < entry->count; i++) {
		struct range range = entry->ranges[i];

		if (range.direction != DIRECTION_OUT)
			continue;
		if (!failed)
			range.length = written(&range, (uint64_t)result, &stream, read, context);
		else if (!all && range.length > SMALL_BYTES)
			continue;
		if (range.length > 0)
			r = list_append(list, &range);
	}
	return r;
}

bool extent_allows(const struct range_list *entry, uint8_t arg, uint64_t address, uint64_t length)
{
	for (size_t i = 0; i < entry->count; i++) {
		const struct range *range = &entry->ranges[i];

		if (range->direction == DIRECTION_OUT && range->arg == arg &&
		    address >= range->address && address - range->address <= range->length &&
		    length <= range->length - (address - range->address))
			return true;
	}
	return false;
}
