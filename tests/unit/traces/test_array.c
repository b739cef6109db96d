#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "traces/array.h"

static void growing_keeps_the_entries(void **state)
{
	uint32_t *entries = NULL;
	size_t capacity = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		entries = array_grow(entries, i, &capacity, sizeof(*entries));
		assert_non_null(entries);
		assert_true(capacity > i);
		entries[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(entries[i], i);
	free(entries);
}

static void an_array_with_room_stays_where_it_is(void **state)
{
	char entries[3];
	size_t capacity = sizeof(entries);

	(void)state;
	assert_ptr_equal(array_grow(entries, 2, &capacity, 1), entries);
	assert_int_equal(capacity, sizeof(entries));
}

static void a_size_that_overflows_changes_nothing(void **state)
{
	size_t capacity = SIZE_MAX / 2 + 1;

	(void)state;
	assert_null(array_grow(NULL, capacity, &capacity, 16));
	assert_int_equal(capacity, SIZE_MAX / 2 + 1);
	capacity = SIZE_MAX / 4;
	assert_null(array_grow(NULL, capacity, &capacity, 16));
	assert_int_equal(capacity, SIZE_MAX / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_keeps_the_entries),
		cmocka_unit_test(an_array_with_room_stays_where_it_is),
		cmocka_unit_test(a_size_that_overflows_changes_nothing),
	};

	return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
