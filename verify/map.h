/*
 * A hash map from two numbers to one. Used by the history of a trace. Pure.
 */
#ifndef SWORN_VERIFY_MAP_H
#define SWORN_VERIFY_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
	struct map_entry *entries; /* owned */
	size_t count, capacity;	   /* capacity is 0 or a power of two */
};

void map_release(struct map *map);

/* The value, or 0 when there is none. */
uint32_t map_find(const struct map *map, uint64_t first, uint64_t second);
/* Sets a value other than 0, over an earlier one. 0 or -ENOMEM. */
int map_set(struct map *map, uint64_t first, uint64_t second, uint32_t value);

#endif
