#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traces/error.h"
#include "verify/content.h"

static uint64_t budget;
static struct content a, b;

static int setup(void **state)
{
	(void)state;
	budget = 1U << 20;
	content_init(&a, 0, &budget);
	content_init(&b, 0, &budget);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	content_release(&a);
	content_release(&b);
	return 0;
}

static void put(struct content *content, uint64_t offset, const char *text, uint64_t event)
{
	assert_int_equal(content_put(content, offset, text, strlen(text), event), 0);
}

static bool differ(bool both, uint64_t expected)
{
	uint64_t offset = 0;
	bool found = content_differs(&a, &b, both, &offset);
	if (found)
		assert_int_equal(offset, expected);
	return found;
}

static void how_bytes_were_split_does_not_count(void **state)
{
	(void)state;
	put(&a, 0, "one two three", 1);
	put(&b, 8, "three", 1);
	assert_true(differ(false, 0));
	put(&b, 0, "one ", 2);
	put(&b, 4, "twx ", 3);
	put(&b, 6, "o", 4);
	assert_false(differ(false, 0));
	assert_int_equal(content_event(&b, 6), 4);
	assert_int_equal(content_event(&b, 5), 3);
	assert_int_equal(content_event(&b, 100), UINT64_MAX);
}

static void the_first_different_byte_is_found_across_chunks(void **state)
{
	static char many[200000];
	(void)state;
	memset(many, 'x', sizeof(many));
	assert_int_equal(content_put(&a, 0, many, sizeof(many), 1), 0);
	many[150000] = 'y';
	assert_int_equal(content_put(&b, 0, many, sizeof(many), 1), 0);
	assert_true(differ(false, 150000));
}

static void a_longer_one_differs_where_the_other_ends(void **state)
{
	(void)state;
	put(&a, 0, "abc", 1);
	put(&b, 0, "abcd", 1);
	assert_true(differ(false, 3));
	assert_false(differ(true, 0));
	a.ended = true;
	assert_true(differ(true, 3));
}

static void holes_of_a_new_file_are_zeros(void **state)
{
	(void)state;
	put(&a, 4, "x", 1);
	put(&b, 0, "", 1);
	assert_int_equal(content_put(&b, 0, "\0\0\0\0x", 5, 1), 0);
	assert_false(differ(false, 0));
	content_truncate(&a, 2);
	put(&a, 4, "x", 2);
	assert_int_equal(content_byte(&a, 3), 0);
}

static void what_was_there_before_is_not_known(void **state)
{
	(void)state;
	content_release(&a);
	content_init(&a, CONTENT_BASE_ALL, &budget);
	put(&a, 4, "x", 1);
	assert_int_equal(content_byte(&a, 3), -1);
	put(&b, 0, "abcdx", 1);
	assert_true(differ(false, 0));
	assert_false(differ(true, 0));
	content_truncate(&a, 0);
	put(&a, 4, "x", 2);
	assert_int_equal(content_byte(&a, 3), 0);
}

static void unseen_bytes_equal_all_others_and_are_told(void **state)
{
	(void)state;
	put(&a, 0, "abc", 1);
	assert_int_equal(content_put_unseen(&b, 0, 3), 0);
	assert_false(differ(false, 0));
	assert_true(b.blind);
	assert_int_equal(content_byte(&b, 1), -1);
	put(&b, 1, "z", 2);
	assert_true(differ(false, 1));
}

static void memory_has_a_limit(void **state)
{
	(void)state;
	budget = 100;
	assert_int_equal(content_put(&a, 0, "x", 1, 1), SWORN_ELIMIT);
	assert_int_equal(content_put(&a, CONTENT_OFFSET_MAX + 1, "x", 1, 1), 0);
	assert_true(a.blind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(how_bytes_were_split_does_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_different_byte_is_found_across_chunks,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_one_differs_where_the_other_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(holes_of_a_new_file_are_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_there_before_is_not_known, setup, teardown),
		cmocka_unit_test_setup_teardown(unseen_bytes_equal_all_others_and_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(memory_has_a_limit, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
