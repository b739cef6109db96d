/*
 * Byte strings that are kept once, however often they come: paths, command lines, environments. They stay where they are
 * until the pool goes. Used by the history of a trace. Pure.
 */
#ifndef SWORN_VERIFY_POOL_H
#define SWORN_VERIFY_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	struct pool_chunk *chunks;  /* owned */
	struct pool_entry *entries; /* owned; a hash table */
	size_t count, capacity;	    /* entries; capacity is 0 or a power of two */
	uint64_t bytes;		    /* of all strings */
};

void pool_release(struct pool *pool);

/* The pool's own copy of the bytes, with a NUL behind; NULL when memory is short. Equal bytes give equal pointers. */
const char *pool_keep(struct pool *pool, const void *bytes, size_t length);
const char *pool_keep_text(struct pool *pool, const char *text);

#endif
