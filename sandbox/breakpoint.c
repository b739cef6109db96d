#include "breakpoint.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../traces/error.h"
#include "counter.h"

#define TRAP_PERF_CODE 6 /* TRAP_PERF of asm-generic/siginfo.h, which glibc 2.36 does not name */

int breakpoint_open(pid_t tid, uint64_t address, uint64_t hits)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.type = PERF_TYPE_BREAKPOINT,
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = address,
		.bp_len = sizeof(long),
		.sample_period = hits,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.sigtrap = 1,
		.remove_on_exec = 1, /* sigtrap asks for it */
	};

	return counter_event_open(tid, &event);
}

bool breakpoint_is_hit(const void *siginfo)
{
	siginfo_t info;

	memcpy(&info, siginfo, sizeof(info));
	return info.si_signo == SIGTRAP && info.si_code == TRAP_PERF_CODE;
}

void breakpoint_drop(struct breakpoints *breakpoints, size_t i)
{
	if (breakpoints->fd[i] >= 0)
		close(breakpoints->fd[i]);
	breakpoints->fd[i] = -1;
}

int breakpoint_put(struct breakpoints *breakpoints, size_t i, pid_t tid, uint64_t address, uint64_t hits)
{
	int fd;

	breakpoint_drop(breakpoints, i);
	fd = breakpoint_open(tid, address, hits);
	if (fd == -ESRCH)
		return SWORN_EGONE;
	if (fd < 0)
		return fd;
	breakpoints->fd[i] = fd;
	return 0;
}

void breakpoints_drop(struct breakpoints *breakpoints)
{
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++)
		breakpoint_drop(breakpoints, i);
}
