#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "replay/group.h"

static struct groups *groups;

static int begin(void **state)
{
	(void)state;
	groups = groups_new();
	return groups ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	groups_release(groups);
	return 0;
}

static void exec(uint32_t thread, uint32_t unit)
{
	struct event event = { .kind = EVENT_EXEC, .thread = thread, .exec.unit = unit };

	assert_int_equal(groups_note(groups, &event), 0);
}

static void clone_thread(uint32_t parent, uint32_t child)
{
	struct event event = { .kind = EVENT_CLONE, .thread = parent, .clone.child = child };

	assert_int_equal(groups_note(groups, &event), 0);
}

static void map(uint32_t thread, uint64_t object)
{
	struct mapping mapping = { .backing = BACKING_SHARED, .object = object };
	struct event event = {
		.kind = EVENT_CALL, .thread = thread, .mappings = &mapping, .mappings_count = 1
	};

	assert_int_equal(groups_note(groups, &event), 0);
}

/* Unit 1 with threads 1 to `children` + 1, each of the children in a unit of its own. */
static void family(uint32_t children)
{
	exec(1, 1);
	for (uint32_t i = 2; i <= children + 1; i++) {
		clone_thread(1, i);
		exec(i, i);
	}
}

static void units_that_share_nothing_are_groups_of_their_own(void **state)
{
	(void)state;
	family(100);
	map(2, 0);
	assert_int_equal(groups_units(groups), 101);
	assert_int_equal(groups_count(groups), 101);
	assert_int_equal(group_of_unit(groups, 50), 50);
	assert_int_equal(group_of_object(groups, 7), 0);
}

static void an_object_joins_the_units_that_map_it(void **state)
{
	(void)state;
	family(5);
	map(3, 1);
	map(5, 1);
	map(6, 2);
	map(5, 2);
	assert_int_equal(groups_count(groups), 4);
	assert_int_equal(group_of_unit(groups, 6), 3);
	assert_int_equal(group_of_unit(groups, 5), 3);
	assert_int_equal(group_of_object(groups, 2), 3);
	assert_int_equal(group_of_unit(groups, 4), 4);
	map(2, 1);
	assert_int_equal(group_of_unit(groups, 6), 2);
	assert_int_equal(group_of_object(groups, 1), 2);
}

static void a_thread_maps_for_the_unit_it_is_in(void **state)
{
	(void)state;
	exec(1, 1);
	clone_thread(1, 2);
	map(2, 9); /* still its parent's image */
	exec(2, 2);
	assert_int_equal(groups_count(groups), 2);
	assert_int_equal(group_of_object(groups, 9), 1);
	map(2, 9);
	assert_int_equal(groups_count(groups), 1);
}

static void memory_events_join_whom_they_map_into(void **state)
{
	struct mapping mapping = { .backing = BACKING_SHARED, .object = 4 };
	struct event event = { .kind = EVENT_MEMORY,
			       .thread = 2,
			       .mappings = &mapping,
			       .mappings_count = 1,
			       .memory = { .object = 4, .target = 3 } };

	(void)state;
	family(3);
	map(4, 4);
	assert_int_equal(groups_note(groups, &event), 0);
	assert_int_equal(group_of_unit(groups, 4), 3);
	assert_int_equal(group_of_unit(groups, 2), 2);
}

static void numbers_that_do_not_fit_are_left_to_replay_in_order(void **state)
{
	(void)state;
	family(3);
	exec(UINT32_MAX, 5);
	assert_int_equal(groups_count(groups), 1);
	groups_release(groups);
	groups = groups_new();
	exec(UINT32_MAX, 1);
	assert_int_equal(groups_count(groups), 1);
	groups_release(groups);
	groups = groups_new();
	family(3);
	clone_thread(1, UINT32_MAX);
	assert_int_equal(groups_count(groups), 1);
	groups_release(groups);
	groups = groups_new();
	family(3);
	map(2, UINT64_MAX);
	assert_int_equal(groups_count(groups), 1);
}

static void long_inputs_are_left_to_replay_in_order(void **state)
{
	struct payload payload = { .arg = 1, .direction = DIRECTION_IN, .length = 1 << 20 };
	struct event part = { .kind = EVENT_PART, .thread = 1, .payloads = &payload, .payloads_count = 1 };
	struct event call = { .kind = EVENT_CALL, .thread = 1 };

	(void)state;
	family(3);
	for (int i = 0; i < 64; i++)
		assert_int_equal(groups_note(groups, &part), 0);
	assert_int_equal(groups_count(groups), 4);
	assert_int_equal(groups_note(groups, &call), 0);
	assert_int_equal(groups_note(groups, &part), 0);
	assert_int_equal(groups_count(groups), 4);
	for (int i = 0; i < 64; i++)
		assert_int_equal(groups_note(groups, &part), 0);
	assert_int_equal(groups_count(groups), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(units_that_share_nothing_are_groups_of_their_own,
						begin, end),
		cmocka_unit_test_setup_teardown(an_object_joins_the_units_that_map_it, begin, end),
		cmocka_unit_test_setup_teardown(a_thread_maps_for_the_unit_it_is_in, begin, end),
		cmocka_unit_test_setup_teardown(memory_events_join_whom_they_map_into, begin, end),
		cmocka_unit_test_setup_teardown(numbers_that_do_not_fit_are_left_to_replay_in_order,
						begin, end),
		cmocka_unit_test_setup_teardown(long_inputs_are_left_to_replay_in_order, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
