/*
 * Compares two traces event by event and names the first difference. Used by `sworn twin`. Pure code over
 * two open readers: executes nothing, prints nothing.
 */
#ifndef SWORN_VERIFY_COMPARE_H
#define SWORN_VERIFY_COMPARE_H

#include "../traces/describe.h"
#include "../traces/reader.h"
#include "origin.h"

#define COMPARE_PREVIOUS 5

struct compare_options {
	bool other_directory; /* the working directories in INFO may differ */
};

/* What was found. With `equal` only the counts and the state are filled in. */
struct comparison {
	bool equal;
	uint64_t events; /* that were compared and are equal */
	uint64_t of[2];	 /* that each trace has */
	uint64_t units;	 /* of the first trace */
	uint32_t status; /* of the first: how its command ended, as wait(2) reports it */
	uint8_t state[DIGEST_BYTES]; /* of the first: final state hash */
	bool seeded, virtual_clock;  /* how the first was recorded */
	int bad;		     /* on failure: which trace it was, 0 or 1 */
	char reason[256];	     /* on failure: what the check said, may be empty */
	bool in_head;		     /* the difference is in what was recorded, not in an event */
	uint32_t unit, thread;	     /* of the first trace's event */
	enum origin origin;	     /* where the difference came from */
	char call[64];		     /* name of the call, or of the kind of event */
	char subject[ORIGIN_SUBJECT_BYTES]; /* what it was about, may be empty */
	char assumption[256]; /* what one of the traces says of that in its assumptions, may be empty */
	struct difference difference;
	char lines[2][DESCRIPTION_BYTES]; /* the two events; empty where a trace has ended */
	char previous[COMPARE_PREVIOUS][DESCRIPTION_BYTES]; /* the events before, oldest first */
	size_t previous_count;
};

/*
 * Checks the integrity of both traces, then compares: seed, command, clock, schedule and call table, then every
 * field of every event. Start, host, operator, tool and processor may differ, and so may the frames that the
 * events are stored in. 0 when an answer is in *ret_comparison, whatever it is; an error of reader_check() or
 * trace_next(), -ENOMEM, or SWORN_ETRUNCATED for a trace without an END when no answer was possible. Both readers must be
 * fresh: not read from yet.
 */
int compare_traces(struct reader *a, struct reader *b, const struct compare_options *options,
		   struct comparison *ret_comparison);

#endif
