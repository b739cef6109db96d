/*
 * Kernel structures as text, in the way of strace(1). Each takes the bytes of one structure as a call left them; bytes that
 * are too few are told as such. Used by call.c. Pure.
 */
#ifndef SWORN_VERIFY_SHAPE_H
#define SWORN_VERIFY_SHAPE_H

#include "out.h"

/* Structures that rows of style_table.def name. */
enum shape {
	SHAPE_none = 0,
#define SHAPE(name) SHAPE_##name,
#include "shape_table.def"
#undef SHAPE
};

void shape_put(struct out *out, enum shape shape, const uint8_t *bytes, size_t length);
/* As many of them as there are, in brackets. */
void shape_put_list(struct out *out, enum shape shape, const uint8_t *bytes, size_t length);
/* Bytes of one, 0 for those without a fixed size. */
size_t shape_bytes(enum shape shape);

void shape_put_address(struct out *out, const uint8_t *bytes, size_t length); /* struct sockaddr */
void shape_put_set(struct out *out, const uint8_t *bytes, size_t length);     /* signals */
void shape_put_open_flags(struct out *out, uint64_t flags);
void shape_put_mode(struct out *out, uint32_t mode); /* with the file's type */
void shape_put_wait_status(struct out *out, int status);

#endif
