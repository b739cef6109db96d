#include "spin.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

#include "../traces/error.h"
#include "seek.h"
#include "stop.h"

/* Steps until the registers are `start` again: the number of steps in *ret_steps, 0 when they do not come back. */
static int step_round(struct thread *thread, const struct registers *start, int *ret_steps,
		      int *ret_status)
{
	*ret_steps = 0;
	for (int i = 1; i <= SPIN_STEPS_MAX; i++) {
		int r = stop_step(thread, ret_status);

		if (r != 0)
			return r;
		if (seek_same_registers(&thread->registers, start)) {
			*ret_steps = i;
			return 0;
		}
	}
	return 0;
}

static bool is_lower(const struct registers *a, const struct registers *b)
{
	return a->rip != b->rip ? a->rip < b->rip : memcmp(a, b, sizeof(*a)) < 0;
}

/* Of all points of the round the same one, wherever the thread was interrupted. */
static int step_to_lowest(struct thread *thread, int steps, int *ret_status)
{
	struct registers lowest = thread->registers;

	for (int i = 0; i < 2 * steps; i++) {
		int r = stop_step(thread, ret_status);

		if (r != 0)
			return r;
		if (i < steps && is_lower(&thread->registers, &lowest))
			lowest = thread->registers;
		if (i >= steps && seek_same_registers(&thread->registers, &lowest))
			return 0;
	}
	return 2;
}

static int find(const struct guests *guests, struct thread *thread, int *ret_status)
{
	const struct registers start = thread->registers;
	const struct state_request request = seek_request();
	uint8_t before[DIGEST_BYTES], after[DIGEST_BYTES];
	int steps, r = step_round(thread, &start, &steps, ret_status);

	if (r != 0 || steps == 0)
		return r != 0 ? r : 2;
	/* One more round, to see whether memory stays as it is, too. */
	r = guest_state(guests, thread, &request, before);
	if (r == 0)
		r = step_round(thread, &start, &steps, ret_status);
	if (r != 0 || steps == 0)
		return r != 0 ? r : 2;
	r = guest_state(guests, thread, &request, after);
	if (r < 0)
		return r;
	if (memcmp(before, after, sizeof(before)) != 0)
		return 2;
	return step_to_lowest(thread, steps, ret_status);
}

int spin_find(const struct guests *guests, struct thread *thread, int *ret_status)
{
	/* A fault or trap that is blocked when it is raised loses its handler for good (force_sig). */
	uint64_t everything = ~(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) |
				signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGSYS));
	uint64_t mask;
	int r;

	if (!seek_may_trap(thread))
		return 2;
	/* Timers that come faster than the steps go must not keep them from ever getting round. */
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(everything), &everything) < 0)
		return SWORN_EGONE;
	r = find(guests, thread, ret_status);
	if (ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0 && r != 1)
		return SWORN_EGONE;
	return r;
}
