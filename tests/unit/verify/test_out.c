#include "tests/unit/traces/sample.h"

#include <errno.h>
#include "verify/out.h"

static struct out out;

static int begin(void **state)
{
	(void)state;
	return out_init(&out, -1, false);
}

static int end(void **state)
{
	(void)state;
	out_close(&out);
	return 0;
}

static void assert_written(const char *text)
{
	assert_int_equal(out.used, strlen(text));
	assert_memory_equal(out.bytes, text, out.used);
	out.used = 0;
}

static void numbers_are_written_whole(void **state)
{
	(void)state;
	out_uint(&out, 0);
	out_char(&out, ' ');
	out_uint(&out, UINT64_MAX);
	out_char(&out, ' ');
	out_int(&out, INT64_MIN);
	out_char(&out, ' ');
	out_hex(&out, UINT64_MAX);
	out_char(&out, ' ');
	out_octal(&out, 0644);
	out_octal(&out, 0);
	assert_written("0 18446744073709551615 -9223372036854775808 0xffffffffffffffff 06440");
}

static void what_could_end_a_line_or_move_a_cursor_is_escaped(void **state)
{
	(void)state;
	out_quoted(&out, "a\n\r\t\0\x1b[2J\"\\\x7f\xff", 13);
	assert_written("\"a\\n\\r\\t\\x00\\x1b[2J\\\"\\\\\\x7f\\xff\"");
	out_name(&out, "/usr/bin/true");
	assert_written("/usr/bin/true");
	out_name(&out, "two words");
	assert_written("\"two words\"");
	out_name(&out, "");
	assert_written("\"\"");
	out_name(&out, "[standard input]");
	assert_written("[standard input]");
	out_name(&out, "[not \x1b ours]");
	assert_written("\"[not \\x1b ours]\"");
}

static void json_keeps_every_byte(void **state)
{
	(void)state;
	out.json = true;
	out_line(&out, "test");
	out_member_bytes(&out, "bytes", "\"\\\n\xc3\xa9", 5);
	out_member_text(&out, "none", NULL);
	out_open(&out, "list", '[');
	out_member_int(&out, NULL, -1);
	out_member_event(&out, NULL, UINT64_MAX);
	out_shut(&out, ']');
	out_end(&out);
	assert_written("{\"schema\":1,\"kind\":\"test\",\"verified\":true,\"bytes\":\"\\\"\\\\\\u000a\\u00c3\\u00a9\","
		       "\"none\":null,\"list\":[-1,null]}\n");
}

static void each_line_of_a_bad_trace_says_so(void **state)
{
	(void)state;
	out.unverified = true;
	out_line(&out, NULL);
	out_end(&out);
	assert_written("UNVERIFIED \n");
}

static void text_that_goes_nowhere_stays_however_long(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 200000; i++)
		out_text(&out, "0123456789");
	assert_int_equal(out.used, 2000000);
	assert_int_equal(out.error, 0);
	assert_memory_equal(out.bytes + 1999990, "0123456789", 10);
}

static void a_failed_write_is_kept(void **state)
{
	struct out full;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	(void)state;
	assert_int_equal(out_init(&full, fd, false), 0);
	out_text(&full, "x");
	assert_int_equal(out_close(&full), -ENOSPC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_are_written_whole, begin, end),
		cmocka_unit_test_setup_teardown(what_could_end_a_line_or_move_a_cursor_is_escaped,
						begin, end),
		cmocka_unit_test_setup_teardown(json_keeps_every_byte, begin, end),
		cmocka_unit_test_setup_teardown(each_line_of_a_bad_trace_says_so, begin, end),
		cmocka_unit_test_setup_teardown(text_that_goes_nowhere_stays_however_long, begin, end),
		cmocka_unit_test(a_failed_write_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
