/*
 * Replay in several processes: each worker walks the whole trace, plays the units that were dealt to it and
 * follows the others in the model alone. What crosses from one unit to the next at an exec is noted by both sides
 * and compared. cmd_replay.c starts a crew after the trace was checked; a crew that does not come out with
 * everything played and equal has decided nothing: the trace is then played in order.
 */
#ifndef SWORN_REPLAY_CREW_H
#define SWORN_REPLAY_CREW_H

#include "group.h"
#include "replayer.h"

#define WORKERS_MAX 64

struct crew;

/* What a crew is made of; all borrowed for its life. */
struct crew_plan {
	const struct groups *groups;
	unsigned int workers; /* 1..WORKERS_MAX */
	const int *cpus;      /* one for each worker */
	int home;	      /* the recorded processor, -1 when this host lacks it */
	const int *sources;   /* each worker's socket to the store's blobs, or NULL */
};

/*
 * Plays all units, each worker with a copy of `fresh`, a replayer that has played nothing; then walks the trace with
 * `clerk`, another one with a reader and sinks of its own, which ends up as if it had played everything. 0: it was
 * all equal. SWORN_EGONE: a worker was killed. Another negative value: it could not be told this way.
 */
int crew_play(const struct crew_plan *plan, const struct replayer *fresh, struct replayer *clerk);

/* Whether this process plays the unit (from 1). */
bool crew_owns(struct crew *crew, uint32_t unit);
/* Whether it plays the units that map the shared object. */
bool crew_has_object(const struct crew *crew, uint64_t object);
/* At an exec, after guest_exec(): what the new unit takes over, as seen by the unit that is left. */
void crew_gave(struct crew *crew, const struct thread *thread);
/* The same, as the new unit starts with it. */
void crew_took(struct crew *crew, const struct thread *thread);
/* The thread runs on the recorded processor, or on the worker's. */
void crew_send_home(const struct crew *crew, const struct thread *thread);
void crew_fetch(const struct crew *crew, const struct thread *thread);
/* Clerk: the last checkpoint of each unit as its worker found it, and how many there were in all. */
void crew_results(const struct crew *crew, struct replayer *rep);

/* Another process plays the thread's unit. */
static inline bool is_elsewhere(const struct thread *thread)
{
	return thread->process->unit->elsewhere;
}
/* What an event of a unit played elsewhere changes in the model. 0 or negative. */
int follow_event(struct replayer *rep, struct thread *thread);

/* Walks the trace in the model, counts outputs and plays the END. 0 or negative. */
int clerk_walk(struct replayer *rep);

#endif
