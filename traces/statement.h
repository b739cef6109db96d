/*
 * What others than the recorder say of a sealed trace: that they vouch for it (a counter-signature), or what came of a replay (an
 * attestation). Each is an envelope that names the trace by its seal-id and is signed by an attester's key; a TRAILER frame holds
 * one with the public key beside it, so that a changed one is told from a good one without knowing whose it is. Pure.
 */
#ifndef SWORN_TRACES_STATEMENT_H
#define SWORN_TRACES_STATEMENT_H

#include "cose.h"
#include "event.h"

#define STATEMENT_TYPE_SIGNATURE "application/vnd.sworn.signature+cbor"
#define STATEMENT_TYPE_ATTESTATION "application/vnd.sworn.attestation+cbor"
#define STATEMENT_BYTES_MAX 768 /* of an envelope */
#define STATEMENT_CHALLENGE_BYTES 16

enum statement_kind {
	STATEMENT_SIGNATURE,
	STATEMENT_ATTESTATION,
};

/* The numbers are part of the format. */
enum attested {
	ATTESTED_IDENTICAL = 0,
	ATTESTED_DIVERGED = 1,
	ATTESTED_PREFIX = 2, /* the trace is a sealed prefix, and identical as far as it goes */
};

struct statement {
	enum statement_kind kind;
	uint8_t kid[DIGEST_BYTES]; /* of the key that signed it */
	uint8_t seal_id[DIGEST_BYTES];
	uint64_t at; /* Unix seconds */
	/* Of an attestation: */
	enum attested outcome;
	uint8_t state[DIGEST_BYTES]; /* as in the manifest; zeros: the end was not reached */
	uint64_t events_checked, events, units_checked, units;
	uint8_t engine[DIGEST_BYTES];  /* SHA-256 of the program file that replayed it */
	uint8_t machine[DIGEST_BYTES]; /* processor and kernel: docs/FORMAT.md */
	uint8_t challenge[STATEMENT_CHALLENGE_BYTES]; /* zeros: nobody asked */
};

/* Appends the envelope, at most STATEMENT_BYTES_MAX bytes, signed by the attester's key. The statement's kid is not read. */
void statement_encode(const struct statement *statement, const struct key *key, struct cbor_out *out);

/*
 * Takes an envelope apart. Whose signature it is remains to be checked. 0; SWORN_EFORMAT for bytes that are no such envelope, are not
 * signed, or say what this version does not know; SWORN_EALGORITHM.
 */
int statement_decode(const uint8_t *bytes, size_t length, struct statement *ret_statement);

/* Whether these bytes, which statement_decode() took, are signed by that attester. 0 or SWORN_EINTEGRITY. */
int statement_check(const uint8_t *bytes, size_t length, const uint8_t public_key[KEY_BYTES]);

struct trailer {
	uint8_t public_key[KEY_BYTES];
	struct statement statement;
};

/* Appends a TRAILER frame's content around the envelope of a statement. */
void trailer_encode(const uint8_t *statement, size_t length, const uint8_t public_key[KEY_BYTES],
		    struct cbor_out *out);
/* Takes a TRAILER frame's content apart and checks its signature. 0; SWORN_EFORMAT, SWORN_EALGORITHM, SWORN_EINTEGRITY. */
int trailer_decode(const uint8_t *bytes, size_t length, struct trailer *ret_trailer);
/* Whether both have the same signer and say the same. */
bool trailer_is_same(const struct trailer *a, const struct trailer *b);

#endif
