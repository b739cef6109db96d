/*
 * Cutting and coming back with the counter of the CPU. Skipped, with the reason, where counter_usable()
 * says no. SWORN_SOAK=SECONDS keeps on with new seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "cut_scenario.h"

#include <cmocka.h>

static const struct scenario scenarios[] = {
	{ .run = tight, .name = "tight", .rounds = 8000000, .period_min = 100, .period_max = 900000 },
	{ .run = nested, .name = "nested", .rounds = 20000000, .period_min = 100, .period_max = 2000000 },
	{ .run = sort, .name = "sort", .rounds = 20000000, .period_min = 100, .period_max = 2000000 },
	{ .run = digest, .name = "digest", .rounds = 20000000, .period_min = 100, .period_max = 2000000 },
	{ .run = copy, .name = "copy", .rounds = 400000, .period_min = 100, .period_max = 40000 },
	{ .run = recursion, .name = "recursion", .rounds = 20000000, .period_min = 100, .period_max = 2000000 },
	{ .run = interpret, .name = "interpret", .rounds = 2000000, .period_min = 100, .period_max = 200000 },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static unsigned int soak_seed = 1;

static bool run_all(void)
{
	static struct scenario s;

	for (size_t i = 0; i < SCENARIOS; i++) {
		s = scenarios[i];
		s.seed = soak_seed;
		if (!scenario_run(&s))
			return false;
		if (s.cuts_count < 4)
			FAIL("%s: only %zu cuts\n", s.name, s.cuts_count);
		printf("%s: %zu cuts, %u at addresses, %.1f ms each\n", s.name, s.cuts_count,
		       s.addresses, s.seconds * 1e3 / (double)s.cuts_count);
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

static void a_loop_of_known_branches_is_counted_exactly(void **state)
{
	(void)state;
	for (uint64_t rounds = 1; rounds <= 10000000; rounds *= 10) {
		struct guest guest;
		uint64_t count;
		int status;

		assert_true(guest_start(tight, rounds, NULL, &guest));
		assert_int_equal(counter_start(guest.counter, 0), 0);
		guest_resume(&guest);
		assert_int_equal(cut_wait(guest.tid, guest.counter, &status), 0);
		assert_int_equal(status, AT_INT3);
		assert_int_equal(counter_read(guest.counter, &count), 0);
		assert_int_equal(count, rounds);
		guest_end(&guest);
	}
}

/* Seconds of one stop, with the counter as it is. */
static double stop_seconds(const struct guest *guest)
{
	double start = seconds_now();

	for (unsigned int i = 0; i < 10000; i++) {
		ptrace(PTRACE_SINGLESTEP, guest->tid, NULL, NULL);
		assert_int_equal(waitpid(guest->tid, NULL, __WALL), guest->tid);
	}
	return (seconds_now() - start) / 10000;
}

static void a_stop_costs_less_with_the_counter_off(void **state)
{
	struct guest guest;
	double off, on;

	(void)state;
	assert_true(guest_start(tight, 100000, NULL, &guest));
	off = stop_seconds(&guest);
	assert_int_equal(counter_start(guest.counter, 0), 0);
	on = stop_seconds(&guest);
	printf("a stop: counter off %.2f us, on %.2f us\n", off * 1e6, on * 1e6);
	assert_true(off < on);
	guest_end(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_of_known_branches_is_counted_exactly),
		cmocka_unit_test(a_stop_costs_less_with_the_counter_off),
		cmocka_unit_test(every_cut_is_reached_exactly),
		cmocka_unit_test(every_cut_is_reached_exactly_without_privileges),
		cmocka_unit_test(every_cut_is_reached_exactly_on_a_busy_cpu),
	};
	struct perf_event_attr event = { .size = sizeof(event), .disabled = 1 };
	const char *soak = getenv("SWORN_SOAK");
	double until = seconds_now() + (soak ? atof(soak) : 0);
	int failed;

	if (!counter_usable()) {
		int r = counter_event(&event);

		if (r == 0)
			r = counter_event_open(0, &event);
		fprintf(stderr, "skipped: no usable counter of branches on this host (%s)\n",
			r == SWORN_EHOST ? "this CPU is not in the table"
			: r < 0		 ? strerror(-r)
					 : "the self test failed, or SWORN_WITHOUT names pmu");
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
