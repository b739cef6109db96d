#include "seek.h"

#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <time.h>
#include <xxhash.h>

#include "../traces/error.h"
#include "debugreg.h"
#include "dirty.h"
#include "landmark.h"
#include "stop.h"

#define CANDIDATES_MAX 32
#define QUICK_NS 3000000ULL    /* of the guest's own time that each place gets at first */
#define PATIENT_NS 60000000ULL /* when no place came by in that */
#define STATES_BEFORE_FOLLOWING 8
#define MEASURED_STOPS 8
#define AGAIN_TIMES \
	4 /* as long for a place that was passed once: its round may be longer than the wait was */
#define RARE_NS 6000ULL	    /* between two passes: less, and replay has too many stops */
#define FEW_PASSES 25000ULL /* that replay should have to look at, if there is such a place */
#define PASSES_MAX 4	    /* too early ones, then the place is given up */
#define TICK_US 1000
#define NEAR_BYTES 64ULL
#define FRAME_BYTES 2048 /* of the stack */
#define FRAME_OFFSET 16	 /* in a state: behind the XXH3-128 */
#define FLAG_RF 0x10000ULL
#define FLAG_TF 0x100ULL

struct candidate {
	uint64_t address, since_ns;
	unsigned int passes;
};

struct hunt {
	struct thread *thread;
	clockid_t clock; /* of the guest's process: what it takes is no matter of how busy the host is */
	struct candidate candidates[CANDIDATES_MAX]; /* best first */
	size_t count;
	struct candidate *watched[DEBUGREG_MAX];
	uint64_t stop_ns; /* what a stop takes of the guest's own time */
	uint64_t rare_ns; /* between two passes: what is looked for */
	int status;
};

enum found { FOUND_PLACE = 0, FOUND_STOP = 1, FOUND_NOTHING = 2, FOUND_TIME = 3 };

static uint64_t now_ns(const struct hunt *hunt)
{
	struct timespec now = { 0 };

	clock_gettime(hunt->clock, &now);
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

/* Stops a thread that was not stopped by anything else. Where it met a place first, the interruption is still to come. */
static int interrupt(struct hunt *hunt)
{
	int r;

	if (ptrace(PTRACE_INTERRUPT, hunt->thread->tid, NULL, NULL) < 0)
		return SWORN_EGONE;
	do
		r = stop_wait(hunt->thread, &hunt->status);
	while (r == -EINTR);
	return r;
}

/* Lets the thread run to the next pass of a watched place: FOUND_PLACE with registers read, _STOP, or _TIME. */
static int run(struct hunt *hunt, uint64_t until_ns)
{
	int r = stop_resume(hunt->thread, PTRACE_CONT, 0);

	while (r == 0) {
		r = stop_wait(hunt->thread, &hunt->status);
		if (r == -EINTR && now_ns(hunt) < until_ns) {
			r = 0;
			continue;
		}
		if (r == -EINTR)
			r = interrupt(hunt);
		if (r < 0)
			return r;
		if (debugreg_is_hit(hunt->thread->tid, hunt->status))
			return stop_get_registers(hunt->thread);
		if (stop_kind(hunt->status) != STOP_INTERRUPT)
			return FOUND_STOP;
		if (now_ns(hunt) >= until_ns)
			return FOUND_TIME;
		r = stop_resume(hunt->thread, PTRACE_CONT, 0);
	}
	return r;
}

/* Which of the watched places was passed just now, if that was long enough after the last time; else NULL. */
static struct candidate *judge(struct hunt *hunt)
{
	for (size_t i = 0; i < DEBUGREG_MAX; i++) {
		struct candidate *c = hunt->watched[i];
		uint64_t now = now_ns(hunt), gap;

		if (!c || c->address != hunt->thread->registers.rip)
			continue;
		gap = now - c->since_ns;
		c->since_ns = now;
		if (gap >= hunt->rare_ns)
			return c;
		if (++c->passes == PASSES_MAX)
			hunt->watched[i] = NULL;
	}
	return NULL;
}

/* Watches the best `count` places of those from `first` on. False when none is left. */
static bool watch_from(struct hunt *hunt, struct candidate *first, size_t count)
{
	bool some = false;

	for (size_t i = 0; i < DEBUGREG_MAX; i++) {
		struct candidate *c = i < count ? first + i : NULL;

		hunt->watched[i] = c && c->passes < PASSES_MAX ? c : NULL;
		some |= hunt->watched[i] != NULL;
		if (hunt->watched[i])
			c->since_ns = now_ns(hunt);
	}
	return some;
}

/* Of a few places the best that is passed in time: once one was, only better ones are waited for, and then that one. */
static int look_at(struct hunt *hunt, struct candidate *first, size_t count, uint64_t time_ns)
{
	struct candidate *found = NULL;
	bool again = false;

	while (count > 0 && watch_from(hunt, first, count)) {
		uint64_t until = now_ns(hunt) + (again ? AGAIN_TIMES : 1) * time_ns;
		struct candidate *passed = NULL;
		int r = FOUND_PLACE;

		while (r == FOUND_PLACE && !passed) {
			if (watch(hunt) < 0)
				return SWORN_EGONE;
			r = run(hunt, until);
			passed = r == FOUND_PLACE ? judge(hunt) : NULL;
		}
		if (r < 0 || r == FOUND_STOP)
			return r;
		if (passed && (passed == first || again))
			return FOUND_PLACE;
		if (!passed && (!found || again))
			return FOUND_NOTHING;
		again = !passed;
		found = passed ? passed : found;
		if (again)
			first = found;
		count = again ? 1 : (size_t)(found - first);
	}
	return FOUND_NOTHING;
}

static int look_for(struct hunt *hunt, uint64_t rare_ns, uint64_t time_ns)
{
	hunt->rare_ns = rare_ns;
	for (size_t i = 0; i < hunt->count; i++)
		hunt->candidates[i].passes = 0;
	for (size_t at = 0; at < hunt->count; at += DEBUGREG_MAX) {
		size_t left = hunt->count - at;
		int r = look_at(hunt, &hunt->candidates[at],
				left < DEBUGREG_MAX ? left : DEBUGREG_MAX, time_ns);

		if (r != FOUND_NOTHING)
			return r;
	}
	return FOUND_NOTHING;
}

/* For a place that was passed seldom in all the time that the turn took so far; else for any that is seldom enough. */
static int look(struct hunt *hunt, uint64_t ran_ns)
{
	uint64_t rare_ns = RARE_NS + hunt->stop_ns;
	uint64_t seldom_ns = rare_ns > ran_ns / FEW_PASSES ? rare_ns : ran_ns / FEW_PASSES;
	int r = look_for(hunt, seldom_ns, QUICK_NS);

	if (r == FOUND_NOTHING && seldom_ns > rare_ns)
		r = look_for(hunt, rare_ns, QUICK_NS);
	return r == FOUND_NOTHING ? look_for(hunt, rare_ns, PATIENT_NS) : r;
}

/* A breakpoint next to a tight loop makes every round of it slow: the processor checks what it fetches. */
static bool is_far(uint64_t address, uint64_t rip)
{
	return address - rip + NEAR_BYTES > 2 * NEAR_BYTES;
}

/* Farthest up the stack first: those come by the most rarely. */
static void collect(struct hunt *hunt)
{
	struct thread *thread = hunt->thread;
	uint64_t addresses[CANDIDATES_MAX];
	size_t count = landmark_collect(thread->tid, guest_memory(thread), &thread->registers,
					addresses, CANDIDATES_MAX);

	for (int far = 1; far >= 0; far--) {
		for (size_t i = count; i-- > 0;) {
			if (is_far(addresses[i], thread->registers.rip) == (far != 0))
				hunt->candidates[hunt->count++].address = addresses[i];
		}
	}
}

/* What a stop costs the guest on this host. FOUND_NOTHING, or FOUND_STOP. */
static int measure_stop(struct hunt *hunt)
{
	uint64_t start = now_ns(hunt);

	for (unsigned int i = 0; i < MEASURED_STOPS; i++) {
		int r = stop_step(hunt->thread, &hunt->status);

		if (r != 0)
			return r < 0 ? r : FOUND_STOP;
	}
	hunt->stop_ns = (now_ns(hunt) - start) / MEASURED_STOPS;
	return FOUND_NOTHING;
}

/* look() with a recorder's ticker going faster. */
static int look_ticking(struct hunt *hunt, uint64_t ran_ns)
{
	struct itimerval fast = { { 0, TICK_US }, { 0, TICK_US } }, usual;
	int r;

	getitimer(ITIMER_REAL, &usual);
	if (usual.it_interval.tv_usec > 0)
		setitimer(ITIMER_REAL, &fast, NULL);
	r = measure_stop(hunt);
	if (r == FOUND_NOTHING)
		r = look(hunt, ran_ns);
	setitimer(ITIMER_REAL, &usual, NULL);
	return r;
}

bool seek_may_trap(const struct thread *thread)
{
	const struct signal_disposition *trap = &thread->process->signals->actions[SIGTRAP - 1];

	return !(thread->mask & signal_bit(SIGTRAP)) && trap->handler != (uint64_t)(uintptr_t)SIG_IGN;
}

int seek_choose(struct thread *thread, uint64_t ran_ns, int *ret_status)
{
	struct hunt hunt = { .thread = thread };
	int r;

	if (!seek_may_trap(thread))
		return 2;
	if (clock_getcpuclockid(thread->process->leader, &hunt.clock) != 0)
		return SWORN_EGONE;
	collect(&hunt);
	r = look_ticking(&hunt, ran_ns);
	if (r == FOUND_STOP) {
		*ret_status = hunt.status;
		debugreg_set(thread->tid, NULL, 0);
		return 1;
	}
	if (r >= 0 && (debugreg_set(thread->tid, NULL, 0) < 0 || stop_get_registers(thread) < 0))
		return SWORN_EGONE;
	return r < 0 ? r : r == FOUND_PLACE ? 0 : 2;
}

struct state_request seek_request(void)
{
	return (struct state_request){ PAGE_XXH3, true, NULL };
}

/* Of what a function and its nearest callers keep on the stack. Never 0. */
static uint64_t frame_hash(struct thread *thread)
{
	uint8_t bytes[FRAME_BYTES];
	size_t length = guest_read(thread, thread->registers.rsp, bytes, sizeof(bytes));
	uint64_t hash = XXH3_64bits(bytes, length);

	return hash ? hash : 1;
}

void seek_sign(struct thread *thread, uint8_t state[DIGEST_BYTES])
{
	uint64_t hash = htole64(frame_hash(thread));

	memcpy(state + FRAME_OFFSET, &hash, sizeof(hash));
}

/* 0 no, 1 yes, 2 no, and to find that out took all of the memory. */
static int is_there(const struct guests *guests, struct thread *thread,
		    const struct registers *registers, const uint8_t *state)
{
	const struct state_request request = seek_request();
	uint8_t found[DIGEST_BYTES];
	uint64_t frame;
	int r;

	if (!seek_same_registers(&thread->registers, registers))
		return 0;
	if (!state)
		return 1;
	memcpy(&frame, state + FRAME_OFFSET, sizeof(frame));
	if (frame && le64toh(frame) != frame_hash(thread))
		return 0;
	r = guest_state(guests, thread, &request, found);
	if (frame && r == 0)
		memcpy(found + FRAME_OFFSET, &frame, sizeof(frame));
	return r < 0 ? r : memcmp(found, state, sizeof(found)) == 0 ? 1 : 2;
}

int seek_reach(const struct guests *guests, struct thread *thread,
	       const struct registers *registers, const uint8_t *state, int *ret_status)
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
		/* Now that its size is known: from here on only what was written in between is read. */
		if (r == 2)
			r = states == STATES_BEFORE_FOLLOWING ? dirty_start(thread, true) : 0;
		if (r == 0 && (++hits == SEEK_HITS_MAX || states == SEEK_STATES_MAX)) {
			debugreg_set(thread->tid, NULL, 0);
			return -ERANGE;
		}
	}
	return r;
}
