/*
 * General registers and vector state of a stopped guest thread, and the canonical form in which vector
 * state is stored and hashed: components by number, never by offset, initial ones left out.
 */
#ifndef SWORN_SANDBOX_REGISTER_H
#define SWORN_SANDBOX_REGISTER_H

#include <sys/types.h>
#include "../traces/event.h"

/* PTRACE_GETREGS and SETREGS. 0, SWORN_EGONE when the thread died, or -errno. */
int register_get(pid_t tid, struct registers *ret);
int register_set(pid_t tid, const struct registers *registers);

#define VECTOR_BYTES_MAX 16384

/*
 * Reads the vector state in canonical form into `buffer` (VECTOR_BYTES_MAX bytes): for each
 * component that is not in its initial state, ascending: u16 number, u16 zero, u32 length (little endian), bytes
 * in the architectural layout of that component. Component 0 is x87: the first 24 bytes of the FXSAVE
 * area with FOP, FIP and FDP as zeros, then ST0..7 at 16 bytes each (the last 6 zeros); 1 is SSE: MXCSR, then
 * XMM0..15; 2 AVX, 5..7 AVX-512, 9 PKRU. Gives the length in *ret_length. SWORN_EGONE or -errno.
 */
int vector_get(pid_t tid, uint8_t *buffer, size_t *ret_length);
/* Sets the vector state from the canonical form: components left out become initial.
 * SWORN_EHOST when this CPU lacks a component; SWORN_EFORMAT for malformed bytes (they come from a trace). */
int vector_set(pid_t tid, const uint8_t *bytes, size_t length);
/*
 * Sets XMM15, k7 and ZMM31 to 1 where their components are all zero. Whether all-zero components count as in use changes on
 * some CPUs (AMD family 19h) with every context switch, and XSAVEC in the guest shows it. For the moments at which the
 * kernel made the state initial (exec, the start of a handler): no ABI promises zeros there.
 */
int vector_mark(pid_t tid);
/* Canonical form of a raw XSAVE area in standard format, or of a signal frame's fpstate, whose own
 * words (FP_XSTATE_MAGIC1 and what follows) then say how much of it counts. SWORN_EFORMAT for an area that is
 * too short, compacted, or holds components this CPU lacks. `buffer` has VECTOR_BYTES_MAX bytes. */
int vector_from_xsave(const uint8_t *area, size_t area_length, uint8_t *buffer, size_t *ret_length);
/* The host's enabled components (XCR0). */
uint64_t vector_components(void);

#endif
