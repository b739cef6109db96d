#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "breakpoint.h"
#include "counter.h"
#include "host.h"

#define LOOP_BRANCHES 100000
#define ROUNDS 5

/* Counts a loop of `branches` between two ioctl calls, with nothing else in between. The locked
 * instruction is there because some Zen settings count branches twice around it. */
static void count_loop(int fd, uint64_t branches)
{
	unsigned long request = PERF_EVENT_IOC_ENABLE, call = SYS_ioctl;
	uint64_t word = 0;

	__asm__ volatile("syscall\n\t"
			 "1:\n\t"
			 "lock incq %[word]\n\t"
			 "dec %[branches]\n\t"
			 "jnz 1b\n\t"
			 "mov %[ioctl], %%eax\n\t"
			 "mov %[disable], %%esi\n\t"
			 "syscall"
			 : "+a"(call), [branches] "+r"(branches), "+S"(request), [word] "+m"(word)
			 : "D"(fd), "d"(0), [ioctl] "i"(SYS_ioctl), [disable] "i"(PERF_EVENT_IOC_DISABLE)
			 : "rcx", "r11", "memory", "cc");
}

static bool counts_exactly(struct counter *counter)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t expected = i & 1 ? LOOP_BRANCHES : i + 1, count;

		if (ioctl(counter->branches_fd, PERF_EVENT_IOC_RESET, 0) < 0)
			return false;
		count_loop(counter->branches_fd, expected);
		if (counter_read(counter, &count) < 0 || count != expected)
			return false;
	}
	return true;
}

/* Some virtual machines count but never interrupt. */
static bool interrupts(struct counter *counter)
{
	const struct timespec at_most = { .tv_nsec = 10000000 };
	sigset_t set, old;
	siginfo_t info;
	bool seen;

	sigemptyset(&set);
	sigaddset(&set, CUT_SIGNAL);
	if (pthread_sigmask(SIG_BLOCK, &set, &old) != 0)
		return false;
	seen = counter_period(counter, LOOP_BRANCHES / 2 + 1) == 0;
	if (seen) {
		count_loop(counter->branches_fd, LOOP_BRANCHES);
		seen = sigtimedwait(&set, &info, &at_most) == CUT_SIGNAL &&
		       cut_is_overflow(counter, &info);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return seen;
}

static bool breaks(pid_t tid)
{
	int fd = breakpoint_open(tid, (uint64_t)(uintptr_t)counter_usable, 1);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool usable;

static void probe(void)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	struct counter *counter;

	if (!host_allows(HOST_PMU) || counter_open(tid, &counter) < 0)
		return;
	usable = breaks(tid) && counts_exactly(counter) && interrupts(counter);
	counter_close(counter);
}

bool counter_usable(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, probe);
	return usable;
}
