#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../../sandbox/domain.h"
#include "../../../sandbox/filter.h"

/* What the kernel would do: the few instructions that filters here use. */
static uint32_t evaluate(const struct filter *filter, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned i = 0; i < filter->count; i++) {
		const struct sock_filter *s = &filter->code[i];
		bool taken;

		switch (s->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(s->k + 4 <= sizeof(*data) && s->k % 4 == 0);
			memcpy(&a, (const char *)data + s->k, 4);
			continue;
		case BPF_RET | BPF_K: return s->k;
		case BPF_JMP | BPF_JEQ | BPF_K: taken = a == s->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: taken = a >= s->k; break;
		case BPF_JMP | BPF_JSET | BPF_K: taken = a & s->k; break;
		default: fail_msg("instruction %u", s->code); return 0;
		}
		i += taken ? s->jt : s->jf;
	}
	fail_msg("fell off the end");
	return 0;
}

static uint32_t ask(const struct filter *filter, int nr, uint64_t ip, uint64_t argument)
{
	struct seccomp_data data = {
		.nr = nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ip, .args = { argument }
	};

	return evaluate(filter, &data);
}

static void check_guest_filter(const struct filter *filter, const int *listed, size_t count)
{
	uint64_t elsewhere[] = { 0,
				 CALL_PAGE_AFTER - 2,
				 CALL_PAGE_AFTER - 1,
				 CALL_PAGE_AFTER + 1,
				 CALL_PAGE_AFTER + (1UL << 32),
				 CALL_PAGE_AFTER + (1UL << 47) };

	for (int nr = 0; nr < 700; nr++) {
		uint32_t expected = SECCOMP_RET_TRACE;

		for (size_t i = 0; i < count; i++) {
			if (listed[i] == nr)
				expected = SECCOMP_RET_ALLOW;
		}
		assert_int_equal(ask(filter, nr, CALL_PAGE_AFTER, 0), expected);
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
			assert_int_equal(ask(filter, nr, elsewhere[i], 0), SECCOMP_RET_TRACE);
		assert_int_equal(ask(filter, nr | 0x40000000, CALL_PAGE_AFTER, 0), SECCOMP_RET_TRACE);
	}
	assert_int_equal(ask(filter, -1, CALL_PAGE_AFTER, 0), SECCOMP_RET_TRACE);
	assert_int_equal(ask(filter, -1, 0, 0), SECCOMP_RET_TRACE);
}

static void filter_recording_allows_only_listed_calls_of_the_page(void **state)
{
	static const int listed[] = { SYS_mmap,		  SYS_munmap,  SYS_mprotect,
				      SYS_mremap,	  SYS_madvise, SYS_rt_sigaction,
				      SYS_rt_sigprocmask, SYS_prctl,   SYS_arch_prctl,
				      SYS_close };
	struct filter filter;

	(void)state;
	filter_recording(&filter);
	check_guest_filter(&filter, listed, sizeof(listed) / sizeof(listed[0]));
}

static void filter_replay_allows_only_listed_calls_of_the_page(void **state)
{
	static const int listed[] = { SYS_mmap,	  SYS_munmap,	  SYS_mprotect,
				      SYS_mremap, SYS_madvise,	  SYS_clone,
				      SYS_exit,	  SYS_exit_group, 462 /* mseal */ };
	struct filter filter;

	(void)state;
	filter_replay(&filter);
	check_guest_filter(&filter, listed, sizeof(listed) / sizeof(listed[0]));
}

static void filter_replay_kills_clones_into_namespaces(void **state)
{
	static const uint64_t refused[] = { 0x20000,	0x2000000,  0x4000000,	0x8000000,
					    0x10000000, 0x20000000, 0x40000000, 0x800000 };
	struct filter filter;

	(void)state;
	filter_replay(&filter);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(ask(&filter, SYS_clone, CALL_PAGE_AFTER, refused[i] | SIGCHLD),
				 SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(ask(&filter, SYS_clone, 0x1000, refused[i]), SECCOMP_RET_TRACE);
	}
	assert_int_equal(ask(&filter, SYS_clone, CALL_PAGE_AFTER, 0x3d0f00 & ~0x20000ULL),
			 SECCOMP_RET_ALLOW);
}

static void filters_of_guests_allow_one_kind_of_userfaultfd_on_the_page(void **state)
{
	static const uint64_t others[] = { 0, 1, 0x80000, 0x80801, 0x80003 };
	struct filter filters[2];

	(void)state;
	filter_recording(&filters[0]);
	filter_replay(&filters[1]);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ask(&filters[i], SYS_userfaultfd, CALL_PAGE_AFTER, 0x80001),
				 SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&filters[i], SYS_userfaultfd, 0x1000, 0x80001), SECCOMP_RET_TRACE);
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			assert_int_equal(ask(&filters[i], SYS_userfaultfd, CALL_PAGE_AFTER, others[k]),
					 SECCOMP_RET_TRACE);
	}
}

static void filter_kills_other_architectures(void **state)
{
	struct seccomp_data data = { .nr = SYS_mmap,
				     .arch = AUDIT_ARCH_I386,
				     .instruction_pointer = CALL_PAGE_AFTER };
	struct filter filter;

	(void)state;
	filter_recording(&filter);
	assert_int_equal(evaluate(&filter, &data), SECCOMP_RET_KILL_PROCESS);
	filter_replay(&filter);
	assert_int_equal(evaluate(&filter, &data), SECCOMP_RET_KILL_PROCESS);
	filter_supervisor(&filter);
	assert_int_equal(evaluate(&filter, &data), SECCOMP_RET_KILL_PROCESS);
}

static void filter_supervisor_hides_nothing_from_a_tracer_and_takes_no_call_of_guests(void **state)
{
	struct filter supervisor, replay;

	(void)state;
	filter_supervisor(&supervisor);
	filter_replay(&replay);
	for (int nr = 0; nr < 700; nr++) {
		uint32_t r = ask(&supervisor, nr, CALL_PAGE_AFTER, 0);

		assert_true(r == SECCOMP_RET_ALLOW || r == SECCOMP_RET_TRACE);
		if (ask(&replay, nr, CALL_PAGE_AFTER, 0) == SECCOMP_RET_ALLOW)
			assert_int_equal(r, SECCOMP_RET_ALLOW);
	}
	assert_int_equal(ask(&supervisor, SYS_socket, 0, 0), SECCOMP_RET_TRACE);
	assert_int_equal(ask(&supervisor, SYS_ptrace, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&supervisor, SYS_clone, 0, 0x10000000), SECCOMP_RET_TRACE);
}

/* Bodies for a child under the supervisor's filter. */
static int refused_calls(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == ENOSYS &&
			       syscall(SYS_unshare, 0x10000000) == -1 && errno == ENOSYS &&
			       syscall(SYS_execve, "/bin/true", NULL, NULL) == -1 && errno == ENOSYS
		       ? 0
		       : 1;
}

static int int_0x80(void)
{
	int r = 20; /* getpid in the 32-bit table */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r > 0 || r == -ENOSYS;
}

static int x32(void)
{
	return syscall(0x40000000 + SYS_getpid) != -1 || errno != ENOSYS;
}

static int under_filter(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct filter filter;

		filter_supervisor(&filter);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || filter_install(&filter))
			_exit(9);
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void filter_supervisor_works_in_the_kernel(void **state)
{
	int status;

	(void)state;
	assert_int_equal(under_filter(refused_calls), 0);
	status = under_filter(int_0x80);
	assert_true(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
	assert_int_equal(under_filter(x32), 0);
}

static void filter_install_reports_what_the_kernel_says(void **state)
{
	struct filter filter = { .count = 0 };

	(void)state;
	assert_int_equal(filter_install(&filter), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_recording_allows_only_listed_calls_of_the_page),
		cmocka_unit_test(filter_replay_allows_only_listed_calls_of_the_page),
		cmocka_unit_test(filter_replay_kills_clones_into_namespaces),
		cmocka_unit_test(filters_of_guests_allow_one_kind_of_userfaultfd_on_the_page),
		cmocka_unit_test(filter_kills_other_architectures),
		cmocka_unit_test(filter_supervisor_hides_nothing_from_a_tracer_and_takes_no_call_of_guests),
		cmocka_unit_test(filter_supervisor_works_in_the_kernel),
		cmocka_unit_test(filter_install_reports_what_the_kernel_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
