/* What the C library asks the system: page size, processors, limits, affinity, scheduling. */
#include "guest.h"
#include <limits.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

int main(void)
{
	struct sched_param parameter = { 0 };
	struct timespec quantum;
	struct sysinfo info;
	cpu_set_t set, again;
	char name[256];

	say("page %ld, ticks %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK));
	expect(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_NPROCESSORS_CONF) >= 1);
	expect(sysconf(_SC_OPEN_MAX) > 0 && sysconf(_SC_ARG_MAX) > 100000 &&
	       sysconf(_SC_PHYS_PAGES) > 0);
	expect(gethostname(name, sizeof(name)) == 0 && sysinfo(&info) == 0 && info.mem_unit > 0);
	expect(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1);
	expect(sched_setaffinity(0, sizeof(set), &set) == 0 &&
	       sched_getaffinity(0, sizeof(again), &again) == 0);
	say("affinity kept: %d\n", CPU_EQUAL(&set, &again));
	expect(sched_getcpu() >= 0 && sched_yield() == 0);
	expect(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &parameter) == 0);
	expect(sched_get_priority_max(SCHED_FIFO) == 99 && sched_rr_get_interval(0, &quantum) == 0);
	errno = 0;
	expect(nice(3) >= 0 && errno == 0);
	say("nicer: %d\n", getpriority(PRIO_PROCESS, 0) >= 3);
	expect(fpathconf(1, _PC_PIPE_BUF) == PIPE_BUF || errno == 0);
	return 0;
}
