#include "key.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cbor.h"
#include "digest.h"
#include "error.h"

static_assert(KEY_SECRET_BYTES == crypto_sign_SECRETKEYBYTES && KEY_BYTES == crypto_sign_SEEDBYTES &&
		      KEY_BYTES == crypto_sign_PUBLICKEYBYTES && KEY_SIGNATURE_BYTES == crypto_sign_BYTES,
	      "Ed25519's sizes");

static const char *const purposes[] = {
	[KEY_TENANT_ROOT] = "tenant-root",
	[KEY_ISSUER] = "issuer",
	[KEY_TOKEN] = "token",
	[KEY_RECORDER] = "recorder",
	[KEY_ARCHIVE] = "archive",
	[KEY_DECIDER] = "decider",
	[KEY_LOG] = "log",
	[KEY_ATTESTER] = "attester",
	[KEY_HOLDER] = "holder",
	[KEY_SHREDDER] = "shredder",
};
#define PURPOSES (sizeof(purposes) / sizeof(purposes[0]))

const char *key_purpose_name(uint64_t purpose)
{
	return purpose < PURPOSES ? purposes[purpose] : NULL;
}

int key_purpose_find(const char *name, enum key_purpose *ret_purpose)
{
	for (size_t i = 0; i < PURPOSES; i++) {
		if (!purposes[i] || strcmp(purposes[i], name))
			continue;
		*ret_purpose = (enum key_purpose)i;
		return 0;
	}
	return SWORN_EFORMAT;
}

void key_id(uint64_t purpose, const uint8_t public_key[KEY_BYTES], uint8_t ret_id[DIGEST_BYTES])
{
	uint8_t bytes[64 + KEY_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_array(&out, 3);
	cbor_put_text(&out, "sworn/1/kid");
	cbor_put_uint(&out, purpose);
	cbor_put_bytes(&out, public_key, KEY_BYTES);
	digest_of(bytes, out.length, ret_id);
}

static int make_pair(enum key_purpose purpose, const uint8_t *seed, struct key *ret_key)
{
	struct key key = { .purpose = purpose, .secret = secret_new(KEY_SECRET_BYTES) };
	*ret_key = key;
	if (!key.secret)
		return -ENOMEM;
	if (seed)
		crypto_sign_seed_keypair(key.public_key, key.secret, seed);
	else
		crypto_sign_keypair(key.public_key, key.secret);
	key_id(purpose, key.public_key, key.id);
	*ret_key = key;
	return 0;
}

int key_generate(enum key_purpose purpose, struct key *ret_key)
{
	return make_pair(purpose, NULL, ret_key);
}

int key_from_seed(enum key_purpose purpose, const uint8_t *seed, struct key *ret_key)
{
	return make_pair(purpose, seed, ret_key);
}

void key_from_public(enum key_purpose purpose, const uint8_t public_key[KEY_BYTES], struct key *ret_key)
{
	struct key key = { .purpose = purpose };
	memcpy(key.public_key, public_key, KEY_BYTES);
	key_id(purpose, public_key, key.id);
	*ret_key = key;
}

void key_erase(struct key *key)
{
	secret_free(key->secret);
	key->secret = NULL;
}

void key_sign(const struct key *key, const void *message, size_t length,
	      uint8_t ret_signature[KEY_SIGNATURE_BYTES])
{
	assert(key->secret);
	crypto_sign_detached(ret_signature, NULL, message, length, key->secret);
}

static bool is_below(const uint8_t number[32], const uint8_t bound[32])
{
	for (size_t i = 32; i-- > 0;)
		if (number[i] != bound[i])
			return number[i] < bound[i];
	return false;
}

/* Little-endian encodings of y, without the sign of x: 0, 1, p - 1 and the two of points of order 8. */
static const uint8_t small_order[][32] = {
	{ 0 },
	{ 1 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
	  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
	  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
};

static const uint8_t prime[32] = { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
				   0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,	   0,	 0,    0,
				   0,	 0,    0,    0,	   0,	 0,    0,    0,	   0,	 0x10 };

static bool is_point_allowed(const uint8_t point[32])
{
	uint8_t y[32];
	memcpy(y, point, sizeof(y));
	y[31] &= 0x7f;
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++)
		if (!memcmp(y, small_order[i], sizeof(y)))
			return false;
	return is_below(y, prime);
}

int key_check(const uint8_t public_key[KEY_BYTES], const void *message, size_t length,
	      const uint8_t signature[KEY_SIGNATURE_BYTES])
{
	/* How much of this the library refuses by itself depends on its version and on how it was built. */
	if (!is_point_allowed(public_key) || !is_point_allowed(signature) ||
	    !is_below(signature + 32, order) ||
	    crypto_sign_verify_detached(signature, message, length, public_key) != 0)
		return SWORN_EINTEGRITY;
	return 0;
}

uint8_t *secret_new(size_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (sodium_init() < 0)
		return NULL;
	uint8_t *secret = sodium_malloc(length);
	if (!secret)
		return NULL;
	/* Guests and helpers are forked from processes that hold keys. */
	uintptr_t start = (uintptr_t)secret & ~(page - 1);
	size_t covered = ((uintptr_t)secret + length - start + page - 1) & ~(page - 1);
	if (madvise((void *)start, covered, MADV_WIPEONFORK) < 0 &&
	    madvise((void *)start, covered, MADV_DONTFORK) < 0) {
		sodium_free(secret);
		return NULL;
	}
	return secret;
}

void secret_free(uint8_t *secret)
{
	sodium_free(secret);
}
