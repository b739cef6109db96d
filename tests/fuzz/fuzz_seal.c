/* The envelopes HEADER, CHECKPOINT and SEAL, and LINKs: each one that decodes, unsigned, encodes to the same bytes. */
#include "fuzz.h"
#include "traces/seal.h"

static void same(const struct cbor_out *out, const uint8_t *bytes, size_t length)
{
	fuzz_require(!out->full && out->length == length && memcmp(out->bytes, bytes, length) == 0);
}

/* The hash that stands for a signature, computed for the first three items, so that more gets past it. */
static size_t sign(const uint8_t *bytes, size_t length, uint8_t *ret_bytes, size_t capacity)
{
	struct cbor_out out = { .bytes = ret_bytes, .capacity = capacity };
	struct cbor_in in = { bytes, length };
	struct part parts[2] = { 0 };
	uint8_t hash[DIGEST_BYTES];

	if (cbor_take_bytes(&in, (const uint8_t **)&parts[0].bytes, &parts[0].length) < 0 ||
	    cbor_take_bytes(&in, (const uint8_t **)&parts[1].bytes, &parts[1].length) < 0)
		return 0;
	chain_hash("sworn/1/unsigned", parts, 2, hash);
	cbor_put_array(&out, 4);
	cbor_put_bytes(&out, parts[0].bytes, parts[0].length);
	cbor_put_map(&out, 0);
	cbor_put_bytes(&out, parts[1].bytes, parts[1].length);
	cbor_put_bytes(&out, hash, sizeof(hash));
	return out.full ? 0 : out.length;
}

static void decode(const uint8_t *bytes, size_t length)
{
	uint8_t again[SEAL_BYTES_MAX], id[DIGEST_BYTES];
	struct cbor_out out = { .bytes = again, .capacity = sizeof(again) };
	struct header header;
	struct manifest manifest;
	struct checkpoint checkpoint;
	static const uint8_t unsigned_key[KEY_BYTES];
	/* A key that no input is signed with. */
	static const uint8_t archive_key[KEY_BYTES] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
							0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
							0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
							0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
							0x66, 0x66, 0x66, 0x66 };
	struct link link;

	if (header_decode(bytes, length, &header) == 0 && digest_is_zero(header.kid)) {
		header_encode(&header, NULL, &out);
		same(&out, bytes, length);
	}
	out.length = 0;
	fuzz_require(checkpoint_decode(bytes, length, archive_key, &checkpoint) < 0);
	fuzz_require(manifest_decode(bytes, length, archive_key, &manifest) < 0);
	if (manifest_decode(bytes, length, NULL, &manifest) == 0)
		fuzz_require(seal_id(bytes, length, id) == 0);
	if (manifest_decode(bytes, length, unsigned_key, &manifest) == 0) {
		manifest_encode(&manifest, NULL, &out);
		same(&out, bytes, length);
	}
	out.length = 0;
	if (link_decode(bytes, length, &link) == 0) {
		link_encode(&link, &out);
		same(&out, bytes, length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t envelope[FRAME_SEAL_MAX];
	size_t signed_length = sign(bytes, length, envelope, sizeof(envelope));

	decode(bytes, length);
	if (signed_length > 0)
		decode(envelope, signed_length);
	return 0;
}
