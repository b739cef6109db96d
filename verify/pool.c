#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHUNK_BYTES 65536U

struct pool_chunk {
	struct pool_chunk *next; /* owned */
	size_t used, size;
	char bytes[];
};

struct pool_entry {
	uint32_t hash, length;
	const char *bytes; /* in a chunk; NULL: free */
};

void pool_release(struct pool *pool)
{
	struct pool_chunk *next;
	for (struct pool_chunk *chunk = pool->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(pool->entries);
	*pool = (struct pool){ 0 };
}

static char *take(struct pool *pool, size_t length)
{
	struct pool_chunk *chunk = pool->chunks;
	if (!chunk || chunk->size - chunk->used < length) {
		size_t size = length > CHUNK_BYTES ? length : CHUNK_BYTES;
		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		*chunk = (struct pool_chunk){ .next = pool->chunks, .size = size };
		pool->chunks = chunk;
	}
	chunk->used += length;
	return chunk->bytes + chunk->used - length;
}

static struct pool_entry *slot(struct pool_entry *entries, size_t capacity, uint32_t hash,
			       const void *bytes, size_t length)
{
	size_t at = hash & (capacity - 1);
	while (entries[at].bytes && !(bytes && entries[at].hash == hash && entries[at].length == length &&
				      memcmp(entries[at].bytes, bytes, length) == 0))
		at = (at + 1) & (capacity - 1);
	return &entries[at];
}

static int grow(struct pool *pool)
{
	size_t capacity = pool->capacity ? 2 * pool->capacity : 256;
	struct pool_entry *entries = calloc(capacity, sizeof(*entries));
	if (!entries)
		return -1;
	for (size_t i = 0; i < pool->capacity; i++)
		if (pool->entries[i].bytes)
			*slot(entries, capacity, pool->entries[i].hash, NULL, 0) = pool->entries[i];
	free(pool->entries);
	pool->entries = entries;
	pool->capacity = capacity;
	return 0;
}

const char *pool_keep(struct pool *pool, const void *bytes, size_t length)
{
	uint32_t hash = (uint32_t)XXH3_64bits(bytes, length);
	if (length > UINT32_MAX || (4 * pool->count >= 3 * pool->capacity && grow(pool) < 0))
		return NULL;
	struct pool_entry *entry = slot(pool->entries, pool->capacity, hash, bytes, length);
	if (entry->bytes)
		return entry->bytes;
	char *copy = take(pool, length + 1);
	if (!copy)
		return NULL;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	*entry = (struct pool_entry){ hash, (uint32_t)length, copy };
	pool->count++;
	pool->bytes += length;
	return copy;
}

const char *pool_keep_text(struct pool *pool, const char *text)
{
	return pool_keep(pool, text, strlen(text));
}
