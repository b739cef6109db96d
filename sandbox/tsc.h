/*
 * The tracer without a time stamp counter. Guests trap rdtsc (PR_SET_TSC); a tracer that does not makes the kernel write
 * CR4 at every switch between the two, which under a hypervisor costs as much as the rest of a stop. So the tracing
 * thread gives it up, too; what still executes rdtsc there (a clock of the C library) gets it back until the next resume.
 */
#ifndef SWORN_SANDBOX_TSC_H
#define SWORN_SANDBOX_TSC_H

#include <stdint.h>

/* For the calling thread, and SIGSEGV of the process, from now on. Harmless where the kernel refuses. */
void tsc_give_up(void);
/* Gives it up again after something used it. Called before each resume. */
void tsc_settle(void);
/* The counter, whether given up or not. */
uint64_t tsc_read(void);

#endif
