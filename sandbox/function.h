/*
 * Where functions start and end in an ELF file, as far as the file says it: symbols, the table of unwind information
 * (.eh_frame_hdr), that of Go programs (.gopclntab), and the entry point. Everything in the file may be wrong: what
 * does not fit is passed over. Pure; used to tell instructions from bytes that look like them (site.h).
 */
#ifndef SWORN_SANDBOX_FUNCTION_H
#define SWORN_SANDBOX_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

/* A function, as offsets in the file. `end` is 0 when only its start is known. */
typedef void (*function_found)(void *context, uint64_t start, uint64_t end);

/* Calls `found` for each function of the file, in no order; one may come more than once. Nothing for other files than
 * those of x86-64. */
void functions_each(const uint8_t *file, size_t length, function_found found, void *context);

#endif
