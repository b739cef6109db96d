/*
 * What the files of shape.c share: numbers with the words before them, and the structures that are in files of their own.
 * Nobody else includes this.
 */
#ifndef SWORN_VERIFY_SHAPE_INSIDE_H
#define SWORN_VERIFY_SHAPE_INSIDE_H

#include "shape.h"

/* `before`, then the value: decimal, signed, hexadecimal (0 as it is), an address (0 as NULL). */
void shape_uint(struct out *out, const char *before, uint64_t value);
void shape_int(struct out *out, const char *before, int64_t value);
void shape_hex(struct out *out, const char *before, uint64_t value);
void shape_pointer(struct out *out, const char *before, uint64_t value);

void shape_put_stat(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_statx(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_statfs(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_timespec(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_times(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_timeval(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_utimes(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_old_times(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_timezone(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_itimerval(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_itimerspec(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_sigaction(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_siginfo(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_stack(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_status(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_lock(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_flock(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_found_lock(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_dirents(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_old_dirents(struct out *out, const uint8_t *bytes, size_t length);
void shape_put_open_how(struct out *out, const uint8_t *bytes, size_t length);

#endif
