/*
 * Slices of seeded turns. With a counter a turn also ends inside computation, after a number of branches that the seed gives
 * where others are ready, and that time gives where they only wait for it: so many for each step of the virtual clock. The
 * thread gets there exactly, however late the counter's interrupt is. What it computes up to an event that comes first counts
 * towards a later step.
 */
#include <signal.h>
#include <sys/ptrace.h>

#include "../sandbox/random.h"
#include "../traces/error.h"
#include "recorder.h"
#include "seeded.h"
#include "timers.h"

#define SLICE_STEP_NS 10000000ULL /* of virtual time, for each full slice */
#define SLICES_MAX 100U		  /* in one go, while nobody else is ready */
#define CHAOS_SHIFTS 5U		  /* slices are up to 16 times shorter */
#define IDLE_NS \
	1000000000ULL /* of its own time without a branch, before a thread may be spinning without any */

/* A step would take that away for good. */
static bool ignores_trap(const struct thread *thread)
{
	const struct signal_disposition *trap = &thread->process->signals->actions[SIGTRAP - 1];

	return trap->handler == (uint64_t)(uintptr_t)SIG_IGN;
}

bool slice_is_needed(const struct recorder *rec, const struct thread *thread)
{
	const struct record_thread *own = thread->record;

	if (!rec->use_counter || own->in_call || ignores_trap(thread))
		return false;
	return (own->counting && own->no_event) || schedule_others_ready(rec, thread) ||
	       timers_next(rec) != UINT64_MAX || record_holds(own);
}

static void choose_length(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t branches = counter_slice(thread->counter), deadline = timers_next(rec), slices = 1,
		 word;

	if (schedule_others_ready(rec, thread)) {
		random_bytes(rec->slices, &word, sizeof(word));
		if (rec->chaos)
			branches >>= (word >> 60) % CHAOS_SHIFTS;
		branches = branches / 2 + word % branches;
	} else if (deadline != UINT64_MAX && deadline > rec->clock_ns) {
		slices = (deadline - rec->clock_ns - 1) / SLICE_STEP_NS + 1;
		slices = slices < SLICES_MAX ? slices : SLICES_MAX;
	}
	own->slice_branches = branches * slices;
	own->slice_ns = SLICE_STEP_NS * slices;
}

int slice_count(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t branches, count;
	int r;

	if (!own->counting || own->no_event || own->slice_branches == 0)
		return 0;
	r = counter_read(thread->counter, &count);
	if (r < 0)
		return r;
	branches = counter_slice(thread->counter);
	own->slice_branches = 0;
	rec->slice_rest += count;
	rec->clock_ns += rec->slice_rest / branches * SLICE_STEP_NS;
	rec->slice_rest %= branches;
	return 0;
}

int slice_start(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	bool goes_on = own->counting && own->no_event;
	int r;

	if (!goes_on)
		choose_length(rec, thread);
	r = goes_on ? cut_resume(thread->counter, own->slice_branches)
		    : cut_start(thread->counter, own->slice_branches);
	own->counting = true;
	own->slice_seen = UINT64_MAX;
	return r < 0 ? r : counter_limit(thread->counter, IDLE_NS);
}

/* The thread stopped by itself, its counter is off. */
static int take_stop(struct recorder *rec, struct thread *thread, int status)
{
	enum stop_kind kind = stop_kind(status);
	int r;

	if (kind == STOP_EXIT || kind == STOP_GONE) {
		r = schedule_stopped(rec, thread->tid, status);
		return r < 0 ? r : seeded_settle(rec);
	}
	thread->run = RUN_STOPPED;
	thread->stop_status = status;
	return 0;
}

/* It has computed for a while: without a single branch it may be a spin that no count ends. */
static int look(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t count;
	int r = counter_read(thread->counter, &count), s;

	if (r < 0)
		return r;
	if (count != own->slice_seen) {
		own->slice_seen = count;
		r = stop_resume(thread, PTRACE_CONT, 0);
		return r == SWORN_EGONE ? 0 : r;
	}
	/* The steps that tell it are part of the count. */
	r = counter_quiet(thread->counter);
	if (r < 0)
		return r;
	thread->run = RUN_STOPPED;
	r = preempt_here(rec, thread);
	s = counter_stop(thread->counter);
	if (own->cut)
		own->slice_branches = 0;
	return r < 0 ? r : s;
}

/* The interrupt came: on to where the slice ends. */
static int end(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int status, r = cut_exactly(thread, own->slice_branches, &own->position, &status);

	if (r == 2) {
		rec->timed_cuts = true;
		r = cut_choose(thread->tid, guest_memory(thread), thread->counter, &own->position,
			       &status);
	}
	if (r != 0)
		return r < 0 ? r : take_stop(rec, thread, status);
	thread->run = RUN_STOPPED;
	thread->registers = own->position.registers;
	own->cut = true;
	own->computing = own->no_event = false;
	own->slice_branches = 0;
	schedule_resume(thread, PTRACE_CONT, 0);
	schedule_end_turn(rec, thread);
	r = record_holds(own) ? record_held_here(rec, thread) : 0;
	return r < 0 ? r : seeded_end_slice(rec, own->slice_ns);
}

int slice_wait(struct recorder *rec, struct thread *thread)
{
	int status, r;

	if (rec->interrupted)
		rec->interrupted(rec);
	r = cut_wait(thread->tid, thread->counter, &status);
	if (r <= 0)
		return r < 0 ? r : take_stop(rec, thread, status);
	return r == 1 ? end(rec, thread) : look(rec, thread);
}
