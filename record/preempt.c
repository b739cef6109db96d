/* Ending the turn of a thread that computes on: by its counter, by a spin that repeats, or by taking the CPU
 * from memory that nobody else sees. */
#include <errno.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "../sandbox/seek.h"
#include "../sandbox/spin.h"
#include "../traces/error.h"
#include "outside.h"
#include "recorder.h"
#include "seeded.h"
#include "timers.h"

#define SPIN_PATIENCE_NS 10000000000ULL
/* Before a seeded turn is cut where it happens to be: in a loop, and in what wanders through much code. */
#define SEEDED_PATIENCE_NS 3000000000ULL
#define WORK_PATIENCE_NS 10000000000ULL
#define SPIN_CODE_BYTES 1024

/* Something other than this thread's own calls may make another thread that shares its memory runnable, or
 * send it a signal, while it computes. */
static bool needs_counter(const struct recorder *rec, const struct thread *thread)
{
	if (!rec->use_counter || thread->record->in_call)
		return false;
	if (thread->process->timers)
		return true;
	if (thread->process->threads_count == 1 && thread->process->space->references == 1 &&
	    !rec->objects_count)
		return false;
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t == thread || t->record->exiting)
			continue;
		if (t->process->space != thread->process->space && !rec->objects_count)
			continue;
		if (schedule_ready(t))
			return true;
		/* An untimed futex wait ends only by a call of somebody who runs. */
		if (t->run == RUN_KERNEL && !(t->call.nr == SYS_futex && t->call.args[3] == 0))
			return true;
	}
	return false;
}

/* A count is one since the last event: of a thread that has run since then without a counter there is none. */
static bool can_count(const struct record_thread *own)
{
	return own->counting || !own->no_event;
}

int preempt_start(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	bool needed = rec->seeded ? slice_is_needed(rec, thread) : needs_counter(rec, thread);
	int r = rec->seeded ? slice_count(rec, thread) : 0;

	if (r < 0)
		return r;
	if (!needed || !can_count(own)) {
		if (own->counting)
			counter_stop(thread->counter);
		own->counting = false;
		return 0;
	}
	if (!thread->counter) {
		r = counter_open(thread->tid, &thread->counter);
		if (r < 0) {
			/* Seeded turns would end elsewhere without it. */
			rec->use_counter = rec->seeded;
			return rec->seeded ? r : 0;
		}
	}
	if (rec->seeded)
		return slice_start(rec, thread);
	if (own->counting && own->no_event)
		return counter_resume(thread->counter);
	own->counting = true;
	return counter_start(thread->counter, SLICE_BRANCHES);
}

int preempt_wait(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int status, r;

	if (rec->seeded)
		return slice_wait(rec, thread);
	r = cut_wait(thread->tid, thread->counter, &status);
	if (r < 0)
		return r;
	thread->run = RUN_STOPPED;
	if (r == 0) {
		thread->stop_status = status;
		return 0;
	}
	r = schedule_sweep(rec);
	if (r < 0)
		return r;
	if (!schedule_others_ready(rec, thread)) {
		thread->run = RUN_USER;
		r = stop_resume(thread, PTRACE_CONT, 0);
		return r == SWORN_EGONE ? 0 : r;
	}
	r = cut_choose(thread->tid, guest_memory(thread), thread->counter, &own->position, &status);
	if (r < 0)
		return r;
	if (r > 0) {
		thread->stop_status = status;
		return 0;
	}
	thread->registers = own->position.registers;
	own->cut = true;
	own->computing = false;
	schedule_resume(thread, PTRACE_CONT, 0);
	schedule_end_turn(rec, thread);
	return 0;
}

static bool maps_shared(const struct space *space)
{
	for (size_t i = 0; i < space->table.count; i++) {
		if (space->table.entries[i].backing == BACKING_SHARED)
			return true;
	}
	return false;
}

/* Another thread that this one may be spinning on, or race with, waits for its turn. */
static bool keeps_others_waiting(const struct recorder *rec, const struct thread *thread)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t == thread || !schedule_ready(t))
			continue;
		if (t->process->space == thread->process->space ||
		    (maps_shared(t->process->space) && maps_shared(thread->process->space)))
			return true;
	}
	return false;
}

/* Takes the CPU from a thread that computes on. Nobody else sees its memory, so how far it came since its last event makes
 * no difference to anyone: the turn ends as if it had not run since. */
static void float_away(struct recorder *rec, struct thread *thread)
{
	thread->record->no_event = true;
	thread->process->space->floating = thread->number;
	schedule_resume(thread, PTRACE_CONT, 0);
	schedule_end_turn(rec, thread);
}

/* The thread stands where its turn is to end, and a held signal to come: its registers and the state name the point. */
static int cut_here(struct recorder *rec, struct thread *thread)
{
	const struct state_request request = seek_request();
	struct record_thread *own = thread->record;
	int r;

	thread->registers.orig_rax = (uint64_t)-1;
	own->position = (struct position){ .kind = TURN_STATE, .registers = thread->registers };
	r = record_state(rec, thread, &request, own->position.state);
	if (r < 0)
		return r;
	seek_sign(thread, own->position.state);
	own->cut = true;
	own->computing = false;
	own->no_event = false;
	schedule_end_turn(rec, thread);
	return record_holds(own) ? record_held_here(rec, thread) : 0;
}

/* The thread is no spin: to where its state can name the point. 0 when cut, 1 when another stop came, 2 when not. */
static int cut_by_state(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t start = schedule_now_ns();
	int status, r = seek_choose(thread, start - own->resumed_ns, &status);

	if (r == 1)
		thread->stop_status = status;
	if (r == 0)
		r = cut_here(rec, thread);
	/* What it costs must stay a small part of what is computed. */
	own->next_look_ns = schedule_now_ns() + 5 * (schedule_now_ns() - start);
	return r;
}

/* Processor time since the thread was first found computing: that the host is busy makes nobody a spinner. */
static uint64_t computed_ns(const struct thread *thread)
{
	struct record_thread *own = thread->record;
	unsigned long long now = schedule_now_ns();
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", thread->tid);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%llu", &now) != 1)
			now = own->computed_ns;
		fclose(file);
	}
	if (!own->computed_ns)
		own->computed_ns = now;
	return now - own->computed_ns;
}

/* Work that wanders through much code comes to a call in the end; a small loop may never. */
static bool wanders(const struct record_thread *own)
{
	return own->highest_ip > own->lowest_ip && own->highest_ip - own->lowest_ip > SPIN_CODE_BYTES;
}

/* A held signal is input from outside, to be told as soon as it can be. */
static bool holds_outside(const struct thread *thread)
{
	const struct record_thread *own = thread->record;

	for (size_t i = 0; i < own->held_count; i++) {
		if (outside_signalled(thread, own->held[i].siginfo))
			return true;
	}
	return false;
}

/* A seeded turn ends at calls and in spins. Where nothing else gets the guest on, a cut is better than none, and the trace says so. 1
 * when it may be cut, 0 when not yet, 2 when what comes next on the virtual clock has come instead, negative on failure. */
static int may_cut(struct recorder *rec, const struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t now = schedule_now_ns();
	int r;

	if (!rec->seeded || holds_outside(thread))
		return 1;
	if (computed_ns(thread) < (wanders(own) ? WORK_PATIENCE_NS : SEEDED_PATIENCE_NS))
		return 0;
	rec->timed_cuts = true;
	if (record_holds(own) || schedule_others_ready(rec, thread) || timers_next(rec) == UINT64_MAX)
		return 1;
	r = seeded_end_spin(rec, thread);
	own->next_look_ns = now + (now - own->resumed_ns) / 16;
	return r < 0 ? r : 2;
}

static bool can_float(const struct recorder *rec, const struct thread *thread)
{
	return rec->current == thread && schedule_others_ready(rec, thread) &&
	       !keeps_others_waiting(rec, thread);
}

int preempt_here(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t spent_ns;
	int status, r;

	r = stop_get_registers(thread);
	if (r == 0)
		r = dirty_start(thread, false);
	if (r == 0)
		r = spin_find(&rec->guests, thread, &status);
	if (r < 0)
		return r == SWORN_EGONE ? 0 : r;
	if (r == 1) {
		thread->stop_status = status;
		return 0;
	}
	own->no_event = true;
	schedule_resume(thread, PTRACE_CONT, 0);
	if (r == 0) {
		r = cut_here(rec, thread);
		return r == 0 && rec->seeded ? seeded_end_spin(rec, thread) : r;
	}
	r = !rec->current || rec->current == thread ? may_cut(rec, thread) : 0;
	if (r < 0 || r == 2)
		return r < 0 ? r : 0;
	if (r == 1 && rec->seeded && can_float(rec, thread)) {
		float_away(rec, thread);
		return 0;
	}
	if (r == 1) {
		r = cut_by_state(rec, thread);
		if (r != 2)
			return r < 0 ? r : 0;
	}
	if (thread->registers.rip < own->lowest_ip)
		own->lowest_ip = thread->registers.rip;
	if (thread->registers.rip > own->highest_ip)
		own->highest_ip = thread->registers.rip;
	/* Looking costs: the longer it computes, the less often. */
	own->next_look_ns = schedule_now_ns() + (schedule_now_ns() - own->resumed_ns) / 2;
	spent_ns = rec->seeded ? computed_ns(thread) : schedule_now_ns() - own->resumed_ns;
	if (wanders(own) || spent_ns < SPIN_PATIENCE_NS) {
		if (!rec->seeded && can_float(rec, thread))
			float_away(rec, thread);
		return 0;
	}
	rec->status = "needs_pmu";
	return SWORN_ENEEDSPMU;
}

/* A signal is pending that the thread does not block: it is delivered as soon as the thread runs. */
static bool awaits_signal(const struct thread *thread)
{
	static const uint32_t queues[] = { 0, PTRACE_PEEKSIGINFO_SHARED };
	siginfo_t pending[8];

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct __ptrace_peeksiginfo_args args = { .flags = queues[i],
							  .nr = sizeof(pending) / sizeof(pending[0]) };
		long count;

		do {
			count = ptrace(PTRACE_PEEKSIGINFO, thread->tid, &args, pending);
			for (long k = 0; k < count; k++) {
				if (!(thread->mask & signal_bit(pending[k].si_signo)))
					return true;
			}
			args.off += count > 0 ? (uint64_t)count : 0;
		} while (count == (long)args.nr);
	}
	return false;
}

/* Without a counter: the thread computes on while others wait, or a signal is held back for it. When it spins the turn
 * can end; when it goes on without a call for too long, nothing but a counter could help. */
int preempt_look(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	bool shared;
	int status, r = 0;

	r = schedule_sweep(rec);
	/* Its own death may have come in: nothing else of it will. */
	if (r == 0 && thread->record->died)
		return seeded_settle(rec);
	if (r < 0 || thread->run != RUN_USER)
		return r;
	/* Seeded: whatever waits for a turn or a time may be what this one spins for. */
	shared = rec->seeded ? schedule_others_ready(rec, thread) || timers_next(rec) != UINT64_MAX
			     : keeps_others_waiting(rec, thread);
	if ((shared || record_holds(own)) && schedule_now_ns() < own->next_look_ns)
		return 0;
	if (!shared && !record_holds(own) && !schedule_others_ready(rec, thread))
		return 0;
	if (ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) < 0)
		return 0;
	do
		r = stop_wait(thread, &status);
	while (r == -EINTR);
	if (r < 0)
		return r;
	if (rec->seeded && (stop_kind(status) == STOP_EXIT || stop_kind(status) == STOP_GONE)) {
		r = schedule_stopped(rec, thread->tid, status);
		return r < 0 ? r : seeded_settle(rec);
	}
	thread->run = RUN_STOPPED;
	if (stop_kind(status) != STOP_INTERRUPT) {
		thread->stop_status = status;
		return 0;
	}
	if (!shared && !record_holds(own)) {
		float_away(rec, thread);
		return 0;
	}
	/* It may not have got the processor since its last event, where the signal has its place; steps would lead past that. */
	if (awaits_signal(thread)) {
		own->no_event = true;
		schedule_resume(thread, PTRACE_CONT, 0);
		return 0;
	}
	return preempt_here(rec, thread);
}
