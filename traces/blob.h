/*
 * Blobs: file contents, each kept once per SHA-256. Inside a trace a blob is one or more BLOB frames of
 * at most FRAME_CHUNK_BYTES raw bytes each; beside a thin trace it is a plain file in the store's
 * blobs/sha256. This file has the table of known blobs, the head of a BLOB frame, and the files.
 */
#ifndef SWORN_TRACES_BLOB_H
#define SWORN_TRACES_BLOB_H

#include <sys/types.h>

#include "cbor.h"
#include "digest.h"

#define BLOB_BYTES_MAX (UINT64_C(1) << 36) /* one blob */
#define BLOB_HEAD_MAX 64		   /* the CBOR in front of a BLOB frame's zstd frame */

struct blob {
	uint8_t name[DIGEST_BYTES];
	uint64_t size;
	uint64_t offset; /* of its first frame in the file */
};

/* Set of blobs by name. All zeros is an empty one. */
struct blob_table {
	struct blob *slots; /* owned */
	size_t count, capacity;
};
/* 1 when added, 0 when the name was there already (which is left as it is), -ENOMEM. */
int blob_table_add(struct blob_table *table, const struct blob *blob);
/* Borrowed until the next add; NULL when unknown. */
const struct blob *blob_table_find(const struct blob_table *table, const uint8_t name[DIGEST_BYTES]);
void blob_table_release(struct blob_table *table);

/* The name under which a plain archive keeps the blob with this SHA-256. */
void blob_name(const uint8_t digest[DIGEST_BYTES], uint8_t ret_name[DIGEST_BYTES]);

/* In front of the zstd frame in a BLOB frame: name, size of the whole blob, offset of this chunk. */
void blob_head_encode(const struct blob *blob, uint64_t chunk_offset, struct cbor_out *out);
/* Takes it from `in`, which then holds the zstd frame. Sets name and size. 0, SWORN_EFORMAT, SWORN_ELIMIT. */
int blob_head_decode(struct cbor_in *in, struct blob *ret_blob, uint64_t *ret_chunk_offset);
/* Raw bytes of the chunk at `chunk_offset` of a blob of `size` bytes. */
uint64_t blob_chunk_length(uint64_t size, uint64_t chunk_offset);

/* Opens a blob of a store for reading: fd and its size, SWORN_EBLOB when it is not there, or -errno. */
int blob_file_open(int blobs_fd, const uint8_t digest[DIGEST_BYTES], uint64_t *ret_size);

/* A blob being written to a store: under a temporary name until it is whole, durable and has the digest. */
struct blob_file {
	int fd; /* -1 when none is open */
	uint8_t digest[DIGEST_BYTES];
};
/* 1 when the store has a blob of this digest and size already (nothing is open then), else 0. */
int blob_file_create(int blobs_fd, const uint8_t digest[DIGEST_BYTES], uint64_t size,
		     struct blob_file *ret_file);
int blob_file_commit(int blobs_fd, struct blob_file *file);
/* Copies a blob from one store to another, unless that one has it: 0 and its size; SWORN_EBLOB when it is missing or
 * has other bytes, -errno. `from_fd` and `to_fd` are directories of blobs. */
int blob_file_copy(int from_fd, int to_fd, const uint8_t digest[DIGEST_BYTES], uint64_t *ret_size);
void blob_file_abandon(int blobs_fd, struct blob_file *file);

/* write(2) until all is written; 0 or -errno. */
int write_all(int fd, const void *bytes, size_t length);

#endif
