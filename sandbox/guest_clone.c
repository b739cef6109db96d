/* The model's part of the calls that make threads: fork, vfork, clone, clone3. */
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "guest.h"

/* A structure that the kernel will not take, for its size or its address, makes no thread: what is read does not matter. */
static void read_structure(struct thread *thread, struct clone_words *ret)
{
	const uint64_t *args = thread->call.args;
	struct clone_args words = { 0 };
	size_t length = args[1] < sizeof(words) ? args[1] : sizeof(words);

	if (guest_read(thread, args[0], &words, length) != length)
		return;
	*ret = (struct clone_words){
		.flags = (words.flags & ~(uint64_t)CSIGNAL) | (words.exit_signal & CSIGNAL),
		.pidfd = words.pidfd,
		.parent = words.parent_tid,
		.child = words.child_tid,
		.stack = words.stack + words.stack_size,
		.tls = words.tls,
	};
}

void clone_words_read(struct thread *thread, struct clone_words *ret)
{
	const uint64_t *args = thread->call.args;

	*ret = (struct clone_words){ 0 };
	switch (thread->call.nr) {
	case SYS_fork: ret->flags = SIGCHLD; break;
	case SYS_vfork: ret->flags = CLONE_VFORK | CLONE_VM | SIGCHLD; break;
	case SYS_clone3: read_structure(thread, ret); break;
	default:
		*ret = (struct clone_words){ .flags = (uint32_t)args[0],
					     .pidfd = args[2],
					     .parent = args[2],
					     .child = args[3],
					     .stack = args[1],
					     .tls = args[4] };
	}
}

void guest_born(const struct thread *parent, struct thread *child, const struct event *event)
{
	child->registers = parent->registers;
	child->registers.rax = 0;
	child->registers.orig_rax = (uint64_t)-1;
	if (event->clone.stack)
		child->registers.rsp = event->clone.stack;
	if (event->clone.clone_flags & CLONE_SETTLS)
		child->registers.fs_base = event->clone.tls;
	if (event->clone.clone_flags & CLONE_CHILD_CLEARTID)
		child->clear_tid = parent->call.clone.child;
}
