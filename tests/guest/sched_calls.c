/* Scheduling: policies, parameters, attributes, affinity, nice values, I/O priorities, yielding. */
#include "guest.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void policies(void)
{
	struct sched_param zero = { 0 }, one = { 1 }, seen = { 9 };
	struct timespec interval = { -1, -1 };

	expect(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &seen) == 0 &&
	       seen.sched_priority == 0);
	expect(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
	expect(sched_get_priority_max(SCHED_OTHER) == 0 && sched_get_priority_max(77) == -1);
	expect(sched_setscheduler(0, SCHED_OTHER, &one) == -1 && errno == EINVAL);
	expect(sched_setscheduler(0, 77, &zero) == -1 && errno == EINVAL);
	expect(sched_setscheduler(0, SCHED_BATCH, &zero) == 0 && sched_getscheduler(0) == SCHED_BATCH);
	/* The way back from it is not open to everybody. */
	if (fork() == 0)
		_exit(sched_setscheduler(0, SCHED_IDLE, &zero) == 0 && sched_getscheduler(0) == SCHED_IDLE
			      ? 0
			      : 1);
	expect(reap(-1) == 0);
	expect(sched_setscheduler(0, SCHED_OTHER, &zero) == 0 && sched_getscheduler(0) == SCHED_OTHER);
	expect(sched_setparam(0, &one) == -1 && errno == EINVAL && sched_setparam(0, &zero) == 0);
	expect(sched_setparam(0, NULL) == -1 && errno == EINVAL);
	expect(sched_getscheduler(-1) == -1 && errno == EINVAL);
	expect(sched_getscheduler(4000000) == -1 && errno == ESRCH);
	expect(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec >= 0);
	expect(sched_setscheduler(0, SCHED_FIFO, &zero) == -1 && errno == EINVAL);
	say("policies\n");
}

static void attributes(void)
{
	struct attributes was = { 0 }, now = { .size = sizeof(now), .policy = SCHED_OTHER, .nice = 3 };

	expect(syscall(SYS_sched_getattr, 0, &was, sizeof(was), 0) == 0 &&
	       was.policy == SCHED_OTHER && was.nice == 0);
	expect(syscall(SYS_sched_setattr, 0, &now, 0) == 0);
	expect(syscall(SYS_sched_getattr, 0, &was, sizeof(was), 0) == 0 && was.nice == 3);
	expect(syscall(SYS_sched_getattr, 0, &was, 8, 0) == -1 && errno == EINVAL);
	say("attributes: nice %d\n", was.nice);
}

/* Realtime policies, as far as we have the right to them. */
static void realtime(void)
{
	struct sched_param ten = { 10 }, zero = { 0 }, seen = { 0 };
	struct attributes now = { .size = 48, .policy = SCHED_RR, .flags = 1, .priority = 20 };
	struct timespec interval;
	pid_t pid;

	if (sched_setscheduler(0, SCHED_FIFO, &ten) < 0) {
		expect(errno == EPERM);
		return;
	}
	expect(sched_getscheduler(0) == SCHED_FIFO && sched_getparam(0, &seen) == 0 &&
	       seen.sched_priority == 10);
	ten.sched_priority = 11;
	expect(sched_setparam(0, &ten) == 0 && sched_getparam(getpid(), &seen) == 0 &&
	       seen.sched_priority == 11);
	pid = fork();
	if (pid == 0)
		_exit(sched_getscheduler(0));
	expect(WEXITSTATUS(reap(pid)) == SCHED_FIFO);
	expect(sched_setparam(0, &zero) == -1 && errno == EINVAL);
	expect(syscall(SYS_sched_setattr, 0, &now, 0) == 0);
	expect(sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK));
	memset(&now, 0, sizeof(now));
	expect(syscall(SYS_sched_getattr, 0, &now, 48, 0) == 0 && now.priority == 20 && now.flags == 1);
	expect(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec == 0);
	pid = fork();
	if (pid == 0)
		_exit(sched_getscheduler(0) + 7);
	expect(WEXITSTATUS(reap(pid)) == SCHED_OTHER + 7);
	expect(sched_setscheduler(0, SCHED_OTHER, &zero) == 0 && sched_getscheduler(0) == SCHED_OTHER);
}

static void affinity(void)
{
	cpu_set_t all, one;
	int first = 0;

	CPU_ZERO(&one);
	expect(sched_getaffinity(0, sizeof(all), &all) == 0 && CPU_COUNT(&all) > 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_SET(first, &one);
	expect(sched_setaffinity(0, sizeof(one), &one) == 0);
	expect(sched_getaffinity(0, sizeof(all), &all) == 0 && CPU_COUNT(&all) == 1 &&
	       CPU_ISSET(first, &all));
	CPU_ZERO(&one);
	expect(sched_setaffinity(0, sizeof(one), &one) == -1 && errno == EINVAL);
	expect(syscall(SYS_sched_getaffinity, 0, 1, &all) == -1 && errno == EINVAL);
	expect(sched_getaffinity(4000000, sizeof(all), &all) == -1 && errno == ESRCH);
	say("affinity\n");
}

static void nice_values(void)
{
	expect(getpriority(PRIO_PROCESS, 0) == 3 && nice(2) == 5 && getpriority(PRIO_PROCESS, 0) == 5);
	expect(setpriority(PRIO_PROCESS, 0, 7) == 0 && getpriority(PRIO_PROCESS, getpid()) == 7);
	errno = 0;
	expect(getpriority(PRIO_PROCESS, 4000000) == -1 && errno == ESRCH);
	expect(getpriority(99, 0) == -1 && errno == EINVAL);
	expect(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 6) == 0 &&
	       syscall(SYS_ioprio_get, 1, 0) == ((2 << 13) | 6));
	say("nice %d\n", getpriority(PRIO_PROCESS, 0));
}

int main(void)
{
	unsigned int cpu = 77, node = 77;
	pid_t pid;

	policies();
	realtime();
	attributes();
	affinity();
	nice_values();
	expect(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 4096 && node < 64);
	pid = fork();
	if (pid == 0)
		_exit(getpriority(PRIO_PROCESS, 0));
	say("inherited %d, yields %d\n", WEXITSTATUS(reap(pid)), sched_yield());
	return 0;
}
