#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "../../../sandbox/seek.h"
#include "../../../sandbox/spin.h"
#include "traced_child.h"

#define PAGE 4096

/* One page that test and guests share: what the guests wait for or count in. */
static volatile uint64_t *shared;

/* Every general register is the same at the int3 in front of each program, which never returns. */
#define PROGRAM(text)                                                                          \
	__asm__ volatile("xor %%eax, %%eax\n\txor %%ebx, %%ebx\n\txor %%ecx, %%ecx\n\t"        \
			 "xor %%edx, %%edx\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\t"        \
			 "xor %%r10d, %%r10d\n\txor %%r11d, %%r11d\n\t"                        \
			 "xor %%r12d, %%r12d\n\txor %%r13d, %%r13d\n\t"                        \
			 "xor %%r14d, %%r14d\n\txor %%r15d, %%r15d\n\txor %%ebp, %%ebp\n\t"    \
			 "int3\n\t" text                                                       \
			 :                                                                     \
			 : "D"(shared), "S"(0)                                                 \
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", \
			   "r14", "r15", "cc", "memory")

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

/* Stands at the program's first instruction; its model knows the shared page. */
static void start(struct traced *traced, void (*program)(void))
{
	struct mapping mapping = {
		.start = (uint64_t)(uintptr_t)shared,
		.end = (uint64_t)(uintptr_t)shared + PAGE,
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_SHARED,
		.backing = BACKING_SHARED,
		.length = PAGE,
		.object = 1,
	};

	memset((void *)(uintptr_t)shared, 0, PAGE);
	traced_start(traced, program);
	traced_ready(traced);
	traced->thread->stand = STAND_BOUNDARY;
	assert_int_equal(mapping_insert(&traced->thread->process->space->table, &mapping), 0);
}

/* Lets it run for a while and stops it wherever it is. */
static void interrupt(struct traced *traced)
{
	struct timespec while_running = { .tv_nsec = 5000000 };

	assert_int_equal(stop_resume(traced->thread, PTRACE_CONT, 0), 0);
	nanosleep(&while_running, NULL);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, traced->thread->tid, NULL, NULL), 0);
	assert_int_equal(stop_kind(traced_wait(traced)), STOP_INTERRUPT);
	assert_int_equal(stop_get_registers(traced->thread), 0);
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

	start(&recorded, program);
	interrupt(&recorded);
	assert_int_equal(spin_find(&recorded.guests, recorded.thread, &status), 0);
	found = recorded.thread->registers;
	/* Wherever in its round it is met, the place is the same. */
	interrupt(&recorded);
	assert_int_equal(spin_find(&recorded.guests, recorded.thread, &status), 0);
	assert_same_place(&recorded.thread->registers, &found);
	traced_end(&recorded);

	start(&replayed, program);
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
	start(&traced, wait_for_flag);
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

	start(&traced, program);
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
	start(&traced, count_in_memory);
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
	start(&traced, count_down_and_stop);
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
	start(&traced, count_in_memory);
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
	start(&traced, count_down_and_stop);
	do {
		traced_next(&traced, PTRACE_SINGLESTEP);
		assert_int_equal(stop_get_registers(traced.thread), 0);
	} while (traced.thread->registers.rcx != 42);
	position = traced.thread->registers;
	traced_end(&traced);
	start(&traced, count_down_and_stop);
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
	start(&traced, count_down_and_stop);
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
	start(&traced, save_flags_and_stop);
	assert_int_equal(spin_find(&traced.guests, traced.thread, &status), 1);
	assert_true(shared[1016 / 8] != 0);
	assert_int_equal(shared[1016 / 8] & 0x100, 0);
	assert_int_equal(shared[1008 / 8] >> 48 & 0x100, 0);
	traced_end(&traced);
}

static int set_up(void **state)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	shared = page;
	return page == MAP_FAILED ? -1 : 0;
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
