/*
 * What `sworn replay` tells people and programs about a replay that is over: the verdict with its exit
 * code, why and what to do next, as text and as a JSON report.
 */
#ifndef SWORN_REPLAY_REPORT_H
#define SWORN_REPLAY_REPORT_H

#include <stdio.h>

#include "../traces/report.h"
#include "../traces/trust.h"
#include "replayer.h"

enum verdict_code {
	CODE_IDENTICAL = 0,
	CODE_DIVERGED = 1,
	CODE_USAGE = 2,
	CODE_UNKNOWN = 3,
	CODE_NOTHING = 4,
	CODE_INTEGRITY = 5,
};

struct outcome {
	const char *name; /* of the trace; borrowed; NULL before one was found */
	int error;	  /* what the replay came to: 0, SWORN_EDIVERGED, another error */
	char reason[512]; /* of an error that is no divergence: what and where */
	const struct replayer *replayer; /* NULL before there is one */
	bool prefix;			 /* the trace is cut, and identical as far as it goes */
	struct trace_report trace;
	struct judgement judgement; /* of who signed it; text empty: it was not come to */
	struct domain_report domain;
	uint8_t file_digest[DIGEST_BYTES];
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* What an error makes of the replay: the verdict in a few words and the exit code. */
const char *outcome_verdict(int error);
enum verdict_code outcome_code(int error);
/* What to do next about it, without a full stop; NULL for 0. */
const char *outcome_advice(int error);

/* The line of the tenant, then what there is to say about a verdict that is not good. */
void outcome_print(FILE *out, const struct outcome *outcome);
/* The JSON report, into `file`. 0 or negative. */
int outcome_report(const struct report_file *file, const struct outcome *outcome);

#endif
