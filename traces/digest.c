#include "digest.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium/crypto_hash_sha256.h>
#include <string.h>

int digest_init(struct digest *digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (!context)
		return -ENOMEM;
	if (!EVP_DigestInit_ex(context, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(context);
		return -ENOMEM;
	}
	digest->context = context;
	return 0;
}

void digest_release(struct digest *digest)
{
	EVP_MD_CTX_free(digest->context);
	digest->context = NULL;
}

void digest_append(struct digest *digest, const void *bytes, size_t length)
{
	int ok = EVP_DigestUpdate(digest->context, bytes, length);
	assert(ok);
	(void)ok;
}

void digest_end(struct digest *digest, uint8_t ret_digest[DIGEST_BYTES])
{
	int ok = EVP_DigestFinal_ex(digest->context, ret_digest, NULL);
	/* A NULL type keeps the algorithm and skips the provider look-up. */
	ok = ok && EVP_DigestInit_ex(digest->context, NULL, NULL);
	assert(ok);
	(void)ok;
}

void digest_of(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_BYTES])
{
	/* It takes memory from the heap; a hash that fails for want of that would accuse the file. */
	if (!SHA256(bytes, length, ret_digest))
		crypto_hash_sha256(ret_digest, bytes, length);
}

void hex_encode(const uint8_t *bytes, size_t length, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < length; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * length] = '\0';
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char ret_text[DIGEST_HEX_BYTES])
{
	hex_encode(digest, DIGEST_BYTES, ret_text);
}

bool digest_is_zero(const uint8_t digest[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	return memcmp(digest, zeros, DIGEST_BYTES) == 0;
}

bool digest_equal(const uint8_t a[DIGEST_BYTES], const uint8_t b[DIGEST_BYTES])
{
	return memcmp(a, b, DIGEST_BYTES) == 0;
}
