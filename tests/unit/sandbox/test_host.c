#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../../sandbox/host.h"

static void host_allows_everything_by_default(void **state)
{
	(void)state;
	unsetenv("SWORN_WITHOUT");
	assert_true(host_allows(HOST_PMU) && host_allows(HOST_USERNS) && host_allows(HOST_UFFD));
	assert_true(host_allows(HOST_PERSONALITY) && host_allows(HOST_LANDLOCK) &&
		    host_allows(HOST_CGROUP));
	assert_null(host_check());
}

static void host_forbids_what_the_variable_names(void **state)
{
	(void)state;
	setenv("SWORN_WITHOUT", "pmu,landlock", 1);
	assert_false(host_allows(HOST_PMU));
	assert_false(host_allows(HOST_LANDLOCK));
	assert_true(host_allows(HOST_USERNS) && host_allows(HOST_CGROUP) &&
		    host_allows(HOST_PERSONALITY));
	assert_null(host_check());
	setenv("SWORN_WITHOUT", ",userns, uffd,", 1);
	assert_false(host_allows(HOST_USERNS));
	assert_false(host_allows(HOST_UFFD));
	assert_true(host_allows(HOST_PMU));
	assert_null(host_check());
}

static void host_names_an_unknown_feature(void **state)
{
	(void)state;
	setenv("SWORN_WITHOUT", "pmu,pmux,landlock", 1);
	assert_string_equal(host_check(), "pmux");
	setenv("SWORN_WITHOUT", "pm", 1);
	assert_string_equal(host_check(), "pm");
	assert_true(host_allows(HOST_PMU));
	unsetenv("SWORN_WITHOUT");
}

static void workers_get_different_cpus_while_there_are_some(void **state)
{
	int fds[8], cpus[8];
	cpu_set_t before, after, chosen;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(host_choose(8, fds, cpus), 0);
	CPU_ZERO(&chosen);
	for (int i = 0; i < 8; i++) {
		assert_true(CPU_ISSET((size_t)cpus[i], &before));
		if (i < CPU_COUNT(&before))
			assert_false(CPU_ISSET((size_t)cpus[i], &chosen));
		CPU_SET((size_t)cpus[i], &chosen);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	/* Nobody is pinned by it. */
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
}

/* Pins in a child that keeps its lock until told; gives its CPU, or -1 - CPU without a lock. */
static int pin_in_child(int hold_fd)
{
	int pipe_fds[2], answer = -1000;

	assert_int_equal(pipe(pipe_fds), 0);
	if (!fork()) {
		int fd = -2, cpu = -2;
		cpu_set_t set;
		char byte;

		alarm(30); /* nothing may outlive a failed test */
		if (host_pin(&fd, &cpu))
			_exit(1);
		CPU_ZERO(&set);
		if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) != 1 ||
		    !CPU_ISSET((size_t)cpu, &set))
			_exit(1);
		answer = fd >= 0 ? cpu : -1 - cpu;
		if (write(pipe_fds[1], &answer, sizeof(answer)) < 0 || read(hold_fd, &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &answer, sizeof(answer)), sizeof(answer));
	close(pipe_fds[0]);
	return answer;
}

static void host_pin_gives_each_process_a_cpu_of_its_own_while_there_are_any(void **state)
{
	char directory[] = "/tmp/test_host.XXXXXX", command[128];
	int hold[2], cpus, cpu;
	uint64_t seen[16] = { 0 };
	cpu_set_t set;

	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("XDG_RUNTIME_DIR", directory, 1);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	cpus = CPU_COUNT(&set);
	assert_int_equal(pipe(hold), 0);
	for (int i = 0; i < cpus; i++) {
		cpu = pin_in_child(hold[0]);
		assert_true(cpu >= 0 && cpu < 1024);
		assert_false(seen[cpu / 64] >> cpu % 64 & 1);
		seen[cpu / 64] |= 1ULL << cpu % 64;
	}
	cpu = pin_in_child(hold[0]);
	assert_true(cpu < 0 && CPU_ISSET((size_t)(-1 - cpu), &set));
	for (int i = 0; i <= cpus; i++)
		assert_int_equal(write(hold[1], "", 1), 1);
	for (int i = 0; i <= cpus; i++) {
		int status;

		assert_true(wait(&status) > 0 && status == 0);
	}
	assert_true(pin_in_child(hold[0]) >= 0);
	assert_int_equal(write(hold[1], "", 1), 1);
	wait(NULL);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
	unsetenv("XDG_RUNTIME_DIR");
}

static void host_pin_follows_no_symbolic_link(void **state)
{
	char directory[] = "/tmp/test_host.XXXXXX", path[128], target[128], command[128];
	struct stat status;
	int hold[2];
	cpu_set_t set;

	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("XDG_RUNTIME_DIR", directory, 1);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	snprintf(target, sizeof(target), "%s/target", directory);
	for (int cpu = 0; cpu < 1024; cpu++) {
		snprintf(path, sizeof(path), "%s/sworn-cpu-%d", directory, cpu);
		if (CPU_ISSET((size_t)cpu, &set))
			assert_int_equal(symlink(target, path), 0);
	}
	assert_int_equal(pipe(hold), 0);
	assert_true(pin_in_child(hold[0]) < 0);
	assert_int_equal(write(hold[1], "", 1), 1);
	wait(NULL);
	assert_int_equal(stat(target, &status), -1);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
	unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_allows_everything_by_default),
		cmocka_unit_test(host_forbids_what_the_variable_names),
		cmocka_unit_test(host_names_an_unknown_feature),
		cmocka_unit_test(workers_get_different_cpus_while_there_are_some),
		cmocka_unit_test(host_pin_gives_each_process_a_cpu_of_its_own_while_there_are_any),
		cmocka_unit_test(host_pin_follows_no_symbolic_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
