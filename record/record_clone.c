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

#include "../sandbox/descriptor.h"
#include "../sandbox/register.h"
#include "../traces/error.h"
#include "recorder.h"

/* How the guest names thread `tid`: the innermost number of NSpid (proc(5)). *ret_depth: how many numbers there are. */
static uint32_t guest_number(pid_t tid, unsigned int *ret_depth)
{
	char path[64], line[256];
	uint32_t number = (uint32_t)tid;
	FILE *file;

	*ret_depth = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return number;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		for (const char *at = strchr(line, '\t'); at; at = strchr(at + 1, '\t')) {
			number = (uint32_t)strtoul(at + 1, NULL, 10);
			++*ret_depth;
		}
		break;
	}
	fclose(file);
	return number;
}

/* One word that the kernel wrote, if it could: a bad address fails nothing. */
static int capture_word(struct recorder *rec, struct thread *parent, struct thread *from,
			struct payload payload)
{
	uint32_t word;

	if (guest_read(from, payload.address, &word, sizeof(word)) != sizeof(word))
		return 0;
	payload.bytes = (uint8_t *)&word;
	return capture_bytes(rec, parent, &payload);
}

/* The words that CLONE_PARENT_SETTID, CLONE_PIDFD and CLONE_CHILD_SETTID wrote. The parent may know the child by
 * another number than the child itself. */
static int capture_settid(struct recorder *rec, struct thread *parent, struct thread *child)
{
	const struct clone_words *words = &parent->call.clone;
	struct payload payload = { PAYLOAD_SETTID, DIRECTION_OUT, words->parent, 4, NULL };
	int r = 0;

	if (words->flags & CLONE_PARENT_SETTID)
		r = capture_word(rec, parent, parent, payload);
	if (r == 0 && (words->flags & CLONE_PIDFD)) {
		fd_cache_forget(parent->process->fds);
		payload.address = words->pidfd;
		r = capture_word(rec, parent, parent, payload);
	}
	payload.arg = PAYLOAD_CHILD_SETTID;
	payload.address = words->child;
	if (r == 0 && (words->flags & CLONE_CHILD_SETTID))
		r = capture_word(rec, parent, child, payload);
	return r;
}

/* A child that nobody traces would find no call answered: the kernel does not get to see the flag. */
static bool is_untraced(const struct call *call)
{
	return call->nr == SYS_clone && (call->args[0] & CLONE_UNTRACED);
}

int record_clone_entry(struct thread *thread)
{
	struct registers run = thread->registers;

	if (!is_untraced(&thread->call))
		return 0;
	run.rdi &= ~(uint64_t)CLONE_UNTRACED;
	return register_set(thread->tid, &run);
}

int record_clone_return(struct thread *thread)
{
	if (!is_untraced(&thread->call))
		return 0;
	thread->registers.rdi = thread->call.args[0];
	return stop_set_registers(thread);
}

int record_clone(struct recorder *rec, struct thread *thread, unsigned long tid)
{
	const struct call *call = &thread->call;
	struct event event = record_call_event(thread, EVENT_CLONE);
	struct clone_request request = { .flags = call->clone.flags, .tid = (pid_t)tid };
	struct thread *child;
	unsigned int depth, own_depth;
	int r;

	if (schedule_birth(rec, (pid_t)tid) < 0)
		return 0; /* killed before it was born: the parent's call says so */
	request.guest_tid = guest_number((pid_t)tid, &depth);
	guest_number(thread->tid, &own_depth);
	child = guest_clone(&rec->guests, thread, &request);
	if (!child)
		return -ENOMEM;
	if (depth != own_depth)
		child->process->ppid = 0; /* a pid namespace of its own shows it another parent */
	record_thread_init(child);
	if (!child->record)
		return -ENOMEM;
	record_sched_inherit(thread, child);
	event.clone.child = child->number;
	event.clone.tid = child->guest_tid;
	event.clone.pid = child->process->pid;
	event.clone.clone_flags = request.flags;
	event.clone.stack = call->clone.stack;
	event.clone.tls = call->clone.tls;
	guest_born(thread, child, &event);
	if (is_untraced(call))
		r = stop_set_registers(child);
	else
		r = 0;
	if (r == 0)
		r = capture_settid(rec, thread, child);
	if (r == 0 && !(request.flags & CLONE_VM))
		r = record_copied(rec, thread, child);
	if (r < 0)
		return r;
	thread->record->vfork_child = request.flags & CLONE_VFORK ? child->number : 0;
	if (request.flags & CLONE_VFORK)
		thread->record->blocks = true;
	schedule_resume(thread, PTRACE_SYSCALL, 0);
	return capture_emit(rec, thread, &event);
}
