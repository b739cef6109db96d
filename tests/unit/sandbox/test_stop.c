#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/syscall.h>

#include "../../../sandbox/domain.h"
#include "../../../sandbox/filter.h"
#include "traced_child.h"

#define PAGE 0x10000000UL
#define EVENT(event, signal) ((event) << 16 | (signal) << 8 | 0x7f)

static void a_wait_status_tells_its_kind(void **state)
{
	static const struct {
		int status;
		enum stop_kind kind;
	} rows[] = {
		{ EVENT(PTRACE_EVENT_SECCOMP, SIGTRAP), STOP_ENTRY },
		{ EVENT(PTRACE_EVENT_CLONE, SIGTRAP), STOP_CLONE },
		{ EVENT(PTRACE_EVENT_FORK, SIGTRAP), STOP_CLONE },
		{ EVENT(PTRACE_EVENT_VFORK, SIGTRAP), STOP_CLONE },
		{ EVENT(PTRACE_EVENT_EXEC, SIGTRAP), STOP_EXEC },
		{ EVENT(PTRACE_EVENT_EXIT, SIGTRAP), STOP_EXIT },
		{ EVENT(PTRACE_EVENT_STOP, SIGTRAP), STOP_INTERRUPT },
		{ EVENT(PTRACE_EVENT_STOP, SIGSTOP), STOP_GROUP },
		{ EVENT(PTRACE_EVENT_STOP, SIGTTIN), STOP_GROUP },
		{ EVENT(0, SIGTRAP | 0x80), STOP_RETURN },
		{ EVENT(0, SIGTRAP), STOP_SIGNAL },
		{ EVENT(0, SIGSTOP), STOP_SIGNAL },
		{ EVENT(0, SIGSEGV), STOP_SIGNAL },
		{ 0, STOP_GONE },
		{ 7 << 8, STOP_GONE },
		{ SIGKILL, STOP_GONE },
		{ SIGSEGV | 0x80, STOP_GONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(stop_kind(rows[i].status), rows[i].kind);
	assert_int_equal(stop_signal(EVENT(0, SIGSEGV)), SIGSEGV);
}

static void body_of_every_kind(void)
{
	struct filter filter;

	raise(SIGUSR1);
	filter_recording(&filter);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || filter_install(&filter))
		_exit(1);
	syscall(SYS_getppid);
	/* Without the library, which may have calls of its own to make (under sanitizers it has). */
	syscall(SYS_exit_group, syscall(SYS_fork) == 0 ? 0 : 7);
}

static void a_real_child_makes_the_stops_in_order(void **state)
{
	struct traced traced;
	uint8_t siginfo[SIGINFO_BYTES];
	unsigned long message = 0;
	int status;

	(void)state;
	traced_start(&traced, body_of_every_kind);
	status = traced_wait(&traced);
	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_signal(status), SIGUSR1);
	assert_int_equal(stop_siginfo(traced.thread, siginfo), 0);
	assert_int_equal(signal_number(siginfo), SIGUSR1);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_ENTRY);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_int_equal(traced.thread->registers.orig_rax, SYS_getppid);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_SYSCALL)), STOP_RETURN);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_int_equal(traced.thread->registers.rax, getpid());
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_ENTRY);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_CLONE);
	assert_int_equal(stop_message(traced.thread, &message), 0);
	launch_discard((pid_t)message);
	/* Its death may be told before the call that ends the parent. */
	while (stop_kind(status = traced_next(&traced, PTRACE_CONT)) == STOP_SIGNAL)
		assert_int_equal(stop_signal(status), SIGCHLD);
	assert_int_equal(stop_kind(status), STOP_ENTRY);
	while (stop_kind(status = traced_next(&traced, PTRACE_CONT)) == STOP_SIGNAL)
		assert_int_equal(stop_signal(status), SIGCHLD);
	assert_int_equal(stop_kind(status), STOP_EXIT);
	assert_int_equal(stop_message(traced.thread, &message), 0);
	assert_int_equal(message, 7 << 8);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_GONE);
	guests_release(&traced.guests);
}

static void body_that_waits(void)
{
	for (;;)
		pause();
}

static void an_interrupt_and_a_job_control_stop_are_told_apart(void **state)
{
	struct traced traced;

	(void)state;
	traced_start(&traced, body_that_waits);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, traced.thread->tid, NULL, NULL), 0);
	assert_int_equal(stop_kind(traced_wait(&traced)), STOP_INTERRUPT);
	assert_int_equal(kill(traced.thread->tid, SIGSTOP), 0);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_SIGNAL);
	assert_int_equal(stop_resume(traced.thread, PTRACE_CONT, SIGSTOP), 0);
	assert_int_equal(stop_kind(traced_wait(&traced)), STOP_GROUP);
	assert_int_equal(stop_resume(traced.thread, PTRACE_LISTEN, 0), 0);
	assert_int_equal(kill(traced.thread->tid, SIGCONT), 0);
	assert_int_equal(stop_kind(traced_wait(&traced)), STOP_INTERRUPT);
	traced_end(&traced);
}

static void a_guest_that_is_gone_is_said_to_be_gone(void **state)
{
	struct traced traced;
	uint8_t siginfo[SIGINFO_BYTES];
	unsigned long message;
	int status;

	(void)state;
	traced_start(&traced, body_that_waits);
	launch_discard(traced.thread->tid);
	assert_int_equal(stop_resume(traced.thread, PTRACE_CONT, 0), SWORN_EGONE);
	assert_int_equal(stop_wait(traced.thread, &status), SWORN_EGONE);
	assert_int_equal(stop_message(traced.thread, &message), SWORN_EGONE);
	assert_int_equal(stop_siginfo(traced.thread, siginfo), SWORN_EGONE);
	assert_int_equal(stop_get_registers(traced.thread), SWORN_EGONE);
	assert_int_equal(stop_set_registers(traced.thread), SWORN_EGONE);
	guests_release(&traced.guests);
}

/* The name of a thread stands in front of its state and may hold anything. */
static void body_with_a_strange_name(void)
{
	prctl(PR_SET_NAME, "a) Z (b");
	__asm__ volatile("int3");
	body_that_waits();
}

static void a_thread_is_over_as_a_zombie_and_when_it_is_reaped(void **state)
{
	struct traced traced;
	pid_t tid;
	siginfo_t info;

	(void)state;
	traced_start(&traced, body_with_a_strange_name);
	tid = traced.thread->tid;
	traced_ready(&traced);
	assert_false(stop_is_over(tid));
	assert_int_equal(stop_resume(traced.thread, PTRACE_CONT, 0), 0);
	assert_false(stop_is_over(tid));
	assert_int_equal(kill(tid, SIGKILL), 0);
	assert_int_equal(stop_kind(traced_wait(&traced)), STOP_EXIT);
	assert_false(stop_is_over(tid));
	assert_int_equal(stop_resume(traced.thread, PTRACE_CONT, 0), 0);
	assert_int_equal(waitid(P_PID, (id_t)tid, &info, WEXITED | WNOWAIT), 0);
	assert_true(stop_is_over(tid));
	assert_int_equal(stop_kind(traced_wait(&traced)), STOP_GONE);
	assert_true(stop_is_over(tid));
	guests_release(&traced.guests);
}

/* An empty guest at the start of its call page. */
static void stub(struct traced *traced)
{
	pid_t tid;

	*traced = (struct traced){ 0 };
	assert_int_equal(stub_start(-1, -1, 8 << 20, &tid), 0);
	traced->thread = guest_first(&traced->guests, tid, 2);
	assert_non_null(traced->thread);
	assert_int_equal(stop_get_registers(traced->thread), 0);
	traced->thread->registers.rbx = 0x1234;
	traced->thread->registers.r9 = 0x5678;
	traced->thread->registers.rsp = 0x7ffffff0;
	assert_int_equal(stop_set_registers(traced->thread), 0);
}

static int64_t inject(struct traced *traced, bool trap, uint32_t nr, const uint64_t args[6])
{
	int64_t result = 0x7777;

	assert_int_equal(stop_inject(traced->thread, trap, nr, args, &result), 0);
	return result;
}

static const uint64_t map_page[6] = { PAGE,
				      4096,
				      PROT_READ | PROT_WRITE | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      UINT64_MAX,
				      0 };
static const uint64_t unmap_page[6] = { PAGE, 4096 };

static void check_injection(bool trap)
{
	struct traced traced;
	struct registers before, after;
	uint64_t odd[6] = { PAGE + 1, 4096 };

	stub(&traced);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	before = traced.thread->registers;
	assert_int_equal(inject(&traced, trap, SYS_mmap, map_page), PAGE);
	assert_int_equal(guest_write(traced.thread, PAGE, "there", 5), 0);
	assert_int_equal(inject(&traced, trap, SYS_munmap, odd), -EINVAL);
	assert_int_equal(inject(&traced, trap, SYS_munmap, unmap_page), 0);
	assert_int_equal(guest_write(traced.thread, PAGE, "there", 5), -EFAULT);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	after = traced.thread->registers;
	before.orig_rax = after.orig_rax;
	assert_memory_equal(&after, &before, sizeof(after));
	traced_end(&traced);
}

static void a_call_injected_by_trap_runs_and_leaves_the_registers(void **state)
{
	(void)state;
	check_injection(true);
}

static void a_call_injected_by_syscall_stops_runs_and_leaves_the_registers(void **state)
{
	(void)state;
	check_injection(false);
}

static void a_call_that_the_guest_was_about_to_make_is_cancelled(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xcc };
	struct traced traced;
	struct thread *thread;

	(void)state;
	stub(&traced);
	thread = traced.thread;
	inject(&traced, true, SYS_mmap, map_page);
	assert_int_equal(guest_write(thread, PAGE, code, sizeof(code)), 0);
	thread->registers.rip = PAGE;
	thread->registers.rax = SYS_getpid;
	assert_int_equal(stop_set_registers(thread), 0);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_ENTRY);
	assert_int_equal(stop_get_registers(thread), 0);
	assert_int_equal(thread->registers.orig_rax, SYS_getpid);
	assert_int_equal(inject(&traced, true, SYS_madvise, (uint64_t[6]){ PAGE, 4096, MADV_NORMAL }),
			 0);
	assert_int_equal((int64_t)thread->registers.orig_rax, -1);
	thread->registers.rax = 4711;
	assert_int_equal(stop_set_registers(thread), 0);
	assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_SIGNAL);
	assert_int_equal(stop_get_registers(thread), 0);
	assert_int_equal(thread->registers.rip, PAGE + 3);
	assert_int_equal(thread->registers.rax, 4711);
	traced_end(&traced);
}

static void before_there_is_a_call_page_any_syscall_instruction_does(void **state)
{
	static const uint8_t code[] = { 0x90, 0x90, 0x0f, 0x05 };
	struct traced traced;
	struct injection getpid_call = { .nr = SYS_getpid };
	int64_t result = 0;

	(void)state;
	stub(&traced);
	inject(&traced, true, SYS_mmap, map_page);
	assert_int_equal(guest_write(traced.thread, PAGE, code, sizeof(code)), 0);
	assert_int_equal(stop_inject_at(traced.thread, PAGE + 2, &getpid_call, &result), 0);
	assert_int_equal(result, traced.thread->tid);
	traced_end(&traced);
}

static void a_signal_waits_until_the_injected_call_is_over(void **state)
{
	struct traced traced;
	uint64_t mask = 0, blocked = 1ULL << (SIGUSR2 - 1);

	(void)state;
	stub(&traced);
	assert_int_equal(ptrace(PTRACE_SETSIGMASK, traced.thread->tid, sizeof(blocked), &blocked), 0);
	assert_int_equal(kill(traced.thread->tid, SIGUSR1), 0);
	assert_int_equal(inject(&traced, false, SYS_mmap, map_page), PAGE);
	assert_int_equal(ptrace(PTRACE_GETSIGMASK, traced.thread->tid, sizeof(mask), &mask), 0);
	assert_int_equal(mask, blocked);
	int status = traced_next(&traced, PTRACE_CONT);
	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_signal(status), SIGUSR1);
	traced_end(&traced);
}

static void a_guest_killed_during_an_injection_is_gone_and_its_stop_kept(void **state)
{
	int64_t result = 0x7777;

	(void)state;
	for (int trap = 0; trap < 2; trap++) {
		struct traced traced;
		int r;

		stub(&traced);
		r = stop_inject(traced.thread, trap, SYS_exit_group, (uint64_t[6]){ 9 }, &result);
		assert_int_equal(r, SWORN_EGONE);
		assert_int_equal(stop_kind(traced.thread->stop_status), STOP_EXIT);
		assert_int_equal(result, 0x7777);
		assert_int_equal(stop_kind(traced_next(&traced, PTRACE_CONT)), STOP_GONE);
		guests_release(&traced.guests);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_status_tells_its_kind),
		cmocka_unit_test(a_real_child_makes_the_stops_in_order),
		cmocka_unit_test(an_interrupt_and_a_job_control_stop_are_told_apart),
		cmocka_unit_test(a_guest_that_is_gone_is_said_to_be_gone),
		cmocka_unit_test(a_thread_is_over_as_a_zombie_and_when_it_is_reaped),
		cmocka_unit_test(a_call_injected_by_trap_runs_and_leaves_the_registers),
		cmocka_unit_test(a_call_injected_by_syscall_stops_runs_and_leaves_the_registers),
		cmocka_unit_test(a_call_that_the_guest_was_about_to_make_is_cancelled),
		cmocka_unit_test(before_there_is_a_call_page_any_syscall_instruction_does),
		cmocka_unit_test(a_signal_waits_until_the_injected_call_is_over),
		cmocka_unit_test(a_guest_killed_during_an_injection_is_gone_and_its_stop_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
