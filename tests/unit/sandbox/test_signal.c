#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "../../../sandbox/signal.h"

#define IGNORE ((uint64_t)(uintptr_t)SIG_IGN)
#define HANDLER 0x401000

static struct signal_table *table_with(int signal, uint64_t handler)
{
	struct signal_table *table = signal_table_new();

	assert_non_null(table);
	table->actions[signal - 1].handler = handler;
	return table;
}

static void default_actions_are_those_of_signal_7(void **state)
{
	static const int ignored[] = { SIGCHLD, SIGURG, SIGWINCH };
	static const int stopping[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	struct signal_table *table = signal_table_new();
	unsigned int fatal = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		assert_int_equal(signal_effect(table, ignored[i]), EFFECT_IGNORE);
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
		assert_int_equal(signal_effect(table, stopping[i]), EFFECT_STOP);
	assert_int_equal(signal_effect(table, SIGCONT), EFFECT_CONTINUE);
	for (int signal = 1; signal <= SIGNALS; signal++)
		fatal += signal_effect(table, signal) == EFFECT_FATAL;
	assert_int_equal(fatal, SIGNALS - 3 - 4 - 1);
	signal_table_release(table);
}

static void a_disposition_replaces_the_default(void **state)
{
	struct signal_table *table = table_with(SIGTERM, HANDLER);

	(void)state;
	assert_int_equal(signal_effect(table, SIGTERM), EFFECT_HANDLE);
	assert_int_equal(signal_effect(table, SIGINT), EFFECT_FATAL);
	table->actions[SIGTERM - 1].handler = IGNORE;
	assert_int_equal(signal_effect(table, SIGTERM), EFFECT_IGNORE);
	table->actions[SIGCHLD - 1].handler = HANDLER;
	assert_int_equal(signal_effect(table, SIGCHLD), EFFECT_HANDLE);
	signal_table_release(table);
}

static void kill_and_stop_listen_to_no_disposition(void **state)
{
	struct signal_table *table = table_with(SIGKILL, IGNORE);

	(void)state;
	table->actions[SIGSTOP - 1].handler = HANDLER;
	assert_int_equal(signal_effect(table, SIGKILL), EFFECT_FATAL);
	assert_int_equal(signal_effect(table, SIGSTOP), EFFECT_STOP);
	signal_table_release(table);
}

static void a_number_that_is_no_signal_does_nothing(void **state)
{
	struct signal_table *table = table_with(1, HANDLER);

	(void)state;
	table->actions[SIGNALS - 1].handler = HANDLER;
	assert_int_equal(signal_effect(table, 0), EFFECT_IGNORE);
	assert_int_equal(signal_effect(table, -1), EFFECT_IGNORE);
	assert_int_equal(signal_effect(table, SIGNALS), EFFECT_HANDLE);
	assert_int_equal(signal_effect(table, SIGNALS + 1), EFFECT_IGNORE);
	signal_table_release(table);
}

static void a_copy_changes_on_its_own(void **state)
{
	struct signal_table *table = table_with(SIGUSR1, HANDLER);
	struct signal_table *copy = signal_table_copy(table);

	(void)state;
	assert_int_equal(copy->references, 1);
	assert_int_equal(copy->actions[SIGUSR1 - 1].handler, HANDLER);
	copy->actions[SIGUSR1 - 1].handler = 0;
	assert_int_equal(table->actions[SIGUSR1 - 1].handler, HANDLER);
	signal_table_release(copy);
	signal_table_release(table);
}

static void a_shared_table_lives_as_long_as_its_last_user(void **state)
{
	struct signal_table *table = table_with(SIGUSR1, HANDLER);

	(void)state;
	table->references++;
	signal_table_release(table);
	assert_int_equal(table->references, 1);
	assert_int_equal(table->actions[SIGUSR1 - 1].handler, HANDLER);
	signal_table_release(table);
	signal_table_release(NULL);
}

static void exec_makes_handlers_default_and_keeps_what_is_ignored(void **state)
{
	static const struct signal_disposition none = { 0 };
	struct signal_table *table = signal_table_new();
	struct signal_disposition *handled = &table->actions[SIGUSR1 - 1];
	struct signal_disposition *ignored = &table->actions[SIGPIPE - 1];

	(void)state;
	*handled = (struct signal_disposition){ HANDLER, SA_RESTART, 0x402000, 7 };
	*ignored = (struct signal_disposition){ IGNORE, SA_RESTART, 0x402000, 7 };
	signal_table_exec(table);
	assert_memory_equal(handled, &none, sizeof(none));
	assert_int_equal(ignored->handler, IGNORE);
	assert_int_equal(ignored->flags, 0);
	assert_int_equal(ignored->restorer, 0);
	assert_int_equal(ignored->mask, 0);
	signal_table_release(table);
}

static void a_mask_changes_as_sigprocmask_says(void **state)
{
	uint64_t old = signal_bit(SIGINT) | signal_bit(SIGUSR1);
	uint64_t set = signal_bit(SIGUSR1) | signal_bit(SIGTERM);

	(void)state;
	assert_int_equal(signal_mask_change(old, SIG_BLOCK, set), old | signal_bit(SIGTERM));
	assert_int_equal(signal_mask_change(old, SIG_UNBLOCK, set), signal_bit(SIGINT));
	assert_int_equal(signal_mask_change(old, SIG_SETMASK, set), set);
	assert_int_equal(signal_mask_change(old, 17, set), old);
}

static void kill_and_stop_are_never_blocked(void **state)
{
	uint64_t both = signal_bit(SIGKILL) | signal_bit(SIGSTOP);

	(void)state;
	assert_int_equal(signal_mask_change(0, SIG_SETMASK, UINT64_MAX), ~both);
	assert_int_equal(signal_mask_change(0, SIG_BLOCK, UINT64_MAX), ~both);
}

static bool is_synchronous(int signal, int code)
{
	uint8_t bytes[sizeof(siginfo_t) + 1];
	siginfo_t info = { .si_signo = signal, .si_code = code };

	/* Siginfo comes out of byte strings: it need not be aligned. */
	memcpy(bytes + 1, &info, sizeof(info));
	assert_int_equal(signal_number(bytes + 1), signal);
	return signal_is_synchronous(bytes + 1);
}

static void only_what_an_instruction_raises_is_synchronous(void **state)
{
	(void)state;
	assert_true(is_synchronous(SIGSEGV, SEGV_MAPERR));
	assert_true(is_synchronous(SIGSEGV, SI_KERNEL));
	assert_true(is_synchronous(SIGBUS, BUS_ADRERR));
	assert_true(is_synchronous(SIGFPE, FPE_INTDIV));
	assert_true(is_synchronous(SIGILL, ILL_ILLOPN));
	assert_true(is_synchronous(SIGTRAP, TRAP_BRKPT));
	assert_false(is_synchronous(SIGSEGV, SI_USER));
	assert_false(is_synchronous(SIGSEGV, SI_TKILL));
	assert_false(is_synchronous(SIGFPE, SI_QUEUE));
	assert_false(is_synchronous(SIGALRM, SI_KERNEL));
	assert_false(is_synchronous(SIGCHLD, CLD_EXITED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_actions_are_those_of_signal_7),
		cmocka_unit_test(a_disposition_replaces_the_default),
		cmocka_unit_test(kill_and_stop_listen_to_no_disposition),
		cmocka_unit_test(a_number_that_is_no_signal_does_nothing),
		cmocka_unit_test(a_copy_changes_on_its_own),
		cmocka_unit_test(a_shared_table_lives_as_long_as_its_last_user),
		cmocka_unit_test(exec_makes_handlers_default_and_keeps_what_is_ignored),
		cmocka_unit_test(a_mask_changes_as_sigprocmask_says),
		cmocka_unit_test(kill_and_stop_are_never_blocked),
		cmocka_unit_test(only_what_an_instruction_raises_is_synchronous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
