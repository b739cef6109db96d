/*
 * What others than the recorder say of a trace: the statements in its trailers, and an attestation in a file of its own. Judges who
 * signed each, and has their two printed forms. Used by `sworn verify`; decides nothing but what an attestation comes to.
 */
#ifndef SWORN_VERIFY_WITNESS_H
#define SWORN_VERIFY_WITNESS_H

#include <stdio.h>

#include "../traces/json.h"
#include "../traces/statement.h"
#include "../traces/trust.h"

enum verify_code {
	VERIFY_OK = 0,
	VERIFY_REFUTED = 1,
	VERIFY_USAGE = 2,
	VERIFY_UNKNOWN = 3,
	VERIFY_NOTHING = 4,
	VERIFY_INTEGRITY = 5,
};

struct witness {
	struct statement statement;
	struct judgement judgement; /* of who signed it, for the tenant whose trace it is */
};

/* Judges who signed the statement on the trace whose check gave `report`. */
void witness_judge(const struct trust *trust, const struct trace_report *report,
		   const struct statement *statement, struct witness *ret_witness);
/* One line, indented like those of a result. */
void witness_print(FILE *out, const struct witness *witness);
/* An object, named unless `name` is NULL. */
void witness_json(struct json *json, const char *name, const struct witness *witness);

/* All trailers of the newest check. *ret_witnesses is owned, free(). 0 or -ENOMEM. */
int witness_collect(const struct trust *trust, const struct reader *reader,
		    const struct trace_report *report, struct witness **ret_witnesses,
		    size_t *ret_count);

/* What an attestation is compared with. */
struct attestation_claim {
	const struct trust *trust;
	const struct trace_report *report; /* of a trace that is taken */
	const uint8_t *challenge;	   /* STATEMENT_CHALLENGE_BYTES, or NULL: any */
	bool allow_untrusted;		   /* also one whose signature nobody can check */
};

/* What came of it. */
struct attestation {
	const char *path; /* borrowed */
	struct witness witness;
	bool is_read;			    /* witness says something */
	uint8_t bytes[STATEMENT_BYTES_MAX]; /* of the file */
	size_t length;
	int error; /* 0, SWORN_EDIVERGED: it says that the replay diverged, or why it says nothing of this trace */
	char reason[256]; /* of an error */
};
/* Reads the attestation at attestation->path and compares it with the trace. */
void attestation_check(const struct attestation_claim *claim, struct attestation *attestation);
/* What its error comes to, and what to do about it. */
enum verify_code attestation_code(const struct attestation *attestation);
const char *attestation_advice(int error);

/* 32 hexadecimal digits. 0 or SWORN_EFORMAT. */
int attestation_challenge(const char *text, uint8_t ret_challenge[STATEMENT_CHALLENGE_BYTES]);

#endif
