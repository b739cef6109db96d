/*
 * Instructions that no flag of the processor makes trap: RDRAND, RDSEED, CPUID, RDPID. The recorder writes a privileged
 * one over the first byte of their opcode in program text (entropy.h and site.h find them); it faults, and the fault
 * is answered. Used by recorder and replayer; knows bytes and registers only.
 */
#ifndef SWORN_SANDBOX_REPLACED_H
#define SWORN_SANDBOX_REPLACED_H

#include <stdbool.h>

#include "../traces/event.h"

#define REPLACED_OPCODE 0x0f /* the byte that is replaced */
#define REPLACED_TRAP 0xf4   /* hlt */
#define REPLACED_BYTES_MAX 5 /* two prefixes, two of opcode, one that names the register */

struct replaced {
	enum trap_kind kind;  /* TRAP_RANDOM, TRAP_CPUID or TRAP_RDPID */
	unsigned int length;  /* of all its bytes */
	unsigned int operand; /* number of the register, as the processor counts them; not CPUID */
	unsigned int bits;    /* 16, 32 or 64 */
};

/* Whether three bytes from the opcode on are an instruction that the recorder may replace. */
bool replaced_may_be(const uint8_t *opcode);
/* Whether REPLACED_BYTES_MAX bytes at the instruction pointer are such an instruction. */
bool replaced_decode(const uint8_t *code, struct replaced *ret);
/* What it does, with the values of a TRAP event: registers, flags, instruction pointer. */
void replaced_answer(const struct replaced *replaced, const struct event *event,
		     struct registers *registers);

#endif
