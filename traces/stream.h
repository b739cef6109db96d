/*
 * The events of a trace in order, on top of a cursor: decompresses blocks, decodes records, keeps the
 * counts that the seal is compared with. trace_next() and reader_check() are both a stream; the
 * second has a struct check that sees to blobs, INDEX and SUMMARY too. Used by the reader only.
 */
#ifndef SWORN_TRACES_STREAM_H
#define SWORN_TRACES_STREAM_H

#include "blob.h"
#include "cursor.h"
#include "index.h"
#include "info.h"
#include "record.h"

/* What a full check collects. */
struct check {
	struct index index;	  /* as found in the file */
	struct blob_table names;  /* of the blobs in the file that are whole */
	struct blob_table needed; /* by SHA-256: those that events name */
	struct digest digest;	  /* of the blob that is being passed */
	struct blob blob;
	uint64_t blob_done; /* bytes of it passed so far; blob.size when none is open */
	struct summary summary;
};
int check_init(struct check *check);
void check_release(struct check *check);

struct stream {
	struct cursor cursor;
	struct record_scratch scratch;
	struct cbor_in block; /* what is left of the raw block */
	uint64_t block_events;
	uint64_t next;					    /* number of the next event */
	uint64_t units, threads;			    /* EXEC events; highest thread number */
	bool ended;					    /* END was seen */
	uint8_t state[DIGEST_BYTES], outputs[DIGEST_BYTES]; /* of END */
	struct blob_table *blobs; /* borrowed: filled with what is passed */
	struct check *check;	  /* borrowed, or NULL */
};

/* Opens at the first frame behind INFO, whose content is in cursor.frame until the first
 * stream_next(). As cursor_open(). */
int stream_open(struct stream *stream, int fd, struct blob_table *blobs, struct check *check);
void stream_release(struct stream *stream);

/* Next event: 1; 0 when the stream, the seal and the file end together; negative as reader_check(). */
int stream_next(struct stream *stream, struct event *ret_event);

#endif
