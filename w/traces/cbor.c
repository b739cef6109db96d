#include "cbor.h"

#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <string.h>

#include "error.h"

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

void cbor_put_uint(struct cbor_out *out, uint64_t value)
{
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
	advance(out, cbor_encode_array_start(items, tail(out), room(out)));
}

void cbor_put_map(struct cbor_out *out, size_t pairs)
{
	advance(out, cbor_encode_map_start(pairs, tail(out), room(out)));
}

enum item_type { ITEM_BAD, ITEM_UINT, ITEM_NEGINT, ITEM_BYTES, ITEM_TEXT, ITEM_ARRAY, ITEM_MAP };

struct item {
	enum item_type type;
	uint64_t value; /* of a number; items of an array, pairs of a map, length of a string */
	const uint8_t *bytes;
};

static void set(void *context, enum item_type type, uint64_t value)
{
	struct item *item = context;
	item->type = type;
	item->value = value;
}

static void on_uint8(void *context, uint8_t value)
{
	set(context, ITEM_UINT, value);
}

static void on_uint16(void *context, uint16_t value)
{
	set(context, ITEM_UINT, value);
}

static void on_uint32(void *context, uint32_t value)
{
	set(context, ITEM_UINT, value);
}

static void on_uint64(void *context, uint64_t value)
{
	set(context, ITEM_UINT, value);
}

static void on_negint8(void *context, uint8_t value)
{
	set(context, ITEM_NEGINT, value);
}

static void on_negint16(void *context, uint16_t value)
{
	set(context, ITEM_NEGINT, value);
}

static void on_negint32(void *context, uint32_t value)
{
	set(context, ITEM_NEGINT, value);
}

static void on_negint64(void *context, uint64_t value)
{
	set(context, ITEM_NEGINT, value);
}

static void on_bytes(void *context, cbor_data bytes, size_t length)
{
	set(context, ITEM_BYTES, length);
	((struct item *)context)->bytes = bytes;
}

static void on_text(void *context, cbor_data bytes, size_t length)
{
	set(context, ITEM_TEXT, length);
	((struct item *)context)->bytes = bytes;
}

static void on_array(void *context, size_t items)
{
	set(context, ITEM_ARRAY, items);
}

static void on_map(void *context, size_t pairs)
{
	set(context, ITEM_MAP, pairs);
}

static void on_forbidden(void *context)
{
	set(context, ITEM_BAD, 0);
}

static void on_tag(void *context, uint64_t value)
{
	set(context, ITEM_BAD, value);
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

static int take(struct cbor_in *in, enum item_type type, struct item *ret_item)
{
	struct item item = {.type = ITEM_BAD};
	struct cbor_decoder_result result =
		cbor_stream_decode(in->bytes, in->length, &callbacks, &item);
	if (result.status != CBOR_DECODER_FINISHED || item.type != type)
		return SWORN_EFORMAT;
	size_t length = head_length(item.value);
	if (type == ITEM_BYTES || type == ITEM_TEXT)
		length += item.value;
	if (result.read != length)
		return SWORN_EFORMAT;
	in->bytes += length;
	in->length -= length;
	*ret_item = item;
	return 0;
}

int cbor_take_uint(struct cbor_in *in, uint64_t *ret_value)
{
	struct item item;
	int r = take(in, ITEM_UINT, &item);
	if (r == 0)
		*ret_value = item.value;
	return r;
}

int cbor_take_int(struct cbor_in *in, int64_t *ret_value)
{
	struct item item;
	if (in->length == 0)
		return SWORN_EFORMAT;
	struct cbor_in rest = *in;
	bool negative = in->bytes[0] >> 5 == 1;
	int r = take(&rest, negative ? ITEM_NEGINT : ITEM_UINT, &item);
	if (r < 0)
		return r;
	if (item.value > INT64_MAX)
		return SWORN_EFORMAT;
	*ret_value = negative ? -1 - (int64_t)item.value : (int64_t)item.value;
	*in = rest;
	return 0;
}

int cbor_take_bytes(struct cbor_in *in, const uint8_t **ret_bytes, size_t *ret_length)
{
	struct item item;
	int r = take(in, ITEM_BYTES, &item);
	if (r < 0)
		return r;
	*ret_bytes = item.bytes;
	*ret_length = item.value;
	return 0;
}

int cbor_take_text(struct cbor_in *in, const char **ret_text, size_t *ret_length)
{
	struct item item;
	struct cbor_in rest = *in;
	int r = take(&rest, ITEM_TEXT, &item);
	if (r < 0)
		return r;
	for (size_t i = 0; i < item.value; i++)
		if (!printable(item.bytes[i]))
			return SWORN_EFORMAT;
	*ret_text = (const char *)item.bytes;
	*ret_length = item.value;
	*in = rest;
	return 0;
}

int cbor_take_array(struct cbor_in *in, uint64_t *ret_items)
{
	struct item item;
	int r = take(in, ITEM_ARRAY, &item);
	if (r == 0)
		*ret_items = item.value;
	return r;
}

int cbor_take_map(struct cbor_in *in, unsigned int *ret_pairs)
{
	struct item item;
	struct cbor_in rest = *in;
	int r = take(&rest, ITEM_MAP, &item);
	if (r < 0)
		return r;
	if (item.value > CBOR_KEYS)
		return SWORN_EFORMAT;
	*ret_pairs = (unsigned int)item.value;
	*in = rest;
	return 0;
}

int cbor_take_key(struct cbor_in *in, int previous, int *ret_key)
{
	/* Every key is one byte, so most of the work of take() can be left out on this hot path. */
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
