/*
 * How the virtual clock moves. Computing moves no time, calls and looks at the clock do, by a drawn step each. Loops
 * on the clock have to end all the same: of looks in a row the steps get longer. Work that is doubled until it takes
 * long enough would become endless before they are long, so now and then they double from look to look: after 16 in a
 * row and then ever more rarely, which keeps small what others see of it; with looks at CPU time, which few others
 * make, almost at once. Where nobody waits for a time they may get to seconds.
 */
#include <sys/syscall.h>

#include "../sandbox/random.h"
#include "recorder.h"
#include "timers.h"

#define STEP_NS 1000ULL	    /* per call or look */
#define LOOKS_AT_A_STEP 64U /* in a row, before their steps get longer for good */
#define LONG_SHIFT_MAX 10U  /* how long those get */
#define RISE_FIRST \
	16U /* looks in a row before steps double the first time, 4 times as many the next */
#define RISE_FIRST_OF_CPU 4U /* the same, of looks at CPU time */
#define RISE_SHIFT_MAX 18U   /* how long steps get, for one look, which ends it: about 1/4 s */
#define ALONE_SHIFT_MAX 22U  /* the same, where nobody waits for a time: about 4 s */

/* By how many bits the step of look `count` is longer. Both rise only for looks that come in a row. */
static unsigned int rise(unsigned int count, unsigned int first, unsigned int shift_max)
{
	for (unsigned int start = first; start <= count; start *= 4) {
		if (count - start <= shift_max)
			return count - start;
		if (start > UINT32_MAX / 4)
			break;
	}
	return 0;
}

static uint64_t step(struct recorder *rec, unsigned int shift)
{
	unsigned int longer = rec->clock_polls / LOOKS_AT_A_STEP;
	uint16_t drawn;

	if (!rec->seeded)
		return STEP_NS;
	if (longer > LONG_SHIFT_MAX)
		longer = LONG_SHIFT_MAX;
	random_bytes(rec->pace, &drawn, sizeof(drawn));
	return (STEP_NS / 2 + drawn % STEP_NS) << (shift > longer ? shift : longer);
}

uint64_t record_clock_ns(struct recorder *rec)
{
	rec->clock_ns += step(rec, 0);
	return rec->clock_ns;
}

/* How much longer the step of this look is. */
static unsigned int look_shift(const struct recorder *rec, const struct thread *thread, bool of_cpu)
{
	bool alone = timers_next(rec) == UINT64_MAX;
	unsigned int shift = rise(rec->clock_polls, RISE_FIRST, RISE_SHIFT_MAX), other = 0;

	if (of_cpu)
		other = rise(thread->record->cpu_looks, RISE_FIRST_OF_CPU,
			     alone ? ALONE_SHIFT_MAX : RISE_SHIFT_MAX);
	else if (alone)
		other = rise(rec->clock_reads, RISE_FIRST, ALONE_SHIFT_MAX);
	return other > shift ? other : shift;
}

uint64_t record_clock_look(struct recorder *rec, const struct thread *thread, bool of_cpu)
{
	unsigned int shift = 0;

	if (rec->seeded) {
		rec->clock_polls++;
		rec->clock_reads++;
		thread->record->cpu_looks += of_cpu;
		shift = look_shift(rec, thread, of_cpu);
	}
	rec->clock_ns += step(rec, shift);
	return rec->clock_ns;
}

void record_clock_slept(struct recorder *rec)
{
	rec->clock_polls = rec->clock_reads = 0;
}

static bool is_look_at_cpu(const struct call *call)
{
	return call->nr == SYS_times || call->nr == SYS_getrusage;
}

/* Looking, again and again, whether something has come: these must not slow time down. */
static bool is_look(const struct call *call)
{
	switch (call->nr) {
	case SYS_sched_yield:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_getpid:
	case SYS_gettid:
	case SYS_sched_getaffinity:
	case SYS_getcpu:
	case SYS_getitimer:
	case SYS_timer_gettime:
	case SYS_timerfd_gettime: return true;
	default: return is_look_at_cpu(call);
	}
}

void record_clock_step(struct recorder *rec, const struct thread *thread)
{
	const struct call *call = &thread->call;

	if (call->row && call->row->family == FAMILY_CLOCK)
		return;
	if (is_look(call)) {
		if (!is_look_at_cpu(call))
			rec->clock_reads = 0;
		record_clock_look(rec, thread, is_look_at_cpu(call));
		return;
	}
	record_clock_slept(rec);
	thread->record->cpu_looks = 0;
	record_clock_ns(rec);
}
