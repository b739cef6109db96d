/*
 * The envelopes of a trace: HEADER in front, signed by the recorder's key; CHECKPOINTs between blocks and the SEAL at the end,
 * signed by the archive's own key, which the header names. An unsigned trace has neither key nor checkpoints. Pure.
 */
#ifndef SWORN_TRACES_SEAL_H
#define SWORN_TRACES_SEAL_H

#include "cose.h"
#include "event.h"

#define ARCHIVE_ID_BYTES 16
#define TENANT_ID_BYTES 16
#define SEAL_BYTES_MAX 1024 /* of any of these envelopes */

#define SEAL_TYPE_HEADER "application/vnd.sworn.header+cbor"
#define SEAL_TYPE_CHECKPOINT "application/vnd.sworn.checkpoint+cbor"
#define SEAL_TYPE_SEAL "application/vnd.sworn.seal+cbor"

/* The header map; fields that nothing fills yet are zeros in the file and not kept here. */
struct header {
	uint8_t archive[ARCHIVE_ID_BYTES];
	uint8_t tenant[TENANT_ID_BYTES];
	uint8_t archive_key[KEY_BYTES];	      /* zeros: the trace is not signed */
	uint8_t private_digest[DIGEST_BYTES]; /* commitment to the INFO frame */
	uint64_t started;		      /* Unix seconds */
	uint8_t kid[DIGEST_BYTES]; /* of the recorder's key, from the envelope; zeros: not signed */
};

/* What is behind a LINK: all up to there, in case nothing more comes. */
struct checkpoint {
	uint8_t header_hash[DIGEST_BYTES], last_link[DIGEST_BYTES];
	uint64_t links, events, end_offset;
	uint64_t at; /* Unix seconds */
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

/*
 * Append the whole envelope; `out` needs SEAL_BYTES_MAX bytes. `key` is the recorder's for a header, the archive's for the
 * others; NULL leaves it unsigned.
 */
void header_encode(const struct header *header, const struct key *key, struct cbor_out *out);
void checkpoint_encode(const struct checkpoint *checkpoint, const struct key *key, struct cbor_out *out);
void manifest_encode(const struct manifest *manifest, const struct key *key, struct cbor_out *out);

/*
 * Check the envelope and decode the payload. 0; SWORN_EFORMAT for bytes that are no such envelope, SWORN_EINTEGRITY when
 * the hash or signature is another, SWORN_EVERSION for a newer version, SWORN_EALGORITHM. The header's signature is not
 * checked: its key is not in the trace (trust.h). `archive_key` is the header's field: zeros want an unsigned
 * envelope, which no checkpoint is. NULL, for a manifest whose header is not at hand, checks no signature.
 */
int header_decode(const uint8_t *bytes, size_t length, struct header *ret_header);
int checkpoint_decode(const uint8_t *bytes, size_t length, const uint8_t archive_key[KEY_BYTES],
		      struct checkpoint *ret_checkpoint);
int manifest_decode(const uint8_t *bytes, size_t length, const uint8_t *archive_key,
		    struct manifest *ret_manifest);

/* H("sworn/1/seal", protected, payload, signature) of an envelope that manifest_decode() accepted. */
int seal_id(const uint8_t *bytes, size_t length, uint8_t ret_id[DIGEST_BYTES]);

#endif
