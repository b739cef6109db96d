/*
 * CPUID and RDPID in program text: found, and proven to be instructions. Two or three bytes may well be part of
 * something else, so a place counts only when decoding from the start of its function comes upon it; where no
 * function is known to be, from the target of a call in one that is. The recorder replaces their first opcode byte as
 * it does with RDRAND (replaced.h). Knows bytes only.
 */
#ifndef SWORN_SANDBOX_SITE_H
#define SWORN_SANDBOX_SITE_H

#include <stddef.h>
#include <stdint.h>

/* A file, and the part of it that is mapped as text. */
struct site_text {
	const uint8_t *file;
	size_t length;
	uint64_t from, to; /* offsets in the file */
};

struct sites {
	uint64_t *offsets; /* in the file, ascending, of the byte 0x0f; owned */
	size_t count;
	size_t unproven; /* places that may or may not be instructions: left alone */
};

/* Fills *ret. 0 or -ENOMEM. */
int sites_find(const struct site_text *text, struct sites *ret);
void sites_release(struct sites *sites);

#endif
