#include "spin.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

#include "../traces/error.h"
#include "seek.h"
#include "stop.h"

#define FLAG_TF 0x100ULL


static int wait_stop(struct thread *thread, int *ret_status)
{
	int r;

	do
		r = stop_wait(thread, ret_status);
	while (r == -EINTR);
	return r;
}

/* `pushf`, with or without a prefix for its size. */
static bool pushes_flags(struct thread *thread)
{
	uint8_t code[2] = { 0 };

	guest_read(thread, thread->registers.rip, code, sizeof(code));
	return code[0] == 0x9c || (code[0] == 0x66 && code[1] == 0x9c);
}

/* The flag that makes the step must not be seen in what the guest saved of its flags: r11, after `syscall`. */
static int hide_in_register(struct thread *thread)
{
	int r = stop_get_registers(thread);

	if (r < 0 || (thread->registers.eflags & FLAG_TF) || !(thread->registers.r11 & FLAG_TF))
		return r;
	thread->registers.r11 &= ~FLAG_TF;
	return stop_set_registers(thread);
}

/* The same for what `pushf` wrote. */
static int hide_in_memory(struct thread *thread)
{
	uint16_t flags;

	if ((thread->registers.eflags & FLAG_TF) ||
	    guest_read(thread, thread->registers.rsp, &flags, sizeof(flags)) != sizeof(flags))
		return 0;
	flags &= (uint16_t)~FLAG_TF;
	return guest_write(thread, thread->registers.rsp, &flags, sizeof(flags));
}

/* One instruction. 0, 1 when another stop came, negative. */
static int step(struct thread *thread, int *ret_status)
{
	bool pushes = pushes_flags(thread);
	siginfo_t info;
	int r = stop_resume(thread, PTRACE_SINGLESTEP, 0);

	if (r == 0)
		r = wait_stop(thread, ret_status);
	if (r < 0)
		return r;
	if (stop_kind(*ret_status) == STOP_ENTRY) {
		r = hide_in_register(thread);
		return r < 0 ? r : 1;
	}
	if (stop_kind(*ret_status) != STOP_SIGNAL || stop_signal(*ret_status) != SIGTRAP)
		return 1;
	if (ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) < 0)
		return SWORN_EGONE;
	if (info.si_code != TRAP_TRACE)
		return 1;
	r = stop_get_registers(thread);
	return r == 0 && pushes ? hide_in_memory(thread) : r;
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
		if (seek_same_registers(&thread->registers, start)) {
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
