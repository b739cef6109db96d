/*
 * Names in a file system, as a run used them: a tree of directory entries, each with the number of the file that it leads to
 * at the moment. Renaming a directory moves one entry, whatever is below it. Links are not followed: a trace says how a
 * program called a file, and seldom where a link led. Used by the history of a trace. Pure.
 */
#ifndef SWORN_VERIFY_PLACE_H
#define SWORN_VERIFY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

#define PLACE_ROOT 1U /* the number of `/`; 0 is no place */

struct place {
	uint32_t parent;  /* 0: of the root, and of a place that is in the tree no more */
	uint32_t next;	  /* in the same bucket */
	uint32_t file;	  /* of the history; 0: none is known there */
	const char *name; /* of the pool */
};

struct places {
	struct pool *pool;    /* borrowed */
	struct place *places; /* owned; number n is at n - 1 */
	size_t count, capacity;
	uint32_t *buckets; /* owned */
	size_t buckets_count;
};

/* 0 or -ENOMEM. */
int places_init(struct places *places, struct pool *pool);
void places_release(struct places *places);

struct place *place_at(const struct places *places, uint32_t number);

/*
 * Where a path leads from directory `from`, with `root` as the top: entries are made as needed, `.`, `..` and empty parts
 * are taken as they are written. The number, or 0 when memory is short or the path too long for one.
 */
uint32_t place_walk(struct places *places, uint32_t root, uint32_t from, const char *path);

/* Puts an entry where another one is, which leaves the tree. `to` must not be above `from`. 0 or -ENOMEM; -EINVAL. */
int place_move(struct places *places, uint32_t from, uint32_t to);
/* The two entries change places. 0 or -EINVAL. */
int place_swap(struct places *places, uint32_t a, uint32_t b);

/* Writes the path of an entry, cut at its start where `size` is too small; returns its length. */
size_t place_path(const struct places *places, uint32_t number, char *ret_path, size_t size);

#endif
