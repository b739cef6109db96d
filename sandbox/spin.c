#include "spin.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "../traces/error.h"
#include "stop.h"

#define FLAG_RF 0x10000ULL
#define FLAG_TF 0x100ULL
#define DR7_EXECUTE_0 1UL /* local enable of DR0, on execution */

static bool same_registers(const struct registers *a, const struct registers *b)
{
	struct registers x = *a, y = *b;

	x.orig_rax = y.orig_rax = 0;
	x.eflags &= ~(FLAG_RF | FLAG_TF);
	y.eflags &= ~(FLAG_RF | FLAG_TF);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static int wait_stop(struct thread *thread, int *ret_status)
{
	int r;

	do
		r = stop_wait(thread, ret_status);
	while (r == -EINTR);
	return r;
}

/* One instruction. 0, 1 when another stop came, negative. */
static int step(struct thread *thread, int *ret_status)
{
	siginfo_t info;
	int r = stop_resume(thread, PTRACE_SINGLESTEP, 0);

	if (r == 0)
		r = wait_stop(thread, ret_status);
	if (r < 0)
		return r;
	if (stop_kind(*ret_status) != STOP_SIGNAL || stop_signal(*ret_status) != SIGTRAP)
		return 1;
	if (ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) < 0)
		return SWORN_EGONE;
	if (info.si_code != TRAP_TRACE)
		return 1;
	return stop_get_registers(thread);
}

/* Steps until the registers are `start` again: the number of steps in *ret_steps, 0 when they do not come back. */
static int step_round(struct thread *thread, const struct registers *start, int *ret_steps,
		      int *ret_status)
{
	*ret_steps = 0;
	for (int i = 1; i <= SPIN_STEPS_MAX; i++) {
		int r = step(thread, ret_status);

		if (r != 0)
			return r;
		if (same_registers(&thread->registers, start)) {
			*ret_steps = i;
			return 0;
		}
	}
	return 0;
}

static int find(const struct guests *guests, struct thread *thread, int *ret_status)
{
	const struct registers start = thread->registers;
	const struct state_request request = { PAGE_XXH3, true, NULL };
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
	return memcmp(before, after, sizeof(before)) == 0 ? 0 : 2;
}

int spin_find(const struct guests *guests, struct thread *thread, int *ret_status)
{
	uint64_t everything = ~0ULL, mask;
	int r;

	/* Timers that come faster than the steps go must not keep them from ever getting round. */
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(everything), &everything) < 0)
		return SWORN_EGONE;
	r = find(guests, thread, ret_status);
	if (ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0 && r != 1)
		return SWORN_EGONE;
	return r;
}

static int set_breakpoint(struct thread *thread, uint64_t address)
{
	unsigned long control = address ? DR7_EXECUTE_0 : 0;

	if (ptrace(PTRACE_POKEUSER, thread->tid, offsetof(struct user, u_debugreg[7]), 0UL) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	if (!address)
		return 0;
	if (ptrace(PTRACE_POKEUSER, thread->tid, offsetof(struct user, u_debugreg[0]), address) < 0 ||
	    ptrace(PTRACE_POKEUSER, thread->tid, offsetof(struct user, u_debugreg[7]), control) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	return 0;
}

int spin_reach(struct thread *thread, const struct registers *registers, int *ret_status)
{
	int r;

	if (same_registers(&thread->registers, registers))
		return 0;
	r = set_breakpoint(thread, registers->rip);
	for (unsigned int hits = 0; r == 0; hits++) {
		if (hits == SPIN_HITS_MAX) {
			set_breakpoint(thread, 0);
			return SWORN_EDIVERGED;
		}
		siginfo_t info;

		r = stop_resume(thread, PTRACE_CONT, 0);
		if (r == 0)
			r = wait_stop(thread, ret_status);
		if (r < 0)
			return r;
		if (stop_kind(*ret_status) != STOP_SIGNAL || stop_signal(*ret_status) != SIGTRAP ||
		    ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) < 0 ||
		    info.si_code != TRAP_HWBKPT) {
			set_breakpoint(thread, 0);
			stop_get_registers(thread);
			return 1;
		}
		r = stop_get_registers(thread);
		if (r == 0 && same_registers(&thread->registers, registers))
			return set_breakpoint(thread, 0);
	}
	return r;
}
