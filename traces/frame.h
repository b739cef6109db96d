/*
 * The frames that a trace file is made of: what kinds there are, how large each may be, and how one is
 * found and read in a file that may be hostile. A trace is a valid zstd stream: event blocks are
 * zstd frames, everything else is a skippable frame. Knows nothing of links, records or hashes.
 */
#ifndef SWORN_TRACES_FRAME_H
#define SWORN_TRACES_FRAME_H

#include <stdbool.h>

#include "buffer.h"

#define FRAME_HEAD_BYTES 8 /* of a skippable frame: magic and content length, little endian */
#define FRAME_BLOCK_BYTES (256u << 10)	/* raw bytes at which an event block ends */
#define FRAME_BLOCK_RAW_MAX (17u << 20) /* raw bytes of one event block */
#define FRAME_CHUNK_BYTES (1u << 20)	/* raw bytes of one blob frame; the last has less */
#define FRAME_TRAILERS_MAX 64		/* behind one SEAL */
#define FRAME_LINK_MAX 512		/* content bytes of a LINK frame */
#define FRAME_SEAL_MAX 4096		/* content bytes of a HEADER, CHECKPOINT or SEAL frame */
#define FRAME_TRAILER_MAX 1024		/* content bytes of a TRAILER frame */
#define FRAME_INFO_MAX (16u << 20)	/* content bytes of an INFO or SUMMARY frame */
#define FRAME_INDEX_MAX (64u << 20)	/* content bytes of an INDEX frame */
#define FRAME_ZSTD_LEVEL 1

/* The values up to FRAME_INDEX are what a link's `kind` says. */
enum frame_kind {
	FRAME_INFO = 0,
	FRAME_EVENTS = 1,
	FRAME_BLOB = 2,
	FRAME_SUMMARY = 3,
	FRAME_INDEX = 4,
	FRAME_HEADER = 5,
	FRAME_LINK = 6,
	FRAME_SEAL = 7,
	FRAME_CHECKPOINT = 8,
	FRAME_TRAILER = 9,
};

/* Upper-case name for messages. Never NULL. */
const char *frame_kind_name(enum frame_kind kind);

/* Where frames are read from. */
struct frame_source {
	int fd; /* borrowed, regular file */
	uint64_t size;
};

struct frame {
	enum frame_kind kind;
	uint64_t offset;
	const uint8_t *bytes; /* the whole frame, in the caller's buffer */
	size_t length;
	const uint8_t *content; /* behind the head of a skippable frame; all of a zstd frame */
	size_t content_length;
};

/*
 * Reads the frame at `offset` into `buffer` whole. 0; SWORN_ETRUNCATED when the file ends before the
 * frame does, SWORN_EFORMAT for an unknown or malformed frame, SWORN_ELIMIT for one over its kind's
 * limit (checked before anything is allocated), -EIO and other -errno of pread(2), -ENOMEM.
 */
int frame_read(const struct frame_source *source, uint64_t offset, struct buffer *buffer,
	       struct frame *ret_frame);

/* The same, but of a skippable frame only the first `limit` content bytes are read (content_length
 * says how many); `length` is the whole frame's all the same, and lies inside the file. */
int frame_peek(const struct frame_source *source, uint64_t offset, struct buffer *buffer,
	       size_t limit, struct frame *ret_frame);

/* Writes the head of a skippable frame of `kind` with `content_length` bytes to follow. */
void frame_head(enum frame_kind kind, size_t content_length, uint8_t ret_head[FRAME_HEAD_BYTES]);

/* Exactly `length` bytes at `offset`: 0, SWORN_ETRUNCATED at the end of the file, or -errno. */
int frame_pread(const struct frame_source *source, uint64_t offset, void *bytes, size_t length);

/* As much of the end of the file as a SEAL and all the TRAILERs behind it can take, into `buffer`. 0 or an error of frame_pread(). */
int frame_tail(const struct frame_source *source, struct buffer *buffer);
/* Where in such a tail, at `from` or later, what fills it to its end looks like a SEAL and TRAILERs; `length` when nothing does. */
size_t frame_find_seal(const uint8_t *tail, size_t length, size_t from);

/*
 * True when the file ends with a SEAL frame, and TRAILERs perhaps, whose lengths fit: then a frame that seems to be cut off
 * is damaged, not cut off.
 */
bool frame_seal_at_end(const struct frame_source *source);

#endif
