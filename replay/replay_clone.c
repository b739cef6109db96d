/* New threads and processes: made by the kernel from the call page, with nothing of what it would write itself. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../sandbox/register.h"
#include "../traces/error.h"
#include "replayer.h"

#define THREAD_FLAGS \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int wait_for(pid_t tid, int *ret_status)
{
	pid_t r;

	do
		r = waitpid(tid, ret_status, __WALL);
	while (r < 0 && errno == EINTR);
	return r == tid ? 0 : SWORN_EGONE;
}

/* Runs clone in the parent; both stand stopped afterwards, the parent at the call page's trap. */
static int make(struct thread *parent, uint64_t flags, pid_t *ret_tid)
{
	struct registers run = parent->registers;
	unsigned long tid;
	int status, r;

	run.rax = SYS_clone;
	run.orig_rax = (uint64_t)-1;
	run.rip = CALL_PAGE_SYSCALL;
	run.rdi = flags;
	run.rsi = run.rdx = run.r10 = run.r8 = 0;
	r = register_set(parent->tid, &run);
	if (r == 0)
		r = stop_resume(parent, PTRACE_CONT, 0);
	if (r == 0)
		r = wait_for(parent->tid, &status);
	if (r < 0)
		return r;
	if (stop_kind(status) == STOP_SIGNAL) {
		r = register_get(parent->tid, &run);
		return r < 0 ? r : (int64_t)run.rax == -EAGAIN ? -EAGAIN : SWORN_EHOST;
	}
	if (stop_kind(status) != STOP_CLONE)
		return SWORN_EGONE;
	r = stop_message(parent, &tid);
	if (r == 0)
		r = wait_for((pid_t)tid, &status);
	if (r == 0)
		r = stop_resume(parent, PTRACE_CONT, 0);
	if (r == 0)
		r = wait_for(parent->tid, &status);
	*ret_tid = (pid_t)tid;
	return r < 0 ? r : stop_kind(status) == STOP_SIGNAL ? 0 : SWORN_EGONE;
}

static int check_flags(const struct event *event, const struct call *call)
{
	const struct clone_words *words = &call->clone;

	if (!call->row || call->row->family != FAMILY_CLONE || event->clone.clone_flags != words->flags ||
	    event->clone.stack != words->stack || event->clone.tls != words->tls)
		return SWORN_EREFUSED;
	return 0;
}

static int write_tids(struct replayer *rep, struct thread *parent, struct thread *child)
{
	const struct event *event = rep->event;

	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		const struct clone_words *words = &parent->call.clone;
		bool to_parent = p->arg == PAYLOAD_SETTID &&
				 (p->address == words->parent || p->address == words->pidfd);
		int r = 0;

		if (to_parent && p->length == 4)
			r = replay_write(rep, parent, p);
		else if (p->arg == PAYLOAD_CHILD_SETTID && p->address == words->child && p->length == 4)
			r = replay_write(rep, child, p);
		else if (p->direction == DIRECTION_OUT)
			r = SWORN_EREFUSED;
		if (r < 0)
			return r;
	}
	return 0;
}

int replay_clone(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct clone_request request = { .flags = event->clone.clone_flags,
					 .guest_tid = event->clone.tid };
	struct thread *child;
	int r = replay_to_call(rep, thread);

	if (r == 0)
		r = replay_check_inputs(rep, thread, true);
	if (r == 0)
		r = check_flags(event, &thread->call);
	if (r < 0)
		return r;
	r = make(thread,
		 request.flags & CLONE_THREAD ? THREAD_FLAGS : (request.flags & CLONE_VM) | SIGCHLD,
		 &request.tid);
	if (r < 0)
		return r;
	child = guest_clone(&rep->guests, thread, &request);
	if (!child)
		return -ENOMEM;
	if (child->number != event->clone.child || child->process->pid != event->clone.pid)
		return SWORN_EFORMAT;
	guest_born(thread, child, event);
	child->stand = STAND_BOUNDARY;
	r = stop_set_registers(child);
	if (r == 0)
		r = write_tids(rep, thread, child);
	/* The parent stands at its call's entry again until the call's own event. */
	return r < 0 ? r : stop_set_registers(thread);
}
