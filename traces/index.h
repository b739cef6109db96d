/*
 * The INDEX frame: where each event block and each blob of the file is, and which blobs a thin trace
 * expects in the store. A convenience that no reader trusts: the writer fills it as it goes, and a
 * checking reader fills one of its own and compares. Pure.
 */
#ifndef SWORN_TRACES_INDEX_H
#define SWORN_TRACES_INDEX_H

#include "blob.h"
#include "buffer.h"

struct index_block {
	uint64_t offset;      /* of the zstd frame in the file */
	uint64_t first_event; /* number of its first event */
};

struct index {
	struct index_block *blocks; /* owned */
	size_t blocks_count, blocks_capacity;
	struct blob *blobs; /* owned: those in the file, in its order */
	size_t blobs_count, blobs_capacity;
	struct blob *stored; /* owned: those in the store, `name` is the SHA-256, `offset` 0 */
	size_t stored_count, stored_capacity;
};

/* 0 or -ENOMEM. */
int index_add_block(struct index *index, uint64_t offset, uint64_t first_event);
int index_add_blob(struct index *index, const struct blob *blob);
int index_add_stored(struct index *index, const struct blob *blob);
void index_release(struct index *index);

/* Replaces the content of `buffer`. 0, -ENOMEM, or SWORN_ELIMIT over FRAME_INDEX_MAX. */
int index_encode(const struct index *index, struct buffer *buffer);

/*
 * Compares the content of an INDEX frame with what was found in the file, and takes over its list of
 * stored blobs into `found` (which has none yet). 0, SWORN_EFORMAT, SWORN_EINTEGRITY, -ENOMEM.
 */
int index_check(const uint8_t *bytes, size_t length, struct index *found);

/* Takes the list of stored blobs only, of an INDEX frame whose other lists nobody compares. As index_check(). */
int index_take_stored(const uint8_t *bytes, size_t length, struct index *ret_index);

#endif
