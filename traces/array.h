/*
 * Room for one more entry of a growing array. Used wherever entries are added one by one; limits on their
 * number are the caller's.
 */
#ifndef SWORN_TRACES_ARRAY_H
#define SWORN_TRACES_ARRAY_H

#include <stddef.h>

/*
 * The array, moved if it had to be, with room for more than `count` entries of `entry_bytes` each; *capacity
 * (entries) is brought up to date. NULL on lack of memory, with both as they were. The caller owns the array.
 */
void *array_grow(void *array, size_t count, size_t *capacity, size_t entry_bytes);

#endif
