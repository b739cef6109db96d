/*
 * SHA-256, streaming and at once, and its hexadecimal form. A thin layer over libcrypto that every
 * other file of traces/ uses, so that one place decides how a failing provider is handled. Depends
 * on nothing of Sworn but DIGEST_BYTES.
 */
#ifndef SWORN_TRACES_DIGEST_H
#define SWORN_TRACES_DIGEST_H

#include "event.h"

#define DIGEST_HEX_BYTES (2 * DIGEST_BYTES + 1) /* with the final NUL */

struct digest {
	void *context; /* owned; NULL before digest_init() */
};

/* Allocates the context and starts an empty message. 0 or -ENOMEM. */
int digest_init(struct digest *digest);
/* Frees the context; harmless when it was never initialised (all zeros). */
void digest_release(struct digest *digest);
void digest_append(struct digest *digest, const void *bytes, size_t length);
/* Gives the digest of everything since the start and starts an empty message again. */
void digest_end(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES]);

/* SHA-256 of `length` bytes at once. */
void digest_of(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_BYTES]);

/* Writes the 64 lower-case hexadecimal digits and a NUL. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char ret_text[DIGEST_HEX_BYTES]);

bool digest_is_zero(const uint8_t digest[DIGEST_BYTES]);
bool digest_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES]);

/* Writes 2 * `length` lower-case hexadecimal digits and a NUL. */
void hex_encode(const uint8_t *bytes, size_t length, char *ret_text);

#endif
