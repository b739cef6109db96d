/*
 * The file that a writer produces, frame by frame: compresses, hashes, links, writes. Used from one
 * thread at a time (the worker's, then the closing one's). Every append writes a frame together
 * with its LINK, so that what is on disk after a kill is a valid prefix.
 */
#ifndef SWORN_TRACES_ARCHIVE_H
#define SWORN_TRACES_ARCHIVE_H

#include <stdatomic.h>
#include <zstd.h>

#include "buffer.h"
#include "chain.h"
#include "frame.h"
#include "index.h"
#include "seal.h"
#include "writer.h"

struct archive {
	int fd;			/* borrowed */
	_Atomic uint64_t bytes; /* written so far; the one field that other threads may read */
	struct chain chain;
	struct index index;
	struct capture capture;
	struct key key;		/* signs checkpoints and the seal; secret NULL: nothing is signed */
	uint64_t checkpoint_ns; /* CLOCK_MONOTONIC of the newest checkpoint; 0: none yet */
	uint64_t checkpoint_links; /* that it covers */
	uint64_t copied;	   /* EVENTS frames of another archive, behind the first */
	enum frame_kind link_kind; /* of the newest link */
	uint64_t blob_offset;	   /* where the blob that is being written began */
	ZSTD_CCtx *zstd;	   /* owned */
	struct buffer frame;	   /* reused */
};

/* Writes HEADER, INFO and its LINK at the start of the empty file `fd`; `signer` NULL: nothing is signed. 0 or
 * negative; release in either case. */
int archive_begin(struct archive *archive, int fd, const struct trace_info *info,
		  const uint8_t id[ARCHIVE_ID_BYTES], const struct signer *signer);
/* The same with id, tenant and start as in `header`: for an archive that is made of another one. */
int archive_begin_as(struct archive *archive, int fd, const struct trace_info *info,
		     struct header *header, const struct signer *signer);
void archive_release(struct archive *archive);

/* Appends a block of `events` records and its LINK. */
int archive_events(struct archive *archive, const uint8_t *bytes, size_t length, uint64_t events);

/* Appends one chunk of a blob and its LINK; chunks of a blob come in order, none between. */
int archive_blob(struct archive *archive, const struct blob *blob, uint64_t chunk_offset,
		 const uint8_t *bytes, size_t length);

/*
 * Appends an EVENTS or BLOB frame of another archive as it is, with a LINK that has the counts of that one's link
 * and, for EVENTS, its times, which are those of the run. Of a blob's first chunk `blob` is name and size, else NULL.
 */
int archive_copy(struct archive *archive, const struct frame *frame, const struct link *link,
		 const struct blob *blob);

struct archive_end {
	const uint8_t *state, *outputs; /* those of the END event, NULL when there was none */
	const uint8_t *derived; /* what this archive is made of (FORMAT.md), NULL for a recording */
	uint64_t ended;		/* of the run, Unix seconds; 0: now */
};
/* Signs all that is written so far, if it is not and can be: for a recording that ends without a seal. */
int archive_checkpoint(struct archive *archive);

/* Appends SUMMARY, INDEX, their LINKs and the SEAL, and erases the archive's key. */
int archive_finish(struct archive *archive, const struct trace_summary *summary,
		   const struct archive_end *end);

#endif
