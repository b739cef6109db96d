#include "usage.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

#include "timeout.h"

#define BILLION 1000000000ULL
#define TICK_NS 10000000ULL /* of times(2) */
#define COARSE_NS 4000000   /* of the clocks that follow the kernel's tick */
#define MAXRSS_KIB 4096
#define UNSYNCED_ERROR_US 16000000

static int give(struct recorder *rec, struct thread *thread, const struct payload *payload, int64_t result)
{
	int r = payload->address ? record_give(rec, thread, payload, &result) : 0;

	return r < 0 ? r : record_answer(rec, thread, result);
}

static int answer_times(struct recorder *rec, struct thread *thread)
{
	uint64_t ticks = rec->clock_ns / TICK_NS;
	struct tms tms = { .tms_utime = (clock_t)ticks };
	struct payload payload = { 0, DIRECTION_OUT, thread->call.args[0], sizeof(tms), (uint8_t *)&tms };

	return give(rec, thread, &payload, (int64_t)(BOOT_BEFORE_NS / TICK_NS + ticks));
}

static int answer_usage(struct recorder *rec, struct thread *thread)
{
	int who = (int)thread->call.args[0];
	struct rusage usage;
	struct payload payload = { 1, DIRECTION_OUT, thread->call.args[1], sizeof(usage),
				   (uint8_t *)&usage };

	memset(&usage, 0, sizeof(usage));
	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != 1 /* RUSAGE_THREAD */)
		return record_answer(rec, thread, -EINVAL);
	if (!payload.address)
		return record_answer(rec, thread, -EFAULT);
	if (who != RUSAGE_CHILDREN) {
		usage.ru_utime.tv_sec = (time_t)(rec->clock_ns / BILLION);
		usage.ru_utime.tv_usec = (suseconds_t)(rec->clock_ns % BILLION / 1000);
	}
	if (who != RUSAGE_CHILDREN || thread->process->waited)
		usage.ru_maxrss = MAXRSS_KIB;
	return give(rec, thread, &payload, 0);
}

static int answer_resolution(struct recorder *rec, struct thread *thread)
{
	clockid_t id = (clockid_t)thread->call.args[0];
	struct timespec t = { .tv_nsec = 1 };
	struct payload payload = { 1, DIRECTION_OUT, thread->call.args[1], sizeof(t), (uint8_t *)&t };

	if (id >= 12 || id == 10)
		return record_answer(rec, thread, -EINVAL);
	if (id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
		t.tv_nsec = COARSE_NS;
	return give(rec, thread, &payload, 0);
}

/* The clock as nobody has set it: adjtimex(2). Changing it is refused. */
static int answer_adjust(struct recorder *rec, struct thread *thread)
{
	unsigned int arg = thread->call.nr == SYS_adjtimex ? 0 : 1;
	struct timex timex;
	struct payload payload = { (uint8_t)arg, DIRECTION_OUT, thread->call.args[arg],
				   sizeof(timex), (uint8_t *)&timex };
	uint64_t now = rec->epoch_ns + rec->clock_ns;

	if (guest_read(thread, payload.address, &timex, sizeof(timex)) != sizeof(timex))
		return record_answer(rec, thread, -EFAULT);
	if (arg == 1 && thread->call.args[0] != CLOCK_REALTIME)
		return record_answer(rec, thread, -EOPNOTSUPP);
	if (timex.modes != 0 && timex.modes != ADJ_OFFSET_SS_READ)
		return record_answer(rec, thread, -EPERM);
	memset(&timex, 0, sizeof(timex));
	timex.status = STA_UNSYNC;
	timex.maxerror = timex.esterror = UNSYNCED_ERROR_US;
	timex.tick = 10000;
	timex.precision = 1;
	timex.tolerance = 32768000;
	timex.time.tv_sec = (time_t)(now / BILLION);
	timex.time.tv_usec = (suseconds_t)(now % BILLION / 1000);
	return give(rec, thread, &payload, TIME_ERROR);
}

int usage_entry(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	*ret_answered = true;
	switch (thread->call.nr) {
	case SYS_times: return answer_times(rec, thread);
	case SYS_getrusage: return answer_usage(rec, thread);
	case SYS_clock_getres: return answer_resolution(rec, thread);
	case SYS_adjtimex:
	case SYS_clock_adjtime: return answer_adjust(rec, thread);
	default: *ret_answered = false; return 0;
	}
}

int usage_of_child(struct thread *thread, int64_t result)
{
	unsigned int arg = thread->call.nr == SYS_wait4 ? 3 : 4;
	struct rusage usage;

	if ((thread->call.nr != SYS_wait4 && thread->call.nr != SYS_waitid) || result < 0 ||
	    (thread->call.nr == SYS_wait4 && result == 0))
		return 0;
	thread->process->waited = true;
	if (!thread->call.args[arg])
		return 0;
	memset(&usage, 0, sizeof(usage));
	usage.ru_maxrss = MAXRSS_KIB;
	return guest_write(thread, thread->call.args[arg], &usage, sizeof(usage));
}
