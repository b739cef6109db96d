/*
 * Ed25519 key pairs and the memory their secret halves live in. One key has one purpose: its id covers both, so that
 * a signature made for one thing is never taken for another. Used by cose, tenant and archive. Knows no files.
 */
#ifndef SWORN_TRACES_KEY_H
#define SWORN_TRACES_KEY_H

#include "event.h"

#define KEY_BYTES 32 /* of a public key and of a seed */
#define KEY_SIGNATURE_BYTES 64
#define KEY_SECRET_BYTES 64

/* The numbers are part of the format: a key's id covers them. */
enum key_purpose {
	KEY_TENANT_ROOT = 1,
	KEY_ISSUER = 2,
	KEY_TOKEN = 3,
	KEY_RECORDER = 4,
	KEY_ARCHIVE = 5,
	KEY_DECIDER = 6,
	KEY_LOG = 7,
	KEY_ATTESTER = 8,
	KEY_HOLDER = 9,
	KEY_SHREDDER = 10,
};

/* One word, as trust files have it; NULL for a number that is no purpose. */
const char *key_purpose_name(uint64_t purpose);
/* 0 and the purpose of that name, or SWORN_EFORMAT. */
int key_purpose_find(const char *name, enum key_purpose *ret_purpose);

struct key {
	enum key_purpose purpose;
	uint8_t public_key[KEY_BYTES];
	uint8_t id[DIGEST_BYTES];
	uint8_t *secret; /* owned, guarded; KEY_SECRET_BYTES; NULL: the public half only */
};

/* H("sworn/1/kid", purpose, public key). */
void key_id(uint64_t purpose, const uint8_t public_key[KEY_BYTES], uint8_t ret_id[DIGEST_BYTES]);

/* A new pair, or the pair that a seed of KEY_BYTES gives. 0 or -ENOMEM; key_erase() in any case. */
int key_generate(enum key_purpose purpose, struct key *ret_key);
int key_from_seed(enum key_purpose purpose, const uint8_t *seed, struct key *ret_key);
/* The public half; nothing to erase. */
void key_from_public(enum key_purpose purpose, const uint8_t public_key[KEY_BYTES], struct key *ret_key);

/* Wipes and frees the secret half. The public half stays. Harmless when done twice. */
void key_erase(struct key *key);

/* Signs; the key has its secret half. */
void key_sign(const struct key *key, const void *message, size_t length,
	      uint8_t ret_signature[KEY_SIGNATURE_BYTES]);

/*
 * RFC 8032 section 5.1.7 without a cofactor, strict: S >= L, and A or R that are not canonical or of small order, are
 * refused. 0 or SWORN_EINTEGRITY.
 */
int key_check(const uint8_t public_key[KEY_BYTES], const void *message, size_t length,
	      const uint8_t signature[KEY_SIGNATURE_BYTES]);

/*
 * Memory for secrets: locked, left out of core files, with guard pages, zeros in a forked process. NULL without memory. Freed
 * (and wiped) by secret_free(), in the process that allocated it.
 */
uint8_t *secret_new(size_t length);
void secret_free(uint8_t *secret);

#endif
