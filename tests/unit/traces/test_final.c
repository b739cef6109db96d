#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "../../../traces/final.h"

/* The same value written out by hand: nothing of traces/ encodes or hashes here. */
struct text {
	uint8_t bytes[8192];
	size_t length;
};

static void put(struct text *text, const void *bytes, size_t length)
{
	assert_true(length <= sizeof(text->bytes) - text->length);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

/* RFC 8949 section 3: major type in the upper three bits, the shortest form of the value. */
static void put_head(struct text *text, uint8_t major, uint64_t value)
{
	uint8_t head[9];
	size_t width = value < 24	     ? 0
		       : value <= UINT8_MAX  ? 1
		       : value <= UINT16_MAX ? 2
		       : value <= UINT32_MAX ? 4
					     : 8;
	uint8_t info = (uint8_t)(width == 0   ? value
				 : width == 1 ? 24
				 : width == 2 ? 25
				 : width == 4 ? 26
					      : 27);

	head[0] = (uint8_t)(major << 5 | info);
	for (size_t i = 0; i < width; i++)
		head[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
	put(text, head, 1 + width);
}

static void put_bytes(struct text *text, const void *bytes, size_t length)
{
	put_head(text, 2, length);
	put(text, bytes, length);
}

static void expected_state(const struct final_input *input, uint8_t state[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	struct text text = { .length = 0 };
	uint64_t argc = 0;

	while (input->argv[argc])
		argc++;
	put_head(&text, 4, 10);
	put_head(&text, 3, 13);
	put(&text, "sworn/1/state", 13);
	put_head(&text, 0, 1);	     /* protocol version */
	put_bytes(&text, zeros, 16); /* tenant */
	put_bytes(&text, zeros, 32); /* domain */
	put_head(&text, 4, 0);	     /* grants */
	put_bytes(&text, input->seed, strlen(input->seed));
	put_head(&text, 4, argc);
	for (uint64_t i = 0; i < argc; i++)
		put_bytes(&text, input->argv[i], strlen(input->argv[i]));
	put_head(&text, 4, input->units_count);
	for (size_t i = 0; i < input->units_count; i++)
		put_bytes(&text, input->units[i], DIGEST_BYTES);
	put_head(&text, 4, input->sinks_count);
	for (size_t i = 0; i < input->sinks_count; i++) {
		put_head(&text, 4, 4);
		put_head(&text, 0, input->sinks[i].number);
		put_head(&text, 0, input->sinks[i].kind);
		put_head(&text, 0, input->sinks[i].bytes);
		put_bytes(&text, input->sinks[i].digest, DIGEST_BYTES);
	}
	put_head(&text, 0, input->status);
	SHA256(text.bytes, text.length, state);
}

static void check(const struct final_input *input)
{
	uint8_t expected[DIGEST_BYTES], actual[DIGEST_BYTES] = { 0 };

	expected_state(input, expected);
	assert_int_equal(final_state(input, actual), 0);
	assert_memory_equal(actual, expected, DIGEST_BYTES);
}

#define UNITS 30
#define SINKS 30

/* Enough of everything that lengths need more than one byte. */
struct sample {
	char seed[256], longest[300];
	const char *argv[30];
	uint8_t units[UNITS][DIGEST_BYTES];
	struct sink sinks[SINKS];
	struct final_input input;
};

static void sample_fill(struct sample *sample)
{
	memset(sample, 0, sizeof(*sample));
	memset(sample->seed, 's', 255);
	memset(sample->longest, '\xff', 299);
	for (size_t i = 0; i < 29; i++)
		sample->argv[i] = i == 0 ? "/bin/true" : i == 1 ? "" : sample->longest + 10 * i;
	for (size_t i = 0; i < UNITS; i++)
		memset(sample->units[i], (int)i, DIGEST_BYTES);
	for (size_t i = 0; i < SINKS; i++) {
		sample->sinks[i] = (struct sink){ .number = (uint32_t)i + 1,
						  .kind = SINK_FILE,
						  .bytes = UINT64_C(1) << (2 * i) };
		memset(sample->sinks[i].digest, (int)(200 - i), DIGEST_BYTES);
	}
	sample->input = (struct final_input){
		.seed = sample->seed,
		.argv = sample->argv,
		.units = (const uint8_t(*)[DIGEST_BYTES])sample->units,
		.units_count = UNITS,
		.sinks = sample->sinks,
		.sinks_count = SINKS,
		.status = 139,
	};
}

static void the_smallest_run_has_the_hash_of_its_cbor(void **state)
{
	const char *const argv[] = { "a", NULL };
	struct final_input input = { .seed = "1", .argv = argv };

	(void)state;
	check(&input);
}

static void a_run_with_much_of_everything_has_the_hash_of_its_cbor(void **state)
{
	struct sample sample;

	(void)state;
	sample_fill(&sample);
	check(&sample.input);
}

static void strings_of_every_length_around_a_head_are_encoded_alike(void **state)
{
	static const size_t lengths[] = { 0, 1, 23, 24, 31, 32, 33, 255 };
	const char *const argv[] = { "", NULL };
	char seed[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct final_input input = { .seed = seed, .argv = argv };

		memset(seed, 'x', lengths[i]);
		seed[lengths[i]] = '\0';
		check(&input);
	}
}

static void numbers_of_every_width_are_encoded_alike(void **state)
{
	static const uint64_t values[] = { 0, 23, 24, 255, 256, 65535, 65536, UINT32_MAX, UINT64_MAX };
	const char *const argv[] = { "a", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sink sink = { .number = (uint32_t)values[i], .kind = 1, .bytes = values[i] };
		struct final_input input = { .seed = "1",
					     .argv = argv,
					     .sinks = &sink,
					     .sinks_count = 1,
					     .status = (uint32_t)values[i] };

		check(&input);
	}
}

static void every_fact_counts(void **state)
{
	struct sample sample;
	uint8_t first[DIGEST_BYTES], other[DIGEST_BYTES];

	(void)state;
	for (int change = -1; change < 9; change++) {
		sample_fill(&sample);
		switch (change) {
		case 0: sample.seed[200] = 't'; break;
		case 1: sample.argv[28] = NULL; break;
		case 2: sample.longest[298] = 'a'; break;
		case 3: sample.units[29][31] ^= 1; break;
		case 4: sample.input.units_count--; break;
		case 5: sample.sinks[29].digest[0] ^= 1; break;
		case 6: sample.sinks[7].bytes++; break;
		case 7: sample.sinks[7].kind = SINK_SOCKET; break;
		case 8: sample.input.status = 0; break;
		default: break;
		}
		assert_int_equal(final_state(&sample.input, change < 0 ? first : other), 0);
		if (change >= 0)
			assert_memory_not_equal(first, other, DIGEST_BYTES);
	}
}

/* Lengths stand in front: what moves from one argument to the next is another command. */
static void arguments_cannot_run_into_each_other(void **state)
{
	const char *const left[] = { "ab", "c", NULL }, *const right[] = { "a", "bc", NULL };
	struct final_input input = { .seed = "1", .argv = left };
	uint8_t a[DIGEST_BYTES], b[DIGEST_BYTES];

	(void)state;
	assert_int_equal(final_state(&input, a), 0);
	input.argv = right;
	assert_int_equal(final_state(&input, b), 0);
	assert_memory_not_equal(a, b, DIGEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_run_has_the_hash_of_its_cbor),
		cmocka_unit_test(a_run_with_much_of_everything_has_the_hash_of_its_cbor),
		cmocka_unit_test(strings_of_every_length_around_a_head_are_encoded_alike),
		cmocka_unit_test(numbers_of_every_width_are_encoded_alike),
		cmocka_unit_test(every_fact_counts),
		cmocka_unit_test(arguments_cannot_run_into_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
