#include "map.h"

#include <errno.h>
#include <stdlib.h>

struct map_entry {
	uint64_t first, second;
	uint32_t value; /* 0: free */
};

void map_release(struct map *map)
{
	free(map->entries);
	*map = (struct map){ 0 };
}

static struct map_entry *slot(struct map_entry *entries, size_t capacity, uint64_t first, uint64_t second)
{
	uint64_t hash = (first * 0x9e3779b97f4a7c15ULL) ^ (second * 0xc2b2ae3d27d4eb4fULL);
	hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15ULL;
	size_t at = (size_t)(hash >> 32) & (capacity - 1);
	while (entries[at].value && (entries[at].first != first || entries[at].second != second))
		at = (at + 1) & (capacity - 1);
	return &entries[at];
}

uint32_t map_find(const struct map *map, uint64_t first, uint64_t second)
{
	return map->capacity ? slot(map->entries, map->capacity, first, second)->value : 0;
}

static int grow(struct map *map)
{
	size_t capacity = map->capacity ? 2 * map->capacity : 64;
	struct map_entry *entries = calloc(capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < map->capacity; i++) {
		const struct map_entry *entry = &map->entries[i];
		if (entry->value)
			*slot(entries, capacity, entry->first, entry->second) = *entry;
	}
	free(map->entries);
	map->entries = entries;
	map->capacity = capacity;
	return 0;
}

int map_set(struct map *map, uint64_t first, uint64_t second, uint32_t value)
{
	if (4 * map->count >= 3 * map->capacity && grow(map) < 0)
		return -ENOMEM;
	struct map_entry *entry = slot(map->entries, map->capacity, first, second);
	map->count += entry->value == 0;
	*entry = (struct map_entry){ first, second, value };
	return 0;
}
