#include "seek.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <time.h>

#include "../traces/error.h"
#include "debugreg.h"
#include "landmark.h"
#include "stop.h"

#define CANDIDATES_MAX 32
#define RARE_NS 2000000ULL /* a place not passed for so long is rare */
#define SECOND_BEST_NS 20000ULL
#define PASSES_MAX 100 /* then another place is tried */
#define LOOK_NS 60000000ULL
#define LOOKS_MAX 6
#define NEAR_BYTES 64ULL
#define FLAG_RF 0x10000ULL
#define FLAG_TF 0x100ULL

struct candidate {
	uint64_t address, since_ns, gap_ns;
	unsigned int passes;
};

struct hunt {
	struct thread *thread;
	struct candidate candidates[CANDIDATES_MAX];
	size_t count, next;
	struct candidate *watched[DEBUGREG_MAX];
	int status;
};

enum found { FOUND_PLACE = 0, FOUND_STOP = 1, FOUND_NOTHING = 2, FOUND_TIME = 3 };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

bool seek_same_registers(const struct registers *a, const struct registers *b)
{
	struct registers x = *a, y = *b;

	x.orig_rax = y.orig_rax = 0;
	x.eflags &= ~(FLAG_RF | FLAG_TF);
	y.eflags &= ~(FLAG_RF | FLAG_TF);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static int watch(struct hunt *hunt)
{
	uint64_t addresses[DEBUGREG_MAX] = { 0 };

	for (size_t i = 0; i < DEBUGREG_MAX; i++)
		addresses[i] = hunt->watched[i] ? hunt->watched[i]->address : 0;
	return debugreg_set(hunt->thread->tid, addresses, DEBUGREG_MAX);
}

static void take_next(struct hunt *hunt, size_t slot)
{
	hunt->watched[slot] = NULL;
	if (hunt->next == hunt->count)
		return;
	hunt->watched[slot] = &hunt->candidates[hunt->next++];
	hunt->watched[slot]->since_ns = now_ns();
}

/* Stops a thread that was not interrupted by anything else. */
static int interrupt(struct hunt *hunt)
{
	int r;

	if (ptrace(PTRACE_INTERRUPT, hunt->thread->tid, NULL, NULL) < 0)
		return SWORN_EGONE;
	do
		r = stop_wait(hunt->thread, &hunt->status);
	while (r == -EINTR);
	if (r < 0)
		return r;
	return stop_kind(hunt->status) == STOP_INTERRUPT ? FOUND_TIME : FOUND_STOP;
}

/* Lets the thread run to the next pass of a watched place: FOUND_PLACE with registers read, _STOP, or _TIME. */
static int run(struct hunt *hunt, uint64_t until_ns)
{
	int r = stop_resume(hunt->thread, PTRACE_CONT, 0);

	while (r == 0) {
		r = stop_wait(hunt->thread, &hunt->status);
		if (r == -EINTR) {
			r = now_ns() < until_ns ? 0 : interrupt(hunt);
			continue;
		}
		if (r < 0)
			return r;
		if (!debugreg_is_hit(hunt->thread->tid, hunt->status))
			return stop_kind(hunt->status) == STOP_INTERRUPT ? FOUND_TIME : FOUND_STOP;
		return stop_get_registers(hunt->thread);
	}
	return r;
}

/* FOUND_PLACE when the place that was passed is rare. */
static int judge(struct hunt *hunt)
{
	uint64_t now = now_ns(), gap;
	struct candidate *passed = NULL;
	size_t slot = 0;

	for (size_t i = 0; i < DEBUGREG_MAX; i++) {
		if (hunt->watched[i] && hunt->watched[i]->address == hunt->thread->registers.rip) {
			passed = hunt->watched[i];
			slot = i;
		}
	}
	if (!passed)
		return FOUND_NOTHING;
	gap = now - passed->since_ns;
	if (gap >= RARE_NS)
		return FOUND_PLACE;
	if (passed->passes > 0 && gap > passed->gap_ns)
		passed->gap_ns = gap;
	passed->since_ns = now;
	if (++passed->passes < PASSES_MAX)
		return FOUND_NOTHING;
	take_next(hunt, slot);
	return watch(hunt) < 0 ? SWORN_EGONE : FOUND_NOTHING;
}

static int look(struct hunt *hunt)
{
	for (unsigned int looks = 0; looks < LOOKS_MAX; looks++) {
		uint64_t until = now_ns() + LOOK_NS;
		int r = FOUND_NOTHING;

		for (size_t i = 0; i < DEBUGREG_MAX; i++) {
			if (!hunt->watched[i] || hunt->watched[i]->passes == 0)
				take_next(hunt, i);
		}
		if (watch(hunt) < 0)
			return SWORN_EGONE;
		while (r == FOUND_NOTHING) {
			if (!hunt->watched[0] && !hunt->watched[1] && !hunt->watched[2] &&
			    !hunt->watched[3])
				return FOUND_NOTHING;
			r = run(hunt, until);
			if (r == FOUND_PLACE)
				r = judge(hunt);
		}
		if (r != FOUND_TIME)
			return r;
	}
	return FOUND_NOTHING;
}

/* No place is rare: the one that was passed most rarely, if it comes by once more. */
static int second_best(struct hunt *hunt)
{
	struct candidate *best = NULL;
	int r;

	for (size_t i = 0; i < hunt->count; i++) {
		struct candidate *c = &hunt->candidates[i];

		if (c->gap_ns >= SECOND_BEST_NS && (!best || c->gap_ns > best->gap_ns))
			best = c;
	}
	if (!best)
		return FOUND_NOTHING;
	memset(hunt->watched, 0, sizeof(hunt->watched));
	hunt->watched[0] = best;
	if (watch(hunt) < 0)
		return SWORN_EGONE;
	r = run(hunt, now_ns() + LOOK_NS);
	return r == FOUND_TIME ? FOUND_NOTHING : r;
}

/* A breakpoint next to a tight loop makes every round of it slow: the processor checks what it fetches. */
static bool is_far(uint64_t address, uint64_t rip)
{
	return address - rip + NEAR_BYTES > 2 * NEAR_BYTES;
}

int seek_choose(struct thread *thread, int *ret_status)
{
	const struct signal_disposition *trap = &thread->process->signals->actions[SIGTRAP - 1];
	uint64_t addresses[CANDIDATES_MAX];
	struct hunt hunt = { .thread = thread };
	size_t count;
	int r;

	/* A forced SIGTRAP would change these. */
	if ((thread->mask >> (SIGTRAP - 1) & 1) || trap->handler == (uint64_t)(uintptr_t)SIG_IGN)
		return 2;
	count = landmark_collect(thread->tid, guest_memory(thread), &thread->registers, addresses,
				      CANDIDATES_MAX);
	for (int far = 1; far >= 0; far--) {
		for (size_t i = 0; i < count; i++) {
			if (is_far(addresses[i], thread->registers.rip) == (far != 0))
				hunt.candidates[hunt.count++].address = addresses[i];
		}
	}
	r = look(&hunt);
	if (r == FOUND_NOTHING)
		r = second_best(&hunt);
	if (r == FOUND_STOP) {
		*ret_status = hunt.status;
		debugreg_set(thread->tid, NULL, 0);
		return 1;
	}
	if (r >= 0 && (debugreg_set(thread->tid, NULL, 0) < 0 || stop_get_registers(thread) < 0))
		return SWORN_EGONE;
	return r < 0 ? r : r == FOUND_PLACE ? 0 : 2;
}

struct state_request seek_request(const struct thread *thread)
{
	return (struct state_request){ PAGE_XXH3, thread->process->space->references == 1, NULL };
}

static int is_there(const struct guests *guests, struct thread *thread,
		    const struct registers *registers, const uint8_t *state)
{
	const struct state_request request = seek_request(thread);
	uint8_t found[DIGEST_BYTES];
	int r;

	if (!seek_same_registers(&thread->registers, registers))
		return 0;
	if (!state)
		return 1;
	r = guest_state(guests, thread, &request, found);
	return r < 0 ? r : memcmp(found, state, sizeof(found)) == 0 ? 1 : 2;
}

int seek_reach(const struct guests *guests, struct thread *thread, const struct registers *registers,
	       const uint8_t *state, int *ret_status)
{
	unsigned int hits = 0, states = 0;
	int r = is_there(guests, thread, registers, state);

	if (r < 0 || r == 1)
		return r < 0 ? r : 0;
	r = debugreg_set(thread->tid, &registers->rip, 1);
	while (r == 0) {
		r = stop_resume(thread, PTRACE_CONT, 0);
		if (r == 0) {
			do
				r = stop_wait(thread, ret_status);
			while (r == -EINTR);
		}
		if (r < 0)
			return r;
		if (!debugreg_is_hit(thread->tid, *ret_status)) {
			debugreg_set(thread->tid, NULL, 0);
			stop_get_registers(thread);
			return 1;
		}
		r = stop_get_registers(thread);
		if (r == 0)
			r = is_there(guests, thread, registers, state);
		if (r == 1)
			return debugreg_set(thread->tid, NULL, 0);
		states += r == 2;
		if (r == 2)
			r = 0;
		if (r == 0 && (++hits == SEEK_HITS_MAX || states == SEEK_STATES_MAX)) {
			debugreg_set(thread->tid, NULL, 0);
			return SWORN_EDIVERGED;
		}
	}
	return r;
}
