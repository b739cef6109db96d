/* Signals: traps that the recorder answers, faults, and signals from elsewhere. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "../sandbox/replaced.h"
#include "../sandbox/random.h"
#include "../sandbox/register.h"
#include "../sandbox/tsc.h"
#include "../traces/array.h"
#include "../traces/error.h"
#include "recorder.h"
#include "view.h"
#include "timers.h"

#define RED_ZONE_BYTES 128
#define FRAME_BYTES_MAX 65536
#define FLAG_TF 0x100ULL
#define FIRST_REALTIME_SIGNAL 32
#define UNREADABLE_FRAME (SIGNALS + 1)
#define HOLD_NS 50000000ULL	   /* before a held signal makes us look for a spin */
#define SCRATCH (CALL_PAGE + 2048) /* inside the call page, never hashed */

static void emit_registers(struct event *event, struct thread *thread, uint8_t *vector)
{
	event->registers = &thread->registers;
	event->vector = vector;
}

int record_signal_default(struct thread *thread, int signal)
{
	const struct signal_disposition *action = &thread->process->signals->actions[signal - 1];
	uint64_t args[6] = { (uint64_t)signal, SCRATCH, 0, 8 };
	int64_t result;
	int r = guest_write(thread, SCRATCH, action, sizeof(*action));

	if (r == 0)
		r = stop_inject(thread, false, SYS_rt_sigaction, args, &result);
	if (r == 0 &&
	    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(thread->mask), &thread->mask) < 0)
		r = SWORN_EGONE;
	return r;
}

/* The kernel made a blocked or ignored signal default and unblocked it before the stop: put the guest's
 * own disposition and mask back. */
static int undo_forced(struct thread *thread, int signal)
{
	const struct signal_disposition *action = &thread->process->signals->actions[signal - 1];
	bool blocked = thread->mask & signal_bit(signal);
	bool ignored = action->handler == (uint64_t)(uintptr_t)SIG_IGN;

	return blocked || ignored ? record_signal_default(thread, signal) : 0;
}

/* Room for one more held signal. */
static bool reserve_held(struct record_thread *own)
{
	struct held_signal *held;

	if (own->held_count == HELD_SIGNALS_MAX)
		return false;
	held = array_grow(own->held, own->held_count, &own->held_capacity, sizeof(*held));
	if (held)
		own->held = held;
	return held != NULL;
}

uint8_t *record_hold_first(struct thread *thread, int signal)
{
	struct record_thread *own = thread->record;

	if (!reserve_held(own))
		return NULL;
	memmove(own->held + 1, own->held, own->held_count * sizeof(own->held[0]));
	own->held[0].signal = signal;
	own->held_count++;
	return own->held[0].siginfo;
}

static uint8_t *hold_last(struct record_thread *own, int signal)
{
	if (!reserve_held(own))
		return NULL;
	own->held[own->held_count].signal = signal;
	return own->held[own->held_count++].siginfo;
}

/* A guest that steps itself gets its SIGTRAP after the instruction, which never ran here. */
static int raise_step(struct recorder *rec, struct thread *thread)
{
	siginfo_t info = { .si_signo = SIGTRAP, .si_code = TRAP_TRACE };
	uint8_t *siginfo = record_hold_first(thread, SIGTRAP);

	if (!siginfo)
		return SWORN_ELIMIT;
	info.si_addr = (void *)(uintptr_t)thread->registers.rip; /* NOLINT(performance-no-int-to-ptr) */
	memcpy(siginfo, &info, SIGINFO_BYTES);
	rec->claimed |= signal_bit(SIGTRAP);
	return record_held_here(rec, thread);
}

/* Answers the instruction at which the thread stands, if it is one that traps (PR_SET_TSC, replaced.h). */
static bool answer_trap(struct recorder *rec, struct thread *thread, struct event *event)
{
	uint8_t code[REPLACED_BYTES_MAX] = { 0 };
	struct registers *registers = &thread->registers;

	guest_read(thread, registers->rip, code, sizeof(code));
	if (record_replaced(rec, thread, code, event))
		return true;
	if (thread->seccomp.no_tsc || code[0] != 0x0f ||
	    (code[1] != 0x31 && (code[1] != 0x01 || code[2] != 0xf9)))
		return false;
	event->trap.kind = code[1] == 0x31 ? TRAP_RDTSC : TRAP_RDTSCP;
	event->trap.value = rec->virtual_clock ? record_clock_look(rec, thread, false) * 2
					       : tsc_read();
	registers->rax = (uint32_t)event->trap.value;
	registers->rdx = event->trap.value >> 32;
	if (event->trap.kind == TRAP_RDTSCP)
		registers->rcx = event->trap.aux;
	registers->rip += event->trap.kind == TRAP_RDTSCP ? 3 : 2;
	return true;
}

/* 1 when this stop was made by an instruction that traps, and is an event now. */
static int take_trap(struct recorder *rec, struct thread *thread)
{
	struct event event = { .kind = EVENT_TRAP, .thread = thread->number, .ip = thread->registers.rip };
	int r;

	event.registers_hash = registers_hash(&thread->registers);
	if (!answer_trap(rec, thread, &event))
		return 0;
	thread->registers.orig_rax = (uint64_t)-1;
	r = stop_set_registers(thread);
	if (r == 0)
		r = undo_forced(thread, SIGSEGV);
	if (r < 0)
		return r;
	thread->stand = STAND_BOUNDARY;
	schedule_resume(thread, PTRACE_CONT, 0);
	r = record_event(rec, &event);
	if (r == 0 && (thread->registers.eflags & FLAG_TF))
		r = raise_step(rec, thread);
	return r < 0 ? r : 1;
}

/* 1 when this stop was made by code that runs for the first time, and is an event now. */
static int take_code(struct recorder *rec, struct thread *thread, uint64_t address)
{
	int r = record_code(rec, thread, address);

	if (r <= 0)
		return r;
	r = undo_forced(thread, SIGSEGV);
	return r < 0 ? r : 1;
}

bool record_at_boundary(const struct thread *thread)
{
	struct registers a = thread->registers, b = thread->record->boundary;

	a.orig_rax = b.orig_rax = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* Where the frame that starts at the new rsp ends: at the old stack pointer's red zone, or at the top of the
 * alternate stack. */
static uint64_t frame_end(const struct thread *thread, uint64_t before, uint64_t after)
{
	const struct signal_stack *stack = &thread->stack;
	bool on_stack = after >= stack->base && after < stack->base + stack->size;
	bool was_on = before >= stack->base && before < stack->base + stack->size;
	uint64_t end = on_stack && !was_on ? stack->base + stack->size : before - RED_ZONE_BYTES;

	return end > after && end - after <= FRAME_BYTES_MAX ? end : after + FRAME_BYTES_MAX;
}

/* The same, as it shows when no frame was written: in the registers that the frame would have saved. */
static int emit_unframed(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	struct event event = record_call_event(thread, EVENT_CALL);

	if (thread->registers.rip != thread->call.ip)
		event.flags = CALL_RESTARTED;
	event.result = (int64_t)thread->registers.rax;
	thread->registers.orig_rax = (uint64_t)-1;
	thread->stand = STAND_BOUNDARY;
	own->in_call = own->restarting = false;
	return capture_emit(rec, thread, &event);
}

/* How the interrupted call ends for the guest: with EINTR, or rewound to start over after the handler. */
static int emit_interrupted(struct recorder *rec, struct thread *thread, uint64_t frame)
{
	struct event event = record_call_event(thread, EVENT_CALL);
	mcontext_t saved;
	uint64_t context = frame + 8 + offsetof(ucontext_t, uc_mcontext);

	if (guest_read(thread, context, &saved, sizeof(saved.gregs)) != sizeof(saved.gregs))
		return SWORN_EGONE;
	if ((uint64_t)saved.gregs[REG_RIP] != thread->call.ip)
		event.flags = CALL_RESTARTED;
	event.result = saved.gregs[REG_RAX];
	if (!event.flags) {
		int r = extent_exit(thread->call.row, thread->call.args, event.result,
				    &thread->call.entry, guest_read, thread, &rec->out);

		for (size_t i = 0; r >= 0 && i < rec->out.count; i++)
			r = capture_range(rec, thread, &rec->out.ranges[i]);
		if (r < 0)
			return r;
	}
	return capture_emit(rec, thread, &event);
}

/* The frame says which trap the thread met last, our own steps among them. For a signal that none of them raised it means nothing. */
static int forget_trap(struct thread *thread, uint64_t frame)
{
	static const uint64_t nothing[2];
	uint64_t context = frame + 8 + offsetof(ucontext_t, uc_mcontext);

	return guest_write(thread, context + REG_ERR * sizeof(greg_t), nothing, sizeof(nothing));
}

/* Lets the kernel build the frame and stops at the handler's first instruction. */
static int enter_handler(struct thread *thread, int signal)
{
	uint64_t handler = thread->process->signals->actions[signal - 1].handler;
	int status, r = stop_resume(thread, PTRACE_SINGLESTEP, signal);

	if (r < 0)
		return r;
	do
		r = stop_wait(thread, &status);
	while (r == -EINTR);
	if (r < 0)
		return r;
	if (stop_kind(status) == STOP_SIGNAL && stop_signal(status) == SIGTRAP) {
		r = stop_get_registers(thread);
		if (r < 0 || thread->registers.rip == handler)
			return r;
	}
	/* No room for the frame: the kernel raises SIGSEGV. */
	thread->stop_status = status;
	if (stop_kind(status) == STOP_SIGNAL && stop_signal(status) == SIGSEGV)
		thread->record->unframed = signal;
	return 1;
}

/* The first held signal becomes pending again: the stop it makes is at the boundary where the thread stands. */
static int raise_held(struct thread *thread)
{
	struct record_thread *own = thread->record;

	own->held_raised = true;
	return syscall(SYS_tkill, thread->tid, own->held[0].signal) < 0 ? SWORN_EGONE : 0;
}

static int handle(struct recorder *rec, struct thread *thread, struct event *event)
{
	static uint8_t vector[VECTOR_BYTES_MAX];
	struct record_thread *own = thread->record;
	int signal = signal_number(event->signal.siginfo);
	uint64_t before = thread->registers.rsp, mask, frame;
	struct range range = { .arg = PAYLOAD_FRAME, .direction = DIRECTION_OUT };
	int r = enter_handler(thread, signal);

	own->unframed_sync = event->signal.synchronous;
	if (r != 0)
		return r < 0 ? r : 0;
	frame = thread->registers.rsp;
	if (own->in_call) {
		r = emit_interrupted(rec, thread, frame);
		if (r < 0)
			return r;
		own->in_call = own->restarting = false;
	}
	thread->stand = STAND_BOUNDARY;
	thread->registers.orig_rax = (uint64_t)-1;
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof(mask), &mask) < 0)
		return SWORN_EGONE;
	event->signal.mask = mask;
	if (rec->seeded && !event->signal.synchronous) {
		r = forget_trap(thread, frame);
		if (r < 0)
			return r;
	}
	range.address = frame;
	range.length = frame_end(thread, before, frame) - frame;
	guest_handled(thread, signal, mask);
	r = vector_mark(thread->tid);
	if (r == 0)
		r = vector_get(thread->tid, vector, &event->vector_length);
	if (r < 0)
		return r;
	emit_registers(event, thread, vector);
	schedule_resume(thread, PTRACE_CONT, 0);
	r = capture_range(rec, thread, &range);
	if (r == 0)
		r = capture_emit(rec, thread, event);
	return r == 0 && record_holds(own) ? raise_held(thread) : r;
}

/* The first process of a pid namespace, which signals only end where it handles them or an instruction raises them
 * (pid_namespaces(7)). */
static bool is_first_process(const struct thread *thread)
{
	return thread->process->pid == 1;
}

static int die(struct recorder *rec, struct thread *thread, struct event *event)
{
	struct record_thread *own = thread->record;
	int signal = signal_number(event->signal.siginfo);
	int r;

	own->own_exit = true;
	own->blocks = thread->process->threads_count > 1;
	thread->process->ending = true;
	own->capture.count = 0;
	own->capture.length = 0;
	event->signal.action = SIGNAL_FATAL;
	if (own->in_call)
		thread->stand = STAND_ENTRY;
	else
		thread->stand = event->signal.synchronous ? STAND_FAULT : STAND_BOUNDARY;
	own->in_call = false;
	r = record_event(rec, event);
	if (r == 0 && !thread->process->checkpointed)
		r = record_checkpoint(rec, thread, CHECKPOINT_EXIT);
	/* Of a traced first process the kernel drops even a forced signal, and the instruction would fault for ever. */
	schedule_resume(thread, is_first_process(thread) ? PTRACE_DETACH : PTRACE_CONT, signal);
	return r;
}

/* Keeps the signal back. One that is held already merges with it, as it would while pending (signal(7)); then, at the
 * latest, the thread may be spinning until its handler has run. One that was `raised` from there goes back to its place. */
static int hold(struct recorder *rec, struct thread *thread, const struct event *event, bool raised)
{
	struct record_thread *own = thread->record;
	int signal = signal_number(event->signal.siginfo);
	uint64_t now = schedule_now_ns();
	uint8_t *siginfo = NULL;
	bool again = false;

	own->no_event = true;
	schedule_resume(thread, PTRACE_CONT, 0);
	for (size_t i = 0; i < own->held_count; i++)
		again = again || own->held[i].signal == signal;
	if (!again || signal >= FIRST_REALTIME_SIGNAL) {
		siginfo = raised ? record_hold_first(thread, signal) : hold_last(own, signal);
		if (!siginfo)
			return SWORN_ELIMIT;
		memcpy(siginfo, event->signal.siginfo, SIGINFO_BYTES);
	}
	return !again || now < own->next_look_ns || now - own->resumed_ns < HOLD_NS
		       ? 0
		       : preempt_here(rec, thread);
}

/* The signal came inside computation and nothing says where that is: a handler waits for the next
 * call; death does not wait, and the checkpoint leaves out what is not known. */
static int take_unplaced(struct recorder *rec, struct thread *thread, struct event *event,
			 enum signal_effect effect, bool raised)
{
	struct record_thread *own = thread->record;
	int signal = signal_number(event->signal.siginfo);
	int r;

	if (effect == EFFECT_HANDLE)
		return hold(rec, thread, event, raised);
	own->uncertain = true;
	thread->unplaced = true;
	r = record_checkpoint(rec, thread, CHECKPOINT_EXIT);
	schedule_resume(thread, PTRACE_CONT, signal);
	return r;
}

/* With its counter on, a position inside computation has a name: the turn is cut there. */
static int cut_here(struct recorder *rec, struct thread *thread)
{
	struct event event = { .kind = EVENT_TURN, .thread = thread->number, .ip = thread->registers.rip };
	int r = counter_read(thread->counter, &event.turn.count);

	if (r < 0)
		return r;
	event.turn.end = TURN_COUNT;
	event.turn.next = thread->number;
	event.registers = &thread->registers;
	rec->pmu_used = true;
	return record_event(rec, &event);
}

/* Signals without an effect on the guest's state: dropped or left to job control. */
static int pass_on(struct thread *thread, int signal)
{
	thread->record->no_event = true;
	schedule_resume(thread, PTRACE_CONT, signal);
	return 0;
}

void record_signal_claim(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint32_t nr = thread->call.nr;
	unsigned int at = nr == SYS_rt_tgsigqueueinfo ? 3 : 2;
	siginfo_t info;

	if (nr != SYS_rt_sigqueueinfo && nr != SYS_rt_tgsigqueueinfo && nr != SYS_pidfd_send_signal)
		return;
	if (guest_read(thread, args[at], &info, sizeof(info)) != sizeof(info))
		return;
	info.si_signo = (int)args[at - 1];
	if (signal_is_synchronous(&info))
		rec->claimed |= signal_bit(info.si_signo);
}

/* A signal that looks like a fault but was sent, which shows at a boundary only. */
static bool is_claimed(struct recorder *rec, const struct thread *thread, int signal)
{
	if (!(rec->claimed & signal_bit(signal)) || !record_at_boundary(thread))
		return false;
	rec->claimed &= ~signal_bit(signal);
	return true;
}

/* The SIGSEGV of a frame that could not be written: it stands for the signal whose frame that was. */
static int take_unframed(struct recorder *rec, struct thread *thread, struct event *event)
{
	struct record_thread *own = thread->record;
	enum signal_effect effect = signal_effect(thread->process->signals, SIGSEGV);
	int r = own->in_call ? emit_unframed(rec, thread) : 0;

	event->signal.synchronous = own->unframed_sync;
	event->ip = own->unframed_sync ? thread->registers.rip : 0;
	if (own->unframed_sync)
		event->registers_hash = registers_hash(&thread->registers);
	if (own->unframed == SIGSEGV || (thread->mask & signal_bit(SIGSEGV)) || effect == EFFECT_IGNORE)
		effect = EFFECT_FATAL;
	own->unframed = 0;
	if (r < 0)
		return r;
	return effect == EFFECT_HANDLE ? handle(rec, thread, event) : die(rec, thread, event);
}

static bool is_raised(const struct thread *thread, int signal)
{
	const struct record_thread *own = thread->record;

	return own->held_raised && own->held[0].signal == signal &&
	       (thread->stand == STAND_BOUNDARY || own->in_call);
}

/* The stop is that of the held signal that was raised: what it says is what the signal said first. */
static int take_raised(struct thread *thread)
{
	struct record_thread *own = thread->record;
	siginfo_t info;

	memcpy(&info, own->held[0].siginfo, sizeof(info));
	if (ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, &info) < 0)
		return SWORN_EGONE;
	own->held_raised = false;
	own->held_count--;
	memmove(own->held, own->held + 1, own->held_count * sizeof(own->held[0]));
	return 0;
}

int record_signal(struct recorder *rec, struct thread *thread, int signal)
{
	struct event event = { .kind = EVENT_SIGNAL,
			       .thread = thread->number,
			       .ip = thread->registers.rip };
	struct record_thread *own = thread->record;
	enum signal_effect effect = signal_effect(thread->process->signals, signal);
	siginfo_t info;
	bool raised;
	int r;

	raised = is_raised(thread, signal);
	r = raised ? take_raised(thread) : 0;
	if (r < 0)
		return r;
	if (rec->timers && ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) == 0 &&
	    info.si_code == SI_TIMER) {
		timers_delivered(rec, thread, &info);
		ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, &info);
	}
	if (rec->view && signal == SIGCHLD)
		view_child_signal(thread);
	r = stop_siginfo(thread, event.signal.siginfo);
	if (r < 0)
		return r;
	memcpy(&info, event.signal.siginfo, sizeof(info));
	if (own->unframed && signal == SIGSEGV && info.si_code == SI_KERNEL)
		return take_unframed(rec, thread, &event);
	event.signal.synchronous = signal_is_synchronous(event.signal.siginfo) && !own->in_call &&
				   !is_claimed(rec, thread, signal);
	if (signal == SIGSEGV && info.si_code == SEGV_ACCERR && event.signal.synchronous && rec->cpu) {
		r = take_code(rec, thread, (uint64_t)(uintptr_t)info.si_addr);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (signal == SIGSEGV && info.si_code == SI_KERNEL && event.signal.synchronous) {
		r = take_trap(rec, thread);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	event.ip = event.signal.synchronous ? thread->registers.rip : 0;
	if (event.signal.synchronous) {
		event.registers_hash = registers_hash(&thread->registers);
		/* A forced signal that is blocked or ignored ends the process (signal(7)). */
		if ((thread->mask & signal_bit(signal)) || effect == EFFECT_IGNORE)
			effect = EFFECT_FATAL;
	} else if (effect != EFFECT_HANDLE && (effect != EFFECT_FATAL || is_first_process(thread))) {
		return pass_on(thread, signal);
	} else if (!own->in_call && !record_at_boundary(thread)) {
		if (!own->counting)
			return take_unplaced(rec, thread, &event, effect, raised);
		r = cut_here(rec, thread);
		if (r < 0)
			return r;
	}
	return effect == EFFECT_HANDLE ? handle(rec, thread, &event) : die(rec, thread, &event);
}

int record_held(struct recorder *rec, struct thread *thread)
{
	struct event event = record_call_event(thread, EVENT_CALL);
	int r;

	event.flags = CALL_RESTARTED;
	event.result = thread->call.nr;
	guest_rewind_call(thread);
	r = stop_set_registers(thread);
	if (r < 0)
		return r;
	thread->stand = STAND_BOUNDARY;
	schedule_resume(thread, PTRACE_CONT, 0);
	r = raise_held(thread);
	return r < 0 ? r : record_event(rec, &event);
}

int record_held_here(struct recorder *rec, struct thread *thread)
{
	(void)rec;
	thread->stand = STAND_BOUNDARY;
	return raise_held(thread);
}

/* A frame that the kernel could not restore: it answers 0 and raises SIGSEGV. */
static bool is_bad_frame(const struct thread *thread)
{
	struct __ptrace_peeksiginfo_args args = { .nr = 8 };
	siginfo_t pending[8];
	long count = 0;

	if (thread->registers.rax == 0)
		count = ptrace(PTRACE_PEEKSIGINFO, thread->tid, &args, pending);
	for (long i = 0; i < count; i++) {
		if (pending[i].si_signo == SIGSEGV && pending[i].si_code == SI_KERNEL)
			return true;
	}
	return false;
}

int record_sigreturn(struct recorder *rec, struct thread *thread)
{
	static uint8_t vector[VECTOR_BYTES_MAX];
	struct event event = record_call_event(thread, EVENT_SIGRETURN);
	bool bad = is_bad_frame(thread);
	int r;

	if (bad) {
		thread->record->unframed = UNREADABLE_FRAME;
		thread->record->unframed_sync = false;
	}
	schedule_resume(thread, PTRACE_CONT, 0);
	if (bad && thread->registers.rip == thread->call.ip && thread->registers.rsp == thread->call.frame)
		return emit_unframed(rec, thread);
	thread->record->in_call = false;
	thread->stand = STAND_BOUNDARY;
	thread->registers.orig_rax = (uint64_t)-1;
	guest_sigreturn(thread, thread->call.frame);
	r = vector_get(thread->tid, vector, &event.vector_length);
	if (r < 0)
		return r;
	emit_registers(&event, thread, vector);
	return record_event(rec, &event);
}
