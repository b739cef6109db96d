/*
 * Walks the frames of a trace file from its start: each frame is read, its LINK decoded, and the
 * frame's hash, the chain and the counts checked before anybody sees its bytes; at the end the seal
 * is checked against all of it. Used by the reader only. All input is hostile.
 */
#ifndef SWORN_TRACES_CURSOR_H
#define SWORN_TRACES_CURSOR_H

#include <zstd.h>

#include "chain.h"
#include "frame.h"
#include "seal.h"
#include "statement.h"

enum cursor_stage {
	STAGE_FRAMES, /* events and blobs, then the SUMMARY */
	STAGE_INDEX,
	STAGE_SEAL,
	STAGE_END,
};

struct cursor {
	struct frame_source source;
	bool skip_blobs; /* read only the heads of BLOB frames: whoever reads a blob checks its digest */
	enum cursor_stage stage;
	uint64_t offset; /* of what comes next in the file */
	uint64_t frames; /* passed so far, LINKs included */
	struct chain chain;
	struct frame frame; /* the newest, bytes in `stored` */
	struct link link;   /* its link */
	struct header header;
	uint8_t envelope[SEAL_BYTES_MAX]; /* the HEADER's content: whoever knows the key checks its signature */
	size_t envelope_length;
	uint64_t checkpoints;	/* passed so far */
	uint64_t signed_events; /* those that the newest checkpoint, or the seal, covers */
	uint8_t limits_of_proof[DIGEST_BYTES]; /* commitment to the SUMMARY that was read */
	struct manifest manifest;	       /* at STAGE_END */
	uint8_t seal_id[DIGEST_BYTES];
	uint64_t sealed_bytes;	  /* up to the end of the SEAL: TRAILERs are behind it */
	struct trailer *trailers; /* owned: at STAGE_END, whose signatures are right */
	size_t trailers_count, trailers_room;
	struct buffer stored, link_bytes, raw; /* owned */
	ZSTD_DCtx *zstd;		       /* owned */
	char reason[256];		       /* of the newest failure: what and where */
};

/*
 * Reads HEADER, INFO and its LINK; `frame` is then the INFO frame. `fd` is borrowed. 0 or an error as
 * reader_check() lists them; release in either case.
 */
int cursor_open(struct cursor *cursor, int fd);
void cursor_release(struct cursor *cursor);

/* Next frame with its link: 1; 0 once the SEAL and what is behind it was read, checked, and the file ends there. */
int cursor_next(struct cursor *cursor);

/* Decompresses the newest frame, an EVENTS one, or the zstd part at `bytes` of a BLOB one, into the raw
 * buffer: exactly link.raw_length bytes. 0, SWORN_EFORMAT, -ENOMEM. */
int cursor_decompress(struct cursor *cursor, const uint8_t *bytes, size_t length);

/* Sets `reason` ("text in KIND frame at OFFSET") and returns `error`. */
int cursor_fail(struct cursor *cursor, int error, const char *text);

#endif
