#include "seal.h"

#include <assert.h>
#include <string.h>

#include "chain.h"
#include "digest.h"
#include "error.h"

#define HEADER_VERSION 1
#define ALGORITHM_EDDSA (-8)
#define PAYLOAD_MAX 768

static const uint8_t zeros[DIGEST_BYTES];

/* An envelope's parts, borrowed from its bytes. */
struct envelope {
	const uint8_t *protected, *payload, *signature;
	size_t protected_length, payload_length, signature_length;
};

static void put_protected(struct cbor_out *out, const char *type)
{
	cbor_put_map(out, 3);
	cbor_put_uint(out, 1);
	cbor_put_int(out, ALGORITHM_EDDSA);
	cbor_put_uint(out, 4);
	cbor_put_bytes(out, zeros, DIGEST_BYTES);
	cbor_put_uint(out, 16);
	cbor_put_text(out, type);
}

static void unsigned_hash(const struct envelope *envelope, uint8_t ret_hash[DIGEST_BYTES])
{
	struct part parts[] = { { envelope->protected, envelope->protected_length, false },
				{ envelope->payload, envelope->payload_length, false } };
	chain_hash("sworn/1/unsigned", parts, 2, ret_hash);
}

static void put_envelope(struct cbor_out *out, const char *type, const struct cbor_out *payload)
{
	uint8_t bytes[128], hash[DIGEST_BYTES];
	struct cbor_out protected = { .bytes = bytes, .capacity = sizeof(bytes) };
	put_protected(&protected, type);
	assert(!protected.full && !payload->full);
	struct envelope envelope = { .protected = bytes,
				     .protected_length = protected.length,
				     .payload = payload->bytes,
				     .payload_length = payload->length };
	unsigned_hash(&envelope, hash);
	cbor_put_array(out, 4);
	cbor_put_bytes(out, bytes, protected.length);
	cbor_put_map(out, 0);
	cbor_put_bytes(out, payload->bytes, payload->length);
	cbor_put_bytes(out, hash, sizeof(hash));
}

static int take_envelope(const uint8_t *bytes, size_t length, struct envelope *ret_envelope)
{
	struct cbor_in in = { bytes, length };
	struct envelope e;
	int r = cbor_expect_array(&in, 4);
	if (r < 0 || (r = cbor_take_bytes(&in, &e.protected, &e.protected_length)) < 0 ||
	    (r = cbor_expect_map(&in, 0)) < 0 ||
	    (r = cbor_take_bytes(&in, &e.payload, &e.payload_length)) < 0 ||
	    (r = cbor_take_bytes(&in, &e.signature, &e.signature_length)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_envelope = e;
	return 0;
}

/* Checks that the envelope is of `type`, unsigned, and whole; gives its payload. */
static int open_envelope(const uint8_t *bytes, size_t length, const char *type,
			 struct cbor_in *ret_payload)
{
	uint8_t expected[128], hash[DIGEST_BYTES];
	struct cbor_out protected = { .bytes = expected, .capacity = sizeof(expected) };
	struct envelope envelope;
	int r = take_envelope(bytes, length, &envelope);
	if (r < 0)
		return r;
	put_protected(&protected, type);
	if (envelope.protected_length != protected.length ||
	    memcmp(envelope.protected, expected, protected.length) ||
	    envelope.signature_length != DIGEST_BYTES)
		return SWORN_EFORMAT;
	unsigned_hash(&envelope, hash);
	if (!digest_equal(hash, envelope.signature))
		return SWORN_EINTEGRITY;
	*ret_payload = (struct cbor_in){ envelope.payload, envelope.payload_length };
	return 0;
}

int seal_id(const uint8_t *bytes, size_t length, uint8_t ret_id[DIGEST_BYTES])
{
	struct envelope e;
	int r = take_envelope(bytes, length, &e);
	if (r < 0)
		return r;
	struct part parts[] = { { e.protected, e.protected_length, false },
				{ e.payload, e.payload_length, false },
				{ e.signature, e.signature_length, false } };
	chain_hash("sworn/1/seal", parts, 3, ret_id);
	return 0;
}

static void put_keyed_bytes(struct cbor_out *out, unsigned int key, const void *bytes, size_t length)
{
	cbor_put_uint(out, key);
	cbor_put_bytes(out, bytes, length);
}

static void put_keyed_uint(struct cbor_out *out, unsigned int key, uint64_t value)
{
	cbor_put_uint(out, key);
	cbor_put_uint(out, value);
}

static int take_keyed_bytes(struct cbor_in *in, unsigned int key, uint8_t *ret_bytes, size_t length)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_exactly(in, ret_bytes, length);
}

static int take_keyed_uint(struct cbor_in *in, unsigned int key, uint64_t max, uint64_t *ret_value)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_uint_max(in, max, ret_value);
}

/* Header fields 3 to 6 (archive key, last block, verdict digest, log head) have no source yet. */
static int take_keyed_zeros(struct cbor_in *in, unsigned int key)
{
	uint8_t bytes[DIGEST_BYTES];
	int r = take_keyed_bytes(in, key, bytes, sizeof(bytes));
	return r == 0 && !digest_is_zero(bytes) ? SWORN_EVERSION : r;
}

void header_encode(const struct header *header, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_map(&payload, 9);
	put_keyed_uint(&payload, 0, HEADER_VERSION);
	put_keyed_bytes(&payload, 1, header->archive, ARCHIVE_ID_BYTES);
	put_keyed_bytes(&payload, 2, header->tenant, TENANT_ID_BYTES);
	for (unsigned int key = 3; key <= 6; key++)
		put_keyed_bytes(&payload, key, zeros, DIGEST_BYTES);
	put_keyed_bytes(&payload, 7, header->private_digest, DIGEST_BYTES);
	put_keyed_uint(&payload, 8, header->started);
	put_envelope(out, SEAL_TYPE_HEADER, &payload);
}

int header_decode(const uint8_t *bytes, size_t length, struct header *ret_header)
{
	struct cbor_in in;
	struct header header;
	uint64_t version;
	unsigned int pairs;
	int r = open_envelope(bytes, length, SEAL_TYPE_HEADER, &in);
	if (r < 0 || (r = cbor_take_map(&in, &pairs)) < 0 ||
	    (r = take_keyed_uint(&in, 0, UINT64_MAX, &version)) < 0)
		return r;
	if (version != HEADER_VERSION)
		return version < HEADER_VERSION ? SWORN_EFORMAT : SWORN_EVERSION;
	if (pairs != 9)
		return SWORN_EFORMAT;
	if ((r = take_keyed_bytes(&in, 1, header.archive, ARCHIVE_ID_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 2, header.tenant, TENANT_ID_BYTES)) < 0)
		return r;
	for (unsigned int key = 3; key <= 6; key++)
		if ((r = take_keyed_zeros(&in, key)) < 0)
			return r;
	if ((r = take_keyed_bytes(&in, 7, header.private_digest, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 8, UINT64_MAX, &header.started)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_header = header;
	return 0;
}

static void put_capture(struct cbor_out *out, const struct capture *capture)
{
	cbor_put_map(out, 4);
	put_keyed_uint(out, 0, capture->isolated);
	put_keyed_uint(out, 1, capture->buffered);
	put_keyed_uint(out, 2, capture->clock);
	put_keyed_uint(out, 3, capture->schedule);
}

static int take_capture(struct cbor_in *in, struct capture *ret_capture)
{
	uint64_t isolated, buffered, clock, schedule;
	int r = cbor_expect_map(in, 4);
	if (r < 0 || (r = take_keyed_uint(in, 0, 1, &isolated)) < 0 ||
	    (r = take_keyed_uint(in, 1, 1, &buffered)) < 0 ||
	    (r = take_keyed_uint(in, 2, 2, &clock)) < 0 ||
	    (r = take_keyed_uint(in, 3, 2, &schedule)) < 0)
		return r;
	*ret_capture = (struct capture){ .isolated = isolated == 1,
					 .buffered = buffered == 1,
					 .clock = (uint8_t)clock,
					 .schedule = (uint8_t)schedule };
	return 0;
}

void manifest_encode(const struct manifest *manifest, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_map(&payload, manifest->is_derived ? 13 : 12);
	put_keyed_bytes(&payload, 0, manifest->header_hash, DIGEST_BYTES);
	put_keyed_bytes(&payload, 1, manifest->last_link, DIGEST_BYTES);
	put_keyed_uint(&payload, 2, manifest->links);
	put_keyed_uint(&payload, 3, manifest->events);
	put_keyed_uint(&payload, 4, manifest->end_offset);
	put_keyed_bytes(&payload, 5, manifest->merkle_root, DIGEST_BYTES);
	put_keyed_bytes(&payload, 6, manifest->state, DIGEST_BYTES);
	put_keyed_bytes(&payload, 7, manifest->outputs, DIGEST_BYTES);
	put_keyed_bytes(&payload, 8, manifest->limits_of_proof, DIGEST_BYTES);
	put_keyed_uint(&payload, 9, manifest->completeness);
	cbor_put_uint(&payload, 10);
	put_capture(&payload, &manifest->capture);
	put_keyed_uint(&payload, 11, manifest->ended);
	if (manifest->is_derived)
		put_keyed_bytes(&payload, 12, manifest->derived, DIGEST_BYTES);
	put_envelope(out, SEAL_TYPE_SEAL, &payload);
}

int manifest_decode(const uint8_t *bytes, size_t length, struct manifest *ret_manifest)
{
	struct cbor_in in;
	struct manifest m;
	unsigned int pairs;
	int r = open_envelope(bytes, length, SEAL_TYPE_SEAL, &in);
	if (r < 0 || (r = cbor_take_map(&in, &pairs)) < 0)
		return r;
	if (pairs != 12 && pairs != 13)
		return SWORN_EFORMAT;
	m.is_derived = pairs == 13;
	memset(m.derived, 0, DIGEST_BYTES);
	if ((r = take_keyed_bytes(&in, 0, m.header_hash, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 1, m.last_link, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 2, UINT64_MAX, &m.links)) < 0 ||
	    (r = take_keyed_uint(&in, 3, UINT64_MAX, &m.events)) < 0 ||
	    (r = take_keyed_uint(&in, 4, UINT64_MAX, &m.end_offset)) < 0 ||
	    (r = take_keyed_bytes(&in, 5, m.merkle_root, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 6, m.state, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 7, m.outputs, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 8, m.limits_of_proof, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 9, 2, &m.completeness)) < 0 ||
	    (r = cbor_expect_key(&in, 10)) < 0 || (r = take_capture(&in, &m.capture)) < 0 ||
	    (r = take_keyed_uint(&in, 11, UINT64_MAX, &m.ended)) < 0 ||
	    (m.is_derived && (r = take_keyed_bytes(&in, 12, m.derived, DIGEST_BYTES)) < 0))
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_manifest = m;
	return 0;
}
