#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "traces/cbor.h"
#include "traces/error.h"

/* What one of the cbor_take functions says of these bytes, and that it took all or nothing. */
#define REFUSES(function, type, ...)                                      \
	do {                                                              \
		const uint8_t bytes_[] = { __VA_ARGS__ };                 \
		struct cbor_in in_ = { bytes_, sizeof(bytes_) };          \
		type value_;                                              \
		assert_int_equal(function(&in_, &value_), SWORN_EFORMAT); \
		assert_ptr_equal(in_.bytes, bytes_);                      \
		assert_int_equal(in_.length, sizeof(bytes_));             \
	} while (0)

static void integers_use_the_shortest_head(void **state)
{
	static const struct {
		uint64_t value;
		size_t length;
	} cases[] = { { 0, 1 },		 { 23, 1 },	   { 24, 2 },	 { 255, 2 },
		      { 256, 3 },	 { 65535, 3 },	   { 65536, 5 }, { UINT32_MAX, 5 },
		      { 1ull << 32, 9 }, { UINT64_MAX, 9 } };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[16];
		struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
		uint64_t value;
		cbor_put_uint(&out, cases[i].value);
		assert_int_equal(out.length, cases[i].length);
		struct cbor_in in = { bytes, out.length };
		assert_int_equal(cbor_take_uint(&in, &value), 0);
		assert_int_equal(value, cases[i].value);
		assert_int_equal(in.length, 0);
	}
}

static void signed_integers_keep_their_value(void **state)
{
	static const int64_t values[] = { 0,	-1,	-24, -25,	-256,
					  -257, -65537, 1,   INT64_MAX, INT64_MIN };
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint8_t bytes[16];
		struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
		int64_t value;
		cbor_put_int(&out, values[i]);
		struct cbor_in in = { bytes, out.length };
		assert_int_equal(cbor_take_int(&in, &value), 0);
		assert_int_equal(value, values[i]);
	}
	REFUSES(cbor_take_int, int64_t, 0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0);
	REFUSES(cbor_take_int, int64_t, 0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0);
	REFUSES(cbor_take_int, int64_t, 0x38, 0x17);
}

static void heads_that_could_be_shorter_are_refused(void **state)
{
	(void)state;
	REFUSES(cbor_take_uint, uint64_t, 0x18, 0x17);
	REFUSES(cbor_take_uint, uint64_t, 0x19, 0x00, 0xff);
	REFUSES(cbor_take_uint, uint64_t, 0x1a, 0x00, 0x00, 0xff, 0xff);
	REFUSES(cbor_take_uint, uint64_t, 0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
	REFUSES(cbor_take_array, uint64_t, 0x98, 0x02, 0x00, 0x00);
	REFUSES(cbor_take_map, unsigned int, 0xb8, 0x01, 0x00, 0x00);
	const uint8_t bytes[] = { 0x58, 0x01, 0xaa }, text[] = { 0x78, 0x01, 'a' };
	struct cbor_in in = { bytes, sizeof(bytes) }, text_in = { text, sizeof(text) };
	const uint8_t *found;
	const char *string;
	size_t length;
	assert_int_equal(cbor_take_bytes(&in, &found, &length), SWORN_EFORMAT);
	assert_int_equal(cbor_take_text(&text_in, &string, &length), SWORN_EFORMAT);
}

static void items_that_the_format_forbids_are_refused(void **state)
{
	static const uint8_t forbidden[][9] = {
		{ 0xf4 },
		{ 0xf5 },
		{ 0xf6 },
		{ 0xf7 }, /* false, true, null, undefined */
		{ 0xe0 },
		{ 0xf8, 0xff },
		{ 0xff }, /* simple values, break */
		{ 0xf9, 0x3c },
		{ 0xfa, 0x3f, 0x80 },
		{ 0xfb }, /* floats */
		{ 0xc0, 0x00 },
		{ 0xd8, 0x20, 0x00 }, /* tags */
		{ 0x5f, 0x41, 0x61, 0xff },
		{ 0x7f, 0x61, 0x61, 0xff },
		{ 0x9f, 0xff },
		{ 0xbf, 0xff },
		{ 0x1c },
		{ 0x3d },
		{ 0x5e },
		{ 0x7c },
		{ 0x9d },
		{ 0xbe },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		struct cbor_in in = { forbidden[i], sizeof(forbidden[i]) };
		const uint8_t *bytes;
		const char *text;
		size_t length;
		uint64_t value;
		int64_t number;
		unsigned int pairs;
		assert_int_equal(cbor_take_uint(&in, &value), SWORN_EFORMAT);
		assert_int_equal(cbor_take_int(&in, &number), SWORN_EFORMAT);
		assert_int_equal(cbor_take_bytes(&in, &bytes, &length), SWORN_EFORMAT);
		assert_int_equal(cbor_take_text(&in, &text, &length), SWORN_EFORMAT);
		assert_int_equal(cbor_take_array(&in, &value), SWORN_EFORMAT);
		assert_int_equal(cbor_take_map(&in, &pairs), SWORN_EFORMAT);
		assert_ptr_equal(in.bytes, forbidden[i]);
	}
}

static void items_that_are_cut_off_are_refused(void **state)
{
	const uint8_t bytes[] = { 0x43, 1, 2, 3 },
		      huge[] = { 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const uint8_t *found;
	size_t length;
	(void)state;
	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		struct cbor_in in = { bytes, cut };
		assert_int_equal(cbor_take_bytes(&in, &found, &length), SWORN_EFORMAT);
	}
	struct cbor_in in = { huge, sizeof(huge) };
	assert_int_equal(cbor_take_bytes(&in, &found, &length), SWORN_EFORMAT);
	REFUSES(cbor_take_uint, uint64_t, 0x1b, 1, 2, 3, 4, 5, 6, 7);
	REFUSES(cbor_take_uint, uint64_t, 0x18);
	uint64_t value;
	struct cbor_in empty = { bytes, 0 };
	assert_int_equal(cbor_take_uint(&empty, &value), SWORN_EFORMAT);
}

static void another_type_is_refused(void **state)
{
	(void)state;
	REFUSES(cbor_take_uint, uint64_t, 0x20);
	REFUSES(cbor_take_uint, uint64_t, 0x40);
	REFUSES(cbor_take_array, uint64_t, 0xa0);
	REFUSES(cbor_take_map, unsigned int, 0x80);
	REFUSES(cbor_take_int, int64_t, 0x60);
}

static void map_keys_must_ascend_and_be_small(void **state)
{
	static const uint8_t key[] = { 5 }, large[] = { 24 }, wide[] = { 0x18, 0x05 },
			     negative[] = { 0x20 };
	int found;
	(void)state;
	struct cbor_in in = { key, 1 };
	assert_int_equal(cbor_take_key(&in, 4, &found), 0);
	assert_int_equal(found, 5);
	in = (struct cbor_in){ key, 1 };
	assert_int_equal(cbor_take_key(&in, 5, &found), SWORN_EFORMAT);
	assert_int_equal(cbor_take_key(&in, 6, &found), SWORN_EFORMAT);
	in = (struct cbor_in){ large, 1 };
	assert_int_equal(cbor_take_key(&in, -1, &found), SWORN_EFORMAT);
	in = (struct cbor_in){ wide, 2 };
	assert_int_equal(cbor_take_key(&in, -1, &found), SWORN_EFORMAT);
	in = (struct cbor_in){ negative, 1 };
	assert_int_equal(cbor_take_key(&in, -1, &found), SWORN_EFORMAT);
	REFUSES(cbor_take_map, unsigned int, 0xb8, 0x19);
}

static void text_outside_printable_ascii_is_refused(void **state)
{
	static const uint8_t bad[][2] = {
		{ 0x61, 0x1f }, { 0x61, 0x7f }, { 0x61, 0x80 }, { 0x61, 0 }, { 0x61, '\n' }
	};
	static const uint8_t good[] = { 0x63, ' ', 'a', '~' };
	const char *text;
	size_t length;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cbor_in in = { bad[i], 2 };
		assert_int_equal(cbor_take_text(&in, &text, &length), SWORN_EFORMAT);
	}
	struct cbor_in in = { good, sizeof(good) };
	assert_int_equal(cbor_take_text(&in, &text, &length), 0);
	assert_memory_equal(text, " a~", 3);
}

static void text_is_written_printable(void **state)
{
	static const uint8_t expected[] = { 0x64, 'a', '?', '?', 'b', 0x60 };
	uint8_t bytes[16];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	(void)state;
	cbor_put_text(&out, "a\xc3\xa4"
			    "b");
	cbor_put_text(&out, NULL);
	assert_int_equal(out.length, sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void what_does_not_fit_is_not_written(void **state)
{
	uint8_t bytes[4] = { 0 };
	struct cbor_out out = { .bytes = bytes, .capacity = 3 };
	(void)state;
	cbor_put_uint(&out, 1000);
	assert_false(out.full);
	cbor_put_uint(&out, 1);
	assert_true(out.full);
	cbor_put_bytes(&out, "xyz", 3);
	assert_true(out.length <= 3);
	assert_int_equal(bytes[3], 0);
	out = (struct cbor_out){ .bytes = bytes, .capacity = 3 };
	cbor_put_bytes(&out, "xyz", 3);
	assert_true(out.full);
	out = (struct cbor_out){ .bytes = bytes, .capacity = 3 };
	cbor_put_text(&out, "xyz");
	assert_true(out.full);
	assert_int_equal(bytes[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_use_the_shortest_head),
		cmocka_unit_test(signed_integers_keep_their_value),
		cmocka_unit_test(heads_that_could_be_shorter_are_refused),
		cmocka_unit_test(items_that_the_format_forbids_are_refused),
		cmocka_unit_test(items_that_are_cut_off_are_refused),
		cmocka_unit_test(another_type_is_refused),
		cmocka_unit_test(map_keys_must_ascend_and_be_small),
		cmocka_unit_test(text_outside_printable_ascii_is_refused),
		cmocka_unit_test(text_is_written_printable),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
