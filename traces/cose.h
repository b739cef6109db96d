/*
 * COSE_Sign1 (RFC 9052 section 4.2) in the one shape that Sworn writes and reads: [protected, {}, payload, signature], Ed25519,
 * key id and type in the protected header, no external data. What is not signed has the same shape: its key id is zeros
 * and its signature the 32-byte hash H("sworn/1/unsigned", protected, payload). Pure.
 */
#ifndef SWORN_TRACES_COSE_H
#define SWORN_TRACES_COSE_H

#include "cbor.h"
#include "key.h"

#define COSE_PAYLOAD_MAX 3072 /* bytes that can be signed */
#define COSE_OVERHEAD_MAX 256 /* bytes of an envelope beside its payload */
#define COSE_ALGORITHM_EDDSA (-8)

/* An envelope's parts, borrowed from its bytes. */
struct envelope {
	const uint8_t *protected, *payload, *signature;
	size_t protected_length, payload_length, signature_length;
	uint8_t kid[DIGEST_BYTES]; /* zeros: not signed */
};

/*
 * Appends the envelope of the payload. `key` NULL leaves it unsigned. The type is one of the media types that
 * docs/FORMAT.md lists: it is signed, and has to be the expected one where the envelope is read.
 */
void envelope_encode(struct cbor_out *out, const char *type, const struct cbor_out *payload,
		     const struct key *key);

/*
 * Takes an envelope of `type` apart, and checks the hash of an unsigned one; whose signature it is remains to be checked. 0;
 * SWORN_EFORMAT for bytes that are no such envelope, SWORN_EALGORITHM for one of another algorithm,
 * SWORN_EINTEGRITY for an unsigned one with another hash.
 */
int envelope_decode(const uint8_t *bytes, size_t length, const char *type,
		    struct envelope *ret_envelope);

/* Whether the envelope is signed by this key, whose id it has to name. 0 or SWORN_EINTEGRITY. */
int envelope_check(const struct envelope *envelope, enum key_purpose purpose,
		   const uint8_t public_key[KEY_BYTES]);

/* H(label, protected, payload, signature): what other structures name the envelope by. */
void envelope_id(const struct envelope *envelope, const char *label, uint8_t ret_id[DIGEST_BYTES]);

/* The type of an envelope that may have one of several: borrowed from its bytes. 0, SWORN_EFORMAT. */
int envelope_type(const uint8_t *bytes, size_t length, const char **ret_type, size_t *ret_length);

/* The bytes that a COSE_Sign1 signature covers: D(["Signature1", protected, h'', payload]). */
void cose_signed_bytes(const struct envelope *envelope, struct cbor_out *out);

/* The algorithm in a protected header. 0, or SWORN_EFORMAT for one that is not a number. */
int cose_algorithm(const uint8_t *protected, size_t length, int64_t *ret_algorithm);
/* Its name for messages ("ES256"); never NULL. */
const char *cose_algorithm_name(int64_t algorithm);

#endif
