#include "array.h"

#include <stdint.h>
#include <stdlib.h>

#define ENTRIES_FIRST 16

void *array_grow(void *array, size_t count, size_t *capacity, size_t entry_bytes)
{
	size_t wanted = *capacity ? *capacity * 2 : ENTRIES_FIRST;
	void *grown;

	if (count < *capacity)
		return array;
	if (wanted <= count || wanted > SIZE_MAX / entry_bytes)
		return NULL;
	grown = realloc(array, wanted * entry_bytes);
	if (grown)
		*capacity = wanted;
	return grown;
}
