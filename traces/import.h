/*
 * Takes a trace into a store as it is, byte by byte, with the blobs that it needs from another store. What
 * `sworn unpack` makes is a new archive; this keeps the old one.
 */
#ifndef SWORN_TRACES_IMPORT_H
#define SWORN_TRACES_IMPORT_H

#include "reader.h"

struct import {
	struct reader *source;		   /* borrowed; its newest check gave 0 */
	const struct trace_report *report; /* borrowed: of that check */
	int source_fd, blobs_fd; /* borrowed: its file; blobs/sha256 of its store, or -1 */
	int store_fd;		 /* borrowed: where it goes */
	int expected; /* what a check of it gives: 0, or SWORN_ETRUNCATED for a repaired one */
};

enum import_result {
	IMPORT_THERE = 0, /* the store has it already */
	IMPORT_TAKEN = 1,
	IMPORT_OTHER_TRAILERS = 2, /* the store has it, and something else behind its seal: that stays */
};

/*
 * What came of it; the trace is taken in under its archive id. SWORN_EREFUSED when the store has another trace of that id, SWORN_EINTEGRITY when the file changed since the check, SWORN_EBLOB, -EBUSY, other
 * -errno. Nothing of the trace has its name then.
 */
int import_trace(const struct import *import);

#endif
