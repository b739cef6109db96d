#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int buffer_reserve(struct buffer *buffer, size_t capacity)
{
	if (capacity <= buffer->capacity)
		return 0;
	size_t wanted = buffer->capacity * 2;
	if (wanted < capacity)
		wanted = capacity;
	uint8_t *grown = realloc(buffer->bytes, wanted);
	if (!grown)
		return -ENOMEM;
	buffer->bytes = grown;
	buffer->capacity = wanted;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	int r = buffer_reserve(buffer, buffer->length + length);
	if (r < 0)
		return r;
	if (length)
		memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	return 0;
}

void buffer_release(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){ 0 };
}
