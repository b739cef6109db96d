#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traces/error.h"
#include "verify/document.h"

static int parse(const char *text, struct value **ret)
{
	return document_parse(text, strlen(text), ret);
}

static void members_are_found_by_name_and_kind(void **state)
{
	struct value *value = NULL;
	(void)state;
	assert_int_equal(parse(" { \"a\" : -7, \"b\": [\"x\", true, null], \"c\": {\"d\": \"\\u00e9\\n\\\"\"} }\n",
			       &value),
			 0);
	assert_int_equal(value_number(value, "a"), -7);
	assert_null(value_text(value, "a"));
	assert_null(value_member(value, "e"));
	const struct value *b = value_list(value, "b");
	assert_string_equal(b->text, "x");
	assert_true(b->next->truth);
	assert_int_equal(b->next->next->kind, VALUE_NULL);
	assert_null(b->next->next->next);
	assert_string_equal(value_text(value_member(value, "c"), "d"), "\xe9\n\"");
	assert_null(value_member(NULL, "a"));
	document_release(value);
}

static void what_is_written_reads_the_same(void **state)
{
	static const char text[] = "{\"a\":[1,-2,{}],\"b\":\"\\u00ff\\u0009\\\\\",\"c\":false,\"d\":null,\"e\":[]}";
	struct value *value = NULL;
	char *out = NULL;
	size_t length;
	struct json json = { .out = open_memstream(&out, &length) };
	(void)state;
	assert_int_equal(parse(text, &value), 0);
	value_write(&json, NULL, value);
	fclose(json.out);
	assert_string_equal(out, text);
	document_release(value);
	free(out);
}

static void text_that_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = { "",	       "{",	"[1,",	"[1 2]",   "{\"a\"}",
					   "{\"a\":}", "\"a",	"\"\\", "\"\\u12", "\"\\x\"",
					   "\"a\nb\"", "1.5",	"1e9",	"-",	   "nul",
					   "{} {}",    "{a:1}", "[1,]", "--1",	   "\"\\ud8\"" };
	struct value *value = NULL;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &value) != SWORN_EFORMAT)
			fail_msg("not refused: %s", bad[i]);
	assert_null(value);
}

static void nesting_has_a_limit(void **state)
{
	char text[2 * DOCUMENT_DEPTH_MAX + 3];
	struct value *value = NULL;
	(void)state;
	memset(text, '[', DOCUMENT_DEPTH_MAX + 1);
	memset(text + DOCUMENT_DEPTH_MAX + 1, ']', DOCUMENT_DEPTH_MAX + 1);
	assert_int_equal(document_parse(text, 2 * DOCUMENT_DEPTH_MAX + 2, &value), SWORN_ELIMIT);
	assert_int_equal(document_parse(text + 1, 2 * DOCUMENT_DEPTH_MAX, &value), 0);
	document_release(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_name_and_kind),
		cmocka_unit_test(what_is_written_reads_the_same),
		cmocka_unit_test(text_that_is_no_json_is_refused),
		cmocka_unit_test(nesting_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
