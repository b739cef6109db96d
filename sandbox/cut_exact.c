/*
 * To an exact count. The interrupt of a counter comes some branches after it is due, and never the same number, so it is
 * asked for early: what is left is stepped. Rounds of a loop whose exits are all known are left to the kernel, which
 * counts arrivals at a breakpoint.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../traces/error.h"
#include "breakpoint.h"
#include "counter.h"
#include "landmark.h"
#include "register.h"
#include "stop.h"

#define SIGTRAP_BIT (1ULL << (SIGTRAP - 1))
#define RF (1ULL << 16)
#define ROUNDS_MIN 4 /* fewer are as well stepped */
#define PATIENCE 16  /* steps before a loop is looked for */
#define PATIENCE_MAX 4096

/* What the functions below come to, besides 0 to go on. */
enum { EXACT_STOP = 1, EXACT_LATE = 2 };

struct exact {
	struct thread *thread;
	struct counter *counter;
	uint64_t count, target;
	int status; /* of the stop the thread stands at */
	unsigned int steps, patience;
};

static uint64_t early(const struct counter *counter, uint64_t branches)
{
	uint64_t margin = counter->tuning.margin_count;

	return branches > margin ? branches - margin : 1;
}

int cut_start(struct counter *counter, uint64_t count)
{
	return counter_start(counter, early(counter, count));
}

int cut_resume(struct counter *counter, uint64_t count)
{
	uint64_t now;
	int r = counter_read(counter, &now);

	if (r == 0)
		r = counter_period(counter, count > now ? early(counter, count - now) : 1);
	return r < 0 ? r : counter_resume(counter);
}

static int look(struct exact *exact)
{
	return counter_read(exact->counter, &exact->count);
}

/* To within the margin: an interrupt may be an old one. */
static int approach(struct exact *exact)
{
	struct counter *counter = exact->counter;
	int r = look(exact);

	while (r == 0 && exact->count < exact->target &&
	       exact->target - exact->count > counter->tuning.margin_count) {
		r = counter_period(counter, early(counter, exact->target - exact->count));
		if (r == 0)
			r = counter_run(counter, &exact->status);
		if (r < 0)
			return r;
		if (r == HALT_OTHER)
			return EXACT_STOP;
		r = look(exact);
	}
	return r < 0 ? r : exact->count < exact->target ? 0 : EXACT_LATE;
}

/* Runs to the breakpoints, whatever interrupts it on the way. */
static int run_to_breakpoint(struct exact *exact)
{
	int r;

	do
		r = counter_run(exact->counter, &exact->status);
	while (r == HALT_OVERFLOW || r == HALT_LIMIT);
	if (r == HALT_BREAKPOINT)
		r = stop_get_registers(exact->thread);
	else if (r == HALT_OTHER)
		r = EXACT_STOP;
	return r < 0 || r == EXACT_STOP ? r : look(exact);
}

/* So many rounds of the loop around the thread that the most branches in each still end before the target. */
static int hop(struct exact *exact)
{
	pid_t tid = exact->thread->tid;
	uint64_t rip = exact->thread->registers.rip, rounds;
	struct breakpoints breakpoints = BREAKPOINTS_NONE;
	struct landmark_loop loop;
	int r;

	exact->steps = 0;
	if (!landmark_loop(guest_memory(exact->thread), rip, &loop) ||
	    (rounds = (exact->target - exact->count - 1) / loop.branches) < ROUNDS_MIN) {
		if (exact->patience < PATIENCE_MAX)
			exact->patience *= 2;
		return 0;
	}
	r = breakpoint_put(&breakpoints, 0, tid, rip, rounds);
	for (size_t i = 0; i < loop.exits_count && r == 0; i++)
		r = breakpoint_put(&breakpoints, i + 1, tid, loop.exits[i], 1);
	if (r == 0)
		r = run_to_breakpoint(exact);
	else if (r != SWORN_EGONE)
		exact->patience = UINT32_MAX, r = 0; /* none to be had: steps will do */
	breakpoints_drop(&breakpoints);
	return r;
}

/* An interrupt that was on its way when it was called off. */
static bool is_own(const struct exact *exact)
{
	siginfo_t info;

	return stop_kind(exact->status) == STOP_SIGNAL && stop_signal(exact->status) == CUT_SIGNAL &&
	       ptrace(PTRACE_GETSIGINFO, exact->thread->tid, NULL, &info) == 0 &&
	       cut_is_overflow(exact->counter, &info);
}

static int step(struct exact *exact)
{
	int r = stop_step(exact->thread, &exact->status);

	if (r == 1 && !is_own(exact))
		return EXACT_STOP;
	exact->steps++;
	return r < 0 ? r : look(exact);
}

static int run(struct exact *exact)
{
	int r = approach(exact);

	if (r != 0)
		return r;
	r = counter_quiet(exact->counter);
	if (r == 0)
		r = counter_unblock(exact->counter, SIGTRAP_BIT);
	if (r == 0)
		r = stop_get_registers(exact->thread);
	while (r == 0 && exact->count < exact->target) {
		if (exact->steps >= exact->patience)
			r = hop(exact);
		if (r == 0)
			r = step(exact);
	}
	return r;
}

/* As a position describes it: the RF that a breakpoint left is no state of the guest. */
static int clean_registers(struct thread *thread)
{
	bool resumes = thread->registers.eflags & RF;

	thread->registers.orig_rax = UINT64_MAX;
	thread->registers.eflags &= ~RF;
	return resumes ? stop_set_registers(thread) : 0;
}

int cut_exactly(struct thread *thread, uint64_t count, struct position *ret, int *ret_status)
{
	struct exact exact = {
		.thread = thread,
		.counter = thread->counter,
		.target = count,
		.status = CUT_SIGNAL << 8 | 0x7f, /* where cut_wait() left it */
		.patience = PATIENCE,
	};
	int r = run(&exact);

	if (r == EXACT_LATE)
		return r;
	if (r == 0)
		r = clean_registers(thread);
	r = counter_finish(thread->counter, r, &exact.status);
	if (r == 0)
		*ret = (struct position){ .kind = TURN_COUNT,
					  .count = count,
					  .registers = thread->registers };
	else if (r > 0)
		*ret_status = exact.status;
	return r;
}
