#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/cose.h"
#include "traces/digest.h"
#include "traces/error.h"

#define TYPE "application/vnd.sworn.seal+cbor"

struct sample {
	uint8_t payload[64], bytes[512];
	struct cbor_out in, out;
};

static void make(struct sample *sample, const struct key *key)
{
	*sample = (struct sample){
		.in = { .bytes = sample->payload, .capacity = sizeof(sample->payload) },
		.out = { .bytes = sample->bytes, .capacity = sizeof(sample->bytes) }
	};
	cbor_put_text(&sample->in, "what is signed");
	envelope_encode(&sample->out, TYPE, &sample->in, key);
	assert_false(sample->out.full);
}

static void an_envelope_is_of_its_key_purpose_and_type(void **state)
{
	struct sample sample;
	struct envelope envelope;
	struct key key, other;
	(void)state;
	assert_int_equal(key_generate(KEY_ARCHIVE, &key), 0);
	assert_int_equal(key_generate(KEY_ARCHIVE, &other), 0);
	make(&sample, &key);
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length, TYPE, &envelope), 0);
	assert_memory_equal(envelope.kid, key.id, DIGEST_BYTES);
	assert_int_equal(envelope_check(&envelope, KEY_ARCHIVE, key.public_key), 0);
	assert_int_equal(envelope_check(&envelope, KEY_RECORDER, key.public_key), SWORN_EINTEGRITY);
	assert_int_equal(envelope_check(&envelope, KEY_ARCHIVE, other.public_key), SWORN_EINTEGRITY);
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length, "another/type", &envelope),
			 SWORN_EFORMAT);
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length - 1, TYPE, &envelope),
			 SWORN_EFORMAT);
	key_erase(&key);
	key_erase(&other);
	key_erase(&other);
}

static void no_bit_of_an_envelope_can_change(void **state)
{
	struct sample sample;
	struct envelope envelope;
	struct key key;
	(void)state;
	assert_int_equal(key_generate(KEY_RECORDER, &key), 0);
	make(&sample, &key);
	for (size_t i = 0; i < 8 * sample.out.length; i++) {
		sample.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		int r = envelope_decode(sample.bytes, sample.out.length, TYPE, &envelope);
		if (r == 0)
			r = envelope_check(&envelope, KEY_RECORDER, key.public_key);
		assert_true(r < 0);
		sample.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	key_erase(&key);
}

static void an_unsigned_envelope_holds_its_hash(void **state)
{
	struct sample sample;
	struct envelope envelope;
	uint8_t public_key[KEY_BYTES] = { 9 };
	(void)state;
	make(&sample, NULL);
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length, TYPE, &envelope), 0);
	assert_true(digest_is_zero(envelope.kid));
	assert_int_equal(envelope_check(&envelope, KEY_RECORDER, public_key), SWORN_EINTEGRITY);
	sample.bytes[sample.out.length - 1] ^= 1;
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length, TYPE, &envelope),
			 SWORN_EINTEGRITY);
}

static void another_algorithm_is_not_supported(void **state)
{
	struct sample sample;
	struct envelope envelope;
	struct key key;
	(void)state;
	assert_int_equal(key_generate(KEY_RECORDER, &key), 0);
	make(&sample, &key);
	/* [h'a3 01 27 ...: the algorithm is the third byte of the protected header, which has a head of two. */
	assert_int_equal(sample.bytes[5], 0x27);
	sample.bytes[5] = 0x26;
	assert_int_equal(envelope_decode(sample.bytes, sample.out.length, TYPE, &envelope),
			 SWORN_EALGORITHM);
	assert_string_equal(cose_algorithm_name(-7), "ES256");
	key_erase(&key);
}

/* L, and a signature's S with L added: the same number, another encoding. */
static void a_signature_has_one_encoding_only(void **state)
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
					   0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
					   0,	 0,    0,    0,	   0,	 0,    0,    0,
					   0,	 0,    0,    0,	   0,	 0,    0,    0x10 };
	uint8_t signature[KEY_SIGNATURE_BYTES], zeros[KEY_BYTES] = { 0 };
	unsigned int carry = 0;
	struct key key;
	(void)state;
	assert_int_equal(key_generate(KEY_RECORDER, &key), 0);
	key_sign(&key, "x", 1, signature);
	assert_int_equal(key_check(key.public_key, "x", 1, signature), 0);
	assert_int_equal(key_check(key.public_key, "y", 1, signature), SWORN_EINTEGRITY);
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned int)signature[32 + i] + order[i];
		signature[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(key_check(key.public_key, "x", 1, signature), SWORN_EINTEGRITY);
	/* Points of small order verify anything that is made for them; zeros are one. */
	memset(signature, 0, sizeof(signature));
	assert_int_equal(key_check(zeros, "x", 1, signature), SWORN_EINTEGRITY);
	zeros[0] = 1;
	signature[0] = 1;
	assert_int_equal(key_check(zeros, "x", 1, signature), SWORN_EINTEGRITY);
	/* y = p + 1, which is 1 when it is reduced. */
	memset(zeros, 0xff, sizeof(zeros));
	zeros[0] = 0xee;
	zeros[31] = 0x7f;
	assert_int_equal(key_check(zeros, "x", 1, signature), SWORN_EINTEGRITY);
	key_erase(&key);
}

static void a_key_has_one_purpose(void **state)
{
	uint8_t seed[KEY_BYTES] = { 1 };
	struct key a, b;
	enum key_purpose purpose;
	(void)state;
	assert_int_equal(key_from_seed(KEY_RECORDER, seed, &a), 0);
	assert_int_equal(key_from_seed(KEY_ATTESTER, seed, &b), 0);
	assert_memory_equal(a.public_key, b.public_key, KEY_BYTES);
	assert_memory_not_equal(a.id, b.id, DIGEST_BYTES);
	for (uint64_t i = 0; i < 12; i++) {
		const char *name = key_purpose_name(i);
		assert_true((name != NULL) == (i >= 1 && i <= 10));
		if (name)
			assert_true(key_purpose_find(name, &purpose) == 0 && purpose == i);
	}
	assert_int_equal(key_purpose_find("nonsense", &purpose), SWORN_EFORMAT);
	key_erase(&a);
	key_erase(&b);
}

static void a_forked_process_has_no_secrets(void **state)
{
	uint8_t *secret = secret_new(32);
	int status;
	(void)state;
	assert_non_null(secret);
	memset(secret, 0x5a, 32);
	pid_t child = fork();
	if (child == 0) {
		for (size_t i = 0; i < 32; i++)
			if (((volatile uint8_t *)secret)[i])
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(secret[31], 0x5a);
	secret_free(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_is_of_its_key_purpose_and_type),
		cmocka_unit_test(no_bit_of_an_envelope_can_change),
		cmocka_unit_test(an_unsigned_envelope_holds_its_hash),
		cmocka_unit_test(another_algorithm_is_not_supported),
		cmocka_unit_test(a_signature_has_one_encoding_only),
		cmocka_unit_test(a_key_has_one_purpose),
		cmocka_unit_test(a_forked_process_has_no_secrets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
