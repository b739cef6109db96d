/*
 * The arena: one sparse unlinked file that holds the content of blobs (page-aligned, zero-padded),
 * each once. The recorder compares file pages with it; the replayer maps it into guests, which hold
 * exactly one read-only descriptor of it. A second arena holds shared objects, read-write.
 */
#ifndef SWORN_SANDBOX_ARENA_H
#define SWORN_SANDBOX_ARENA_H

#include "../traces/event.h"

struct arena;

struct arena_blob {
	uint64_t offset; /* in the arena's file, page-aligned */
	uint64_t length; /* bytes; pages are zero-padded */
	const uint8_t *bytes; /* mapped in this process for the arena's life, read-only; NULL when length is 0 */
};

int arena_open(struct arena **ret);
void arena_close(struct arena *arena);
/* Descriptor for guests: O_RDONLY, borrowed, O_CLOEXEC. Fixed for the arena's life while it grows. */
int arena_fd(const struct arena *arena);
/* An offset that stays past the end of the file for ever: mapped pages there fault with SIGBUS. */
#define ARENA_BEYOND (1ULL << 60)

/* 1 and *ret when the content is known, else 0. */
int arena_find(const struct arena *arena, const uint8_t digest[DIGEST_BYTES], struct arena_blob *ret);
/* Adds content whose SHA-256 the caller vouches for: gives a writable buffer of `length` bytes in
 * `ret_buffer`, to be filled before arena_commit(). One addition at a time. */
int arena_reserve(struct arena *arena, uint64_t length, uint8_t **ret_buffer);
int arena_commit(struct arena *arena, const uint8_t digest[DIGEST_BYTES], struct arena_blob *ret);

/* Shared objects: a zeroed region of up to 1 TiB in the read-write arena per object, same offset for
 * its life. ret_fd is for guests, O_RDWR. */
struct object_arena;
int object_arena_open(struct object_arena **ret);
void object_arena_close(struct object_arena *arena);
int object_arena_fd(const struct object_arena *arena);
/* Creates object `number` (from 1) with `length` bytes of initial content, zeros when `bytes` is NULL;
 * gives its offset. -EEXIST, SWORN_ELIMIT. */
int object_create(struct object_arena *arena, uint64_t number, const uint8_t *bytes,
		  uint64_t length, uint64_t *ret_offset);
/* 1 when the object exists, else 0. */
int object_find(const struct object_arena *arena, uint64_t number, uint64_t *ret_offset,
		uint64_t *ret_length);
/* SWORN_EREFUSED when the range is not inside the object's length: resize first. */
int object_write(struct object_arena *arena, uint64_t number, uint64_t offset, const void *bytes,
		 size_t length);
/* What a shorter length cuts off reads as zeros when the object grows again. */
int object_resize(struct object_arena *arena, uint64_t number, uint64_t length);

#endif
