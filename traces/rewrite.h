/*
 * Makes a new archive of the events of another one: `pack` a self-contained one of a thin trace, `unpack` the
 * reverse, `repair` one of what is whole of a trace that was cut off. Frames of events are copied as they are;
 * the archive around them is new, names what it was made of, and is checked before it gets its name.
 */
#ifndef SWORN_TRACES_REWRITE_H
#define SWORN_TRACES_REWRITE_H

#include "reader.h"
#include "seal.h"

struct rewrite {
	struct reader *source; /* borrowed; its newest check gave 0, or SWORN_ETRUNCATED on a file without a seal */
	const struct trace_report *report; /* borrowed: of that check */
	int source_fd;			   /* borrowed: the source's file */
	int blobs_fd;			   /* borrowed: blobs/sha256 of the source's store, or -1 */
	const char *path; /* the file to make, self-contained; NULL: a thin trace in the store */
	int store_fd;	  /* borrowed: of a thin trace */
	const struct signer *signer; /* borrowed; NULL: what is made is not signed */
	bool requires_pmu;	     /* taken where the source has no SUMMARY to say it */
};

struct rewritten {
	char *path; /* owned, free() */
	uint8_t archive[ARCHIVE_ID_BYTES];
	struct trace_report report; /* of the check of what was made */
};

/*
 * 0; SWORN_EBLOB when a blob of the source is missing or has other bytes, SWORN_EINTEGRITY when the source is not the
 * one that was checked, -EBUSY when somebody else makes the same file, -ENOSPC and other -errno. On failure
 * nothing has the final name, and the temporary file is removed.
 */
int rewrite_trace(const struct rewrite *rewrite, struct rewritten *ret_rewritten);

#endif
