/*
 * Cutting a turn anywhere, without a counter: the whole state of the process names the point. To find it again takes
 * coming by its address, comparing registers, and where they agree, memory; so it is put where the thread comes by
 * rarely. Two points of the same state are the same point to everybody.
 */
#ifndef SWORN_SANDBOX_SEEK_H
#define SWORN_SANDBOX_SEEK_H

#include "guest.h"

#define SEEK_HITS_MAX 4000000  /* passes of the point with other registers */
#define SEEK_STATES_MAX 200000 /* with these registers and other memory */

/* Equal but for what a stop changes. */
bool seek_same_registers(const struct registers *a, const struct registers *b);

/* Steps and breakpoints make a SIGTRAP, which would change what the kernel does with one that is blocked or ignored. */
bool seek_may_trap(const struct thread *thread);

/*
 * Record: the thread was interrupted inside computation, its registers are read. Lets it run on, for a second of its own time at
 * most, to a place that it passes rarely: the more so the longer it has run since its last event (`ran_ns` at most), as replay
 * stops at every pass. 0 when it stands there; 1 when another stop came first (*ret_status); 2 when there is no such
 * place, the thread stands somewhere near. Registers are read in any case but 1.
 */
int seek_choose(struct thread *thread, uint64_t ran_ns, int *ret_status);

/* What of a process's state names a point inside computation, for guest_state(). */
struct state_request seek_request(void);

/*
 * Record: adds to a state of that request a hash of the top of the thread's stack, which tells most points with equal
 * registers apart without reading the rest of the memory. Registers are those of the point.
 */
void seek_sign(struct thread *thread, uint8_t state[DIGEST_BYTES]);

/*
 * Replay: runs the thread to where its registers are these, and the state, unless NULL, is this. 0; 1 when another stop
 * came first; -ERANGE when it came by too often to say anything.
 */
int seek_reach(const struct guests *guests, struct thread *thread,
	       const struct registers *registers, const uint8_t *state, int *ret_status);

#endif
