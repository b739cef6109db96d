/* Items of the strict CBOR subset: what a take function accepts, the put function writes byte for byte. */
#include "fuzz.h"
#include "traces/cbor.h"

/* Takes one item of some type: 0, and *out holds it again. */
static int take_any(struct cbor_in *in, struct cbor_out *out)
{
	uint64_t value;
	int64_t number;
	const uint8_t *bytes;
	const char *text;
	size_t length;
	unsigned int pairs;

	if (cbor_take_uint(in, &value) == 0)
		cbor_put_uint(out, value);
	else if (cbor_take_int(in, &number) == 0)
		cbor_put_int(out, number);
	else if (cbor_take_bytes(in, &bytes, &length) == 0)
		cbor_put_bytes(out, bytes, length);
	else if (cbor_take_text(in, &text, &length) == 0) {
		char copy[256];

		if (length >= sizeof(copy))
			return -1;
		memcpy(copy, text, length);
		copy[length] = '\0';
		cbor_put_text(out, copy);
	} else if (cbor_take_array(in, &value) == 0)
		cbor_put_array(out, value);
	else if (cbor_take_map(in, &pairs) == 0)
		cbor_put_map(out, pairs);
	else
		return -1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cbor_in in = { bytes, length };
	uint8_t *again = malloc(length + CBOR_HEAD_BYTES);
	int previous = -1, key;

	fuzz_require(again != NULL);
	for (struct cbor_in keys = in; cbor_take_key(&keys, previous, &key) == 0; previous = key)
		fuzz_require(key > previous && key < CBOR_KEYS);
	for (;;) {
		struct cbor_in before = in;
		struct cbor_out out = { .bytes = again, .capacity = length + CBOR_HEAD_BYTES };

		if (take_any(&in, &out) < 0)
			break;
		fuzz_require(!out.full && out.length == before.length - in.length);
		fuzz_require(memcmp(again, before.bytes, out.length) == 0);
	}
	free(again);
	return 0;
}
