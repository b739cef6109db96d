/*
 * Adds a TRAILER to a sealed trace: the file is copied with it, checked, and put in the place of the old one in one step. Used by
 * `sworn sign`.
 */
#ifndef SWORN_TRACES_TRAIL_H
#define SWORN_TRACES_TRAIL_H

#include "frame.h"
#include "reader.h"

struct trail {
	int fd, blobs_fd; /* borrowed: the trace, and blobs/sha256 of its store or -1 */
	const struct trace_report *report; /* borrowed: of its check, which gave 0 */
	const uint8_t *trailer;		   /* borrowed: the content of the frame */
	size_t length;
};

/*
 * 0; SWORN_ELIMIT when the trace has all the trailers that it may have; SWORN_EINTEGRITY when it is not what it was when it was
 * checked; -EPERM when it belongs to somebody else, who would lose it; -EBUSY when its name is gone or another file's;
 * -ENOSPC and other -errno. On failure the trace is as it was.
 */
int trail_append(const struct trail *trail);

/* Whether the file still has the name that it was opened under, so that nobody has replaced it. */
bool trail_is_current(int fd);

#endif
