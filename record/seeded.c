/*
 * The seeded schedule. One thread runs at a time, and before it does every other one has come to rest: asleep in its
 * call, stopped, or gone. Which of them are ready is then a matter of what guests have done, not of time; the seed
 * chooses among them, and for how many calls. When all sleep, the virtual clock jumps to the next deadline.
 */
#include "seeded.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <time.h>

#include "../sandbox/random.h"
#include "../traces/error.h"
#include "outside.h"
#include "rest.h"
#include "timers.h"

#define TURN_SHIFTS 7U /* a seed gives turns of at most 1, 2, 4 ... 64 events */
#define CHAOS_EVENTS_MAX 4U
#define CHAOS_DEMOTION 8U /* one turn in so many ends with a lower priority */
#define YIELDS_BEFORE_NAP 50U
#define NAP_NS 50000L
#define SPIN_SLICE_NS 10000000ULL /* of virtual time, to a spin that others wait for */
#define GRACE_NAPS \
	4000U /* with nothing left that could wake anybody: what the kernel still does in the background */
#define JUMPS_MAX 1000000U /* of the clock, without an event */

static uint32_t draw(struct recorder *rec, uint32_t below)
{
	uint64_t word;

	random_bytes(rec->order, &word, sizeof(word));
	return (uint32_t)(word % below);
}

static void nap(struct recorder *rec, unsigned int *rounds)
{
	struct timespec t = { .tv_nsec = NAP_NS };

	if (rec->interrupted)
		rec->interrupted(rec);
	if (++*rounds < YIELDS_BEFORE_NAP)
		sched_yield();
	else
		nanosleep(&t, NULL);
}

/* The first of the deaths that came in, by number. 1 when there was one. */
static int bury(struct recorder *rec)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		int status = t->record->death, r;

		if (!t->record->died)
			continue;
		t->record->died = false;
		t->stop_status = 0;
		rec->killing = true;
		r = stop_kind(status) == STOP_EXIT ? record_exit_stop(rec, t)
						   : record_gone(rec, t, status);
		return r < 0 ? r : 1;
	}
	return 0;
}

static bool has_died(const struct recorder *rec)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t->record->died)
			return true;
	}
	return false;
}

int seeded_settle(struct recorder *rec)
{
	unsigned int rounds = 0;

	for (;;) {
		int r = schedule_sweep(rec);

		if (r == 0 && rest_all_at_once(rec)) {
			r = bury(rec);
			if (r == 0)
				break;
			rounds = 0;
		}
		if (r < 0)
			return r;
		nap(rec, &rounds);
	}
	rec->stirred = rec->killing = false;
	return 0;
}

int seeded_wait(struct recorder *rec, struct thread *thread)
{
	unsigned int rounds = 0;

	rest_begin(thread);
	for (;;) {
		bool asleep = rest_is_asleep(rec, thread);
		int r = schedule_sweep(rec);

		if (r < 0 || thread->run == RUN_STOPPED)
			return r;
		if (thread->record->died)
			return seeded_settle(rec);
		if (asleep) {
			thread->record->slept = true;
			record_clock_slept(rec);
			if (thread->call.row && thread->call.row->flags & ROW_EARLY)
				r = record_in_flight(rec, thread, thread);
			if (r == 0)
				schedule_end_turn(rec, thread);
			return r;
		}
		/* In exec the others of the process have to go first. */
		r = has_died(rec) && rest_all(rec, thread) ? bury(rec) : 0;
		if (r < 0 || rec->current != thread)
			return r;
		nap(rec, &rounds);
	}
}

static unsigned int count_ready(const struct recorder *rec)
{
	unsigned int count = 0;

	for (const struct thread *t = rec->guests.first; t; t = t->next)
		count += schedule_ready(t);
	return count;
}

/* By priorities that the seed gives and now and then takes away: what a fair order rarely tries. */
static struct thread *choose_unfairly(struct recorder *rec, const struct thread *except)
{
	struct thread *best = NULL;

	if (rec->last && draw(rec, CHAOS_DEMOTION) == 0)
		rec->last->record->priority = draw(rec, UINT32_MAX / 2);
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (!t->record->priority)
			t->record->priority = 1 + draw(rec, UINT32_MAX - 1);
		if (t != except && schedule_ready(t) &&
		    (!best || t->record->priority > best->record->priority))
			best = t;
	}
	return best;
}

/* Half of the seeds look for many switches close to each other, the other half for few in unlikely places. */
static unsigned int chaos_events(struct recorder *rec)
{
	return draw(rec, 2) == 0 ? 1 : CHAOS_EVENTS_MAX;
}

struct thread *seeded_choose(struct recorder *rec)
{
	const struct thread *spinning = rec->last && rec->last->record->cut ? rec->last : NULL;
	unsigned int ready = count_ready(rec), chosen;

	if (ready == 0)
		return NULL;
	if (ready == 1)
		spinning = NULL;
	ready -= spinning != NULL && schedule_ready(spinning);
	if (rec->turn_events == 0)
		rec->turn_events = rec->chaos ? chaos_events(rec) : 1U << draw(rec, TURN_SHIFTS);
	rec->turn_left = 1 + draw(rec, rec->turn_events);
	if (rec->chaos && rec->turn_events > 1)
		return choose_unfairly(rec, spinning);
	chosen = draw(rec, ready);
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t != spinning && schedule_ready(t) && chosen-- == 0)
			return t;
	}
	return NULL;
}

/* Something happens by itself, or outside: as long as that takes, up to the deadline, the virtual clock runs with the real one. */
static int wait_outside(struct recorder *rec, uint64_t deadline_ns)
{
	uint64_t start = schedule_now_ns(), begun = rec->clock_ns, now;
	unsigned int rounds = 0;

	while (count_ready(rec) == 0) {
		int r = seeded_settle(rec);

		if (r < 0)
			return r;
		now = begun + (schedule_now_ns() - start);
		rec->clock_ns = now < deadline_ns ? now : deadline_ns;
		if (rec->clock_ns == deadline_ns)
			return timers_expire(rec);
		if (rec->guests.alive == 0)
			return 0;
		rec->stirred = true;
		nap(rec, &rounds);
	}
	return 0;
}

/* Who waits in which call, for people. */
static void describe_deadlock(struct recorder *rec)
{
	static char text[512];
	size_t length = 0;

	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		int n = snprintf(text + length, sizeof(text) - length,
				 "%sthread %u of process %u waits in %s", length ? "; " : "", t->number,
				 t->process->pid, t->call.row ? t->call.row->name : "a stop");

		if (n < 0 || length + (size_t)n >= sizeof(text))
			break;
		length += (size_t)n;
	}
	rec->status = text;
}

/* What runs in the background of the kernel (a terminal's buffer, a packet) may still wake somebody. */
static int wait_grace(struct recorder *rec)
{
	unsigned int rounds = YIELDS_BEFORE_NAP;

	for (unsigned int i = 0; i < GRACE_NAPS && count_ready(rec) == 0; i++) {
		int r = seeded_settle(rec);

		if (r < 0 || rec->guests.alive == 0)
			return r;
		nap(rec, &rounds);
	}
	if (count_ready(rec) > 0)
		return 0;
	describe_deadlock(rec);
	return SWORN_EDEADLOCK;
}

int seeded_end_spin(struct recorder *rec, const struct thread *thread)
{
	uint64_t deadline = timers_next(rec), slice_end = rec->clock_ns + SPIN_SLICE_NS;

	if (deadline == UINT64_MAX)
		return 0;
	/* They may be spinning, too, all of them for what somebody does whose time has not come. */
	if (schedule_others_ready(rec, thread) && slice_end < deadline)
		deadline = slice_end;
	if (deadline > rec->clock_ns)
		rec->clock_ns = deadline;
	return timers_expire(rec);
}

int seeded_end_slice(struct recorder *rec, uint64_t ns)
{
	uint64_t deadline = timers_next(rec);

	if (deadline > rec->clock_ns && deadline - rec->clock_ns < ns)
		ns = deadline - rec->clock_ns;
	rec->clock_ns += ns;
	return deadline <= rec->clock_ns ? timers_expire(rec) : 0;
}

int seeded_idle(struct recorder *rec)
{
	uint64_t deadline = timers_next(rec), events = writer_events(rec->writer);

	/* The real clock is outside, too. */
	if (!rec->virtual_clock || outside_is_awaited(rec))
		return wait_outside(rec, deadline);
	if (rec->idle_events != events)
		rec->jumps = 0;
	rec->idle_events = events;
	if (deadline == UINT64_MAX || ++rec->jumps == JUMPS_MAX)
		return wait_grace(rec);
	if (deadline > rec->clock_ns)
		rec->clock_ns = deadline;
	return timers_expire(rec);
}
