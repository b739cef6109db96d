/*
 * Turns that end at exact counts, wherever the interrupt of the counter comes. SWORN_SOAK=SECONDS keeps on with new
 * seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "cut_scenario.h"
#include "watched_counter.h"

#include <cmocka.h>

static const struct scenario scenarios[] = {
	{ .run = tight, .name = "tight", .rounds = 2000, .period_min = 50, .period_max = 400 },
	{ .run = nested, .name = "nested", .rounds = 2000, .period_min = 50, .period_max = 400 },
	{ .run = sort, .name = "sort", .rounds = 6000, .period_min = 100, .period_max = 900 },
	{ .run = digest, .name = "digest", .rounds = 2000, .period_min = 50, .period_max = 400 },
	{ .run = copy, .name = "copy", .rounds = 500, .period_min = 20, .period_max = 100 },
	{ .run = recursion, .name = "recursion", .rounds = 2000, .period_min = 50, .period_max = 400 },
	{ .run = interpret, .name = "interpret", .rounds = 1000, .period_min = 20, .period_max = 200 },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* How long before the end the interrupt comes: whatever the hardware adds to it looks like another of these. */
static const uint64_t margins[] = { 100, 1, 37 };
#define MARGINS (sizeof(margins) / sizeof(margins[0]))

static unsigned int soak_seed = 1;

static bool same_cuts(const struct scenario *a, const struct scenario *b)
{
	if (a->cuts_count != b->cuts_count || a->result != b->result)
		FAIL("%s: %zu cuts, not %zu\n", a->name, b->cuts_count, a->cuts_count);
	for (size_t i = 0; i < a->cuts_count; i++) {
		if (memcmp(&a->cuts[i], &b->cuts[i], sizeof(a->cuts[i])) != 0)
			FAIL("%s: cut %zu is another one: %llx, not %llx\n", a->name, i,
			     (unsigned long long)b->cuts[i].position.registers.rip,
			     (unsigned long long)a->cuts[i].position.registers.rip);
	}
	return true;
}

static bool run_program(const struct scenario *which)
{
	static struct scenario first, s;
	double start = seconds_now();

	for (size_t k = 0; k < MARGINS; k++) {
		s = *which;
		s.exact = true;
		s.seed = soak_seed;
		s.tuning = small;
		s.tuning.margin_count = margins[k];
		if (!scenario_record(&s))
			return false;
		if (k == 0)
			first = s;
		else if (!same_cuts(&first, &s))
			return false;
	}
	if (first.cuts_count < 4)
		FAIL("%s: only %zu cuts\n", s.name, first.cuts_count);
	printf("%s: %zu cuts, %.1f ms each\n", first.name, first.cuts_count,
	       (seconds_now() - start) * 1e3 / (double)(first.cuts_count * MARGINS));
	return scenario_replay(&first);
}

static bool run_all(void)
{
	for (size_t i = 0; i < SCENARIOS; i++)
		if (!run_program(&scenarios[i]))
			return false;
	return true;
}

static void every_turn_ends_where_its_count_is_and_is_reached_again(void **state)
{
	(void)state;
	assert_true(run_all());
}

static void without_privileges_it_does_too(void **state)
{
	(void)state;
	assert_int_equal(run_as_nobody(run_all), 0);
}

static bool run_sort(void)
{
	return run_program(&scenarios[2]);
}

static void on_a_busy_cpu_it_does_too(void **state)
{
	pid_t busy = busy_start();
	bool done;

	(void)state;
	soak_seed++;
	done = run_sort();
	busy_end(busy);
	assert_true(done);
}

/* Runs `run` to the interrupt for `armed` branches, then on to exactly `count`. */
static int cut_at(program *run, uint64_t armed, uint64_t count, int *ret_status)
{
	struct position position;
	struct guest guest;
	uint64_t now;
	int r;

	assert_true(guest_start(run, 1000, NULL, &guest));
	guest_tune(&guest, &small);
	assert_int_equal(cut_start(guest.counter, armed), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, ret_status), 1);
	r = guest_cut_exactly(&guest, count, &position, ret_status);
	if (r == 0) {
		assert_int_equal(counter_read(guest.counter, &now), 0);
		assert_int_equal(now, count);
		assert_int_equal(position.kind, TURN_COUNT);
		assert_int_equal(position.count, count);
	}
	guest_end(&guest);
	return r;
}

static void an_interrupt_long_before_the_end_is_no_harm(void **state)
{
	int status;

	(void)state;
	assert_int_equal(cut_at(tight, 150, 900, &status), 0);
	assert_int_equal(cut_at(nested, 150, 900, &status), 0);
}

static void an_interrupt_that_comes_too_late_is_told(void **state)
{
	int status;

	(void)state;
	/* 200 behind it when it comes. */
	assert_int_equal(cut_at(tight, 300, 200, &status), 2);
	assert_int_equal(cut_at(tight, 300, 150, &status), 2);
}

static void another_stop_on_the_way_ends_it(void **state)
{
	int status = 0;

	(void)state;
	/* The program ends after 1000. */
	assert_int_equal(cut_at(tight, 1000, 1050, &status), 1);
	assert_int_equal(status, AT_INT3);
}

static void a_count_goes_on_from_where_it_was_held(void **state)
{
	struct position position;
	struct guest guest;
	int status;

	(void)state;
	assert_true(guest_start(nested, 5000, NULL, &guest));
	guest_tune(&guest, &small);
	assert_int_equal(cut_start(guest.counter, 300), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(counter_stop(guest.counter), 0);
	assert_int_equal(cut_resume(guest.counter, 1000), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	assert_int_equal(guest_cut_exactly(&guest, 1000, &position, &status), 0);
	assert_int_equal(position.count, 1000);
	guest_end(&guest);
}

static void a_guest_that_is_killed_is_another_stop(void **state)
{
	struct position position;
	struct guest guest;
	int status = 0;

	(void)state;
	assert_true(guest_start(tight, 1000, NULL, &guest));
	guest_tune(&guest, &small);
	assert_int_equal(cut_start(guest.counter, 300), 0);
	guest_resume(&guest);
	assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 1);
	kill(guest.tid, SIGKILL);
	assert_int_equal(guest_cut_exactly(&guest, 300, &position, &status), 1);
	assert_true(WIFSIGNALED(status));
	guest_end(&guest);
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
		cmocka_unit_test(every_turn_ends_where_its_count_is_and_is_reached_again),
		cmocka_unit_test(without_privileges_it_does_too),
		cmocka_unit_test(on_a_busy_cpu_it_does_too),
		cmocka_unit_test(an_interrupt_long_before_the_end_is_no_harm),
		cmocka_unit_test(an_interrupt_that_comes_too_late_is_told),
		cmocka_unit_test(another_stop_on_the_way_ends_it),
		cmocka_unit_test(a_count_goes_on_from_where_it_was_held),
		cmocka_unit_test(a_guest_that_is_killed_is_another_stop),
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
