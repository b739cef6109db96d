#include "sample.h"

#include "traces/json.h"

static char *text;
static size_t length;
static struct json json;

static int begin(void **state)
{
	(void)state;
	json = (struct json){ .out = open_memstream(&text, &length) };
	return json.out ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	free(text);
	return 0;
}

static const char *written(void)
{
	fclose(json.out);
	return text;
}

static void members_are_separated_and_nest(void **state)
{
	(void)state;
	json_open(&json, NULL, '{');
	json_uint(&json, "a", UINT64_MAX);
	json_open(&json, "b", '[');
	json_int(&json, NULL, -1);
	json_bool(&json, NULL, true);
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_bool(&json, "c", false);
	json_close(&json, '}');
	assert_string_equal(written(), "{\"a\":18446744073709551615,\"b\":[-1,true,{}],\"c\":false}");
}

static void text_stays_inside_its_quotes(void **state)
{
	(void)state;
	json_text(&json, NULL, "a\"b\\c\n\x1b\xff");
	assert_string_equal(written(), "\"a\\\"b\\\\c\\u000a\\u001b\\u00ff\"");
}

static void absent_text_and_digests_are_null(void **state)
{
	uint8_t digest[DIGEST_BYTES] = { 0 };
	(void)state;
	json_text(&json, NULL, NULL);
	json_digest(&json, NULL, digest);
	digest[31] = 0xab;
	json_digest(&json, NULL, digest);
	assert_string_equal(written(),
			    "null,null,\"sha256:"
			    "00000000000000000000000000000000000000000000000000000000000000ab\"");
}

static void a_missing_list_is_empty(void **state)
{
	static const char *const texts[] = { "x", "", NULL };
	(void)state;
	json_texts(&json, NULL, NULL);
	json_texts(&json, NULL, texts);
	assert_string_equal(written(), "[],[\"x\",\"\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(members_are_separated_and_nest, begin, end),
		cmocka_unit_test_setup_teardown(text_stays_inside_its_quotes, begin, end),
		cmocka_unit_test_setup_teardown(absent_text_and_digests_are_null, begin, end),
		cmocka_unit_test_setup_teardown(a_missing_list_is_empty, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
