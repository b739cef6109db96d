#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"
#include "breakpoint.h"
#include "counter.h"
#include "host.h"
#include "register.h"

#define PERIOD_NEVER (1ULL << 62)
#define SIGNAL_BIT(number) (1ULL << ((number)-1))
#define QUEUE_LOOK 32 /* queued signals looked at in one go */

int counter_event_open(pid_t tid, struct perf_event_attr *event)
{
	long fd = syscall(SYS_perf_event_open, event, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* Overflows of `fd` become CUT_SIGNAL of the thread itself: it stops on its way back to user mode, where a
 * signal to the tracer would first have to win the CPU from the guest. Gives `fd`, or closes it. */
static int send_to_thread(int fd, pid_t tid)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = tid };
	int error;

	if (fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, CUT_SIGNAL) == 0 &&
	    fcntl(fd, F_SETFL, O_ASYNC) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static int open_branches(pid_t tid)
{
	struct perf_event_attr event = { .size = sizeof(event),
					 .sample_period = PERIOD_NEVER,
					 .disabled = 1 };
	int fd, r = counter_event(&event);

	if (r < 0)
		return r;
	fd = counter_event_open(tid, &event);
	if (fd < 0)
		return fd == -ESRCH ? SWORN_EGONE : SWORN_EHOST;
	return send_to_thread(fd, tid);
}

static int open_clock(pid_t tid)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = PERIOD_NEVER,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = counter_event_open(tid, &event);

	if (fd < 0)
		return fd == -ESRCH ? SWORN_EGONE : fd;
	return send_to_thread(fd, tid);
}

int counter_open(pid_t tid, struct counter **ret)
{
	struct counter *counter;
	int fd;

	if (!host_allows(HOST_PMU))
		return SWORN_EHOST;
	fd = open_branches(tid);
	if (fd < 0)
		return fd;
	counter = calloc(1, sizeof(*counter));
	if (!counter) {
		close(fd);
		return -ENOMEM;
	}
	counter->tid = tid;
	counter->branches_fd = fd;
	counter->clock_fd = -1;
	counter_tune(&counter->tuning);
	*ret = counter;
	return 0;
}

void counter_close(struct counter *counter)
{
	if (!counter)
		return;
	counter_stop(counter);
	close(counter->branches_fd);
	if (counter->clock_fd >= 0)
		close(counter->clock_fd);
	free(counter);
}

void counter_margin(struct counter *counter, uint64_t branches)
{
	struct cut_tuning usual;

	counter_tune(&usual);
	counter->tuning.margin_address = branches ? branches : usual.margin_address;
	counter->tuning.margin_count = branches ? branches : usual.margin_count;
}

uint64_t counter_slice(const struct counter *counter)
{
	return counter->tuning.slice;
}

int counter_quiet(struct counter *counter)
{
	int r = counter_limit(counter, 0);

	return r < 0 ? r : counter_period(counter, 0);
}

static int ptrace_error(void)
{
	return errno == ESRCH ? SWORN_EGONE : -errno;
}

static int set_mask(pid_t tid, uint64_t mask)
{
	return ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask) < 0 ? ptrace_error() : 0;
}

int counter_unblock(struct counter *counter, uint64_t signals)
{
	uint64_t mask;
	int r;

	if (ptrace(PTRACE_GETSIGMASK, counter->tid, sizeof(mask), &mask) < 0)
		return ptrace_error();
	if (!counter->mask_taken)
		counter->mask = mask;
	if (!(mask & signals))
		return 0;
	r = set_mask(counter->tid, mask & ~signals);
	if (r == 0)
		counter->mask_taken = true;
	return r;
}

int counter_period(struct counter *counter, uint64_t branches)
{
	uint64_t period = branches && branches < PERIOD_NEVER ? branches : PERIOD_NEVER;

	return ioctl(counter->branches_fd, PERF_EVENT_IOC_PERIOD, &period) < 0 ? -errno : 0;
}

int counter_start(struct counter *counter, uint64_t period)
{
	int r = counter_stop(counter);

	if (r < 0)
		return r;
	if (ioctl(counter->branches_fd, PERF_EVENT_IOC_RESET, 0) < 0)
		return -errno;
	r = counter_period(counter, period);
	return r < 0 ? r : counter_resume(counter);
}

int counter_resume(struct counter *counter)
{
	int r = counter_unblock(counter, SIGNAL_BIT(CUT_SIGNAL));

	/* A thread that died is found by whoever waits for it. */
	if (r < 0 && r != SWORN_EGONE)
		return r;
	counter->on = true;
	return ioctl(counter->branches_fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

static int disable(struct counter *counter)
{
	int r = counter_limit(counter, 0);

	if (!counter->on)
		return r;
	if (ioctl(counter->branches_fd, PERF_EVENT_IOC_DISABLE, 0) < 0)
		return -errno;
	counter->on = false;
	return r;
}

static int restore_mask(struct counter *counter)
{
	int r = counter->mask_taken ? set_mask(counter->tid, counter->mask) : 0;

	counter->mask_taken = false;
	return r == SWORN_EGONE ? 0 : r;
}

int counter_stop(struct counter *counter)
{
	int r = disable(counter), s = restore_mask(counter);

	return r < 0 ? r : s;
}

int counter_read(struct counter *counter, uint64_t *ret_count)
{
	uint64_t count;
	ssize_t length = read(counter->branches_fd, &count, sizeof(count));

	if (length < 0)
		return -errno;
	if (length != sizeof(count))
		return SWORN_EHOST; /* a pinned event that lost its place: perf_event_open(2) */
	*ret_count = count;
	return 0;
}

int counter_limit(struct counter *counter, uint64_t nanoseconds)
{
	if (nanoseconds == 0) {
		if (!counter->limited)
			return 0;
		counter->limited = false;
		return ioctl(counter->clock_fd, PERF_EVENT_IOC_DISABLE, 0) < 0 ? -errno : 0;
	}
	if (counter->clock_fd < 0) {
		int fd = open_clock(counter->tid);

		if (fd < 0)
			return fd;
		counter->clock_fd = fd;
	}
	if (ioctl(counter->clock_fd, PERF_EVENT_IOC_PERIOD, &nanoseconds) < 0 ||
	    ioctl(counter->clock_fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	counter->limited = true;
	return 0;
}

bool cut_is_overflow(const struct counter *counter, const void *siginfo)
{
	siginfo_t info;

	memcpy(&info, siginfo, sizeof(info));
	return info.si_signo == CUT_SIGNAL && info.si_code > 0 &&
	       (info.si_fd == counter->branches_fd || info.si_fd == counter->clock_fd);
}

static bool is_signal_stop(int status)
{
	return WIFSTOPPED(status) && status >> 16 == 0 && !(WSTOPSIG(status) & 0x80);
}

static bool is_seccomp_stop(int status)
{
	return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
}

int counter_wait(struct counter *counter, int *ret_status)
{
	siginfo_t info;
	pid_t pid;
	int status;

	do {
		pid = waitpid(counter->tid, &status, __WALL);
	} while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return SWORN_EGONE;
	*ret_status = status;
	if (!is_signal_stop(status) || (WSTOPSIG(status) != CUT_SIGNAL && WSTOPSIG(status) != SIGTRAP) ||
	    ptrace(PTRACE_GETSIGINFO, counter->tid, NULL, &info) < 0)
		return HALT_OTHER;
	if (breakpoint_is_hit(&info))
		return HALT_BREAKPOINT;
	if (!cut_is_overflow(counter, &info))
		return HALT_OTHER;
	return info.si_fd == counter->branches_fd ? HALT_OVERFLOW : HALT_LIMIT;
}

int counter_run(struct counter *counter, int *ret_status)
{
	/* One that cannot be resumed was killed: its exit is what comes next. */
	if (ptrace(PTRACE_CONT, counter->tid, NULL, NULL) < 0 && errno != ESRCH)
		return -errno;
	return counter_wait(counter, ret_status);
}

static bool is_queued(const struct counter *counter)
{
	struct __ptrace_peeksiginfo_args args = { .nr = QUEUE_LOOK };
	siginfo_t queue[QUEUE_LOOK];
	long found;

	do {
		found = ptrace(PTRACE_PEEKSIGINFO, counter->tid, &args, queue);
		for (long i = 0; i < found; i++)
			if (cut_is_overflow(counter, &queue[i]))
				return true;
		args.off += QUEUE_LOOK;
	} while (found == QUEUE_LOOK);
	return false;
}

/* Lets queued interrupts out, all other signals blocked. The thread must be on its way to user mode. */
static int let_out(struct counter *counter, int *ret_status)
{
	int r = set_mask(counter->tid, ~SIGNAL_BIT(CUT_SIGNAL));

	counter->mask_taken = true;
	if (r < 0)
		return r;
	do {
		r = counter_run(counter, ret_status);
	} while ((r == HALT_OVERFLOW || r == HALT_LIMIT) && is_queued(counter));
	return r;
}

/*
 * A signal is not delivered before the call that the thread is about to make: the call is skipped, the
 * signal comes out behind it, and the thread is put back before its `syscall` (2 bytes), with the registers
 * that instruction changes as it will leave them again.
 */
static int settle_entry(struct counter *counter, int *status)
{
	struct registers registers, before;
	int r = register_get(counter->tid, &registers), stopped;

	if (r < 0)
		return r;
	before = registers;
	before.rip -= 2;
	before.rax = registers.orig_rax;
	before.orig_rax = UINT64_MAX;
	registers.orig_rax = UINT64_MAX;
	r = register_set(counter->tid, &registers);
	if (r == 0)
		r = let_out(counter, &stopped);
	if (r < 0)
		return r;
	if (r == HALT_OTHER) {
		register_set(counter->tid, &before);
		*status = stopped;
		return 1;
	}
	r = register_set(counter->tid, &before);
	if (r == 0)
		r = restore_mask(counter);
	if (r == 0)
		r = counter_run(counter, &stopped);
	if (r < 0)
		return r;
	if (is_seccomp_stop(stopped))
		return 0;
	*status = stopped;
	return 1;
}

/* The stop of our own signal takes the place of the one it stood behind, which gets its siginfo. */
static int settle_signal(struct counter *counter, int *status)
{
	siginfo_t info;
	int stopped, r;

	if (ptrace(PTRACE_GETSIGINFO, counter->tid, NULL, &info) < 0)
		return ptrace_error();
	r = let_out(counter, &stopped);
	if (r < 0)
		return r;
	if (r == HALT_OTHER) {
		*status = stopped;
		return 1;
	}
	return ptrace(PTRACE_SETSIGINFO, counter->tid, NULL, &info) < 0 ? ptrace_error() : 0;
}

int counter_settle(struct counter *counter, int *status)
{
	int r = disable(counter), s;

	if (r == 0 && is_queued(counter)) {
		if (is_seccomp_stop(*status))
			r = settle_entry(counter, status);
		else if (is_signal_stop(*status))
			r = settle_signal(counter, status);
	}
	/* Killed meanwhile: its exit is the stop to report. */
	if (r == SWORN_EGONE)
		r = counter_wait(counter, status) < 0 ? SWORN_EGONE : 1;
	s = restore_mask(counter);
	return r != 0 ? r : s;
}

/* Waits for the stop that a killed thread still makes. */
static int take_exit(struct counter *counter, int *ret_status)
{
	int r = counter_wait(counter, ret_status);

	return r < 0 ? r : 1;
}

int counter_finish(struct counter *counter, int r, int *status)
{
	int s;

	if (r == SWORN_EGONE)
		r = take_exit(counter, status);
	s = counter_settle(counter, status);
	return r < 0 || s == 0 ? r : s;
}

int cut_wait(pid_t tid, struct counter *counter, int *ret_status)
{
	int status, r = counter_wait(counter, &status);

	(void)tid;
	if (r < 0)
		return r;
	if (r == HALT_OVERFLOW || r == HALT_LIMIT) {
		*ret_status = status;
		return r == HALT_OVERFLOW ? 1 : 2;
	}
	r = counter_settle(counter, &status);
	if (r < 0)
		return r;
	*ret_status = status;
	return 0;
}
