/*
 * The chain: one LINK behind every stored frame, holding the frame's hash and the hash of the link
 * before it, and a Merkle tree over all links. Writer and reader both append to a struct chain, so
 * the two cannot disagree about what a link hashes. Pure; no files.
 */
#ifndef SWORN_TRACES_CHAIN_H
#define SWORN_TRACES_CHAIN_H

#include "cbor.h"
#include "event.h"

/* One argument of chain_hash(): a byte string, or text. */
struct part {
	const void *bytes;
	size_t length;
	bool text;
};

/* H(label, parts...) = SHA-256 of the deterministic CBOR array of the label and the parts. */
void chain_hash(const char *label, const struct part *parts, size_t count,
		uint8_t ret_hash[DIGEST_BYTES]);

/* H("sworn/1/commit", what, h'', value): the form in which a plain archive names what an encrypted one
 * has to hide. */
void chain_commit(const char *what, const void *value, size_t length, uint8_t ret_hash[DIGEST_BYTES]);

struct link {
	uint64_t seq;
	uint64_t kind; /* enum frame_kind of the frame before it */
	uint64_t stored_length;
	uint8_t stored_hash[DIGEST_BYTES]; /* SHA-256 of the whole stored frame */
	uint64_t first_event;		   /* number of the first event in or after the frame */
	uint64_t events;		   /* in the frame */
	uint64_t raw_length;		   /* bytes of its content once decompressed */
	uint8_t prev[DIGEST_BYTES];	   /* link-hash before; the header-hash in link 0 */
	uint64_t utc_ns, mono_ns;	   /* when it was written */
};
#define LINK_BYTES_MAX 192

void link_encode(const struct link *link, struct cbor_out *out);
/* 0 or SWORN_EFORMAT; trailing bytes are refused. */
int link_decode(const uint8_t *bytes, size_t length, struct link *ret_link);

/* RFC 9162 section 2.1.1, fed leaf by leaf. */
struct merkle {
	uint64_t leaves;
	uint8_t subtrees[64][DIGEST_BYTES]; /* roots of the complete subtrees, largest first */
};
void merkle_append(struct merkle *merkle, const void *leaf, size_t length);
void merkle_root(const struct merkle *merkle, uint8_t ret_root[DIGEST_BYTES]);

struct chain {
	uint64_t links;
	uint64_t events;
	uint8_t header[DIGEST_BYTES]; /* header-hash */
	uint8_t last[DIGEST_BYTES];   /* link-hash of the newest link, or the header-hash */
	struct merkle merkle;
};

/* Starts at the HEADER frame given whole. */
void chain_begin(struct chain *chain, const void *header_frame, size_t length);
/* Counts the link whose encoded bytes are given. */
void chain_append(struct chain *chain, const struct link *link, const void *bytes, size_t length);

#endif
