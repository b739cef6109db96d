/*
 * Pairs of a map whose keys and order are fixed: the key with its value, in one call. Used where envelopes are encoded and
 * decoded. Knows nothing of what the values mean.
 */
#ifndef SWORN_TRACES_KEYED_H
#define SWORN_TRACES_KEYED_H

#include "cbor.h"

static inline void put_keyed_bytes(struct cbor_out *out, unsigned int key, const void *bytes,
				   size_t length)
{
	cbor_put_uint(out, key);
	cbor_put_bytes(out, bytes, length);
}

static inline void put_keyed_uint(struct cbor_out *out, unsigned int key, uint64_t value)
{
	cbor_put_uint(out, key);
	cbor_put_uint(out, value);
}

/* As cbor_take_exactly() and cbor_take_uint_max(), for the value of exactly this key. */
static inline int take_keyed_bytes(struct cbor_in *in, unsigned int key, uint8_t *ret_bytes, size_t length)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_exactly(in, ret_bytes, length);
}

static inline int take_keyed_uint(struct cbor_in *in, unsigned int key, uint64_t max, uint64_t *ret_value)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_uint_max(in, max, ret_value);
}

#endif
