#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "../../../sandbox/seccomp.h"

static int add(struct seccomp *seccomp, uint32_t value)
{
	const struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, value) };

	return seccomp_install(seccomp, code, 1);
}

static struct ruling ask(const struct seccomp *seccomp, int nr)
{
	const struct seccomp_data data = { .nr = nr };

	return seccomp_judge(seccomp, &data);
}

static void the_strictest_action_wins(void **state)
{
	static const struct {
		uint32_t value;
		enum ruling_kind kind;
		uint16_t data;
	} steps[] = {
		{ SECCOMP_RET_ALLOW, RULING_RUN, 0 },
		{ SECCOMP_RET_LOG, RULING_RUN, 0 },
		{ SECCOMP_RET_TRACE | 3, RULING_ERROR, ENOSYS },
		{ SECCOMP_RET_USER_NOTIF, RULING_ERROR, ENOSYS },
		{ SECCOMP_RET_ERRNO | 5, RULING_ERROR, 5 },
		{ SECCOMP_RET_ERRNO | 6, RULING_ERROR, 6 },
		{ SECCOMP_RET_TRAP | 9, RULING_TRAP, 9 },
		{ SECCOMP_RET_KILL_THREAD, RULING_KILL_THREAD, 0 },
		{ SECCOMP_RET_KILL_PROCESS | 1, RULING_KILL_PROCESS, 1 },
	};
	struct seccomp up = { 0 }, down = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct ruling ruling;

		assert_int_equal(add(&up, steps[i].value), 0);
		ruling = ask(&up, SYS_getpid);
		assert_int_equal(ruling.kind, steps[i].kind);
		assert_true(ruling.kind == RULING_RUN || ruling.data == steps[i].data);
		assert_int_equal(add(&down, steps[8 - i].value), 0);
		assert_int_equal(ask(&down, SYS_getpid).kind, RULING_KILL_PROCESS);
	}
	seccomp_release(&up);
	seccomp_release(&down);
}

static void errors_and_unknown_actions_have_their_limits(void **state)
{
	struct seccomp large = { 0 }, unknown = { 0 };

	(void)state;
	assert_int_equal(add(&large, SECCOMP_RET_ERRNO | 0xffff), 0);
	assert_int_equal(ask(&large, 1).data, 4095);
	assert_int_equal(add(&unknown, 0x12340000), 0);
	assert_int_equal(ask(&unknown, 1).kind, RULING_KILL_PROCESS);
	seccomp_release(&large);
	seccomp_release(&unknown);
}

static void strict_mode_leaves_four_calls(void **state)
{
	static const int left[] = { SYS_read, SYS_write, SYS_exit, SYS_rt_sigreturn };
	struct seccomp strict = { .mode = SECCOMP_MODE_STRICT };
	unsigned int running = 0;

	(void)state;
	for (int nr = -1; nr < 500; nr++)
		running += ask(&strict, nr).kind == RULING_RUN;
	assert_int_equal(running, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(ask(&strict, left[i]).kind, RULING_RUN);
	assert_int_equal(add(&strict, SECCOMP_RET_ALLOW), -EINVAL);
}

static void filters_are_shared_and_outlive_their_installer(void **state)
{
	struct seccomp parent = { 0 }, child;

	(void)state;
	assert_int_equal(add(&parent, SECCOMP_RET_ERRNO | 5), 0);
	seccomp_inherit(&parent, &child);
	assert_int_equal(add(&parent, SECCOMP_RET_TRAP), 0);
	assert_int_equal(ask(&child, 1).kind, RULING_ERROR);
	assert_true(seccomp_covers(&parent, &child));
	assert_false(seccomp_covers(&child, &parent));
	seccomp_release(&parent);
	assert_int_equal(ask(&child, 1).data, 5);
	seccomp_release(&child);
	assert_true(seccomp_covers(&parent, &(struct seccomp){ 0 }));
}

static void a_chain_has_a_limit(void **state)
{
	static struct sock_filter code[4096];
	struct seccomp seccomp = { 0 };

	(void)state;
	for (size_t i = 0; i < 4096; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(seccomp_install(&seccomp, code, 4096), 0);
	assert_int_equal(seccomp_install(&seccomp, code, 4096), -ENOMEM);
	assert_int_equal(seccomp_install(&seccomp, code, 32768 - 7 * 4100), 0);
	assert_int_equal(seccomp_install(&seccomp, code, 1), -ENOMEM);
	seccomp_release(&seccomp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strictest_action_wins),
		cmocka_unit_test(errors_and_unknown_actions_have_their_limits),
		cmocka_unit_test(strict_mode_leaves_four_calls),
		cmocka_unit_test(filters_are_shared_and_outlive_their_installer),
		cmocka_unit_test(a_chain_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
