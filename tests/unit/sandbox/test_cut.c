/*
 * Cutting and coming back, on any host with debug registers: the counter of branches is replaced by a
 * watchpoint on the guest's own `ticks`, everything else is the kernel's. SWORN_SOAK=SECONDS keeps on
 * with new seeds.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "cut_scenario.h"
#include "watched_counter.h"

#include <cmocka.h>

static const struct scenario scenarios[] = {
	{ .run = tight, .name = "tight", .rounds = 3000, .period_min = 50, .period_max = 600 },
	{ .run = nested, .name = "nested", .rounds = 5000, .period_min = 50, .period_max = 600 },
	{ .run = sort, .name = "sort", .rounds = 6000, .period_min = 50, .period_max = 600 },
	{ .run = digest, .name = "digest", .rounds = 5000, .period_min = 50, .period_max = 600 },
	{ .run = copy, .name = "copy", .rounds = 2000, .period_min = 20, .period_max = 200 },
	{ .run = recursion, .name = "recursion", .rounds = 5000, .period_min = 50, .period_max = 600 },
	{ .run = interpret, .name = "interpret", .rounds = 2000, .period_min = 20, .period_max = 200 },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static unsigned int soak_seed = 1;

static bool run_all(void)
{
	static struct scenario s;

	for (size_t i = 0; i < SCENARIOS; i++) {
		s = scenarios[i];
		s.seed = soak_seed;
		s.tuning = small;
		if (!scenario_run(&s))
			return false;
		if (s.cuts_count < 4)
			FAIL("%s: only %zu cuts\n", s.name, s.cuts_count);
		if (getenv("SWORN_SOAK"))
			printf("%s: %zu cuts, %u at addresses, %.1f ms each\n", s.name,
			       s.cuts_count, s.addresses, s.seconds * 1e3 / (double)s.cuts_count);
	}
	return true;
}

static void every_cut_is_reached_exactly(void **state)
{
	(void)state;
	assert_true(run_all());
}

static void every_cut_is_reached_exactly_without_privileges(void **state)
{
	(void)state;
	assert_int_equal(run_as_nobody(run_all), 0);
}

static void every_cut_is_reached_exactly_on_a_busy_cpu(void **state)
{
	pid_t busy[2] = { busy_start(), busy_start() };
	bool done;

	(void)state;
	soak_seed++;
	done = run_all();
	busy_end(busy[0]);
	busy_end(busy[1]);
	assert_true(done);
}

static uint64_t guest_mask(const struct guest *guest)
{
	uint64_t mask = 0;

	assert_int_equal(ptrace(PTRACE_GETSIGMASK, guest->tid, sizeof(mask), &mask), 0);
	return mask;
}

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void an_overflow_stops_a_guest_that_blocks_all_signals(void **state)
{
	struct guest guest;
	uint64_t mask, count;
	int status;

	(void)state;
	assert_true(guest_start(tight, 10000, block_all, &guest));
	mask = guest_mask(&guest);
	assert_true(mask >> (CUT_SIGNAL - 1) & 1);
	assert_int_equal(counter_start(guest.counter, 100), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(counter_stop(guest.counter), 0);
	assert_int_equal(counter_read(guest.counter, &count), 0);
	assert_int_equal(count, 100);
	assert_int_equal(guest_mask(&guest), mask);
	guest_end(&guest);
}

static uint64_t ignoring(uint64_t rounds)
{
	signal(SIGTRAP, SIG_IGN);
	return nested(rounds);
}

static void choosing_leaves_a_guests_mask_and_ignored_sigtrap_alone(void **state)
{
	struct position position;
	struct guest guest;
	unsigned long long ignored = 0;
	uint64_t mask;
	char path[64], line[256];
	int status;
	FILE *file;

	(void)state;
	assert_true(guest_start(ignoring, 4000, block_all, &guest));
	guest_tune(&guest, &small);
	mask = guest_mask(&guest);
	assert_int_equal(counter_start(guest.counter, 200), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(cut_choose(guest.tid, guest.mem_fd, guest.counter, &position, &status), 0);
	assert_int_equal(position.kind, TURN_ADDRESS);
	assert_int_equal(guest_mask(&guest), mask);
	snprintf(path, sizeof(path), "/proc/%d/status", guest.tid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "SigIgn:", 7) == 0)
			ignored = strtoull(line + 7, NULL, 16);
	fclose(file);
	assert_int_equal(ignored >> (SIGTRAP - 1) & 1, 1);
	guest_end(&guest);
}

static uint64_t pause_twice(uint64_t rounds)
{
	tight(rounds);
	__asm__ volatile("int3");
	return tight(rounds);
}

static void a_count_goes_on_over_a_stop_that_is_no_event(void **state)
{
	struct guest guest;
	uint64_t count;
	int status;

	(void)state;
	assert_true(guest_start(pause_twice, 70, NULL, &guest));
	assert_int_equal(counter_start(guest.counter, 100), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 0);
	assert_int_equal(status, AT_INT3);
	assert_int_equal(counter_read(guest.counter, &count), 0);
	assert_int_equal(count, 70);
	assert_int_equal(counter_resume(guest.counter), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(counter_read(guest.counter, &count), 0);
	assert_int_equal(count, 100);
	guest_end(&guest);
}

static uint64_t spin(uint64_t rounds)
{
	__asm__ volatile("1: jmp 1b");
	return rounds;
}

static void a_spin_without_branches_ends_with_its_time(void **state)
{
	struct guest guest;
	int status;

	(void)state;
	assert_true(guest_start(spin, 0, NULL, &guest));
	assert_int_equal(counter_start(guest.counter, 100), 0);
	assert_int_equal(counter_limit(guest.counter, 2000000), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 2);
	assert_int_equal(counter_stop(guest.counter), 0);
	guest_end(&guest);
}

static void trap_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	signal(SIGSEGV, SIG_DFL); /* cmocka's handler */
}

static uint64_t call_parent(uint64_t rounds)
{
	uint64_t result = SYS_getppid;

	tight(rounds);
	__asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
	return result;
}

static uint64_t read_clock(uint64_t rounds)
{
	tight(rounds);
	__asm__ volatile("rdtsc" : : : "rax", "rdx");
	return rounds;
}

static bool has_queued_signal(const struct guest *guest)
{
	struct __ptrace_peeksiginfo_args args = { .nr = 1 };
	siginfo_t info;

	return ptrace(PTRACE_PEEKSIGINFO, guest->tid, &args, &info) > 0;
}

/* Runs the guest to its next stop while an interrupt, already due, cannot get through. */
static void run_with_queued_interrupt(struct guest *guest, int *ret_status)
{
	uint64_t mask = 1ULL << (CUT_SIGNAL - 1);
	siginfo_t info;

	assert_int_equal(counter_start(guest->counter, 10), 0);
	assert_int_equal(ptrace(PTRACE_SETSIGMASK, guest->tid, sizeof(mask), &mask), 0);
	guest_resume(guest);
	assert_int_equal(waitid(P_PID, (id_t)guest->tid, &info, WSTOPPED | WNOWAIT | __WALL), 0);
	assert_true(has_queued_signal(guest));
	assert_int_equal(cut_wait(guest->tid, guest->counter, ret_status), 0);
	assert_false(has_queued_signal(guest));
}

static void an_interrupt_due_at_a_call_does_not_survive_the_stop(void **state)
{
	struct registers registers;
	struct guest guest;
	int status;

	(void)state;
	assert_true(guest_start(call_parent, 15, trap_calls, &guest));
	run_with_queued_interrupt(&guest, &status);
	assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	assert_int_equal(register_get(guest.tid, &registers), 0);
	assert_int_equal(registers.orig_rax, SYS_getppid);
	guest_resume(&guest);
	assert_int_equal(waitpid(guest.tid, &status, __WALL), guest.tid);
	assert_int_equal(status, AT_INT3);
	assert_int_equal(register_get(guest.tid, &registers), 0);
	assert_int_equal(registers.rax, getpid());
	guest_end(&guest);
}

static void an_interrupt_due_at_a_fault_leaves_the_fault_as_it_was(void **state)
{
	struct guest guest;
	siginfo_t info;
	int status;

	(void)state;
	assert_true(guest_start(read_clock, 15, trap_calls, &guest));
	run_with_queued_interrupt(&guest, &status);
	assert_int_equal(status, SIGSEGV << 8 | 0x7f);
	assert_int_equal(ptrace(PTRACE_GETSIGINFO, guest.tid, NULL, &info), 0);
	assert_int_equal(info.si_signo, SIGSEGV);
	assert_int_equal(info.si_code, SI_KERNEL);
	/* Delivered as it is, it ends the guest. */
	ptrace(PTRACE_CONT, guest.tid, NULL, SIGSEGV);
	assert_int_equal(waitpid(guest.tid, &status, __WALL), guest.tid);
	assert_int_equal(status & ~0x80, SIGSEGV);
	counter_close(guest.counter);
	close(guest.mem_fd);
}

static void choosing_ends_at_another_stop(void **state)
{
	struct position position;
	struct guest guest;
	int status = 0;

	(void)state;
	assert_true(guest_start(read_clock, 120, trap_calls, &guest));
	guest_tune(&guest, &(struct cut_tuning){ .rare = 10000, .look_ns = 1000000000, .looks = 1 });
	assert_int_equal(counter_start(guest.counter, 100), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(cut_choose(guest.tid, guest.mem_fd, guest.counter, &position, &status), 1);
	assert_int_equal(status, SIGSEGV << 8 | 0x7f);
	guest_end(&guest);
}

static void reaching_ends_at_another_stop(void **state)
{
	struct position position = { .kind = TURN_COUNT, .count = 500 };
	struct registers found;
	struct guest guest;
	int status = 0;

	(void)state;
	assert_true(guest_start(read_clock, 120, trap_calls, &guest));
	assert_int_equal(register_get(guest.tid, &position.registers), 0);
	assert_int_equal(cut_reach(guest.tid, guest.mem_fd, guest.counter, &position, &status, &found),
			 1);
	assert_int_equal(status, SIGSEGV << 8 | 0x7f);
	guest_end(&guest);
}

static void a_killed_guest_is_another_stop(void **state)
{
	struct position position = { .kind = TURN_COUNT, .count = 500 };
	struct registers found;
	struct guest guest;
	int status = 0;

	(void)state;
	assert_true(guest_start(tight, 1000, NULL, &guest));
	kill(guest.tid, SIGKILL);
	assert_int_equal(cut_reach(guest.tid, guest.mem_fd, guest.counter, &position, &status, &found),
			 1);
	assert_true(WIFSIGNALED(status));
	guest_end(&guest);
}

/* A position in the tight loop, by way of recording it. */
static void position_in_tight(uint64_t count, struct position *ret)
{
	struct guest guest;
	int status;

	assert_true(guest_start(tight, 1000, NULL, &guest));
	assert_int_equal(counter_start(guest.counter, count), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(counter_read(guest.counter, &ret->count), 0);
	assert_int_equal(register_get(guest.tid, &ret->registers), 0);
	ret->kind = TURN_COUNT;
	guest_end(&guest);
}

static int reach_in_tight(const struct position *position, const struct cut_tuning *tuning,
			  struct registers *ret_found)
{
	struct guest guest;
	int status, r;

	assert_true(guest_start(tight, 1000, NULL, &guest));
	guest_tune(&guest, tuning);
	r = cut_reach(guest.tid, guest.mem_fd, guest.counter, position, &status, ret_found);
	guest_end(&guest);
	return r;
}

static void a_position_with_other_registers_is_a_divergence(void **state)
{
	struct position position;
	struct registers found = { 0 };

	(void)state;
	position_in_tight(300, &position);
	assert_int_equal(reach_in_tight(&position, &small, &found), 0);
	position.registers.r12 ^= 1;
	assert_int_equal(reach_in_tight(&position, &small, &found), SWORN_EDIVERGED);
	assert_int_equal(found.rip, position.registers.rip);
}

static void a_position_whose_address_never_comes_is_a_divergence(void **state)
{
	struct position position;
	struct registers found = { 0 };

	(void)state;
	position_in_tight(300, &position);
	position.registers.rip = (uint64_t)(uintptr_t)nested;
	assert_int_equal(reach_in_tight(&position, &small, &found), SWORN_EDIVERGED);
	assert_int_not_equal(found.rip, 0);
}

static void a_position_in_the_kernel_is_malformed(void **state)
{
	struct position position;
	struct registers found;

	(void)state;
	position_in_tight(300, &position);
	position.registers.rip = 0xffffffff81000000;
	assert_int_equal(reach_in_tight(&position, &small, &found), SWORN_EFORMAT);
}

static void an_interrupt_that_may_be_late_is_no_divergence(void **state)
{
	struct cut_tuning none = small;
	struct position position;
	struct registers found;

	(void)state;
	none.margin_count = 0;
	position_in_tight(300, &position);
	/* The instruction before the one at which the interrupt comes: passed, with the count equal. */
	position.registers.rip -= 1;
	assert_int_equal(reach_in_tight(&position, &none, &found), -EOVERFLOW);
}

static void a_position_at_the_last_event_itself_is_reached_at_once(void **state)
{
	struct position position = { .kind = TURN_COUNT };
	struct registers found;
	struct guest guest;
	int status;

	(void)state;
	assert_true(guest_start(tight, 1000, NULL, &guest));
	assert_int_equal(register_get(guest.tid, &position.registers), 0);
	assert_int_equal(cut_reach(guest.tid, guest.mem_fd, guest.counter, &position, &status, &found),
			 0);
	guest_end(&guest);
}

static uint64_t compare(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		const void *a = words, *b = copies;
		size_t length = sizeof(words);

		TICK();
		__asm__ volatile("repe cmpsb" : "+D"(a), "+S"(b), "+c"(length) : : "memory", "cc");
	}
	return rounds;
}

/* Steps into the middle of a `rep`, as a signal may find it. */
static void position_in_repeat(program *run, struct position *ret)
{
	uint64_t length, before = 0;
	struct guest guest;
	int status;

	assert_true(guest_start(run, 10, NULL, &guest));
	assert_int_equal(counter_start(guest.counter, 5), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	for (unsigned int inside = 0; inside < 100;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, guest.tid, NULL, NULL), 0);
		assert_int_equal(waitpid(guest.tid, &status, __WALL), guest.tid);
		assert_int_equal(register_get(guest.tid, &ret->registers), 0);
		inside += ret->registers.rip == before &&
			  landmark_repeat(guest.mem_fd, before, &length) != REPEAT_NONE;
		before = ret->registers.rip;
	}
	ret->kind = TURN_COUNT;
	assert_int_equal(counter_read(guest.counter, &ret->count), 0);
	guest_end(&guest);
}

static void reach_in_repeat(program *run)
{
	struct registers found;
	struct position position;
	struct guest guest;
	int status;

	position_in_repeat(run, &position);
	assert_int_equal(position.count, 5);
	assert_true(guest_start(run, 10, NULL, &guest));
	assert_int_equal(cut_reach(guest.tid, guest.mem_fd, guest.counter, &position, &status, &found),
			 0);
	assert_int_equal(register_get(guest.tid, &found), 0);
	assert_int_equal(found.rip, position.registers.rip);
	assert_int_equal(found.rcx, position.registers.rcx);
	assert_int_equal(found.rdi, position.registers.rdi);
	assert_int_equal(found.eflags & 0xcd5, position.registers.eflags & 0xcd5);
	guest_end(&guest);
}

static void a_position_inside_a_repeated_copy_is_reached(void **state)
{
	(void)state;
	reach_in_repeat(copy);
}

static void a_position_inside_a_repeated_comparison_is_reached(void **state)
{
	(void)state;
	reach_in_repeat(compare);
}

static void a_counter_of_no_thread_does_not_open(void **state)
{
	struct counter *counter;

	(void)state;
	assert_int_equal(counter_open(0x3fffffff, &counter), SWORN_EGONE);
}

static void a_counter_that_is_forbidden_does_not_open(void **state)
{
	struct counter *counter;

	(void)state;
	setenv("SWORN_WITHOUT", "pmu", 1);
	assert_int_equal(counter_open((pid_t)syscall(SYS_gettid), &counter), SWORN_EHOST);
	unsetenv("SWORN_WITHOUT");
}

/* The hosts that have no debug registers to give cannot run any of this. */
static bool host_has_breakpoints(void)
{
	struct counter *counter;

	if (counter_open((pid_t)syscall(SYS_gettid), &counter) < 0)
		return false;
	counter_close(counter);
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_is_reached_exactly),
		cmocka_unit_test(every_cut_is_reached_exactly_without_privileges),
		cmocka_unit_test(every_cut_is_reached_exactly_on_a_busy_cpu),
		cmocka_unit_test(an_overflow_stops_a_guest_that_blocks_all_signals),
		cmocka_unit_test(choosing_leaves_a_guests_mask_and_ignored_sigtrap_alone),
		cmocka_unit_test(a_count_goes_on_over_a_stop_that_is_no_event),
		cmocka_unit_test(a_spin_without_branches_ends_with_its_time),
		cmocka_unit_test(an_interrupt_due_at_a_call_does_not_survive_the_stop),
		cmocka_unit_test(an_interrupt_due_at_a_fault_leaves_the_fault_as_it_was),
		cmocka_unit_test(choosing_ends_at_another_stop),
		cmocka_unit_test(reaching_ends_at_another_stop),
		cmocka_unit_test(a_killed_guest_is_another_stop),
		cmocka_unit_test(a_position_with_other_registers_is_a_divergence),
		cmocka_unit_test(a_position_whose_address_never_comes_is_a_divergence),
		cmocka_unit_test(a_position_in_the_kernel_is_malformed),
		cmocka_unit_test(an_interrupt_that_may_be_late_is_no_divergence),
		cmocka_unit_test(a_position_at_the_last_event_itself_is_reached_at_once),
		cmocka_unit_test(a_position_inside_a_repeated_copy_is_reached),
		cmocka_unit_test(a_position_inside_a_repeated_comparison_is_reached),
		cmocka_unit_test(a_counter_of_no_thread_does_not_open),
		cmocka_unit_test(a_counter_that_is_forbidden_does_not_open),
	};
	const char *soak = getenv("SWORN_SOAK");
	double until = seconds_now() + (soak ? atof(soak) : 0);
	int failed;

	unsetenv("SWORN_WITHOUT"); /* it forbids the real counter, not this one */
	if (!host_has_breakpoints()) {
		fprintf(stderr, "skipped: perf_event_open gives no hardware breakpoints here\n");
		return 77;
	}
	pin();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	while (failed == 0 && seconds_now() < until) {
		soak_seed++;
		failed = !run_all();
	}
	return failed;
}
