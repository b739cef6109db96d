#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "record/recorder.h"
#include "record/view.h"

static char *user[] = {
	(char *)"B=1",
	(char *)"HOME=/root",
	(char *)"A=2",
	(char *)"LANG=de_DE",
	(char *)"LC_ALL=de",
	(char *)"TZ=Asia/Aden",
	(char *)"SSH_AUTH_SOCK=x",
	(char *)"A_LONGER=3",
	(char *)"TMPDIR=/tmp/x",
	(char *)"TMPDIRS=4",
	NULL,
};
static const struct view_places here = { 0 }, work = { "/work", false }, w = { "/w", true };
static const char *const none[] = { NULL };

static void expect_variables(char **made, const char *const *wanted)
{
	assert_non_null(made);
	for (; *wanted; wanted++, made++) {
		assert_non_null(*made);
		assert_string_equal(*made, *wanted);
	}
	assert_null(*made);
}

static void without_options_all_is_as_it_was(void **state)
{
	(void)state;
	expect_variables(view_environment(user, &here, none), (const char *const *)user);
}

static void a_working_directory_fixes_user_language_and_time_zone(void **state)
{
	static const char *const wanted[] = { "B=1",	       "A=2",		"A_LONGER=3",
					      "TMPDIR=/tmp/x", "TMPDIRS=4",	"HOME=/work",
					      "LANG=C.UTF-8",  "LOGNAME=sworn", "PWD=/work",
					      "TZ=UTC",	       "USER=sworn",	NULL };

	(void)state;
	expect_variables(view_environment(user, &work, none), wanted);
}

static void only_what_is_named_is_left_in_the_order_of_names(void **state)
{
	static const char *const named[] = { "C=4", "A", "A=5", "MISSING", "B=", NULL };
	static const char *const wanted[] = { "C=4", "A=2", "B=", NULL };

	(void)state;
	expect_variables(view_environment(user, &here, named), wanted);
}

static void what_is_named_wins_over_what_is_fixed(void **state)
{
	static const char *const named[] = { "TZ", "LANG=fr_FR", NULL };
	static const char *const wanted[] = {
		"TZ=Asia/Aden", "LANG=fr_FR", "HOME=/w", "LOGNAME=sworn",
		"PWD=/w",	"USER=sworn", NULL
	};

	(void)state;
	expect_variables(view_environment(user, &w, named), wanted);
}

static void a_tmp_of_ones_own_is_where_it_always_is(void **state)
{
	static const char *const wanted[] = { "B=1",	       "A=2",	  "A_LONGER=3",
					      "TMPDIRS=4",     "HOME=/w", "LANG=C.UTF-8",
					      "LOGNAME=sworn", "PWD=/w",  "TZ=UTC",
					      "USER=sworn",    NULL };

	(void)state;
	expect_variables(view_environment(user, &w, none), wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_all_is_as_it_was),
		cmocka_unit_test(a_working_directory_fixes_user_language_and_time_zone),
		cmocka_unit_test(only_what_is_named_is_left_in_the_order_of_names),
		cmocka_unit_test(a_tmp_of_ones_own_is_where_it_always_is),
		cmocka_unit_test(what_is_named_wins_over_what_is_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
