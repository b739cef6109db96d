#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "record/report.h"
#include "traces/error.h"

static char text[1024];

static const char *described(const struct ending *ending)
{
	ending_describe(ending, text, sizeof(text));
	return text;
}

static void a_good_end_is_the_commands_own(void **state)
{
	struct ending ending = { .stage = STAGE_RUN, .command = "c", .path = "t.sworn", .events = 9 };

	(void)state;
	ending.wait_status = 7 << 8;
	assert_int_equal(ending_code(&ending), 7);
	ending.wait_status = 9;
	assert_int_equal(ending_code(&ending), 137);
	assert_string_equal(ending_status(&ending), "ok");
	assert_string_equal(described(&ending),
			    "sworn: 9 events in t.sworn; to repeat the run: sworn replay");
	ending.output = "t.sworn";
	assert_string_equal(described(&ending),
			    "sworn: 9 events in t.sworn; to repeat the run: sworn replay t.sworn");
}

static void a_command_that_cannot_start_has_the_shells_codes(void **state)
{
	struct ending ending = { .stage = STAGE_START, .command = "c", .error = -ENOENT };

	(void)state;
	assert_int_equal(ending_code(&ending), 127);
	assert_string_equal(ending_status(&ending), "not_found");
	ending.error = -EACCES;
	assert_int_equal(ending_code(&ending), 126);
	assert_string_equal(ending_status(&ending), "not_executable");
	ending.error = -EPERM;
	assert_int_equal(ending_code(&ending), 125);
	assert_string_equal(ending_status(&ending), "setup");
}

static void a_trace_that_cannot_be_created_is_no_missing_command(void **state)
{
	struct ending ending = {
		.stage = STAGE_TRACE, .command = "c", .output = "no/t.sworn", .error = -ENOENT
	};

	(void)state;
	assert_int_equal(ending_code(&ending), 125);
	assert_string_equal(ending_status(&ending), "setup");
	assert_non_null(strstr(described(&ending), "no/t.sworn"));
}

static void what_ends_a_run_has_a_status_and_advice(void **state)
{
	static const struct {
		int error;
		const char *status, *advice;
	} cases[] = {
		{ SWORN_ENEEDSPMU, "needs_pmu", "hardware counters" },
		{ -ENOSPC, "disk_full", "free space" },
		{ -EDQUOT, "disk_full", "quota" },
		{ SWORN_EDEADLOCK, "deadlock", "without sworn" },
		{ SWORN_EREFUSED, "refused", "cannot be recorded" },
		{ -EIO, "failed", "strace" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ending ending = {
			.stage = STAGE_RUN, .command = "prog", .events = 12, .detail = "why"
		};

		ending.error = cases[i].error;
		assert_int_equal(ending_code(&ending), 125);
		assert_string_equal(ending_status(&ending), cases[i].status);
		assert_non_null(strstr(described(&ending), cases[i].advice));
		assert_non_null(strstr(text, "prog: recording ended at event 12"));
		assert_non_null(strstr(text, ": why"));
		assert_non_null(strstr(text, cases[i].status));
		assert_null(strchr(text, '\n'));
		assert_null(strstr(text, ".partial"));
		ending.output = "o.sworn";
		assert_non_null(strstr(described(&ending), "; the events so far are in o.sworn.partial"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_end_is_the_commands_own),
		cmocka_unit_test(a_command_that_cannot_start_has_the_shells_codes),
		cmocka_unit_test(a_trace_that_cannot_be_created_is_no_missing_command),
		cmocka_unit_test(what_ends_a_run_has_a_status_and_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
