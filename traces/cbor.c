#include "cbor.h"

#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <string.h>

#include "error.h"

#define SHORT_MAX 24 /* values below are in the first byte of a head */

enum major {
	MAJOR_UINT = 0,
	MAJOR_NEGINT = 1,
	MAJOR_BYTES = 2,
	MAJOR_TEXT = 3,
	MAJOR_ARRAY = 4,
	MAJOR_MAP = 5,
	MAJOR_NONE = 8, /* of an item that the format does not allow */
};

static bool printable(uint8_t byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

/* libcbor's encoders return 0 when the item does not fit. */
static void advance(struct cbor_out *out, size_t written)
{
	if (written == 0)
		out->full = true;
	out->length += written;
}

static uint8_t *tail(struct cbor_out *out)
{
	return out->bytes + out->length;
}

static size_t room(const struct cbor_out *out)
{
	return out->full ? 0 : out->capacity - out->length;
}

/* Most items of a record are one byte, so those are written and read without the library. */
static bool put_short(struct cbor_out *out, unsigned int major, uint64_t value)
{
	if (value >= SHORT_MAX || room(out) == 0)
		return false;
	out->bytes[out->length++] = (uint8_t)(major << 5 | (unsigned int)value);
	return true;
}

void cbor_put_uint(struct cbor_out *out, uint64_t value)
{
	if (!put_short(out, MAJOR_UINT, value))
		advance(out, cbor_encode_uint(value, tail(out), room(out)));
}

void cbor_put_int(struct cbor_out *out, int64_t value)
{
	if (value >= 0)
		cbor_put_uint(out, (uint64_t)value);
	else
		advance(out, cbor_encode_negint(~(uint64_t)value, tail(out), room(out)));
}

void cbor_put_bytes(struct cbor_out *out, const void *bytes, size_t length)
{
	if (!put_short(out, MAJOR_BYTES, length))
		advance(out, cbor_encode_bytestring_start(length, tail(out), room(out)));
	if (room(out) < length) {
		out->full = true;
		return;
	}
	if (length)
		memcpy(tail(out), bytes, length);
	out->length += length;
}

void cbor_put_text(struct cbor_out *out, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	advance(out, cbor_encode_string_start(length, tail(out), room(out)));
	if (room(out) < length) {
		out->full = true;
		return;
	}
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)text[i];
		out->bytes[out->length++] = printable(byte) ? byte : '?';
	}
}

void cbor_put_array(struct cbor_out *out, size_t items)
{
	if (!put_short(out, MAJOR_ARRAY, items))
		advance(out, cbor_encode_array_start(items, tail(out), room(out)));
}

void cbor_put_map(struct cbor_out *out, size_t pairs)
{
	if (!put_short(out, MAJOR_MAP, pairs))
		advance(out, cbor_encode_map_start(pairs, tail(out), room(out)));
}

struct item {
	enum major major;
	uint64_t value; /* of a number; items of an array, pairs of a map, length of a string */
	const uint8_t *bytes;
};

static void set(void *context, enum major major, uint64_t value)
{
	struct item *item = context;
	item->major = major;
	item->value = value;
}

static void on_uint8(void *context, uint8_t value)
{
	set(context, MAJOR_UINT, value);
}

static void on_uint16(void *context, uint16_t value)
{
	set(context, MAJOR_UINT, value);
}

static void on_uint32(void *context, uint32_t value)
{
	set(context, MAJOR_UINT, value);
}

static void on_uint64(void *context, uint64_t value)
{
	set(context, MAJOR_UINT, value);
}

static void on_negint8(void *context, uint8_t value)
{
	set(context, MAJOR_NEGINT, value);
}

static void on_negint16(void *context, uint16_t value)
{
	set(context, MAJOR_NEGINT, value);
}

static void on_negint32(void *context, uint32_t value)
{
	set(context, MAJOR_NEGINT, value);
}

static void on_negint64(void *context, uint64_t value)
{
	set(context, MAJOR_NEGINT, value);
}

static void on_bytes(void *context, cbor_data bytes, size_t length)
{
	set(context, MAJOR_BYTES, length);
	((struct item *)context)->bytes = bytes;
}

static void on_text(void *context, cbor_data bytes, size_t length)
{
	set(context, MAJOR_TEXT, length);
	((struct item *)context)->bytes = bytes;
}

static void on_array(void *context, size_t items)
{
	set(context, MAJOR_ARRAY, items);
}

static void on_map(void *context, size_t pairs)
{
	set(context, MAJOR_MAP, pairs);
}

static void on_forbidden(void *context)
{
	set(context, MAJOR_NONE, 0);
}

static void on_tag(void *context, uint64_t value)
{
	set(context, MAJOR_NONE, value);
}

static void on_float(void *context, float value)
{
	(void)value;
	on_forbidden(context);
}

static void on_double(void *context, double value)
{
	(void)value;
	on_forbidden(context);
}

static void on_boolean(void *context, bool value)
{
	(void)value;
	on_forbidden(context);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = on_forbidden,
	.byte_string = on_bytes,
	.string = on_text,
	.string_start = on_forbidden,
	.indef_array_start = on_forbidden,
	.array_start = on_array,
	.indef_map_start = on_forbidden,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_forbidden,
	.null = on_forbidden,
	.boolean = on_boolean,
	.indef_break = on_forbidden,
};

static size_t head_length(uint64_t value)
{
	if (value < 24)
		return 1;
	if (value <= UINT8_MAX)
		return 2;
	if (value <= UINT16_MAX)
		return 3;
	return value <= UINT32_MAX ? 5 : 9;
}

static bool take_short(struct cbor_in *in, enum major major, uint64_t *ret_value)
{
	if (in->length == 0 || in->bytes[0] >> 5 != (int)major || (in->bytes[0] & 31) >= SHORT_MAX)
		return false;
	*ret_value = in->bytes[0] & 31;
	in->bytes++;
	in->length--;
	return true;
}

/* Takes an item that is not a string: its number. */
static int take_number(struct cbor_in *in, enum major major, uint64_t *ret_value)
{
	if (take_short(in, major, ret_value))
		return 0;
	struct item item = { .major = MAJOR_NONE };
	struct cbor_decoder_result result = cbor_stream_decode(in->bytes, in->length, &callbacks, &item);
	if (result.status != CBOR_DECODER_FINISHED || item.major != major ||
	    result.read != head_length(item.value))
		return SWORN_EFORMAT;
	in->bytes += result.read;
	in->length -= result.read;
	*ret_value = item.value;
	return 0;
}

static int take_string(struct cbor_in *in, enum major major, const uint8_t **ret_bytes, size_t *ret_length)
{
	struct item item = { .major = MAJOR_NONE };
	struct cbor_decoder_result result = cbor_stream_decode(in->bytes, in->length, &callbacks, &item);
	if (result.status != CBOR_DECODER_FINISHED || item.major != major ||
	    result.read != head_length(item.value) + item.value)
		return SWORN_EFORMAT;
	in->bytes += result.read;
	in->length -= result.read;
	*ret_bytes = item.bytes;
	*ret_length = item.value;
	return 0;
}

int cbor_take_uint(struct cbor_in *in, uint64_t *ret_value)
{
	return take_number(in, MAJOR_UINT, ret_value);
}

int cbor_take_int(struct cbor_in *in, int64_t *ret_value)
{
	uint64_t value;
	struct cbor_in rest = *in;
	bool negative = in->length > 0 && in->bytes[0] >> 5 == MAJOR_NEGINT;
	int r = take_number(&rest, negative ? MAJOR_NEGINT : MAJOR_UINT, &value);
	if (r < 0)
		return r;
	if (value > INT64_MAX)
		return SWORN_EFORMAT;
	*ret_value = negative ? -1 - (int64_t)value : (int64_t)value;
	*in = rest;
	return 0;
}

int cbor_take_bytes(struct cbor_in *in, const uint8_t **ret_bytes, size_t *ret_length)
{
	return take_string(in, MAJOR_BYTES, ret_bytes, ret_length);
}

int cbor_take_text(struct cbor_in *in, const char **ret_text, size_t *ret_length)
{
	const uint8_t *bytes;
	size_t length;
	struct cbor_in rest = *in;
	int r = take_string(&rest, MAJOR_TEXT, &bytes, &length);
	if (r < 0)
		return r;
	for (size_t i = 0; i < length; i++)
		if (!printable(bytes[i]))
			return SWORN_EFORMAT;
	*ret_text = (const char *)bytes;
	*ret_length = length;
	*in = rest;
	return 0;
}

int cbor_take_array(struct cbor_in *in, uint64_t *ret_items)
{
	return take_number(in, MAJOR_ARRAY, ret_items);
}

int cbor_take_map(struct cbor_in *in, unsigned int *ret_pairs)
{
	uint64_t pairs;
	struct cbor_in rest = *in;
	int r = take_number(&rest, MAJOR_MAP, &pairs);
	if (r < 0)
		return r;
	if (pairs > CBOR_KEYS)
		return SWORN_EFORMAT;
	*ret_pairs = (unsigned int)pairs;
	*in = rest;
	return 0;
}

int cbor_take_key(struct cbor_in *in, int previous, int *ret_key)
{
	if (in->length == 0 || in->bytes[0] >= CBOR_KEYS || in->bytes[0] <= previous)
		return SWORN_EFORMAT;
	*ret_key = in->bytes[0];
	in->bytes++;
	in->length--;
	return 0;
}

int cbor_take_uint_max(struct cbor_in *in, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	struct cbor_in rest = *in;
	int r = cbor_take_uint(&rest, &value);
	if (r < 0)
		return r;
	if (value > max)
		return SWORN_EFORMAT;
	*ret_value = value;
	*in = rest;
	return 0;
}

int cbor_take_exactly(struct cbor_in *in, uint8_t *ret_bytes, size_t length)
{
	const uint8_t *bytes = NULL;
	size_t found = 0;
	struct cbor_in rest = *in;
	int r = cbor_take_bytes(&rest, &bytes, &found);
	if (r < 0)
		return r;
	if (found != length)
		return SWORN_EFORMAT;
	memcpy(ret_bytes, bytes, length);
	*in = rest;
	return 0;
}

int cbor_expect_map(struct cbor_in *in, unsigned int pairs)
{
	unsigned int found = 0;
	struct cbor_in rest = *in;
	int r = cbor_take_map(&rest, &found);
	if (r < 0 || found != pairs)
		return SWORN_EFORMAT;
	*in = rest;
	return 0;
}

int cbor_expect_array(struct cbor_in *in, uint64_t items)
{
	uint64_t found = 0;
	struct cbor_in rest = *in;
	int r = cbor_take_array(&rest, &found);
	if (r < 0 || found != items)
		return SWORN_EFORMAT;
	*in = rest;
	return 0;
}

int cbor_expect_key(struct cbor_in *in, unsigned int key)
{
	if (in->length == 0 || in->bytes[0] != key || key >= CBOR_KEYS)
		return SWORN_EFORMAT;
	in->bytes++;
	in->length--;
	return 0;
}
