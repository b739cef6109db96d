/* The guests' own seccomp filters: the calls that install them, and calls that a filter answers. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/launch.h"
#include "../traces/error.h"
#include "recorder.h"

int record_seccomp(struct recorder *rec, struct thread *thread)
{
	const struct call *call = &thread->call;
	bool listener = call->nr == SYS_seccomp && (call->args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER);

	if (listener && rec->warn)
		rec->warn("seccomp with SECCOMP_FILTER_FLAG_NEW_LISTENER",
			  "calls answered by another process are not modelled");
	return record_answer(rec, thread,
			     guest_seccomp(thread, launch_is_capable(thread->tid, CAP_SYS_ADMIN)));
}

/* Ends the one thread in the kernel. Only where a leader ends like this before its threads can anybody see that its
 * status says exit, not signal. */
static int end_thread(struct thread *thread, int signal)
{
	thread->registers.orig_rax = SYS_exit;
	thread->registers.rdi = (uint64_t)signal;
	thread->record->own_exit = true;
	thread->record->in_call = true;
	schedule_resume(thread, PTRACE_CONT, 0);
	return stop_set_registers(thread);
}

/* SIGKILL takes the thread out of its stop by itself: resumed, it might be past the stop of its exit unseen. */
static int kill_process(struct thread *thread)
{
	thread->record->in_call = thread->record->blocks = true;
	thread->run = RUN_KERNEL;
	return syscall(SYS_tkill, thread->tid, SIGKILL) < 0 ? SWORN_EGONE : 0;
}

static int answer_with_signal(struct recorder *rec, struct thread *thread)
{
	uint8_t *siginfo;
	int64_t result = guest_filtered(thread);
	int r;

	if (signal_effect(thread->process->signals, SIGSYS) == EFFECT_FATAL) {
		thread->registers.rax = (uint64_t)result;
		r = record_signal_default(thread, SIGSYS);
		if (r < 0)
			return r;
	}
	siginfo = record_hold_first(thread, SIGSYS);
	if (!siginfo)
		return SWORN_ELIMIT;
	guest_filtered_siginfo(thread, siginfo);
	r = record_answer(rec, thread, result);
	return r < 0 ? r : record_held_here(rec, thread);
}

int record_filtered(struct recorder *rec, struct thread *thread)
{
	struct process *process = thread->process;

	switch (thread->call.ruling.kind) {
	case RULING_RUN: break;
	case RULING_ERROR: return record_answer(rec, thread, guest_filtered(thread));
	case RULING_TRAP:
	case RULING_KILL_PROCESS: return answer_with_signal(rec, thread);
	case RULING_KILL_THREAD: return end_thread(thread, SIGSYS);
	case RULING_STRICT:
		return process->threads_count == 1 ? kill_process(thread) : end_thread(thread, SIGKILL);
	}
	return SWORN_EFORMAT;
}
