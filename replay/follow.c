/* Units that another worker plays: what the next image, or a fork, takes over from them, from the trace alone. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../traces/error.h"
#include "crew.h"

/* Behind the return address, where a handler's stack pointer is at its start (arch/x86 uapi, rt_sigframe). */
#define FRAME_CONTEXT_OFFSET 8
#define FRAME_MASK_OFFSET (FRAME_CONTEXT_OFFSET + 296)
#define FRAME_RSP_OFFSET \
	(FRAME_CONTEXT_OFFSET + offsetof(ucontext_t, uc_mcontext) + REG_RSP * sizeof(greg_t))

static bool frame_word(const struct event *event, uint64_t offset, uint64_t *ret)
{
	uint64_t address = event->registers->rsp + offset;

	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		if (p->arg != PAYLOAD_FRAME || address < p->address ||
		    address + sizeof(*ret) > p->address + p->length)
			continue;
		memcpy(ret, p->bytes + (address - p->address), sizeof(*ret));
		return true;
	}
	return false;
}

static int follow_signal(struct thread *thread, const struct event *event)
{
	struct followed_frame *frame;
	siginfo_t info;

	memcpy(&info, event->signal.siginfo, sizeof(info));
	if (event->signal.action != SIGNAL_HANDLED)
		return 0;
	if (info.si_signo < 1 || info.si_signo > SIGNALS || !event->registers)
		return SWORN_EFORMAT;
	frame = &thread->frames[thread->frames_count % FOLLOWED_FRAMES];
	if (frame_word(event, FRAME_RSP_OFFSET, &frame->rsp) &&
	    frame_word(event, FRAME_MASK_OFFSET, &frame->mask))
		thread->frames_count++;
	guest_handled(thread, info.si_signo, event->signal.mask);
	return 0;
}

/* The frame is in memory that is not here, so this is its mask as the kernel put it there. Should the handler have
 * changed it, the next exec shows it. */
static int follow_sigreturn(struct thread *thread, const struct event *event)
{
	unsigned int depth = thread->frames_count < FOLLOWED_FRAMES ? thread->frames_count
								    : FOLLOWED_FRAMES;

	if (!event->registers)
		return SWORN_EFORMAT;
	for (unsigned int i = 1; i <= depth; i++) {
		const struct followed_frame *frame = &thread->frames[(thread->frames_count - i) % FOLLOWED_FRAMES];

		if (frame->rsp != event->registers->rsp)
			continue;
		thread->mask = signal_mask_change(0, SIG_SETMASK, frame->mask);
		thread->frames_count -= i;
		break;
	}
	return 0;
}

/* A process may set the limit of one that is played here. */
static int follow_stack_limit(const struct replayer *rep, const struct event *event)
{
	uint32_t pid = (uint32_t)event->args[0];
	uint64_t limit;

	for (size_t i = 0; (uint32_t)event->args[1] == RLIMIT_STACK && i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		if (p->arg != 2 || p->direction != DIRECTION_IN || p->length < sizeof(limit))
			continue;
		memcpy(&limit, p->bytes, sizeof(limit));
		for (struct thread *t = rep->guests.first; t; t = t->next) {
			if (t->guest_tid == pid && !is_elsewhere(t))
				return stub_limit_stack(t->tid, limit);
		}
	}
	return 0;
}

/* Dispositions and masks, the two things that outlive an exec. */
static int follow_call(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct call *call = &thread->call;

	if (event->flags & (CALL_RESTARTED | CALL_UNFINISHED))
		return 0;
	memcpy(call->args, event->args, sizeof(call->args));
	call->nr = event->nr;
	call->row = syscall_resolve(call->nr, call->args);
	call->has_input = false;
	if (call->nr == SYS_prlimit64 && event->result == 0)
		return follow_stack_limit(rep, event);
	if (!call->row || call->row->family != FAMILY_SIGNAL)
		return 0;
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		if (p->arg != 1 || p->direction != DIRECTION_IN)
			continue;
		memcpy(call->input, p->bytes,
		       p->length < sizeof(call->input) ? p->length : sizeof(call->input));
		call->has_input = p->length >= 8;
	}
	return guest_finish_call(thread, event->result);
}

static int follow_clone(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct clone_request request = { .flags = event->clone.clone_flags,
					 .guest_tid = event->clone.tid };
	struct thread *child = guest_clone(&rep->guests, thread, &request);

	if (!child)
		return -ENOMEM;
	memcpy(child->frames, thread->frames, sizeof(child->frames));
	child->frames_count = thread->frames_count;
	return child->number == event->clone.child && child->process->pid == event->clone.pid
		       ? 0
		       : SWORN_EFORMAT;
}

int follow_event(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;

	switch (event->kind) {
	case EVENT_CALL: return follow_call(rep, thread);
	case EVENT_PART: return replay_part(rep, thread);
	case EVENT_EXEC: return replay_exec(rep, thread);
	case EVENT_CLONE: return follow_clone(rep, thread);
	case EVENT_SIGNAL: return follow_signal(thread, event);
	case EVENT_SIGRETURN: return follow_sigreturn(thread, event);
	case EVENT_EXIT: replay_gone(rep, thread); return 0;
	case EVENT_TURN:
		rep->running = event->turn.next;
		return guest_by_number(&rep->guests, rep->running) ? 0 : SWORN_EFORMAT;
	case EVENT_END: rep->ended = true; return rep->guests.alive == 0 ? 0 : SWORN_EFORMAT;
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_REFUSED:
	case EVENT_MEMORY: break;
	}
	return 0;
}
