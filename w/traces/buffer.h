/*
 * A growing byte array. Callers check sizes that come from outside before they reserve.
 */
#ifndef SWORN_TRACES_BUFFER_H
#define SWORN_TRACES_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *bytes; /* owned */
	size_t length, capacity;
};

/* Makes room for `capacity` bytes in all; keeps the content. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t capacity);
/* Appends a copy. 0 or -ENOMEM. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_release(struct buffer *buffer);

#endif
