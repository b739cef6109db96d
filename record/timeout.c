#include "timeout.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "../sandbox/register.h"
#include "../traces/error.h"
#include "socket_time.h"

#define BILLION 1000000000ULL
#define SECONDS_MAX 9000000000LL
#define KERNEL_ERESTARTSYS 512
#define KERNEL_ERESTARTNOHAND 514
#define KERNEL_RESTART_LOWEST 512
#define KERNEL_RESTART_HIGHEST 516
#define FDSETS 3
#define FUTEX_COMMAND 0x7fULL

/* How a call says how long it waits. */
enum form {
	FORM_NONE,
	FORM_MS,       /* milliseconds, negative for ever */
	FORM_SPEC,     /* a timespec, relative */
	FORM_VALUE,    /* a timeval, relative */
	FORM_REAL,     /* a timespec, absolute, CLOCK_REALTIME */
	FORM_CLOCK,    /* a timespec, absolute, on the clock in the next argument */
	FORM_FUTEX,    /* as the futex operation says */
	FORM_SLEEP,    /* nanosleep */
	FORM_SLEEP_ON, /* clock_nanosleep */
	FORM_MESSAGES, /* as FORM_SPEC, else as FORM_RECEIVE */
	FORM_RECEIVE,  /* as the socket has it */
	FORM_SEND
};

struct timed_call {
	uint32_t nr;
	uint8_t arg; /* the timeout */
	uint8_t form;
	bool tells; /* writes what is left into the timeout */
	bool sets;  /* has fd_sets, which a timeout clears */
	int error;  /* how it ends at its deadline: 0 or -error */
};

static const struct timed_call timed_calls[] = {
	{ SYS_poll, 2, FORM_MS, false, false, 0 },
	{ SYS_ppoll, 2, FORM_SPEC, true, false, 0 },
	{ SYS_select, 4, FORM_VALUE, true, true, 0 },
	{ SYS_pselect6, 4, FORM_SPEC, true, true, 0 },
	{ SYS_epoll_wait, 3, FORM_MS, false, false, 0 },
	{ SYS_epoll_pwait, 3, FORM_MS, false, false, 0 },
	{ 441 /* epoll_pwait2 */, 3, FORM_SPEC, false, false, 0 },
	{ SYS_futex, 3, FORM_FUTEX, false, false, ETIMEDOUT },
	{ 449 /* futex_waitv */, 3, FORM_CLOCK, false, false, ETIMEDOUT },
	{ 455 /* futex_wait */, 4, FORM_CLOCK, false, false, ETIMEDOUT },
	{ SYS_rt_sigtimedwait, 2, FORM_SPEC, false, false, EAGAIN },
	{ SYS_semtimedop, 3, FORM_SPEC, false, false, EAGAIN },
	{ SYS_mq_timedsend, 4, FORM_REAL, false, false, ETIMEDOUT },
	{ SYS_mq_timedreceive, 4, FORM_REAL, false, false, ETIMEDOUT },
	{ SYS_nanosleep, 0, FORM_SLEEP, false, false, 0 },
	{ SYS_clock_nanosleep, 2, FORM_SLEEP_ON, false, false, 0 },
	{ SYS_recvmmsg, 4, FORM_MESSAGES, true, false, EAGAIN },
	{ SYS_read, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_readv, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_recvfrom, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_recvmsg, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_accept, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_accept4, 0, FORM_RECEIVE, false, false, EAGAIN },
	{ SYS_write, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_writev, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_sendto, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_sendmsg, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_sendmmsg, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_sendfile, 0, FORM_SEND, false, false, EAGAIN },
	{ SYS_connect, 0, FORM_SEND, false, false, EAGAIN },
};

static const struct timed_call *find(uint32_t nr)
{
	for (size_t i = 0; i < sizeof(timed_calls) / sizeof(timed_calls[0]); i++) {
		if (timed_calls[i].nr == nr)
			return &timed_calls[i];
	}
	return NULL;
}

static uint64_t *argument(struct registers *registers, unsigned int number)
{
	switch (number) {
	case 0: return &registers->rdi;
	case 1: return &registers->rsi;
	case 2: return &registers->rdx;
	case 3: return &registers->r10;
	case 4: return &registers->r8;
	default: return &registers->r9;
	}
}

static bool is_sleep(const struct timed_call *timed)
{
	return timed->form == FORM_SLEEP || timed->form == FORM_SLEEP_ON;
}

static bool is_socket_form(const struct timed_call *timed)
{
	return timed->form == FORM_RECEIVE || timed->form == FORM_SEND;
}

uint64_t timeout_origin(const struct recorder *rec, clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: return rec->epoch_ns;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: return BOOT_BEFORE_NS;
	default: return 0;
	}
}

/* False for what the kernel would refuse, which is left to it. */
static bool read_ns(struct thread *thread, uint64_t address, uint64_t unit_ns, uint64_t *ret)
{
	int64_t words[2];

	if (!address || guest_read(thread, address, words, sizeof(words)) != sizeof(words) ||
	    words[0] < 0 || words[1] < 0 || (uint64_t)words[1] * unit_ns >= BILLION)
		return false;
	if (words[0] > SECONDS_MAX)
		words[0] = SECONDS_MAX;
	*ret = (uint64_t)words[0] * BILLION + (uint64_t)words[1] * unit_ns;
	return true;
}

static bool is_absolute_futex(uint64_t op)
{
	switch (op & FUTEX_COMMAND) {
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2: return true;
	default: return false;
	}
}

static clockid_t futex_clock(uint64_t op)
{
	if ((op & FUTEX_COMMAND) == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME))
		return CLOCK_REALTIME;
	return CLOCK_MONOTONIC;
}

static bool is_known_clock(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME ||
	       id == CLOCK_TAI || id == CLOCK_PROCESS_CPUTIME_ID;
}

/* The clock that the deadline is told on, and whether it is absolute. */
static bool find_clock(const struct timed_call *timed, const uint64_t *args, clockid_t *ret_clock)
{
	*ret_clock = CLOCK_MONOTONIC;
	switch (timed->form) {
	case FORM_REAL: *ret_clock = CLOCK_REALTIME; return true;
	case FORM_CLOCK: *ret_clock = (clockid_t)args[timed->arg + 1]; return true;
	case FORM_FUTEX: *ret_clock = futex_clock(args[1]); return is_absolute_futex(args[1]);
	case FORM_SLEEP_ON: *ret_clock = (clockid_t)args[0]; return args[1] & TIMER_ABSTIME;
	default: return false;
	}
}

/* What SO_RCVTIMEO or SO_SNDTIMEO of the call's socket says. */
static bool find_socket_deadline(struct recorder *rec, struct thread *thread, bool sends)
{
	uint64_t ns = socket_time_of(rec, thread, sends);

	thread->record->wait.deadline_ns = rec->clock_ns + ns;
	return ns != UINT64_MAX;
}

/* When the call is to end; false when it has no timeout, or one that the kernel judges at once. */
static bool find_deadline(struct recorder *rec, struct thread *thread, const struct timed_call *timed)
{
	const uint64_t *args = thread->call.args;
	uint64_t unit_ns = timed->form == FORM_VALUE ? 1000 : 1, ns, origin;
	struct wait *wait = &thread->record->wait;
	clockid_t clock;
	bool absolute;

	if (timed->form == FORM_MS) {
		if ((int)args[timed->arg] <= 0)
			return false;
		ns = (uint64_t)(int)args[timed->arg] * 1000000;
	} else if (is_socket_form(timed) || (timed->form == FORM_MESSAGES && !args[timed->arg])) {
		return find_socket_deadline(rec, thread, timed->form == FORM_SEND);
	} else if (!read_ns(thread, args[timed->arg], unit_ns, &ns)) {
		return false;
	}
	absolute = find_clock(timed, args, &clock);
	if (timed->form == FORM_SLEEP_ON && !is_known_clock(clock))
		return false;
	if (ns == 0 && !absolute && timed->form != FORM_FUTEX && !is_sleep(timed))
		return false; /* only a look */
	origin = timeout_origin(rec, clock);
	if (absolute)
		wait->deadline_ns = ns > origin ? ns - origin : 0;
	else
		wait->deadline_ns = rec->clock_ns + ns;
	return true;
}

int timeout_enter(struct recorder *rec, struct thread *thread, bool again)
{
	const struct timed_call *timed = rec->virtual_clock ? find(thread->call.nr) : NULL;
	struct wait *wait = &thread->record->wait;
	struct registers run = thread->registers;

	if (again ? !wait->timed : !timed || !find_deadline(rec, thread, timed)) {
		wait->timed = false;
		return 0;
	}
	wait->timed = true;
	wait->expired = false;
	/* restart_syscall goes on with what it was told first. */
	if (run.orig_rax == SYS_restart_syscall || is_socket_form(timed))
		return 0;
	*argument(&run, timed->arg) = timed->form == FORM_MS ? UINT32_MAX : 0;
	if (is_sleep(timed))
		run.orig_rax = SYS_pause;
	return register_set(thread->tid, &run);
}

/* A connection goes on being made after its timeout, but for a local one, which waits for room in a queue: socket(7). */
static int end_error(struct thread *thread, const struct timed_call *timed)
{
	sa_family_t family = AF_UNSPEC;

	if (timed->nr != SYS_connect)
		return timed->error;
	guest_read(thread, thread->call.args[1], &family, sizeof(family));
	return family == AF_UNIX ? EAGAIN : EINPROGRESS;
}

static bool is_interrupted(int64_t result)
{
	return result == -EINTR ||
	       (result <= -KERNEL_RESTART_LOWEST && result >= -KERNEL_RESTART_HIGHEST);
}

/* What is left of the timeout, where the call says it: poll(2), select(2), nanosleep(2). */
static int tell_rest(struct recorder *rec, struct thread *thread, const struct timed_call *timed)
{
	const struct wait *wait = &thread->record->wait;
	uint64_t rest = wait->deadline_ns > rec->clock_ns ? wait->deadline_ns - rec->clock_ns : 0;
	uint64_t address = timed->tells ? thread->call.args[timed->arg] : 0;
	bool absolute = timed->form == FORM_SLEEP_ON && (thread->call.args[1] & TIMER_ABSTIME);
	int64_t words[2] = { (int64_t)(rest / BILLION), (int64_t)(rest % BILLION) };

	if (is_sleep(timed) && rest > 0 && !absolute)
		address = thread->call.args[timed->form == FORM_SLEEP ? 1 : 3];
	if (timed->form == FORM_VALUE)
		words[1] /= 1000;
	if (!address || !record_writable(thread, address, sizeof(words)))
		return 0;
	return guest_write(thread, address, words, sizeof(words));
}

static int clear_sets(struct thread *thread)
{
	static const uint8_t zeros[128];
	uint64_t count = thread->call.args[0], length = (count + 63) / 64 * 8;
	int r = 0;

	if (length > sizeof(zeros))
		length = sizeof(zeros);
	for (unsigned int i = 1; r == 0 && i <= FDSETS; i++) {
		if (thread->call.args[i])
			r = guest_write(thread, thread->call.args[i], zeros, length);
	}
	return r;
}

int timeout_leave(struct recorder *rec, struct thread *thread)
{
	const struct timed_call *timed = find(thread->call.nr);
	struct wait *wait = &thread->record->wait;
	int64_t result = (int64_t)thread->registers.rax;
	bool interrupted = is_interrupted(result), over;
	int r = 0;

	if (!wait->timed || !timed)
		return 0;
	over = wait->expired && interrupted;
	for (unsigned int i = 0; i < 6; i++)
		*argument(&thread->registers, i) = thread->call.args[i];
	thread->registers.orig_rax = thread->call.nr;
	if (over) {
		thread->registers.rax = (uint64_t)-end_error(thread, timed);
		if (timed->sets)
			r = clear_sets(thread);
	} else if ((timed->form == FORM_FUTEX || timed->form >= FORM_MESSAGES) &&
		   result == -KERNEL_ERESTARTSYS) {
		/* With a timeout a handler ends it for good, whatever SA_RESTART says (signal(7)). */
		thread->registers.rax = (uint64_t)-KERNEL_ERESTARTNOHAND;
	}
	if (r == 0 && (timed->tells || interrupted))
		r = tell_rest(rec, thread, timed);
	if (over || !interrupted)
		wait->timed = false;
	return r < 0 && r != -EFAULT ? r : stop_set_registers(thread);
}

static bool is_waiting(const struct thread *thread)
{
	return thread->record->wait.timed && !thread->record->wait.expired &&
	       thread->run == RUN_KERNEL && !thread->record->died && !thread->record->exiting;
}

uint64_t timeout_next(const struct recorder *rec)
{
	uint64_t next = UINT64_MAX;

	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (is_waiting(t) && t->record->wait.deadline_ns < next)
			next = t->record->wait.deadline_ns;
	}
	return next;
}

int timeout_expire(struct recorder *rec)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (!is_waiting(t) || t->record->wait.deadline_ns > rec->clock_ns)
			continue;
		t->record->wait.expired = true;
		rec->stirred = true;
		if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) < 0 && errno != ESRCH)
			return -errno;
	}
	return 0;
}
