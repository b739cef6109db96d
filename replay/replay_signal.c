/* Signals: the guest's view of them lives in the model and the trace; the kernel delivers none. */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../sandbox/replaced.h"
#include "../sandbox/register.h"
#include "../traces/error.h"
#include "replayer.h"

#define FRAME_BYTES_MAX 65536
#define SIGINFO_COMPARED 24 /* signo, errno, code, address */
#define FILTER_CODE 1	    /* SYS_SECCOMP */

/* The signal of the instruction had a handler, but its frame could not be written: a SIGSEGV stands for it. */
static bool is_unframed(const struct thread *thread, const siginfo_t *recorded, const siginfo_t *actual)
{
	return recorded->si_signo == SIGSEGV && recorded->si_code == SI_KERNEL &&
	       signal_effect(thread->process->signals, actual->si_signo) == EFFECT_HANDLE;
}

/* The fault must come from the same instruction, with the same cause and address. */
static int check_fault(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	uint8_t actual[SIGINFO_BYTES];
	siginfo_t a, b;
	bool unframed;
	int r = replay_to_stop(rep, thread);

	if (r < 0)
		return r;
	if (thread->stand != STAND_FAULT)
		return diverge_number(rep, "stop", event->ip, thread->registers.rip);
	r = stop_siginfo(thread, actual);
	if (r < 0)
		return r;
	memcpy(&a, event->signal.siginfo, sizeof(a));
	memcpy(&b, actual, sizeof(b));
	unframed = is_unframed(thread, &a, &b);
	if (a.si_signo != b.si_signo && !unframed)
		return diverge_number(rep, "signal", (uint64_t)a.si_signo, (uint64_t)b.si_signo);
	if (event->ip != thread->registers.rip)
		return diverge_number(rep, "instruction pointer", event->ip, thread->registers.rip);
	if (!unframed && memcmp(event->signal.siginfo, actual, SIGINFO_COMPARED) != 0)
		return diverge_number(rep, "fault address", (uint64_t)(uintptr_t)a.si_addr,
				      (uint64_t)(uintptr_t)b.si_addr);
	if (event->registers_hash != registers_hash(&thread->registers))
		return diverge_number(rep, "registers", event->registers_hash,
				      registers_hash(&thread->registers));
	return 0;
}

/* The registers in the frame whose ucontext is at `address` are those in `expected`, where rax may be 0 instead. */
static int compare_saved(struct replayer *rep, struct thread *thread, uint64_t address,
			 const struct registers *expected, bool may_be_zero)
{
	const struct registers *e = expected;
	const uint64_t values[] = { e->r8,  e->r9,  e->r10, e->r11, e->r12, e->r13,
				    e->r14, e->r15, e->rdi, e->rsi, e->rbp, e->rbx,
				    e->rdx, e->rax, e->rcx, e->rsp, e->rip };
	mcontext_t saved;

	address += offsetof(ucontext_t, uc_mcontext);
	if (guest_read(thread, address, &saved, sizeof(saved.gregs)) != sizeof(saved.gregs))
		return diverge_number(rep, "signal frame", address, 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i] != (uint64_t)saved.gregs[i] &&
		    !(may_be_zero && i == REG_RAX && values[i] == 0))
			return diverge_number(rep, "signal frame's register", values[i],
					      (uint64_t)saved.gregs[i]);
	}
	return 0;
}

static int play_handler(struct replayer *rep, struct thread *thread, int signal)
{
	const struct event *event = rep->event;
	const struct signal_disposition *action = &thread->process->signals->actions[signal - 1];
	uint64_t at;
	int r = 0;

	if (!event->registers || thread->stand == STAND_ENTRY)
		return SWORN_EFORMAT;
	if (event->registers->rip != action->handler)
		return diverge_number(rep, "handler", event->registers->rip, action->handler);
	at = event->registers->rsp;
	for (size_t i = 0; r == 0 && i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		/* The frame begins where the handler's stack pointer is and is in one piece. */
		if (p->arg != PAYLOAD_FRAME || p->address != at ||
		    at + p->length - event->registers->rsp > FRAME_BYTES_MAX)
			return SWORN_EREFUSED;
		r = replay_write(rep, thread, p);
		at += p->length;
	}
	if (r == 0)
		r = compare_saved(rep, thread, event->registers->rsp + sizeof(uint64_t),
				  &thread->registers, false);
	if (r < 0)
		return r;
	guest_handled(thread, signal, event->signal.mask);
	return replay_set_state(thread, event);
}

static int play_fatal(struct replayer *rep, struct thread *thread, int signal)
{
	enum signal_effect effect = signal_effect(thread->process->signals, signal);
	bool forced = rep->event->signal.synchronous &&
		      (effect == EFFECT_IGNORE || (thread->mask & signal_bit(signal)));
	siginfo_t info;

	/* The kernel's own SIGSEGV for a frame that it could not write ends even a process with a handler. */
	memcpy(&info, rep->event->signal.siginfo, sizeof(info));
	if (signal == SIGSEGV && info.si_code == SI_KERNEL)
		forced = true;
	if (effect != EFFECT_FATAL && !forced)
		return diverge_number(rep, "signal's effect", EFFECT_FATAL, effect);
	thread->process->ending = true;
	return 0;
}

/* A SIGSYS after a call that the guest's own filter trapped is the one that the filter asked for. */
static int check_filter(struct replayer *rep, const struct thread *thread)
{
	uint8_t expected[SIGINFO_BYTES];
	enum ruling_kind kind = thread->call.ruling.kind;

	if (kind != RULING_TRAP && kind != RULING_KILL_PROCESS)
		return 0;
	guest_filtered_siginfo(thread, expected);
	return memcmp(expected, rep->event->signal.siginfo, SIGINFO_COMPARED) == 0
		       ? 0
		       : diverge_number(rep, "signal of a filter, call number", 0, thread->call.nr);
}

int replay_signal(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	siginfo_t info;
	int r = 0;

	memcpy(&info, event->signal.siginfo, sizeof(info));
	if (info.si_signo < 1 || info.si_signo > SIGNALS)
		return SWORN_EFORMAT;
	if (event->signal.synchronous)
		r = check_fault(rep, thread);
	else if (info.si_signo == SIGSYS && info.si_code == FILTER_CODE)
		r = check_filter(rep, thread);
	if (r < 0)
		return r;
	switch (event->signal.action) {
	case SIGNAL_HANDLED: return play_handler(rep, thread, info.si_signo);
	case SIGNAL_FATAL: return play_fatal(rep, thread, info.si_signo);
	}
	return SWORN_EFORMAT;
}

/* What rt_sigreturn restores is in the guest's own frame; the event may say nothing else. */
static int check_frame(struct replayer *rep, struct thread *thread)
{
	/* A frame whose vector state is bad: the rest is restored, and the kernel answers 0. */
	return compare_saved(rep, thread, thread->call.frame, rep->event->registers, true);
}

int replay_sigreturn(struct replayer *rep, struct thread *thread)
{
	int r = replay_to_call(rep, thread);

	if (r < 0)
		return r;
	if (!rep->event->registers || thread->call.nr != SYS_rt_sigreturn)
		return SWORN_EFORMAT;
	r = check_frame(rep, thread);
	if (r < 0)
		return r;
	guest_sigreturn(thread, thread->call.frame);
	return replay_set_state(thread, rep->event);
}

/* The instruction is the one that the trace names: does what it said it did. */
static int answer_trap(struct replayer *rep, struct thread *thread)
{
	static const char *const names[] = { "rdtsc", "rdtscp", "rdrand or rdseed",
					     "cpuid", "rdpid",	"code that runs first" };
	const struct event *event = rep->event;
	bool rdtscp = event->trap.kind == TRAP_RDTSCP;
	uint8_t code[REPLACED_BYTES_MAX] = { 0 };
	struct registers *registers = &thread->registers;
	struct replaced replaced;
	bool is_replaced;

	guest_read(thread, registers->rip, code, sizeof(code));
	is_replaced = replaced_decode(code, &replaced);
	if (is_replaced && event->trap.kind == replaced.kind) {
		/* The hash of the registers does not cover these two. */
		if (replaced.kind == TRAP_CPUID && ((uint32_t)registers->rax != event->args[0] ||
						    (uint32_t)registers->rcx != event->args[1]))
			return diverge_number(rep, "leaf of cpuid", event->args[0],
					      (uint32_t)registers->rax);
		replaced_answer(&replaced, event, registers);
		return 0;
	}
	if (is_replaced || event->trap.kind >= TRAP_RANDOM ||
	    memcmp(code, rdtscp ? "\x0f\x01\xf9" : "\x0f\x31", rdtscp ? 3 : 2) != 0)
		return diverge(rep, "instruction", names[event->trap.kind], "another one");
	registers->rax = (uint32_t)event->trap.value;
	registers->rdx = event->trap.value >> 32;
	if (rdtscp)
		registers->rcx = event->trap.aux;
	registers->rip += rdtscp ? 3 : 2;
	return 0;
}

int replay_trap(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	int r = replay_to_stop(rep, thread);

	if (r < 0)
		return r;
	if (thread->stand != STAND_FAULT || event->ip != thread->registers.rip)
		return diverge_number(rep, "instruction pointer", event->ip, thread->registers.rip);
	if (event->registers_hash != registers_hash(&thread->registers))
		return diverge_number(rep, "registers", event->registers_hash,
				      registers_hash(&thread->registers));
	r = event->trap.kind == TRAP_CODE ? replay_code(thread, event) : answer_trap(rep, thread);
	if (r < 0)
		return r;
	thread->registers.orig_rax = (uint64_t)-1;
	thread->stand = STAND_BOUNDARY;
	return stop_set_registers(thread);
}
