#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../sandbox/spin.h"
#include "loop_scenario.h"

/* while (!flag); */
static void wait_for_flag(void)
{
	PROGRAM("1: mov (%%rdi), %%rax\n\ttest %%rax, %%rax\n\tje 1b\n\tint3");
}

/* The same with a pause and writes that change nothing. */
static void wait_and_write(void)
{
	PROGRAM("1: pause\n\tmovq $0, 64(%%rdi)\n\tcmpq $0, (%%rdi)\n\tje 1b\n\tint3");
}

static void jump_to_itself(void)
{
	PROGRAM("1: jmp 1b");
}

/* The registers repeat in each round, flags included; memory does not. */
static void count_in_memory(void)
{
	PROGRAM("1: mov 8(%%rdi), %%rax\n\tlea 1(%%rax), %%rax\n\tmov %%rax, 8(%%rdi)\n\t"
		"xor %%eax, %%eax\n\tjmp 1b");
}

static void count_in_a_register(void)
{
	PROGRAM("1: lea 1(%%rax), %%rax\n\tjmp 1b");
}

/* Comes back to the same registers, but later than anybody looks for it. */
static void count_in_a_long_circle(void)
{
	PROGRAM("1: mov $3000, %%ecx\n\t2: dec %%ecx\n\tjnz 2b\n\tjmp 1b");
}

static void count_down_and_stop(void)
{
	PROGRAM("mov $100, %%ecx\n\t1: dec %%ecx\n\tjnz 1b\n\tint3");
}

static void save_flags_and_stop(void)
{
	PROGRAM("lea 1024(%%rdi), %%rsp\n\tpushfq\n\tpushfw\n\tint3");
}

/* Lets it run for a while and stops it wherever it is. */
static void interrupt(struct traced *traced)
{
	struct timespec while_running = { .tv_nsec = 5000000 };

	loop_go(traced);
	nanosleep(&while_running, NULL);
	loop_stop(traced);
}

static void assert_same_place(const struct registers *a, const struct registers *b)
{
	struct registers x = *a, y = *b;

	x.orig_rax = y.orig_rax = 0;
	x.eflags &= ~0x10100ULL;
	y.eflags &= ~0x10100ULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

/* Records a spin in one guest and comes to it in another. */
static void find_and_reach(void (*program)(void))
{
	struct traced recorded, replayed;
	struct registers found;
	int status = 0;

	loop_start(&recorded, program);
	interrupt(&recorded);
	assert_int_equal(spin_find(&recorded.guests, recorded.thread, &status), 0);
	found = recorded.thread->registers;
	/* Wherever in its round it is looked at. */
	for (int i = 0; i < 4; i++) {
		traced_next(&recorded, PTRACE_SINGLESTEP);
		assert_int_equal(stop_get_registers(recorded.thread), 0);
		assert_int_equal(spin_find(&recorded.guests, recorded.thread, &status), 0);
		assert_same_place(&recorded.thread->registers, &found);
	}
	traced_end(&recorded);

	loop_start(&replayed, program);
	assert_int_equal(seek_reach(&replayed.guests, replayed.thread, &found, NULL, &status), 0);
	assert_same_place(&replayed.thread->registers, &found);
	assert_int_equal(stop_get_registers(replayed.thread), 0);
	assert_same_place(&replayed.thread->registers, &found);
	/* No breakpoint is left: it goes on as if nobody had looked. */
	interrupt(&replayed);
	traced_end(&replayed);
}

static void a_thread_that_waits_for_a_flag_is_found_and_reached(void **state)
{
	(void)state;
	find_and_reach(wait_for_flag);
}

static void writing_what_was_there_already_is_still_a_spin(void **state)
{
	(void)state;
	find_and_reach(wait_and_write);
}

static void a_jump_to_itself_is_a_spin(void **state)
{
	(void)state;
	find_and_reach(jump_to_itself);
}

static void a_found_spin_goes_on_when_the_flag_comes(void **state)
{
	struct traced traced;
	int status = 0;

	(void)state;
	loop_start(&traced, wait_for_flag);
	interrupt(&traced);
	assert_int_equal(spin_find(&traced.guests, traced.thread, &status), 0);
	shared[0] = 7;
	status = traced_next(&traced, PTRACE_CONT);
	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_signal(status), SIGTRAP);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_int_equal(traced.thread->registers.rax, 7);
	traced_end(&traced);
}

static int find(void (*program)(void))
{
	struct traced traced;
	struct registers found;
	int status = 0, r;

	loop_start(&traced, program);
	interrupt(&traced);
	r = spin_find(&traced.guests, traced.thread, &status);
	found = traced.thread->registers;
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_same_place(&traced.thread->registers, &found);
	traced_end(&traced);
	return r;
}

/* From the head of the loop, where the registers do come back. */
static void a_loop_that_counts_in_memory_is_no_spin(void **state)
{
	struct traced traced;
	int status = 0;

	(void)state;
	loop_start(&traced, count_in_memory);
	assert_int_equal(spin_find(&traced.guests, traced.thread, &status), 2);
	assert_true(shared[1] > 0 && shared[1] < 4);
	traced_end(&traced);
}

static void a_loop_that_counts_in_a_register_is_no_spin(void **state)
{
	(void)state;
	assert_int_equal(find(count_in_a_register), 2);
}

static void a_circle_longer_than_anybody_looks_is_no_spin(void **state)
{
	(void)state;
	assert_true(2 * 3000 > SPIN_STEPS_MAX);
	assert_int_equal(find(count_in_a_long_circle), 2);
}

static void a_stop_that_comes_first_is_handed_over(void **state)
{
	struct traced traced;
	int status = 0;

	(void)state;
	loop_start(&traced, count_down_and_stop);
	assert_int_equal(spin_find(&traced.guests, traced.thread, &status), 1);
	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_int_equal(traced.thread->registers.rcx, 0);
	traced_end(&traced);
}

static void a_guest_that_stands_there_already_is_not_resumed(void **state)
{
	struct traced traced;
	struct registers here;
	int status = 0;

	(void)state;
	loop_start(&traced, count_in_memory);
	here = traced.thread->registers;
	here.orig_rax = UINT64_MAX;
	launch_discard(traced.thread->tid);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &here, NULL, &status), 0);
	here.rbx = 1;
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &here, NULL, &status), SWORN_EGONE);
	guests_release(&traced.guests);
}

/* The same instruction a hundred times: all registers say which round it is. */
static void all_registers_count_and_not_the_instruction_alone(void **state)
{
	struct traced traced;
	struct registers position;
	int status = 0;

	(void)state;
	loop_start(&traced, count_down_and_stop);
	do {
		traced_next(&traced, PTRACE_SINGLESTEP);
		assert_int_equal(stop_get_registers(traced.thread), 0);
	} while (traced.thread->registers.rcx != 42);
	position = traced.thread->registers;
	traced_end(&traced);
	loop_start(&traced, count_down_and_stop);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &position, NULL, &status), 0);
	assert_int_equal(traced.thread->registers.rcx, 42);
	traced_end(&traced);
}

static void a_place_that_never_comes_ends_at_the_next_stop(void **state)
{
	struct traced traced;
	struct registers position;
	int status = 0;

	(void)state;
	loop_start(&traced, count_down_and_stop);
	position = traced.thread->registers;
	position.rip += 5; /* the loop, behind `mov $100, %ecx` */
	position.rbx = 1;
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &position, NULL, &status), 1);
	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_signal(status), SIGTRAP);
	assert_int_equal(traced.thread->registers.rcx, 0);
	traced_end(&traced);
}

static void steps_leave_no_trace_in_saved_flags(void **state)
{
	struct traced traced;
	int status;

	(void)state;
	loop_start(&traced, save_flags_and_stop);
	assert_int_equal(spin_find(&traced.guests, traced.thread, &status), 1);
	assert_true(shared[1016 / 8] != 0);
	assert_int_equal(shared[1016 / 8] & 0x100, 0);
	assert_int_equal(shared[1008 / 8] >> 48 & 0x100, 0);
	traced_end(&traced);
}

static int set_up(void **state)
{
	(void)state;
	return loop_share();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_waits_for_a_flag_is_found_and_reached),
		cmocka_unit_test(writing_what_was_there_already_is_still_a_spin),
		cmocka_unit_test(a_jump_to_itself_is_a_spin),
		cmocka_unit_test(a_found_spin_goes_on_when_the_flag_comes),
		cmocka_unit_test(a_loop_that_counts_in_memory_is_no_spin),
		cmocka_unit_test(a_loop_that_counts_in_a_register_is_no_spin),
		cmocka_unit_test(a_circle_longer_than_anybody_looks_is_no_spin),
		cmocka_unit_test(a_stop_that_comes_first_is_handed_over),
		cmocka_unit_test(a_guest_that_stands_there_already_is_not_resumed),
		cmocka_unit_test(all_registers_count_and_not_the_instruction_alone),
		cmocka_unit_test(a_place_that_never_comes_ends_at_the_next_stop),
		cmocka_unit_test(steps_leave_no_trace_in_saved_flags),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
