#include "cose.h"

#include <assert.h>
#include <string.h>

#include "chain.h"
#include "digest.h"
#include "error.h"

#define PROTECTED_MAX 160
#define LABEL_ALGORITHM 1
#define LABEL_KID 4
#define LABEL_TYPE 16

static const uint8_t zeros[DIGEST_BYTES];

static void put_protected(struct cbor_out *out, const char *type, const uint8_t kid[DIGEST_BYTES])
{
	cbor_put_map(out, 3);
	cbor_put_uint(out, LABEL_ALGORITHM);
	cbor_put_int(out, COSE_ALGORITHM_EDDSA);
	cbor_put_uint(out, LABEL_KID);
	cbor_put_bytes(out, kid, DIGEST_BYTES);
	cbor_put_uint(out, LABEL_TYPE);
	cbor_put_text(out, type);
}

void cose_signed_bytes(const struct envelope *envelope, struct cbor_out *out)
{
	cbor_put_array(out, 4);
	cbor_put_text(out, "Signature1");
	cbor_put_bytes(out, envelope->protected, envelope->protected_length);
	cbor_put_bytes(out, "", 0);
	cbor_put_bytes(out, envelope->payload, envelope->payload_length);
}

static void unsigned_hash(const struct envelope *envelope, uint8_t ret_hash[DIGEST_BYTES])
{
	struct part parts[] = { { envelope->protected, envelope->protected_length, false },
				{ envelope->payload, envelope->payload_length, false } };
	chain_hash("sworn/1/unsigned", parts, 2, ret_hash);
}

void envelope_encode(struct cbor_out *out, const char *type, const struct cbor_out *payload,
		     const struct key *key)
{
	uint8_t bytes[PROTECTED_MAX], message[COSE_PAYLOAD_MAX + COSE_OVERHEAD_MAX];
	uint8_t signature[KEY_SIGNATURE_BYTES];
	struct cbor_out protected = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct cbor_out covered = { .bytes = message, .capacity = sizeof(message) };
	put_protected(&protected, type, key ? key->id : zeros);
	assert(!protected.full && !payload->full && payload->length <= COSE_PAYLOAD_MAX);
	struct envelope envelope = { .protected = bytes,
				     .protected_length = protected.length,
				     .payload = payload->bytes,
				     .payload_length = payload->length };
	if (key) {
		cose_signed_bytes(&envelope, &covered);
		assert(!covered.full);
		key_sign(key, message, covered.length, signature);
	} else {
		unsigned_hash(&envelope, signature);
	}
	cbor_put_array(out, 4);
	cbor_put_bytes(out, bytes, protected.length);
	cbor_put_map(out, 0);
	cbor_put_bytes(out, payload->bytes, payload->length);
	cbor_put_bytes(out, signature, key ? KEY_SIGNATURE_BYTES : DIGEST_BYTES);
}

static int take_parts(const uint8_t *bytes, size_t length, struct envelope *ret_envelope)
{
	struct cbor_in in = { bytes, length };
	struct envelope e = { 0 };
	int r = cbor_expect_array(&in, 4);
	if (r < 0 || (r = cbor_take_bytes(&in, &e.protected, &e.protected_length)) < 0 ||
	    (r = cbor_expect_map(&in, 0)) < 0 ||
	    (r = cbor_take_bytes(&in, &e.payload, &e.payload_length)) < 0 ||
	    (r = cbor_take_bytes(&in, &e.signature, &e.signature_length)) < 0)
		return r;
	if (in.length || e.payload_length > COSE_PAYLOAD_MAX)
		return SWORN_EFORMAT;
	*ret_envelope = e;
	return 0;
}

int cose_algorithm(const uint8_t *protected, size_t length, int64_t *ret_algorithm)
{
	struct cbor_in in = { protected, length };
	unsigned int pairs;
	int r = cbor_take_map(&in, &pairs);
	if (r < 0 || pairs == 0 || (r = cbor_expect_key(&in, LABEL_ALGORITHM)) < 0)
		return r < 0 ? r : SWORN_EFORMAT;
	return cbor_take_int(&in, ret_algorithm);
}

const char *cose_algorithm_name(int64_t algorithm)
{
	/* The IANA registry of COSE algorithms, as far as signatures are concerned. */
	static const struct {
		int64_t algorithm;
		const char *name;
	} names[] = {
		{ COSE_ALGORITHM_EDDSA, "EdDSA" },
		{ -7, "ES256" },
		{ -35, "ES384" },
		{ -36, "ES512" },
		{ -37, "PS256" },
		{ -38, "PS384" },
		{ -39, "PS512" },
		{ -46, "HSS-LMS" },
		{ -47, "ES256K" },
		{ -48, "ML-DSA-44" },
		{ -49, "ML-DSA-65" },
		{ -50, "ML-DSA-87" },
		{ -257, "RS256" },
		{ -258, "RS384" },
		{ -259, "RS512" },
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].algorithm == algorithm)
			return names[i].name;
	return "an unknown algorithm";
}

static int take_protected(const struct envelope *envelope, struct cbor_in *ret_in,
			  uint8_t ret_kid[DIGEST_BYTES])
{
	struct cbor_in in = { envelope->protected, envelope->protected_length };
	int64_t algorithm;
	int r = cose_algorithm(in.bytes, in.length, &algorithm);
	if (r == 0 && algorithm != COSE_ALGORITHM_EDDSA)
		return SWORN_EALGORITHM;
	if (r < 0 || (r = cbor_expect_map(&in, 3)) < 0 ||
	    (r = cbor_expect_key(&in, LABEL_ALGORITHM)) < 0 ||
	    (r = cbor_take_int(&in, &algorithm)) < 0 || (r = cbor_expect_key(&in, LABEL_KID)) < 0 ||
	    (r = cbor_take_exactly(&in, ret_kid, DIGEST_BYTES)) < 0 ||
	    (r = cbor_expect_key(&in, LABEL_TYPE)) < 0)
		return r;
	*ret_in = in;
	return 0;
}

int envelope_type(const uint8_t *bytes, size_t length, const char **ret_type, size_t *ret_length)
{
	struct envelope envelope;
	struct cbor_in in;
	int r = take_parts(bytes, length, &envelope);
	if (r == 0)
		r = take_protected(&envelope, &in, envelope.kid);
	return r < 0 ? r : cbor_take_text(&in, ret_type, ret_length);
}

int envelope_decode(const uint8_t *bytes, size_t length, const char *type, struct envelope *ret_envelope)
{
	uint8_t expected[PROTECTED_MAX], hash[DIGEST_BYTES];
	struct cbor_out protected = { .bytes = expected, .capacity = sizeof(expected) };
	struct envelope envelope;
	struct cbor_in in;
	int r = take_parts(bytes, length, &envelope);
	if (r < 0 || (r = take_protected(&envelope, &in, envelope.kid)) < 0)
		return r;
	put_protected(&protected, type, envelope.kid);
	if (protected.full || envelope.protected_length != protected.length ||
	    memcmp(envelope.protected, expected, protected.length) != 0)
		return SWORN_EFORMAT;
	bool is_signed = !digest_is_zero(envelope.kid);
	if (envelope.signature_length != (is_signed ? KEY_SIGNATURE_BYTES : DIGEST_BYTES))
		return SWORN_EFORMAT;
	if (!is_signed)
		unsigned_hash(&envelope, hash);
	if (!is_signed && !digest_equal(hash, envelope.signature))
		return SWORN_EINTEGRITY;
	*ret_envelope = envelope;
	return 0;
}

int envelope_check(const struct envelope *envelope, enum key_purpose purpose,
		   const uint8_t public_key[KEY_BYTES])
{
	uint8_t message[COSE_PAYLOAD_MAX + COSE_OVERHEAD_MAX], id[DIGEST_BYTES];
	struct cbor_out covered = { .bytes = message, .capacity = sizeof(message) };
	key_id(purpose, public_key, id);
	if (!digest_equal(id, envelope->kid) || envelope->signature_length != KEY_SIGNATURE_BYTES)
		return SWORN_EINTEGRITY;
	cose_signed_bytes(envelope, &covered);
	if (covered.full)
		return SWORN_EINTEGRITY;
	return key_check(public_key, message, covered.length, envelope->signature);
}

void envelope_id(const struct envelope *envelope, const char *label, uint8_t ret_id[DIGEST_BYTES])
{
	struct part parts[] = { { envelope->protected, envelope->protected_length, false },
				{ envelope->payload, envelope->payload_length, false },
				{ envelope->signature, envelope->signature_length, false } };
	chain_hash(label, parts, 3, ret_id);
}
