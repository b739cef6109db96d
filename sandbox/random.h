/*
 * The seeded streams: ChaCha20 keyed by a hash of the seed and the stream's name, so that drawing from
 * one does not shift another.
 */
#ifndef SWORN_SANDBOX_RANDOM_H
#define SWORN_SANDBOX_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint8_t key[32];
	uint64_t block; /* next ChaCha20 block */
	uint8_t buffer[64];
	size_t used; /* of buffer */
};

/* `stream` is "random", "schedule" or "clock". */
void random_init(struct random *random, const char *seed, const char *stream);
void random_bytes(struct random *random, void *buffer, size_t length);

#endif
