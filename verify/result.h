/*
 * What checking one trace found, and its two printed forms: a block of text and a JSON object. Used by
 * `sworn verify`; gathers, decides nothing but the exit code.
 */
#ifndef SWORN_VERIFY_RESULT_H
#define SWORN_VERIFY_RESULT_H

#include <stdio.h>

#include "../traces/json.h"
#include "../traces/reader.h"
#include "../traces/trust.h"
#include "witness.h"

struct result {
	const char *name; /* borrowed: what the trace is called */
	int error;	  /* 0, or why it is not ok */
	int found; /* of the check alone: 0 or why it is not whole; `error` is what that comes to */
	bool allow_truncated;		 /* a cut trace with events in it is no failure */
	bool allow_repaired;		 /* nor is one that was made of such a trace */
	struct judgement judgement;	 /* of who signed it; text empty: the trace did not open */
	const struct witness *witnesses; /* borrowed: what its trailers say */
	size_t witnesses_count;
	const struct attestation *attestation; /* borrowed: one to be compared with it; NULL: none */
	struct trace_report report;
	const struct trace_info *info; /* borrowed from the reader; NULL when it did not open */
	const struct trace_summary *summary; /* likewise; NULL unless ok */
	uint8_t file_digest[DIGEST_BYTES];   /* zeros when nobody asked */
	bool ended;			     /* END was seen: */
	uint32_t status;		     /* as wait(2) reports it */
	uint8_t standard[2][DIGEST_BYTES];   /* digests of stdout and stderr, zeros when unused */
};

/* Exit code of one result; and of several: usage, integrity, refuted, unknown, nothing, ok, in this order. */
enum verify_code result_code(const struct result *result);
enum verify_code result_worse(enum verify_code a, enum verify_code b);

/* "ok", "truncated", "repaired", "unsigned", "untrusted", "corrupt", "newer", "pointer", "missing" or "unreadable"; of a trace that is
 * taken, "refuted" or "unattested" for what its attestation comes to. */
const char *result_word(const struct result *result);

/*
 * Judges who signed, with what this user trusts by default, after reader_check(): `error` becomes what that comes to. A prefix
 * counts only as far as allow_truncated and allow_repaired say.
 */
void result_judge(struct result *result, const struct reader *reader);

/* Takes what reports need from each event. */
void result_note(struct result *result, const struct event *event);

/* One line for a result that is not ok: what, why and what to do next. */
void result_print_problem(FILE *out, const struct result *result);
/* Why it is not ok, without what to do about it; and that, as a sentence. */
const char *result_reason(const struct result *result);
const char *result_advice(const struct result *result);

void result_print(FILE *out, const struct result *result);

/* The members of one trace's report, without the braces around them. */
void result_json(struct json *json, const struct result *result);

#endif
