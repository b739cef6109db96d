/*
 * A counter of retired conditional branches for any program, on any host: a thread whose counter is on is stepped, and each branch
 * that it steps over is counted. Thousands of times too slow, but exact. sworn_stepped is sworn with this between it and
 * what it asks of the kernel for its counter (the linker's --wrap), and in place of sandbox/counter_event.c and counter_probe.c:
 * counter.c is the real one. STEPPED_MARGIN and STEPPED_SLICE are as for watched_counter.c; STEPPED_SKID makes each interrupt
 * come so many branches late, or fewer.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../sandbox/counter.h"
#include "../../sandbox/host.h"

#define COUNTERS_MAX 1024
#define NEVER (1ULL << 62)
#define TRAP_FLAG 0x100ULL
#define SIGTRAP_BIT (1ULL << (SIGTRAP - 1))
#define IN_SECCOMP(status) ((status) >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))

struct stepped {
	pid_t tid; /* 0 = free */
	int fd;
	bool on, stepping; /* stepping: for the counter's sake alone */
	bool branch, due;  /* the instruction that runs counts; an interrupt is what it stands at */
	bool entered; /* it stood at the entry of a call: the first step is the way out of that */
	uint64_t count, period, left, skid;
	uint64_t mask;
};

static struct stepped counters[COUNTERS_MAX];

long __real_ptrace(long request, pid_t tid, void *address, void *data);
pid_t __real_waitpid(pid_t pid, int *status, int options);
int __real_ioctl(int fd, unsigned long request, unsigned long argument);
ssize_t __real_read(int fd, void *buffer, size_t length);
long __real_syscall(long number, ...);
int __real_close(int fd);
long __wrap_ptrace(long request, pid_t tid, void *address, void *data);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_ioctl(int fd, unsigned long request, unsigned long argument);
ssize_t __wrap_read(int fd, void *buffer, size_t length);
long __wrap_syscall(long number, ...);
int __wrap_close(int fd);

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

bool counter_usable(void)
{
	return host_allows(HOST_PMU);
}

int counter_event(struct perf_event_attr *ret)
{
	ret->type = PERF_TYPE_RAW;
	return 0;
}

void counter_tune(struct cut_tuning *ret)
{
	*ret = (struct cut_tuning){
		.margin_address = 200,
		.margin_count = number("STEPPED_MARGIN", 40),
		.rare = 60,
		.look_ns = 300000,
		.looks = 3,
		.slice = number("STEPPED_SLICE", 1000),
	};
}

static struct stepped *by_tid(pid_t tid)
{
	for (size_t i = 0; i < COUNTERS_MAX; i++)
		if (counters[i].tid == tid && tid != 0)
			return &counters[i];
	return NULL;
}

static struct stepped *by_fd(int fd)
{
	for (size_t i = 0; i < COUNTERS_MAX; i++)
		if (counters[i].tid != 0 && counters[i].fd == fd)
			return &counters[i];
	return NULL;
}

int __wrap_close(int fd)
{
	struct stepped *counter = by_fd(fd);

	if (counter)
		counter->tid = 0;
	return __real_close(fd);
}

static long open_counter(pid_t tid)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < COUNTERS_MAX; i++) {
		if (counters[i].tid == 0) {
			counters[i] = (struct stepped){
				.tid = tid, .fd = fd, .period = NEVER, .left = NEVER
			};
			return fd;
		}
	}
	abort();
}

long __wrap_syscall(long call, ...)
{
	const struct perf_event_attr *event;
	long arguments[6];
	va_list list;

	va_start(list, call);
	for (unsigned int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	event = (const struct perf_event_attr *)arguments[0];
	if (call == SYS_perf_event_open && event->type == PERF_TYPE_RAW)
		return open_counter((pid_t)arguments[1]);
	return __real_syscall(call, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
}

int __wrap_ioctl(int fd, unsigned long request, unsigned long argument)
{
	struct stepped *counter = by_fd(fd);

	if (!counter)
		return __real_ioctl(fd, request, argument);
	switch (request) {
	case PERF_EVENT_IOC_RESET: counter->count = 0; return 0;
	case PERF_EVENT_IOC_ENABLE: counter->on = true; return 0;
	case PERF_EVENT_IOC_DISABLE: counter->on = false; return 0;
	case PERF_EVENT_IOC_PERIOD:
		memcpy(&counter->period, (const void *)argument, sizeof(counter->period));
		counter->left = counter->period;
		return 0;
	default: errno = EINVAL; return -1;
	}
}

ssize_t __wrap_read(int fd, void *buffer, size_t length)
{
	struct stepped *counter = by_fd(fd);

	if (!counter || length != sizeof(counter->count))
		return __real_read(fd, buffer, length);
	memcpy(buffer, &counter->count, sizeof(counter->count));
	return sizeof(counter->count);
}

/* jcc, loop, jrcxz, behind hints for prediction and bounds. */
static bool is_branch(const uint8_t *code)
{
	while (*code == 0x2e || *code == 0x3e || *code == 0xf2)
		code++;
	return (*code & 0xf0) == 0x70 || (*code >= 0xe0 && *code <= 0xe3) ||
	       (*code == 0x0f && (code[1] & 0xf0) == 0x80);
}

static bool at_branch(pid_t tid)
{
	uint8_t code[8] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 };
	long rip = __real_ptrace(PTRACE_PEEKUSER, tid,
				 (void *)offsetof(struct user_regs_struct, rip), NULL);
	struct iovec local = { code, sizeof(code) - 1 }, remote = { (void *)rip, sizeof(code) - 1 };

	/* At the end of a mapping there is less. */
	while (remote.iov_len > 0 && process_vm_readv(tid, &local, 1, &remote, 1, 0) < 0)
		local.iov_len = --remote.iov_len;
	return is_branch(code);
}

static void set_mask(pid_t tid, uint64_t mask)
{
	__real_ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(mask), &mask);
}

static bool is_entered(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return __real_ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_SECCOMP;
}

static long step(struct stepped *counter, void *data)
{
	counter->branch = !counter->entered && at_branch(counter->tid);
	counter->due = false;
	return __real_ptrace(PTRACE_SINGLESTEP, counter->tid, NULL, data);
}

static void fill_overflow(const struct stepped *counter, siginfo_t *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->si_signo = CUT_SIGNAL;
	ret->si_code = POLL_IN;
	ret->si_fd = counter->fd;
}

long __wrap_ptrace(long request, pid_t tid, void *address, void *data)
{
	struct stepped *counter = by_tid(tid);

	/* libc reads words by their value, the kernel into memory. */
	if (request == PTRACE_PEEKUSER || request == PTRACE_PEEKDATA ||
	    request == PTRACE_PEEKTEXT || !counter)
		return __real_ptrace(request, tid, address, data);
	if (request == PTRACE_GETSIGINFO && counter->due) {
		fill_overflow(counter, data);
		return 0;
	}
	if (request == PTRACE_SINGLESTEP && counter->on)
		return step(counter, data);
	if (request != PTRACE_CONT || !counter->on) {
		counter->due = counter->due && request != PTRACE_CONT && request != PTRACE_SINGLESTEP;
		return __real_ptrace(request, tid, address, data);
	}
	counter->entered = is_entered(tid);
	/* A step's signal must not find it blocked. */
	if (__real_ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(counter->mask), &counter->mask) < 0)
		return -1;
	set_mask(tid, counter->mask & ~SIGTRAP_BIT);
	counter->stepping = true;
	return step(counter, data);
}

static bool is_step(const struct stepped *counter, int status)
{
	siginfo_t info;

	if (status != (SIGTRAP << 8 | 0x7f) ||
	    __real_ptrace(PTRACE_GETSIGINFO, counter->tid, NULL, &info) < 0)
		return false;
	return info.si_code == TRAP_TRACE ||
	       (counter->entered && (info.si_code == TRAP_BRKPT || info.si_code == SI_USER));
}

/* Whether the interrupt has come. */
static bool count_branch(struct stepped *counter)
{
	static uint64_t late;

	counter->count++;
	if (counter->skid > 0)
		return --counter->skid == 0;
	if (--counter->left > 0)
		return false;
	counter->left = counter->period;
	late = late * 1103515245 + 12345;
	counter->skid = (late >> 16) % (number("STEPPED_SKID", 0) + 1);
	return counter->skid == 0;
}

/* `syscall` keeps the flags in r11, that of the step among them. */
static void clean_entry(pid_t tid)
{
	struct user_regs_struct registers;
	struct iovec io = { &registers, sizeof(registers) };

	if (__real_ptrace(PTRACE_GETREGSET, tid, (void *)1, &io) < 0)
		return;
	registers.r11 &= ~TRAP_FLAG;
	registers.eflags &= ~TRAP_FLAG;
	__real_ptrace(PTRACE_SETREGSET, tid, (void *)1, &io);
}

/* What the stop is to be for sworn: true when it is one, false when the thread runs on. */
static bool report(struct stepped *counter, int *status)
{
	if (is_step(counter, *status)) {
		counter->entered = false;
		bool due = counter->branch && count_branch(counter);

		if (!counter->stepping)
			return true;
		if (!due && step(counter, NULL) == 0)
			return false;
		counter->due = due;
		*status = CUT_SIGNAL << 8 | 0x7f;
	}
	if (counter->stepping && WIFSTOPPED(*status)) {
		set_mask(counter->tid, counter->mask);
		if (IN_SECCOMP(*status))
			clean_entry(counter->tid);
	}
	counter->stepping = false;
	return true;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	for (;;) {
		pid_t tid = __real_waitpid(pid, status, options);
		struct stepped *counter = tid > 0 ? by_tid(tid) : NULL;

		if (!counter || !counter->on || report(counter, status))
			return tid;
	}
}
