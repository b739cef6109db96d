/*
 * The bytes of one file or stream as far as a trace shows them: what was written or read where, and by which event. Holds
 * what it was given in chunks, so that holes cost nothing. Used by observe.c. Pure.
 */
#ifndef SWORN_VERIFY_CONTENT_H
#define SWORN_VERIFY_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTENT_OFFSET_MAX \
	(UINT64_C(1) << 36) /* bytes beyond are not kept, which makes the content blind */
#define CONTENT_BASE_ALL UINT64_MAX

/* Which event gave the bytes from `offset` on. */
struct content_origin {
	uint64_t offset, length, event;
};

struct content_range {
	uint64_t offset, length;
};

struct content {
	struct content_chunk **chunks; /* owned */
	size_t chunks_count;
	struct content_origin *origins; /* owned; in the order of events */
	size_t origins_count, origins_capacity;
	uint64_t size; /* end of the last known byte */
	uint64_t base; /* bytes before this that nobody gave are what was there before; those behind are zeros */
	bool ended;		      /* nothing is behind the last byte: a read found the end */
	uint64_t *budget;	      /* borrowed: what may still be held */
	bool blind;		      /* bytes came that the trace does not show: */
	struct content_range *unseen; /* owned; where, in the order in which they came */
	size_t unseen_count, unseen_capacity;
};

/* An empty file: base 0. CONTENT_BASE_ALL for one of which nothing is known. `budget` (borrowed) is what all contents that
 * share it may still hold, in bytes. */
void content_init(struct content *content, uint64_t base, uint64_t *budget);
void content_release(struct content *content);

/* 0, -ENOMEM, or SWORN_ELIMIT when the budget is used up. */
int content_put(struct content *content, uint64_t offset, const void *bytes, size_t length,
		uint64_t event);
/* Bytes went there that are not known. 0 or -ENOMEM. */
int content_put_unseen(struct content *content, uint64_t offset, uint64_t length);
void content_truncate(struct content *content, uint64_t size);

/* A byte: 0 to 255, or -1 when it is not known. */
int content_byte(const struct content *content, uint64_t offset);
/* The last event that gave this byte, UINT64_MAX when none did. */
uint64_t content_event(const struct content *content, uint64_t offset);

/*
 * The first offset at which two contents differ, and true. A byte that one run gave and the other did not is
 * a difference unless `both` is set: then only bytes that both know count, and ends that were found. Bytes that were not seen equal
 * all others.
 */
bool content_differs(const struct content *a, const struct content *b, bool both, uint64_t *ret_offset);

#endif
