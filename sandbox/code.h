/*
 * Code that a guest writes itself. Memory without a file that is executable by the guest's own word is not so for the
 * kernel until it is first run: then what can be reached from there is searched for instructions to replace
 * (replaced.h), and a part of the memory becomes executable. Recorder and replayer hide the same ranges, so both get
 * the same faults. What is written over code that has run already is not looked at again.
 */
#ifndef SWORN_SANDBOX_CODE_H
#define SWORN_SANDBOX_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

#define CODE_WINDOW_BYTES 65536U /* aligned; what becomes executable at a time */

/* A part of memory that becomes executable at once. */
struct code_window {
	uint64_t start, end;
};

/* Takes the right to execute away from the kernel's mappings in [start, end) that have no file; `trap` as in stop_inject().
 * Number of mappings, or negative. */
int code_hide(struct thread *thread, bool trap, uint64_t start, uint64_t end);
/* Whether the model has executable memory without a file at `address`; fills *ret with the window around it. */
bool code_window(const struct thread *thread, uint64_t address, struct code_window *ret);
/* Gives the window the rights that the model has for it. 0 or negative. */
int code_reveal(struct thread *thread, bool trap, const struct code_window *window);

/* Finds instructions to replace in `length` bytes by following control flow from `entry`: offsets of their first opcode
 * byte, at most `max`. Their number. */
size_t code_find(const uint8_t *bytes, size_t length, size_t entry, uint32_t *ret, size_t max);
/* Length of the instruction at `bytes`; 0: it is none. */
size_t code_length(const uint8_t *bytes, size_t length);

#endif
