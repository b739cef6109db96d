#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "replay/report.h"
#include "traces/error.h"

static char *text;

static const char *printed(const struct outcome *outcome)
{
	size_t length;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	assert_non_null(out);
	outcome_print(out, outcome);
	fclose(out);
	return text;
}

static void only_an_identical_replay_is_zero(void **state)
{
	(void)state;
	assert_int_equal(outcome_code(0), 0);
	for (int error = -5100; error < 0; error++) {
		assert_int_not_equal(outcome_code(error), CODE_IDENTICAL);
		assert_null(strstr(outcome_verdict(error), "identical"));
		assert_non_null(outcome_advice(error));
	}
}

static void errors_have_the_codes_that_scripts_rely_on(void **state)
{
	(void)state;
	assert_int_equal(outcome_code(SWORN_EDIVERGED), 1);
	assert_int_equal(outcome_code(SWORN_ENEEDSPMU), 3);
	assert_int_equal(outcome_code(SWORN_EHOST), 3);
	assert_int_equal(outcome_code(SWORN_EOLDTABLE), 3);
	assert_int_equal(outcome_code(-EOVERFLOW), 3);
	assert_int_equal(outcome_code(-EIO), 3);
	assert_int_equal(outcome_code(SWORN_ENOTRACE), 4);
	assert_int_equal(outcome_code(SWORN_ETRUNCATED), 5);
	assert_int_equal(outcome_code(SWORN_EREFUSED), 5);
	assert_string_equal(outcome_verdict(-EOVERFLOW), "could not tell");
	assert_non_null(strstr(outcome_advice(SWORN_ENEEDSPMU), "--preempt calls"));
}

static void the_line_of_a_tenant_ends_in_the_verdict(void **state)
{
	static struct replayer replayer = {
		.played = 5, .checkpoints = 2, .ended = true, .guests = { .units_count = 1 }
	};
	struct outcome outcome = { .name = "t", .replayer = &replayer, .trace = { .events = 5 } };
	const char *expected = "tenant default: 5 of 5 events, 1 unit, 2 checkpoints, state sha256:"
			       "0000000000000000000000000000000000000000000000000000000000000000, "
			       "isolation (none): identical\n";

	(void)state;
	assert_string_equal(printed(&outcome), expected);
}

static void a_divergence_is_told_with_all_that_is_known(void **state)
{
	static struct replayer replayer = { .played = 4 };
	struct outcome outcome = {
		.name = "t", .replayer = &replayer, .trace = { .events = 5 }, .error = SWORN_EDIVERGED
	};
	struct divergence *d = &replayer.divergence;
	char backtrace[] = "#0 0x10 f+0x1 (p)\n#1 0x20 main at p.c:3 (p)";

	(void)state;
	*d = (struct divergence){
		.found = true, .event = 4, .thread = 2, .unit = 3, .call = "write", .where = "argument 1"
	};
	strcpy(d->expected, "abc");
	strcpy(d->actual, "abd");
	strcpy(d->previous[0], "3 thread 2 close(3) = 0");
	d->previous_count = 1;
	d->backtrace = backtrace;
	assert_non_null(strstr(printed(&outcome),
			       "diverged\n  first difference at event 4: tenant default, unit 3, "
			       "thread 2, write\n    where     argument 1\n    expected  abc\n"
			       "    actual    abd\n  events before:\n    3 thread 2 close(3) = 0\n"
			       "  the guest stands at:\n    #0 0x10 f+0x1 (p)\n"
			       "    #1 0x20 main at p.c:3 (p)\n  next: "));
}

static void a_trace_that_was_not_played_is_called_by_its_name(void **state)
{
	struct outcome outcome = { .name = "gone.sworn", .error = -ENOENT, .reason = "it cannot be opened" };

	(void)state;
	assert_int_equal(strncmp(printed(&outcome),
				 "gone.sworn: no trace\n  it cannot be opened\n  next: ", 48),
			 0);
	outcome.name = NULL;
	assert_int_equal(strncmp(printed(&outcome), "@latest: no trace\n", 18), 0);
}

static int release(void **state)
{
	(void)state;
	free(text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_identical_replay_is_zero),
		cmocka_unit_test(errors_have_the_codes_that_scripts_rely_on),
		cmocka_unit_test(the_line_of_a_tenant_ends_in_the_verdict),
		cmocka_unit_test(a_divergence_is_told_with_all_that_is_known),
		cmocka_unit_test(a_trace_that_was_not_played_is_called_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
