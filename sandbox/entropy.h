/*
 * RDRAND and RDSEED. No flag of the processor makes them trap, so the recorder replaces one byte of each in program
 * text as it is mapped: what is left is a privileged instruction, which faults, and is answered from the seed. Text
 * that a program generates itself is not looked at. Used by recorder and replayer; knows bytes and registers only.
 */
#ifndef SWORN_SANDBOX_ENTROPY_H
#define SWORN_SANDBOX_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../traces/event.h"

#define ENTROPY_OPCODE 0x0f /* the byte that is replaced */
#define ENTROPY_TRAP 0xf4   /* hlt */
#define ENTROPY_BYTES_MAX 5 /* two prefixes, two of opcode, one that names the register */

/* The offset of the byte to replace in the first such instruction of `text` at or behind `from`; `length` when there is
 * none. Bytes that merely look like one inside another instruction are passed over. */
size_t entropy_find(const uint8_t *text, size_t length, size_t from);

/* An instruction that was replaced. */
struct entropy {
	unsigned int length;  /* of all its bytes */
	unsigned int operand; /* number of the register, as the processor counts them */
	unsigned int bits;    /* 16, 32 or 64 */
};

/* Whether ENTROPY_BYTES_MAX bytes at the instruction pointer are such an instruction. */
bool entropy_decode(const uint8_t *code, struct entropy *ret);
/* What it does, with `value` for the random bits: register, flags, instruction pointer. */
void entropy_answer(const struct entropy *entropy, uint64_t value, struct registers *registers);

#endif
