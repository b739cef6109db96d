#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/time.h>

#include "loop_scenario.h"

/* Long rounds that leave every register as it was: only memory counts them. */
static void count_in_memory(void)
{
	PROGRAM("1: incq 8(%%rdi)\n\tcall 3f\n\tjmp 1b\n\t.p2align 8\n\t"
		"3: mov $2000000, %%ecx\n\t2: dec %%ecx\n\tjnz 2b\n\tret");
}

/* The same, and the top of the stack counts them too. */
static void count_on_the_stack(void)
{
	PROGRAM("lea 1600(%%rdi), %%rsp\n\t1: incq 8(%%rdi)\n\tincq 8(%%rsp)\n\tcall 3f\n\tjmp 1b\n\t.p2align 8\n\t"
		"3: mov $2000000, %%ecx\n\t2: dec %%ecx\n\tjnz 2b\n\tret");
}

/* No place in it is passed rarely. */
static void tight(void)
{
	PROGRAM("1: incq 8(%%rdi)\n\tjmp 1b");
}

/* Lets it compute a few rounds and stops it there. */
static void interrupt(struct traced *traced)
{
	struct timespec while_running = { .tv_nsec = 1000000 };
	uint64_t until = shared[1] + 3;

	loop_go(traced);
	while (shared[1] < until)
		nanosleep(&while_running, NULL);
	loop_stop(traced);
}

static int state_of(struct traced *traced, uint8_t ret_state[DIGEST_BYTES])
{
	const struct state_request request = seek_request();

	return guest_state(&traced->guests, traced->thread, &request, ret_state);
}

static void memory_tells_rounds_apart_that_registers_do_not(void **state)
{
	uint8_t there[DIGEST_BYTES], again[DIGEST_BYTES];
	struct registers registers;
	struct traced traced;
	uint64_t round;
	int status;

	(void)state;
	loop_start(&traced, count_in_memory);
	interrupt(&traced);
	assert_int_equal(seek_choose(traced.thread, 0, &status), 0);
	assert_int_equal(state_of(&traced, there), 0);
	registers = traced.thread->registers;
	round = shared[1];
	assert_true(round > 1);
	traced_end(&traced);

	loop_start(&traced, count_in_memory);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &registers, there, &status), 0);
	assert_int_equal(shared[1], round);
	assert_true(seek_same_registers(&traced.thread->registers, &registers));
	assert_int_equal(state_of(&traced, again), 0);
	assert_memory_equal(again, there, sizeof(there));
	traced_end(&traced);

	/* Without the state the first round would have done. */
	loop_start(&traced, count_in_memory);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &registers, NULL, &status), 0);
	assert_int_equal(shared[1], 1);
	traced_end(&traced);
}

static void the_stack_tells_rounds_apart(void **state)
{
	uint8_t there[DIGEST_BYTES], first[DIGEST_BYTES];
	struct registers registers;
	struct traced traced;
	uint64_t round;
	int status;

	(void)state;
	loop_start(&traced, count_on_the_stack);
	interrupt(&traced);
	assert_int_equal(seek_choose(traced.thread, 0, &status), 0);
	assert_int_equal(state_of(&traced, there), 0);
	seek_sign(traced.thread, there);
	registers = traced.thread->registers;
	round = shared[1];
	traced_end(&traced);

	loop_start(&traced, count_on_the_stack);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &registers, NULL, &status), 0);
	assert_int_equal(state_of(&traced, first), 0);
	seek_sign(traced.thread, first);
	assert_memory_not_equal(first + DIGEST_BYTES / 2, there + DIGEST_BYTES / 2, 8);
	assert_int_equal(seek_reach(&traced.guests, traced.thread, &registers, there, &status), 0);
	assert_int_equal(shared[1], round);
	traced_end(&traced);
}

static void a_tight_loop_has_no_rare_place(void **state)
{
	struct traced traced;
	int status;

	(void)state;
	loop_start(&traced, tight);
	interrupt(&traced);
	assert_int_equal(seek_choose(traced.thread, 0, &status), 2);
	/* It goes on as if nobody had looked. */
	interrupt(&traced);
	traced_end(&traced);
}

static void a_guest_that_blocks_traps_is_left_alone(void **state)
{
	struct registers before;
	struct traced traced;
	int status;

	(void)state;
	loop_start(&traced, count_in_memory);
	interrupt(&traced);
	before = traced.thread->registers;
	traced.thread->mask |= 1ULL << (SIGTRAP - 1);
	assert_int_equal(seek_choose(traced.thread, 0, &status), 2);
	assert_int_equal(stop_get_registers(traced.thread), 0);
	assert_memory_equal(&traced.thread->registers, &before, sizeof(before));
	traced_end(&traced);
}

static void tick(int number)
{
	(void)number;
}

static int set_up(void **state)
{
	struct itimerval ticker = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = tick };

	(void)state;
	/* Waits must come back to look at the time, as the recorder's do. */
	return loop_share() || sigaction(SIGALRM, &action, NULL) < 0 ||
	       setitimer(ITIMER_REAL, &ticker, NULL) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_tells_rounds_apart_that_registers_do_not),
		cmocka_unit_test(the_stack_tells_rounds_apart),
		cmocka_unit_test(a_tight_loop_has_no_rare_place),
		cmocka_unit_test(a_guest_that_blocks_traps_is_left_alone),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
