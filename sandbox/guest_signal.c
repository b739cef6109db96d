/* The model's part of signals: what calls, handlers and their return change. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "guest.h"

/* Offsets in struct ucontext, where rsp points when rt_sigreturn is called (arch/x86 uapi, ucontext.h). */
#define FRAME_STACK_OFFSET 16
#define FRAME_MASK_OFFSET 296
#define STACK_AUTODISARM (1U << 31) /* SS_AUTODISARM of the kernel's headers */

void guest_signal_call(struct thread *thread)
{
	const struct call *call = &thread->call;
	uint64_t set;

	if (!call->has_input)
		return;
	switch (call->nr) {
	case SYS_rt_sigaction:
		if (call->args[0] >= 1 && call->args[0] <= SIGNALS)
			memcpy(&thread->process->signals->actions[call->args[0] - 1], call->input,
			       sizeof(struct signal_disposition));
		break;
	case SYS_rt_sigprocmask:
		memcpy(&set, call->input, sizeof(set));
		thread->mask = signal_mask_change(thread->mask, (int)call->args[0], set);
		break;
	case SYS_sigaltstack: memcpy(&thread->stack, call->input, sizeof(thread->stack)); break;
	default: break;
	}
}

void guest_handled(struct thread *thread, int signal, uint64_t mask)
{
	struct signal_disposition *action = &thread->process->signals->actions[signal - 1];

	thread->mask = mask;
	if (thread->stack.flags & STACK_AUTODISARM)
		thread->stack = (struct signal_stack){ .flags = SS_DISABLE };
	if (action->flags & SA_RESETHAND)
		action->handler = 0;
}

void guest_sigreturn(struct thread *thread, uint64_t frame)
{
	struct signal_stack stack;
	uint64_t mask;

	if (guest_read(thread, frame + FRAME_MASK_OFFSET, &mask, sizeof(mask)) == sizeof(mask))
		thread->mask = signal_mask_change(0, SIG_SETMASK, mask);
	if (guest_read(thread, frame + FRAME_STACK_OFFSET, &stack, sizeof(stack)) == sizeof(stack))
		thread->stack = stack;
}
