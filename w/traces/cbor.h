/*
 * Deterministic CBOR (RFC 8949 section 4.2.1), the strict subset that Sworn uses: unsigned and
 * negative integers, byte strings, printable ASCII text, arrays, and maps whose keys are unsigned
 * 0..23 in ascending order. Thin over libcbor's streaming encoder and decoder; the strictness is
 * ours, because libcbor accepts what the format forbids. No allocation, no recursion; knows nothing
 * of what the items mean.
 */
#ifndef SWORN_TRACES_CBOR_H
#define SWORN_TRACES_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_HEAD_BYTES 9 /* longest head of one item */
#define CBOR_KEYS 24	  /* map keys are 0..23 */

/* Where items are written. Once something did not fit, `full` stays true and nothing more is written. */
struct cbor_out {
	uint8_t *bytes; /* borrowed */
	size_t length, capacity;
	bool full;
};

void cbor_put_uint(struct cbor_out *out, uint64_t value);
void cbor_put_int(struct cbor_out *out, int64_t value);
void cbor_put_bytes(struct cbor_out *out, const void *bytes, size_t length);
/* NULL is written as empty text. Bytes outside printable ASCII are written as '?'. */
void cbor_put_text(struct cbor_out *out, const char *text);
void cbor_put_array(struct cbor_out *out, size_t items);
void cbor_put_map(struct cbor_out *out, size_t pairs);

/* What is left to read. Advanced by the cbor_take_* functions, untouched by one that fails. */
struct cbor_in {
	const uint8_t *bytes; /* borrowed */
	size_t length;
};

/*
 * Each takes one item of its type: 0, or SWORN_EFORMAT when the next item is another type, not in
 * its shortest form, or not complete. Strings are borrowed from the input.
 */
int cbor_take_uint(struct cbor_in *in, uint64_t *ret_value);
int cbor_take_int(struct cbor_in *in, int64_t *ret_value);
int cbor_take_bytes(struct cbor_in *in, const uint8_t **ret_bytes, size_t *ret_length);
int cbor_take_text(struct cbor_in *in, const char **ret_text, size_t *ret_length);
int cbor_take_array(struct cbor_in *in, uint64_t *ret_items);
/* More than CBOR_KEYS pairs are refused. */
int cbor_take_map(struct cbor_in *in, unsigned int *ret_pairs);
/* The next key of a map; `previous` is the key before, or -1. Unsorted, repeated and large keys are
 * refused. */
int cbor_take_key(struct cbor_in *in, int previous, int *ret_key);

/* The same as cbor_take_uint() and cbor_take_bytes() with a bound on the value, or the exact length. */
int cbor_take_uint_max(struct cbor_in *in, uint64_t max, uint64_t *ret_value);
int cbor_take_exactly(struct cbor_in *in, uint8_t *ret_bytes, size_t length);

/* Takes a map head of exactly `pairs` pairs; with cbor_expect_key() reads maps of fixed shape. */
int cbor_expect_map(struct cbor_in *in, unsigned int pairs);
int cbor_expect_array(struct cbor_in *in, uint64_t items);
int cbor_expect_key(struct cbor_in *in, unsigned int key);

#endif
