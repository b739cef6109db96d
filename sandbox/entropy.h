/*
 * RDRAND and RDSEED in program text: found. No flag of the processor makes them trap, so the recorder replaces one
 * byte of each as text is mapped (replaced.h). Text that a program generates itself is not looked at. Knows bytes
 * only.
 */
#ifndef SWORN_SANDBOX_ENTROPY_H
#define SWORN_SANDBOX_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* The offset of the byte to replace in the first such instruction of `text` at or behind `from`; `length` when there is
 * none. Bytes that merely look like one inside another instruction are passed over. */
size_t entropy_find(const uint8_t *text, size_t length, size_t from);

#endif
