#include "cut.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"
#include "breakpoint.h"
#include "counter.h"
#include "landmark.h"
#include "register.h"

#define SIGTRAP_BIT (1ULL << (SIGTRAP - 1))
#define RF (1ULL << 16)
#define USER_END 0x7ffffffff000ULL
#define CANDIDATES_MAX 24
#define HITS_MAX 3     /* an address that comes by as often is not rare */
#define SECOND_BEST 32 /* a gap this many times under `rare` is better than none */
#define PATIENCE 8     /* hits before a loop is looked into */
#define PATIENCE_MAX 1024
#define STUCK_HITS_MAX 1000000 /* arrivals without a branch in between */

static bool registers_equal(const struct registers *a, const struct registers *b)
{
	struct registers x = *a, y = *b;

	x.orig_rax = y.orig_rax = UINT64_MAX;
	x.eflags &= ~RF;
	y.eflags &= ~RF;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* The thread as a position describes it: the RF that a breakpoint left is no state of the guest. */
static int clean_registers(pid_t tid, struct registers *ret)
{
	struct registers registers;
	int r = register_get(tid, &registers);

	if (r < 0)
		return r;
	registers.orig_rax = UINT64_MAX;
	if (registers.eflags & RF) {
		registers.eflags &= ~RF;
		r = register_set(tid, &registers);
	}
	if (r == 0)
		*ret = registers;
	return r;
}

struct candidate {
	uint64_t address;
	uint64_t since; /* count when it was armed or last hit */
	uint64_t gap;	/* the longest seen, 0 = never hit */
	unsigned int hits;
};

struct hunt {
	struct counter *counter;
	int mem_fd;
	int status; /* of the stop the thread stands at */
	uint64_t count;
	struct candidate candidates[CANDIDATES_MAX];
	size_t candidates_count, next;
	struct breakpoints slots;
	size_t watched[BREAKPOINTS_MAX]; /* candidate of each slot */
};

/* Puts the next candidate into a slot; a slot that the host does not give stays empty. */
static int hunt_arm(struct hunt *hunt, size_t slot)
{
	int r;

	breakpoint_drop(&hunt->slots, slot);
	if (hunt->next == hunt->candidates_count)
		return 0;
	r = breakpoint_put(&hunt->slots, slot, hunt->counter->tid,
			   hunt->candidates[hunt->next].address, 1);
	if (r < 0)
		return r == SWORN_EGONE ? r : 0;
	hunt->candidates[hunt->next].since = hunt->count;
	hunt->watched[slot] = hunt->next++;
	return 0;
}

static bool hunt_watches(const struct hunt *hunt)
{
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++)
		if (hunt->slots.fd[i] >= 0)
			return true;
	return false;
}

/* The time for these candidates is over: those that never came by make room. */
static int hunt_rotate(struct hunt *hunt)
{
	int r = 0;

	for (size_t i = 0; i < BREAKPOINTS_MAX && r == 0; i++)
		if (hunt->next < hunt->candidates_count &&
		    (hunt->slots.fd[i] < 0 || hunt->candidates[hunt->watched[i]].hits == 0))
			r = hunt_arm(hunt, i);
	return r;
}

/* A breakpoint fired. 1 when the thread stands at a rare address, 0 to look on. */
static int hunt_hit(struct hunt *hunt)
{
	struct registers registers;
	int r = register_get(hunt->counter->tid, &registers);

	if (r < 0)
		return r;
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++) {
		struct candidate *candidate = &hunt->candidates[hunt->watched[i]];
		uint64_t gap = hunt->count - candidate->since;

		if (hunt->slots.fd[i] < 0 || candidate->address != registers.rip)
			continue;
		if (gap >= hunt->counter->tuning.rare)
			return 1;
		candidate->since = hunt->count;
		if (gap > candidate->gap)
			candidate->gap = gap;
		return ++candidate->hits < HITS_MAX ? 0 : hunt_arm(hunt, i);
	}
	return 0;
}

enum found { FOUND_ADDRESS = 0, FOUND_STOP = 1, FOUND_NOTHING = 2 };

static int hunt_look(struct hunt *hunt)
{
	struct counter *counter = hunt->counter;
	unsigned int looks = 0;
	int r = counter_limit(counter, counter->tuning.look_ns);

	for (size_t i = 0; i < BREAKPOINTS_MAX && r == 0; i++)
		r = hunt_arm(hunt, i);
	while (r == 0 && looks < counter->tuning.looks && hunt_watches(hunt)) {
		int halt = counter_run(counter, &hunt->status);

		if (halt < 0)
			return halt;
		if (halt == HALT_OTHER)
			return FOUND_STOP;
		r = counter_read(counter, &hunt->count);
		if (r < 0)
			return r;
		if (halt == HALT_BREAKPOINT) {
			r = hunt_hit(hunt);
			if (r == 1)
				return FOUND_ADDRESS;
		} else if (halt == HALT_LIMIT) {
			looks++;
			r = hunt_rotate(hunt);
		}
	}
	return r < 0 ? r : FOUND_NOTHING;
}

/* No address is rare: the one that came by most rarely will do, if it comes by soon. */
static int hunt_second_best(struct hunt *hunt)
{
	struct counter *counter = hunt->counter;
	const struct candidate *best = NULL;
	int r;

	breakpoints_drop(&hunt->slots);
	for (size_t i = 0; i < hunt->candidates_count; i++)
		if (hunt->candidates[i].gap >= counter->tuning.rare / SECOND_BEST &&
		    (!best || hunt->candidates[i].gap > best->gap))
			best = &hunt->candidates[i];
	if (!best || best->gap == 0)
		return FOUND_NOTHING;
	r = breakpoint_put(&hunt->slots, 0, counter->tid, best->address, 1);
	if (r < 0)
		return r == SWORN_EGONE ? r : FOUND_NOTHING;
	r = counter_limit(counter, counter->tuning.look_ns);
	while (r == 0) {
		r = counter_run(counter, &hunt->status);
		if (r == HALT_OVERFLOW)
			r = 0;
		else if (r >= 0)
			return r == HALT_BREAKPOINT ? FOUND_ADDRESS
			       : r == HALT_LIMIT    ? FOUND_NOTHING
						    : FOUND_STOP;
	}
	return r;
}

/* Runs to the end of the `rep` instructions at the thread's position. 0, or FOUND_STOP. */
static int hunt_leave_repeat(struct hunt *hunt)
{
	struct counter *counter = hunt->counter;
	struct registers registers;
	uint64_t length;
	int r;

	breakpoints_drop(&hunt->slots);
	r = counter_limit(counter, 0);
	while (r == 0) {
		r = register_get(counter->tid, &registers);
		if (r < 0 || landmark_repeat(hunt->mem_fd, registers.rip, &length) == REPEAT_NONE)
			break;
		r = breakpoint_put(&hunt->slots, 0, counter->tid, registers.rip + length, 1);
		/* Without a breakpoint the point inside will do: it is only slower to reach. */
		if (r < 0)
			return r == SWORN_EGONE ? r : 0;
		do {
			r = counter_run(counter, &hunt->status);
		} while (r == HALT_OVERFLOW || r == HALT_LIMIT);
		if (r == HALT_OTHER)
			return FOUND_STOP;
		if (r == HALT_BREAKPOINT)
			r = 0;
	}
	breakpoints_drop(&hunt->slots);
	return r;
}

static int hunt_run(struct hunt *hunt, struct position *ret)
{
	struct counter *counter = hunt->counter;
	uint64_t addresses[CANDIDATES_MAX];
	struct registers registers;
	int r = register_get(counter->tid, &registers);

	if (r == 0)
		r = counter_unblock(counter, SIGTRAP_BIT);
	if (r == 0)
		r = counter_period(counter, 0);
	if (r == 0)
		r = counter_read(counter, &hunt->count);
	if (r < 0)
		return r;
	hunt->candidates_count = landmark_collect(counter->tid, hunt->mem_fd, &registers, addresses,
						  CANDIDATES_MAX);
	for (size_t i = 0; i < hunt->candidates_count; i++)
		hunt->candidates[i] = (struct candidate){ .address = addresses[i] };
	r = hunt_look(hunt);
	if (r == FOUND_NOTHING)
		r = hunt_second_best(hunt);
	ret->kind = r == FOUND_ADDRESS ? TURN_ADDRESS : TURN_COUNT;
	if (r == FOUND_NOTHING)
		r = hunt_leave_repeat(hunt);
	return r;
}

int cut_choose(pid_t tid, int mem_fd, struct counter *counter, struct position *ret, int *ret_status)
{
	struct hunt hunt = { .counter = counter,
			     .mem_fd = mem_fd,
			     .status = CUT_SIGNAL << 8 | 0x7f, /* where cut_wait() left it */
			     .slots = BREAKPOINTS_NONE };
	struct position position;
	int r = hunt_run(&hunt, &position);

	breakpoints_drop(&hunt.slots);
	if (r == 0)
		r = counter_read(counter, &position.count);
	if (r == 0)
		r = clean_registers(tid, &position.registers);
	r = counter_finish(counter, r, &hunt.status);
	if (r == 0)
		*ret = position;
	else if (r > 0)
		*ret_status = hunt.status;
	return r;
}

struct reach {
	struct counter *counter;
	int mem_fd;
	const struct position *position;
	int status;	      /* of the stop the thread stands at */
	uint64_t count, left; /* now, and branches to go */
	struct registers registers;
	struct breakpoints slots; /* 0 is the position's address, others the exits of its loop */
	uint64_t rounds;	  /* hits that slot 0 waits for, 0 = it must be opened */
	unsigned int hits, patience, stuck;
};

/* What the functions below come to, besides 0 to go on. */
enum { REACH_THERE = 1, REACH_STOP = 2 };

/* Reads where the thread stands. REACH_THERE when that is the position, 0 when it may still come, or
 * SWORN_EDIVERGED when it was passed. */
static int reach_look(struct reach *reach)
{
	uint64_t before = reach->count;
	int r = counter_read(reach->counter, &reach->count);

	if (r == 0)
		r = register_get(reach->counter->tid, &reach->registers);
	if (r < 0)
		return r;
	if (reach->count > reach->position->count)
		return SWORN_EDIVERGED;
	reach->left = reach->position->count - reach->count;
	reach->stuck = reach->count == before ? reach->stuck + 1 : 0;
	if (reach->stuck > STUCK_HITS_MAX)
		return SWORN_EDIVERGED;
	return reach->left == 0 && registers_equal(&reach->registers, &reach->position->registers);
}

static int reach_watch(struct reach *reach, uint64_t rounds)
{
	for (size_t i = 1; i < BREAKPOINTS_MAX; i++)
		breakpoint_drop(&reach->slots, i);
	if (rounds == 1 && reach->rounds == 1)
		return 0;
	reach->rounds = rounds;
	return breakpoint_put(&reach->slots, 0, reach->counter->tid, reach->position->registers.rip,
			      rounds);
}

/*
 * The thread came by again in what may be a tight loop. Where all exits of the loop are known and watched, the
 * kernel can count rounds: so many that even the most branches in each end before the position.
 */
static int reach_hop(struct reach *reach)
{
	pid_t tid = reach->counter->tid;
	uint64_t rounds;
	struct landmark_loop loop;
	int r;

	if (reach->left < 2 || reach->hits < reach->patience)
		return reach_watch(reach, 1);
	if (!landmark_loop(reach->mem_fd, reach->registers.rip, &loop)) {
		reach->patience = UINT32_MAX;
		return reach_watch(reach, 1);
	}
	rounds = (reach->left - 1) / loop.branches;
	r = reach_watch(reach, rounds > 1 ? rounds : 1);
	for (size_t i = 0; i < loop.exits_count && rounds > 1 && r == 0; i++)
		r = breakpoint_put(&reach->slots, i + 1, tid, loop.exits[i], 1);
	if (r == -ENOSPC) {
		reach->patience = UINT32_MAX;
		r = reach_watch(reach, 1);
	}
	return r;
}

/* Stepping over single rounds of a `rep` that may end at any of them. */
static int step_repeat(struct reach *reach)
{
	pid_t tid = reach->counter->tid;

	for (;;) {
		int r;

		if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0)
			return SWORN_EGONE;
		r = counter_wait(reach->counter, &reach->status);
		if (r < 0)
			return r;
		if (r != HALT_OTHER)
			continue;
		if (reach->status >> 8 != SIGTRAP)
			return REACH_STOP;
		r = reach_look(reach);
		if (r != 0 || reach->registers.rip != reach->position->registers.rip)
			return r;
	}
}

/* Runs just the rounds of a plain `rep` that the position has behind it, then puts the rest back. */
static int run_repeat(struct reach *reach, uint64_t length)
{
	const struct registers *target = &reach->position->registers;
	struct counter *counter = reach->counter;
	struct registers registers = reach->registers;
	int r;

	registers.rcx -= target->rcx;
	reach->rounds = 0;
	r = breakpoint_put(&reach->slots, 0, counter->tid, registers.rip + length, 1);
	if (r == 0)
		r = register_set(counter->tid, &registers);
	if (r < 0)
		return r;
	do {
		r = counter_run(counter, &reach->status);
	} while (r == HALT_OVERFLOW || r == HALT_LIMIT);
	if (r == HALT_OTHER)
		return REACH_STOP;
	if (r == HALT_BREAKPOINT)
		r = register_get(counter->tid, &registers);
	if (r < 0)
		return r;
	registers.rip = target->rip;
	registers.rcx = target->rcx;
	r = register_set(counter->tid, &registers);
	return r < 0 ? r : reach_look(reach);
}

/* The position may lie inside the `rep` instruction that the thread is about to begin. */
static int reach_repeat(struct reach *reach)
{
	const struct registers *target = &reach->position->registers;
	struct registers other = reach->registers;
	enum landmark_repeat repeat;
	uint64_t length;

	other.rcx = target->rcx;
	other.rsi = target->rsi;
	other.rdi = target->rdi;
	other.rax = target->rax;
	other.eflags = target->eflags;
	if (reach->left != 0 || reach->registers.rcx <= target->rcx || !registers_equal(&other, target))
		return 0;
	repeat = landmark_repeat(reach->mem_fd, target->rip, &length);
	if (repeat == REPEAT_NONE)
		return 0;
	return repeat == REPEAT_PLAIN ? run_repeat(reach, length) : step_repeat(reach);
}

/* To within the margin by the counter alone. */
static int reach_approach(struct reach *reach, uint64_t margin)
{
	uint64_t count = reach->position->count;
	int r;

	r = counter_start(reach->counter, count > margin ? count - margin : 0);
	if (r == 0)
		r = counter_unblock(reach->counter, SIGTRAP_BIT);
	if (r < 0 || count <= margin)
		return r;
	do {
		r = counter_run(reach->counter, &reach->status);
		if (r < 0)
			return r;
		if (r == HALT_OTHER)
			return REACH_STOP;
		r = reach_look(reach);
	} while (r == 0 && reach->left > margin);
	/* With no branch to go the position may lie ahead or behind. */
	return r == SWORN_EDIVERGED || (r == 0 && reach->left == 0) ? -EOVERFLOW : r;
}

static int reach_run(struct reach *reach)
{
	const struct position *position = reach->position;
	const struct cut_tuning *tuning = &reach->counter->tuning;
	int r = reach_approach(reach, position->kind == TURN_ADDRESS ? tuning->margin_address
								     : tuning->margin_count);

	if (r != 0)
		return r;
	/* Interrupts once more right behind the position, in case its address never comes. */
	r = counter_period(reach->counter, position->count - reach->count + 1);
	if (r == 0)
		r = reach_watch(reach, 1);
	while (r == 0) {
		r = counter_run(reach->counter, &reach->status);
		if (r < 0)
			return r;
		if (r == HALT_OTHER)
			return REACH_STOP;
		if (r != HALT_BREAKPOINT) {
			r = reach_look(reach);
			continue;
		}
		r = reach_look(reach);
		if (r != 0)
			return r;
		if (reach->registers.rip != position->registers.rip) {
			reach->hits = 0;
			if (reach->patience < PATIENCE_MAX)
				reach->patience *= 2;
			r = reach_watch(reach, 1);
			continue;
		}
		reach->hits++;
		r = reach_repeat(reach);
		if (r == 0)
			r = reach_hop(reach);
	}
	return r;
}

int cut_reach(pid_t tid, int mem_fd, struct counter *counter, const struct position *position,
	      int *ret_status, struct registers *ret_registers)
{
	struct reach reach = { .counter = counter,
			       .mem_fd = mem_fd,
			       .position = position,
			       .slots = BREAKPOINTS_NONE,
			       .patience = PATIENCE };
	int r;

	/* It comes from a trace, and the kernel's own addresses make no breakpoint. */
	if (position->registers.rip >= USER_END)
		return SWORN_EFORMAT;
	r = register_get(tid, &reach.registers);
	if (r == 0 && position->count == 0 && registers_equal(&reach.registers, &position->registers))
		return 0;
	if (r == 0)
		r = reach_run(&reach);
	breakpoints_drop(&reach.slots);
	if (r == REACH_THERE)
		r = clean_registers(tid, &reach.registers);
	else if (r == REACH_STOP)
		r = 1;
	r = counter_finish(counter, r, &reach.status);
	if (r == 1)
		*ret_status = reach.status;
	if (r == SWORN_EDIVERGED)
		*ret_registers = reach.registers;
	return r;
}
