/* Seccomp between guests: which thread has which filters, and what a filter's ruling does. */
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "guest.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define FLAGS_KNOWN                                                                             \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
#define SYS_SECCOMP_CODE 1

struct ruling guest_judge(const struct thread *thread)
{
	const struct call *call = &thread->call;
	struct seccomp_data data = { .nr = (int)call->nr,
				     .arch = AUDIT_ARCH_X86_64,
				     .instruction_pointer = call->ip };
	struct ruling ruling;

	memcpy(data.args, call->args, sizeof(data.args));
	ruling = seccomp_judge(&thread->seccomp, &data);
	if (ruling.kind == RULING_KILL_THREAD && thread->process->threads_count == 1)
		ruling.kind = RULING_KILL_PROCESS;
	return ruling;
}

int64_t guest_filtered(struct thread *thread)
{
	const struct call *call = &thread->call;
	struct signal_table *table = thread->process->signals;
	bool blocked = thread->mask & signal_bit(SIGSYS);

	if (call->ruling.kind == RULING_ERROR)
		return -(int64_t)call->ruling.data;
	if (call->ruling.kind == RULING_KILL_PROCESS || blocked ||
	    signal_effect(table, SIGSYS) == EFFECT_IGNORE) {
		table->actions[SIGSYS - 1].handler = (uint64_t)(uintptr_t)SIG_DFL;
		thread->mask &= ~signal_bit(SIGSYS);
	}
	return (int32_t)call->nr;
}

void guest_filtered_siginfo(const struct thread *thread, uint8_t ret_siginfo[SIGINFO_BYTES])
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSYS;
	info.si_errno = thread->call.ruling.data;
	info.si_code = SYS_SECCOMP_CODE;
	info.si_call_addr = (void *)(uintptr_t)thread->call.ip; /* NOLINT(performance-no-int-to-ptr) */
	info.si_syscall = (int)thread->call.nr;
	info.si_arch = AUDIT_ARCH_X86_64;
	memcpy(ret_siginfo, &info, SIGINFO_BYTES);
}

static int64_t set_strict(struct thread *thread)
{
	if (thread->seccomp.mode == SECCOMP_MODE_FILTER)
		return -EINVAL;
	thread->seccomp.mode = SECCOMP_MODE_STRICT;
	thread->seccomp.no_tsc = true;
	return 0;
}

/* Which other thread of the process keeps TSYNC from its work, as the call tells: 0 for none. */
static int64_t find_unsynced(const struct thread *thread, uint32_t flags)
{
	for (const struct thread *t = thread->process->threads; t; t = t->sibling) {
		if (t == thread || (t->seccomp.mode != SECCOMP_MODE_STRICT &&
				    seccomp_covers(&thread->seccomp, &t->seccomp)))
			continue;
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : (int64_t)t->guest_tid;
	}
	return 0;
}

static void synchronise(struct thread *thread)
{
	for (struct thread *t = thread->process->threads; t; t = t->sibling) {
		bool no_tsc = t->seccomp.no_tsc, no_new_privs = t->seccomp.no_new_privs;

		if (t == thread)
			continue;
		seccomp_release(&t->seccomp);
		seccomp_inherit(&thread->seccomp, &t->seccomp);
		t->seccomp.no_tsc = no_tsc;
		t->seccomp.no_new_privs = no_new_privs || thread->seccomp.no_new_privs;
	}
}

static int64_t set_filter(struct thread *thread, uint32_t flags, uint64_t address, bool privileged)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog program;
	int64_t result = 0;
	size_t bytes;

	if (flags & ~FLAGS_KNOWN)
		return -EINVAL;
	if (guest_read(thread, address, &program, sizeof(program)) != sizeof(program))
		return -EFAULT;
	if (program.len == 0 || program.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!thread->seccomp.no_new_privs && !privileged)
		return -EACCES;
	bytes = program.len * sizeof(code[0]);
	if (guest_read(thread, (uint64_t)(uintptr_t)program.filter, code, bytes) != bytes)
		return -EFAULT;
	if (!bpf_valid(code, program.len) || thread->seccomp.mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		result = find_unsynced(thread, flags);
	if (result != 0)
		return result;
	result = seccomp_install(&thread->seccomp, code, program.len);
	if (result == 0 && (flags & SECCOMP_FILTER_FLAG_TSYNC))
		synchronise(thread);
	return result;
}

static int64_t control(struct thread *thread, bool privileged)
{
	const uint64_t *args = thread->call.args;

	switch ((int)args[0]) {
	case PR_GET_SECCOMP: return thread->seccomp.mode;
	case PR_SET_SECCOMP:
		if (args[1] == SECCOMP_MODE_STRICT)
			return set_strict(thread);
		return args[1] == SECCOMP_MODE_FILTER ? set_filter(thread, 0, args[2], privileged)
						      : -EINVAL;
	case PR_SET_NO_NEW_PRIVS:
		if (args[1] != 1 || args[2] || args[3] || args[4])
			return -EINVAL;
		thread->seccomp.no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return args[1] || args[2] || args[3] || args[4] ? -EINVAL : thread->seccomp.no_new_privs;
	default: return -EINVAL;
	}
}

int64_t guest_seccomp(struct thread *thread, bool privileged)
{
	const uint64_t *args = thread->call.args;

	if (thread->call.nr == SYS_prctl)
		return control(thread, privileged);
	if ((uint32_t)args[0] == SECCOMP_SET_MODE_STRICT)
		return (uint32_t)args[1] || args[2] ? -EINVAL : set_strict(thread);
	return set_filter(thread, (uint32_t)args[1], args[2], privileged);
}
