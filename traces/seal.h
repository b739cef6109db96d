/*
 * The two envelopes of a trace: HEADER in front and SEAL at the end, both in the COSE_Sign1 shape
 * [protected, {}, payload, signature]. Until keys exist the signature is the 32-byte hash
 * H("sworn/1/unsigned", protected, payload), which the reader checks and reports as `unsigned`. Pure.
 */
#ifndef SWORN_TRACES_SEAL_H
#define SWORN_TRACES_SEAL_H

#include "cbor.h"
#include "event.h"

#define ARCHIVE_ID_BYTES 16
#define TENANT_ID_BYTES 16
#define SEAL_BYTES_MAX 1024 /* of either envelope */

#define SEAL_TYPE_HEADER "application/vnd.sworn.header+cbor"
#define SEAL_TYPE_SEAL "application/vnd.sworn.seal+cbor"

/* The header map; fields that nothing fills yet are zeros in the file and not kept here. */
struct header {
	uint8_t archive[ARCHIVE_ID_BYTES];
	uint8_t tenant[TENANT_ID_BYTES];
	uint8_t private_digest[DIGEST_BYTES]; /* commitment to the INFO frame */
	uint64_t started;		      /* Unix seconds */
};

/* Values of the manifest's capture map. */
struct capture {
	bool isolated, buffered;
	uint8_t clock;	  /* 0 real, 1 virtual */
	uint8_t schedule; /* 0 observed, 1 seeded */
};

struct manifest {
	uint8_t header_hash[DIGEST_BYTES], last_link[DIGEST_BYTES];
	uint64_t links, events, end_offset;
	uint8_t merkle_root[DIGEST_BYTES];
	uint8_t state[DIGEST_BYTES], outputs[DIGEST_BYTES]; /* commitments; zeros without END */
	uint8_t limits_of_proof[DIGEST_BYTES];		    /* commitment to the SUMMARY frame */
	uint64_t completeness;				    /* enum completeness of reader.h */
	struct capture capture;
	uint64_t ended; /* Unix seconds */
	bool is_derived;
	uint8_t derived[DIGEST_BYTES]; /* when is_derived: what this archive is made of */
};

/* Append the whole envelope; `out` needs SEAL_BYTES_MAX bytes. */
void header_encode(const struct header *header, struct cbor_out *out);
void manifest_encode(const struct manifest *manifest, struct cbor_out *out);

/*
 * Check the envelope and its hash and decode the payload. 0; SWORN_EFORMAT for bytes that are no
 * such envelope, SWORN_EINTEGRITY when the hash is another, SWORN_EVERSION for a newer version.
 */
int header_decode(const uint8_t *bytes, size_t length, struct header *ret_header);
int manifest_decode(const uint8_t *bytes, size_t length, struct manifest *ret_manifest);

/* H("sworn/1/seal", protected, payload, signature) of an envelope that manifest_decode() accepted. */
int seal_id(const uint8_t *bytes, size_t length, uint8_t ret_id[DIGEST_BYTES]);

#endif
