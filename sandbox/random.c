#include "random.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void random_init(struct random *random, const char *seed, const char *stream)
{
	crypto_generichash_state state;

	static_assert(crypto_stream_chacha20_KEYBYTES == sizeof(random->key), "key size");
	*random = (struct random){ .used = sizeof(random->buffer) };
	crypto_generichash_init(&state, NULL, 0, sizeof(random->key));
	crypto_generichash_update(&state, (const uint8_t *)"sworn/1/seed", 13);
	crypto_generichash_update(&state, (const uint8_t *)stream, strlen(stream) + 1);
	crypto_generichash_update(&state, (const uint8_t *)seed, strlen(seed));
	crypto_generichash_final(&state, random->key, sizeof(random->key));
}

void random_bytes(struct random *random, void *buffer, size_t length)
{
	static const uint8_t zeros[64], nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t *out = buffer;

	while (length > 0) {
		size_t n;

		if (random->used == sizeof(random->buffer)) {
			crypto_stream_chacha20_xor_ic(random->buffer, zeros, sizeof(zeros), nonce,
						      random->block++, random->key);
			random->used = 0;
		}
		n = sizeof(random->buffer) - random->used;
		if (n > length)
			n = length;
		memcpy(out, random->buffer + random->used, n);
		random->used += n;
		out += n;
		length -= n;
	}
}
