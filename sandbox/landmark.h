/*
 * Places in a guest's code, found by reading it: where the thread will come by rarely (return addresses
 * up its stack, exits of the loops around them) and loops small enough to know all ways out.
 * Guesses only: a wrong one costs time, since nothing is ever written to the guest.
 */
#ifndef SWORN_SANDBOX_LANDMARK_H
#define SWORN_SANDBOX_LANDMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "../traces/event.h"

/* Fills `ret` with at most `max` addresses, nearest first, none of them at a `rep` instruction; how many. */
size_t landmark_collect(pid_t tid, int mem_fd, const struct registers *registers, uint64_t *ret,
			size_t max);

#define LANDMARK_EXITS_MAX 3

/* An innermost loop without calls, each of whose rounds passes the address it was asked for exactly once. */
struct landmark_loop {
	uint64_t exits[LANDMARK_EXITS_MAX]; /* where control goes when it leaves */
	size_t exits_count;
	uint64_t branches; /* counted branches in one round, at most; not 0 */
};

/* False when the code around `address` is no such loop, or no proof of it was found. */
bool landmark_loop(int mem_fd, uint64_t address, struct landmark_loop *ret);

enum landmark_repeat {
	REPEAT_NONE,  /* no `rep` */
	REPEAT_PLAIN, /* ends when rcx is 0 and changes no flags: movs, stos, lods */
	REPEAT_UNTIL, /* may end earlier: cmps, scas; and ins, outs */
};

/* The instruction at `address` and its length; REPEAT_NONE and 0 when it cannot be read or decoded. */
enum landmark_repeat landmark_repeat(int mem_fd, uint64_t address, uint64_t *ret_length);

#endif
