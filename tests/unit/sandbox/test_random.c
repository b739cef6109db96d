#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "../../../sandbox/random.h"

#define BYTES 1000

/* The stream of (seed, name) by its definition, all at once. */
static void expected_stream(const char *seed, const char *name, uint8_t bytes[BYTES])
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t message[256], key[32];
	size_t length = 0;

	memcpy(message, "sworn/1/seed", 13);
	length += 13;
	memcpy(message + length, name, strlen(name) + 1);
	length += strlen(name) + 1;
	memcpy(message + length, seed, strlen(seed));
	length += strlen(seed);
	crypto_generichash(key, sizeof(key), message, length, NULL, 0);
	crypto_stream_chacha20(bytes, BYTES, nonce, key);
}

static void a_stream_is_chacha20_keyed_by_seed_and_name(void **state)
{
	uint8_t expected[BYTES], actual[BYTES];
	struct random random;

	(void)state;
	expected_stream("17", "random", expected);
	random_init(&random, "17", "random");
	random_bytes(&random, actual, BYTES);
	assert_memory_equal(actual, expected, BYTES);
}

/* Made with Python's BLAKE2b and OpenSSL's ChaCha20: what a seed means must never change. */
static void the_first_bytes_of_seed_1_stay_what_they_are(void **state)
{
	static const uint8_t first[16] = { 0x3f, 0x49, 0x85, 0x1a, 0x68, 0x2b, 0x2c, 0x5f,
					   0x5d, 0x0a, 0x7d, 0x52, 0x9f, 0xc3, 0x74, 0x14 };
	uint8_t actual[16];
	struct random random;

	(void)state;
	random_init(&random, "1", "random");
	random_bytes(&random, actual, sizeof(actual));
	assert_memory_equal(actual, first, sizeof(first));
}

static void how_the_bytes_are_asked_for_makes_no_difference(void **state)
{
	uint8_t expected[BYTES], actual[BYTES];
	struct random random;
	size_t done = 0;

	(void)state;
	expected_stream("seed", "clock", expected);
	random_init(&random, "seed", "clock");
	for (size_t n = 0; done < BYTES; n = (n * 7 + 1) % 130) {
		size_t want = n < BYTES - done ? n : BYTES - done;

		random_bytes(&random, actual + done, want);
		done += want;
	}
	assert_memory_equal(actual, expected, BYTES);
}

static void drawing_from_one_stream_shifts_no_other(void **state)
{
	uint8_t alone[64], after[64], drawn[BYTES];
	struct random random, schedule;

	(void)state;
	random_init(&schedule, "5", "schedule");
	random_bytes(&schedule, alone, sizeof(alone));
	random_init(&random, "5", "random");
	random_init(&schedule, "5", "schedule");
	random_bytes(&random, drawn, sizeof(drawn));
	random_bytes(&schedule, after, sizeof(after));
	assert_memory_equal(after, alone, sizeof(alone));
	assert_memory_not_equal(after, drawn, sizeof(after));
}

static void another_seed_gives_other_bytes(void **state)
{
	static const char *const seeds[] = { "1", "2", "11", "", "1 " };
	uint8_t bytes[5][32];
	struct random random;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		random_init(&random, seeds[i], "random");
		random_bytes(&random, bytes[i], sizeof(bytes[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(bytes[i], bytes[j], sizeof(bytes[i]));
	}
}

static void the_name_cannot_run_into_the_seed(void **state)
{
	uint8_t a[32], b[32];
	struct random random;

	(void)state;
	random_init(&random, "1x", "clock");
	random_bytes(&random, a, sizeof(a));
	random_init(&random, "x", "clock1");
	random_bytes(&random, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void asking_for_nothing_writes_and_draws_nothing(void **state)
{
	uint8_t expected[BYTES], actual[16] = { 0x5a };
	struct random random;

	(void)state;
	expected_stream("9", "random", expected);
	random_init(&random, "9", "random");
	random_bytes(&random, actual, 0);
	assert_int_equal(actual[0], 0x5a);
	random_bytes(&random, actual, sizeof(actual));
	assert_memory_equal(actual, expected, sizeof(actual));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_chacha20_keyed_by_seed_and_name),
		cmocka_unit_test(the_first_bytes_of_seed_1_stay_what_they_are),
		cmocka_unit_test(how_the_bytes_are_asked_for_makes_no_difference),
		cmocka_unit_test(drawing_from_one_stream_shifts_no_other),
		cmocka_unit_test(another_seed_gives_other_bytes),
		cmocka_unit_test(the_name_cannot_run_into_the_seed),
		cmocka_unit_test(asking_for_nothing_writes_and_draws_nothing),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
