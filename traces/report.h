/*
 * The JSON report of a verb (docs/REPORTS.md): one shape for all, so that whoever reads one report can
 * read every other. `sworn record` and `sworn replay` fill a struct report; `sworn verify` shares the
 * parts. Decides nothing.
 */
#ifndef SWORN_TRACES_REPORT_H
#define SWORN_TRACES_REPORT_H

#include "json.h"
#include "reader.h"
#include "trust.h"

#define REPORT_SCHEMA 1

/* Where a report goes. */
struct report_file {
	int fd;	      /* -1: nobody asked for one */
	bool is_file; /* a regular file, which can be written again from its start */
};

/* Whether the file at `path` begins as a trace does: no report may take its place, which a forgotten
 * file name would make it do. */
bool report_is_trace(const char *path);
/* Opens `path` for the report, emptying it; "-" is standard output and NULL none. 0, -EEXIST for a trace,
 * other -errno. */
int report_open(const char *path, struct report_file *ret_file);
/* Writes the whole text, in the place of an earlier one where the file allows. 0 or -errno. */
int report_write(const struct report_file *file, const char *text, size_t length);

struct report_trace {
	const char *path; /* borrowed; NULL: there is none */
	uint64_t bytes;
	uint8_t digest[DIGEST_BYTES]; /* of the file; zeros when nobody computed it */
	uint8_t seal[DIGEST_BYTES];   /* its id; zeros without a seal */
	bool is_signed;
	uint8_t kid[DIGEST_BYTES]; /* of the signer's key; zeros without one */
	const char *trust;	   /* trust_state_text(), NULL: not judged */
	const char *signer;	   /* its name in the keystore or trust file; NULL: unknown */
	uint64_t signed_events;	   /* those that a signature covers */
};

/* Fills in who signed; `judgement` outlives the report. */
void report_signer(struct report_trace *trace, const struct trace_report *report,
		   const struct judgement *judgement);

/* Unix seconds as YYYY-MM-DDTHH:MM:SSZ; empty for what no calendar has. */
void report_time(uint64_t time, char *ret_text, size_t size);

/* Digest and size of the file behind `fd`, read by pread. 0, -EIO and other -errno. */
int report_digest(int fd, uint8_t ret_digest[DIGEST_BYTES], uint64_t *ret_bytes);
struct manifest; /* seal.h */
/* The seal that a file ends with and its id, without checking what it seals. 0, SWORN_ETRUNCATED when there is none,
 * or another error. */
int report_manifest(int fd, struct manifest *ret_manifest, uint8_t ret_id[DIGEST_BYTES]);
/* Id of the seal that a file ends with, without checking what it seals: for traces of one's own.
 * 0, SWORN_ETRUNCATED when there is none, or another error. */
int report_seal(int fd, uint8_t ret_id[DIGEST_BYTES]);

struct report_divergence {
	uint32_t unit, thread;
	uint64_t event;
	const char *call, *where, *expected, *actual;
	const char *const *previous, *const *backtrace; /* NULL-terminated lists, or NULL */
};

/* All pointers are borrowed; a NULL one is printed as null or as an empty list. */
struct report {
	const char *kind;   /* the verb */
	const char *status; /* record: "ok", "needs_pmu", ...; NULL leaves the key out */
	struct report_trace trace;
	uint8_t tenant[16];
	const struct trace_info *info;
	const struct trace_summary *summary;
	uint64_t events, units; /* in the trace */
	bool ended;		/* it is known how the command ended: */
	uint32_t exit;		/* as wait(2) reports it */
	uint8_t state[DIGEST_BYTES], outputs[2][DIGEST_BYTES]; /* zeros where unknown */
	const char *isolation;
	uint64_t wall_ns, cpu_ns, bytes;
	const char *verdict;
	int code;
	uint64_t checked_events, checked_of;
	const char *reason; /* of a verdict that is not good */
	const struct report_divergence *divergence;
};

/* Now, for the start of what report_usage() measures. */
uint64_t report_now_ns(void);
/* Fills in the wall time since `started_ns` and the CPU time of `who` (getrusage(2)), added to what is there. */
void report_usage(struct report *report, uint64_t started_ns, int who);

/* The text of the report with a final newline in *ret_text, owned (free()). 0 or -ENOMEM. */
int report_format(const struct report *report, char **ret_text, size_t *ret_length);

/* Members that more than one report has. */
void report_head(struct json *json, const char *kind);
void report_print_trace(struct json *json, const struct report_trace *trace);
void report_print_tenant(struct json *json, const uint8_t tenant[16]);
void report_print_recorded(struct json *json, const struct trace_info *info);
/* `known` false: null. */
void report_print_exit(struct json *json, bool known, uint32_t status);
void report_print_outputs(struct json *json, const uint8_t outputs[2][DIGEST_BYTES]);
/* requires, assumptions and domain. */
void report_print_summary(struct json *json, const struct trace_summary *summary);

#endif
