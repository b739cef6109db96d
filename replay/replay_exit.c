/* Threads and processes that end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../sandbox/register.h"
#include "../traces/error.h"
#include "replayer.h"

/* A call of the exit family, or one for which the guest's own filter ends the thread. */
static bool may_exit(const struct call *call)
{
	if (call->ruling.kind == RULING_KILL_THREAD || call->ruling.kind == RULING_STRICT)
		return true;
	return call->ruling.kind == RULING_RUN && call->row && call->row->family == FAMILY_EXIT;
}

static int check_cause(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	int r;

	switch (event->exit.cause) {
	case EXIT_CALL:
		r = replay_to_call(rep, thread);
		if (r < 0)
			return r;
		return may_exit(&thread->call) ? 0 : SWORN_EFORMAT;
	case EXIT_SIGNAL: return thread->process->ending ? 0 : SWORN_EFORMAT;
	case EXIT_GROUP:
	case EXIT_KILLED:
	case EXIT_UNKNOWN: return 0;
	}
	return SWORN_EFORMAT;
}

/* Ends one thread of several: a real exit from the call page. */
static int end_thread(struct thread *thread)
{
	struct registers run = thread->registers;
	int status, r;

	run.rax = SYS_exit;
	run.orig_rax = (uint64_t)-1;
	run.rip = CALL_PAGE_SYSCALL;
	run.rdi = 0;
	r = register_set(thread->tid, &run);
	if (r == 0)
		r = stop_resume(thread, PTRACE_CONT, 0);
	while (r == 0) {
		pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);

		if (got == thread->tid && !WIFSTOPPED(status))
			return 0;
		if (got == thread->tid)
			r = stop_resume(thread, PTRACE_CONT, 0);
		else if (thread->tid == thread->process->leader && stop_is_over(thread->tid))
			return 0; /* a leader waits for its threads before it can be reaped */
		else if (got < 0 && errno != EINTR)
			return 0;
	}
	return r == SWORN_EGONE ? 0 : r;
}

/* What the kernel wrote when the thread died: into memory that others of the same space still see. */
static int write_words(struct replayer *rep, struct thread *witness)
{
	const struct event *event = rep->event;

	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		int r;

		if (!witness || p->length != 4 ||
		    (p->arg != PAYLOAD_CLEARTID && p->arg != PAYLOAD_ROBUST))
			return SWORN_EREFUSED;
		r = replay_write(rep, witness, p);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct thread *witness_of(const struct replayer *rep, const struct thread *thread)
{
	for (struct thread *t = rep->guests.first; t; t = t->next) {
		if (t != thread && t->process->space == thread->process->space && t->stand != STAND_GONE)
			return t;
	}
	return NULL;
}

void replay_gone(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;

	if (thread->process == rep->command && event->exit.process_gone) {
		rep->status = event->exit.status;
		rep->command = NULL;
	}
	guest_exit(&rep->guests, thread);
}

int replay_exit(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct process *process = thread->process;
	int r = check_cause(rep, thread);

	if (r < 0)
		return r;
	if (event->exit.process_gone != (process->threads_count == 1))
		return SWORN_EFORMAT;
	if (event->exit.process_gone) {
		replay_kill(rep, process);
	} else {
		r = end_thread(thread);
		thread->stand = STAND_GONE;
	}
	if (r == 0)
		r = write_words(rep, witness_of(rep, thread));
	if (r < 0)
		return r;
	replay_gone(rep, thread);
	return 0;
}
