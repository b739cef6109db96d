#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"
#include "domain.h"
#include "register.h"
#include "tsc.h"

#define FLAG_TRAP 0x100ULL
#define PUSHF 0x9c
#define POPF 0x9d
#define IRET 0xcf
#define OPERAND_16 0x66
#define REX_W 0x48

enum stop_kind stop_kind(int status)
{
	if (!WIFSTOPPED(status))
		return STOP_GONE;
	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP: return STOP_ENTRY;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK: return STOP_CLONE;
	case PTRACE_EVENT_EXEC: return STOP_EXEC;
	case PTRACE_EVENT_EXIT: return STOP_EXIT;
	case PTRACE_EVENT_STOP: return WSTOPSIG(status) == SIGTRAP ? STOP_INTERRUPT : STOP_GROUP;
	default: break;
	}
	return WSTOPSIG(status) == (SIGTRAP | 0x80) ? STOP_RETURN : STOP_SIGNAL;
}

int stop_signal(int status)
{
	return WSTOPSIG(status);
}

int stop_resume(struct thread *thread, int request, int signal)
{
	tsc_settle();
	if (ptrace((enum __ptrace_request)request, thread->tid, NULL, (void *)(long)signal) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	return 0;
}

int stop_wait(struct thread *thread, int *ret_status)
{
	pid_t r = waitpid(thread->tid, ret_status, __WALL);

	if (r == thread->tid)
		return 0;
	return errno == ECHILD ? SWORN_EGONE : -errno;
}

int stop_message(struct thread *thread, unsigned long *ret_message)
{
	if (ptrace(PTRACE_GETEVENTMSG, thread->tid, NULL, ret_message) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	return 0;
}

int stop_siginfo(struct thread *thread, uint8_t ret_siginfo[SIGINFO_BYTES])
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	memcpy(ret_siginfo, &info, SIGINFO_BYTES);
	return 0;
}

bool stop_is_over(pid_t tid)
{
	char path[64], text[256], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state && (state[2] == 'Z' || state[2] == 'X');
}

int stop_get_registers(struct thread *thread)
{
	return register_get(thread->tid, &thread->registers);
}

int stop_set_registers(struct thread *thread)
{
	return register_set(thread->tid, &thread->registers);
}

static int wait_uninterrupted(struct thread *thread, int *ret_status)
{
	int r;

	do
		r = stop_wait(thread, ret_status);
	while (r == -EINTR);
	return r;
}

/* The int3 behind the call page's `syscall`: one stop. */
static int run_to_trap(struct thread *thread, struct registers *ret)
{
	int status, r = stop_resume(thread, PTRACE_CONT, 0);

	if (r < 0 || (r = wait_uninterrupted(thread, &status)) < 0)
		return r;
	if (stop_kind(status) != STOP_SIGNAL || stop_signal(status) != SIGTRAP) {
		thread->stop_status = status;
		return SWORN_EGONE;
	}
	return register_get(thread->tid, ret);
}

/* Syscall stops until the one at the exit of the injected call. Signals that come due are kept out by the caller. */
static int run_to_return(struct thread *thread, uint64_t after, struct registers *ret)
{
	for (;;) {
		struct __ptrace_syscall_info info;
		int status, r = stop_resume(thread, PTRACE_SYSCALL, 0);

		if (r < 0 || (r = wait_uninterrupted(thread, &status)) < 0)
			return r;
		if (stop_kind(status) == STOP_EXIT || stop_kind(status) == STOP_GONE) {
			thread->stop_status = status;
			return SWORN_EGONE;
		}
		if (stop_kind(status) != STOP_RETURN)
			continue;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, (void *)sizeof(info), &info) < 0)
			return SWORN_EGONE;
		if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.instruction_pointer == after)
			return register_get(thread->tid, ret);
	}
}

int stop_leave_vsyscall(struct thread *thread)
{
	int status, r;

	if (!call_is_vsyscall(&thread->call))
		return 0;
	thread->registers.orig_rax = (uint64_t)-1;
	thread->registers.rax = (uint64_t)-ENOSYS;
	r = stop_set_registers(thread);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) < 0)
		return SWORN_EGONE;
	r = stop_resume(thread, PTRACE_CONT, 0);
	if (r < 0 || (r = wait_uninterrupted(thread, &status)) < 0)
		return r;
	if (stop_kind(status) == STOP_EXIT || stop_kind(status) == STOP_GONE) {
		thread->stop_status = status;
		return SWORN_EGONE;
	}
	return stop_get_registers(thread);
}

static struct registers injected(const struct thread *thread, uint64_t address,
				 const struct injection *injection)
{
	struct registers run = thread->registers;

	run.rax = injection->nr;
	run.orig_rax = (uint64_t)-1;
	run.rip = address;
	run.rdi = injection->args[0];
	run.rsi = injection->args[1];
	run.rdx = injection->args[2];
	run.r10 = injection->args[3];
	run.r8 = injection->args[4];
	run.r9 = injection->args[5];
	return run;
}

static int restore(struct thread *thread, const struct registers *run, int64_t *ret_result)
{
	*ret_result = (int64_t)run->rax;
	thread->registers.orig_rax = (uint64_t)-1;
	return stop_set_registers(thread);
}

int stop_inject_at(struct thread *thread, uint64_t address, const struct injection *injection,
		   int64_t *ret_result)
{
	struct registers run = injected(thread, address, injection);
	uint64_t everything = ~0ULL, mask;
	int r;

	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(everything), &everything) < 0)
		return SWORN_EGONE;
	r = register_set(thread->tid, &run);
	if (r == 0)
		r = run_to_return(thread, address + 2, &run);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0)
		return SWORN_EGONE;
	return restore(thread, &run, ret_result);
}

int stop_inject(struct thread *thread, bool trap, uint32_t nr, const uint64_t args[6], int64_t *ret_result)
{
	struct injection injection = { .nr = nr };
	struct registers run;
	int r;

	memcpy(injection.args, args, sizeof(injection.args));
	if (!trap)
		return stop_inject_at(thread, CALL_PAGE_SYSCALL, &injection, ret_result);
	run = injected(thread, CALL_PAGE_SYSCALL, &injection);
	r = register_set(thread->tid, &run);
	if (r == 0)
		r = run_to_trap(thread, &run);
	return r < 0 ? r : restore(thread, &run, ret_result);
}

/* Whether the thread's next instruction loads its flags from memory, and from where. */
static bool loads_flags(const struct thread *thread, const uint8_t code[2], uint64_t *ret_address)
{
	bool popf = code[0] == POPF || (code[0] == OPERAND_16 && code[1] == POPF);
	bool iret = code[0] == REX_W && code[1] == IRET;

	*ret_address = thread->registers.rsp + (iret ? 16 : 0);
	return popf || iret;
}

/*
 * Takes the step's own trap flag out of what the guest can see: from r11, where `syscall` keeps the flags; from memory
 * that pushf wrote; from the flags themselves, as the kernel takes the flag for the guest's own once
 * an instruction has been stepped that loads them.
 */
static int clean_step(struct thread *thread, const uint8_t code[2], bool entered)
{
	struct registers *registers = &thread->registers;
	uint64_t flags, r11 = entered ? registers->r11 & ~FLAG_TRAP : registers->r11;
	int r = 0;

	if ((registers->eflags & FLAG_TRAP) || registers->r11 != r11) {
		registers->eflags &= ~FLAG_TRAP;
		registers->r11 = r11;
		r = stop_set_registers(thread);
	}
	if (r < 0 || (code[0] != PUSHF && (code[0] != OPERAND_16 || code[1] != PUSHF)) ||
	    guest_read(thread, registers->rsp, &flags, sizeof(flags)) != sizeof(flags) ||
	    !(flags & FLAG_TRAP))
		return r;
	flags &= ~FLAG_TRAP;
	return guest_write(thread, registers->rsp, &flags, sizeof(flags));
}

int stop_step(struct thread *thread, int *ret_status)
{
	bool own = thread->registers.eflags & FLAG_TRAP, trapped;
	uint8_t code[2] = { 0 };
	uint64_t address, flags = 0;
	siginfo_t info;
	int r;

	guest_read(thread, thread->registers.rip, code, sizeof(code));
	if (loads_flags(thread, code, &address) &&
	    guest_read(thread, address, &flags, sizeof(flags)) == sizeof(flags))
		own = flags & FLAG_TRAP;
	r = stop_resume(thread, PTRACE_SINGLESTEP, 0);
	if (r < 0)
		return r;
	do
		r = stop_wait(thread, ret_status);
	while (r == -EINTR);
	if (r < 0)
		return r;
	if (stop_kind(*ret_status) == STOP_GONE)
		return 1;
	trapped = stop_kind(*ret_status) == STOP_SIGNAL && stop_signal(*ret_status) == SIGTRAP &&
		  ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) == 0 &&
		  info.si_code == TRAP_TRACE;
	r = stop_get_registers(thread);
	if (!trapped)
		code[0] = code[1] = 0; /* not executed */
	if (r == 0 && !own)
		r = clean_step(thread, code,
			       stop_kind(*ret_status) == STOP_ENTRY &&
				       !is_vsyscall_address(thread->registers.rip));
	return r < 0 ? r : !trapped;
}
