/*
 * Cutting a turn inside computation, and coming to the same point again. Owns the hardware counter
 * of retired conditional branches of one guest thread. Everything here may be missing on a
 * host: counter_usable() then says no and callers work with turns at calls.
 *
 * A count is relative to counter_start(), called right before the thread is resumed from its last
 * event, on both sides. A stop that is no event (a signal held back, a group stop) must not zero it:
 * counter_resume() goes on where counter_stop() or cut_wait() left off.
 *
 * Only the thread that traces the guest may call these; the guest thread must be stopped.
 */
#ifndef SWORN_SANDBOX_CUT_H
#define SWORN_SANDBOX_CUT_H

#include <stdbool.h>
#include <sys/types.h>
#include "../traces/event.h"

struct counter;
struct thread;

/* True when this host counts exactly (known CPU, perf_event_open allowed, a self test agreed) and
 * SWORN_WITHOUT does not name pmu. Probed once per process. */
bool counter_usable(void);

/* SWORN_EHOST when the host has no such counter for this thread, SWORN_EGONE when it died. Ask
 * counter_usable() first: opening proves nothing. */
int counter_open(pid_t tid, struct counter **ret);
void counter_close(struct counter *counter); /* NULL allowed */
/*
 * Zeroes the count and asks for a CUT_SIGNAL every `period` branches (0 = count only). While the
 * counter is on, CUT_SIGNAL is unblocked in the thread: a guest that blocks all signals would never
 * stop. So the counter must be off (counter_stop) before the kernel looks at the thread's mask:
 * before it is resumed into a call or a handler. Not for a thread inside sigsuspend or ppoll.
 */
int counter_start(struct counter *counter, uint64_t period);
/* Holds the count and puts the thread's own mask back. While off the counter is not on the CPU.
 * Idempotent; a thread that died is no error. */
int counter_stop(struct counter *counter);
/* Goes on after counter_stop(): same count, and the rest of the period. */
int counter_resume(struct counter *counter);
/* SWORN_EHOST when the kernel gave the counter to somebody else: the count is lost. */
int counter_read(struct counter *counter, uint64_t *ret_count);
/* With a counter that is on: also a CUT_SIGNAL every `nanoseconds` of the thread's own CPU time, for
 * code that retires no branches; 0 = no more. counter_stop() ends it too. */
int counter_limit(struct counter *counter, uint64_t nanoseconds);
/* No interrupt from here on, the count goes on; counter_stop() and the like as ever. */
int counter_quiet(struct counter *counter);
/* Branches after which a turn that follows from a seed is to end: about 10 ms of computation. */
uint64_t counter_slice(const struct counter *counter);
/* How many branches before a position cut_reach() asks for the interrupt. Larger costs time, smaller
 * risks -EOVERFLOW. 0 = the defaults. */
void counter_margin(struct counter *counter, uint64_t branches);

/* The signal an overflow raises in the guest thread: a signal stop whose siginfo has si_code POLL_IN
 * and si_fd of the counter. Must be suppressed, never delivered. cut_wait() sees to all of it; a
 * caller of plain waitpid() may still meet one after a group stop. */
#define CUT_SIGNAL 50 /* a real-time signal */
bool cut_is_overflow(const struct counter *counter, const void *siginfo);

/*
 * Waits for the next stop of a thread that was resumed with its counter on. 0 for an ordinary stop
 * with its wait status: the counter is off then, its count can be read, and no interrupt of ours is
 * left in the thread. 1 when the period was over, 2 when the CPU time was: the thread stands
 * at an instruction of its own, at a signal stop for CUT_SIGNAL, and the counter is still on; call cut_choose(),
 * or resume with PTRACE_CONT and signal 0 and wait again, or counter_stop(). SWORN_EGONE when it was reaped.
 */
int cut_wait(pid_t tid, struct counter *counter, int *ret_status);

struct position {
	enum turn_end kind; /* TURN_COUNT or TURN_ADDRESS; without a counter TURN_STATE */
	uint64_t count;
	uint8_t state[DIGEST_BYTES]; /* TURN_STATE */
	struct registers registers;  /* orig_rax is -1; RF is clear */
};

/*
 * Record: the thread stands where cut_wait() gave 1 or 2. Chooses where the turn ends: lets the thread
 * run on for about 3 ms to an address rarely executed nearby (TURN_ADDRESS), else takes the point itself
 * (TURN_COUNT). Never a point inside a `rep` instruction. 0 with *ret and the thread stopped there;
 * 1 when another stop came first, with its wait status in *ret_status (no cut then; the count goes on from
 * the last event). The counter is off in both cases. Resume with signal 0.
 */
int cut_choose(pid_t tid, int mem_fd, struct counter *counter, struct position *ret, int *ret_status);

/*
 * Record: a turn that ends at an exact count, whenever the interrupt comes. cut_start() is counter_start() with the interrupt asked for
 * so long before `count` branches that cut_exactly() can still get there; cut_resume() goes on with it after counter_stop().
 */
int cut_start(struct counter *counter, uint64_t count);
int cut_resume(struct counter *counter, uint64_t count);

/*
 * Record: the thread stands where cut_wait() gave 1 after one of these. Runs it on to the instruction right behind the branch
 * that makes it `count` since the last event, in steps, but for rounds of small loops. 0 with *ret (TURN_COUNT) and the registers
 * read; 1 when another stop came first (*ret_status); 2 when the interrupt came so late that the thread is there already, or
 * past it: it stands where it stood, the counter on, as for cut_choose(). In the other cases the counter is off. A
 * SIGTRAP that the guest ignores would lose that by a step: not for such a thread.
 */
int cut_exactly(struct thread *thread, uint64_t count, struct position *ret, int *ret_status);

/*
 * Replay: the thread stands right after its last event. Runs it to the position: count, rip and all
 * general registers equal (rip alone is not enough: positions repeat inside loops of unconditional
 * jumps); orig_rax and RF are not compared. 0 when there, with the counter off; 1 when another stop came
 * first (*ret_status): a divergence; SWORN_EDIVERGED when the position was passed without being met
 * (*ret_registers says what was found last); -EOVERFLOW when the interrupt came too late to say
 * anything: nothing is wrong with the trace, and a new run with a larger counter_margin() may get there;
 * SWORN_EFORMAT for an address that no user code has.
 */
int cut_reach(pid_t tid, int mem_fd, struct counter *counter, const struct position *position,
	      int *ret_status, struct registers *ret_registers);

#endif
