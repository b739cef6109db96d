/* New threads and processes. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../traces/error.h"
#include "recorder.h"

/* How the guest names thread `tid`: the innermost number of NSpid (proc(5)). */
static uint32_t guest_number(pid_t tid)
{
	char path[64], line[256];
	uint32_t number = (uint32_t)tid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return number;
	while (fgets(line, sizeof(line), file)) {
		char *last;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		if (last)
			number = (uint32_t)strtoul(last + 1, NULL, 10);
		break;
	}
	fclose(file);
	return number;
}

static uint64_t clone_flags(const struct call *call)
{
	switch (call->nr) {
	case SYS_fork: return SIGCHLD;
	case SYS_vfork: return CLONE_VFORK | CLONE_VM | SIGCHLD;
	default: return call->args[0];
	}
}

/* The words that CLONE_PARENT_SETTID and CLONE_CHILD_SETTID wrote. */
static int capture_settid(struct recorder *rec, struct thread *parent, const struct event *event)
{
	const struct call *call = &parent->call;
	uint32_t tid = event->clone.tid;
	struct payload payload = { PAYLOAD_SETTID, DIRECTION_OUT, 0, sizeof(tid), (uint8_t *)&tid };
	int r = 0;

	if (call->nr != SYS_clone)
		return 0;
	if (event->clone.clone_flags & CLONE_PARENT_SETTID) {
		payload.address = call->args[2];
		r = capture_bytes(rec, parent, &payload);
	}
	if (r == 0 && (event->clone.clone_flags & CLONE_CHILD_SETTID)) {
		payload.arg = PAYLOAD_CHILD_SETTID;
		payload.address = call->args[3];
		r = capture_bytes(rec, parent, &payload);
	}
	return r;
}

static void child_registers(const struct thread *parent, struct thread *child, const struct event *event)
{
	child->registers = parent->registers;
	child->registers.rax = 0;
	child->registers.orig_rax = (uint64_t)-1;
	if (event->clone.stack)
		child->registers.rsp = event->clone.stack;
	if (event->clone.clone_flags & CLONE_SETTLS)
		child->registers.fs_base = event->clone.tls;
}

int record_clone(struct recorder *rec, struct thread *thread, unsigned long tid)
{
	const struct call *call = &thread->call;
	struct event event = record_call_event(thread, EVENT_CLONE);
	struct clone_request request = { .flags = clone_flags(call), .tid = (pid_t)tid };
	struct thread *child;
	int r;

	if (schedule_birth(rec, (pid_t)tid) < 0)
		return 0; /* killed before it was born: the parent's call says so */
	request.guest_tid = guest_number((pid_t)tid);
	child = guest_clone(&rec->guests, thread, &request);
	if (!child)
		return -ENOMEM;
	record_thread_init(child);
	if (!child->record)
		return -ENOMEM;
	if (request.flags & CLONE_CHILD_CLEARTID)
		child->clear_tid = call->args[3];
	event.clone.child = child->number;
	event.clone.tid = child->guest_tid;
	event.clone.pid = child->process->pid;
	event.clone.clone_flags = request.flags;
	event.clone.stack = call->nr == SYS_clone ? call->args[1] : 0;
	event.clone.tls = call->nr == SYS_clone ? call->args[4] : 0;
	child_registers(thread, child, &event);
	r = capture_settid(rec, thread, &event);
	if (r < 0)
		return r;
	if (request.flags & CLONE_VFORK)
		thread->record->blocks = true;
	schedule_resume(thread, PTRACE_SYSCALL, 0);
	return capture_emit(rec, thread, &event);
}
