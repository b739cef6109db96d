/*
 * What the files of `sworn twin` share: options, one run, the outcome. cmd_twin.c owns the flow, twin_run.c
 * makes one recording under the circumstances that it is given, twin_report.c says what came of all.
 */
#ifndef SWORN_VERIFY_TWIN_H
#define SWORN_VERIFY_TWIN_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

#include "../traces/report.h"
#include "compare.h"

#define TWIN_RUNS_MAX 1000
#define TWIN_SEED_BYTES 65 /* 64 digits and a NUL */
#define TWIN_REASON_BYTES 512
#define TWIN_BUSY_MAX 8

/* What may be another from run to run. */
enum vary {
	VARY_LOAD = 1,	       /* busy processes beside it */
	VARY_TIME = 2,	       /* a later start */
	VARY_CPU = 4,	       /* the processor */
	VARY_NICE = 8,	       /* the niceness */
	VARY_DIRECTORY = 16,   /* a copy of the directory under another name */
	VARY_ENVIRONMENT = 32, /* HOME, USER, PWD and the like */
	VARY_USER = 64,	       /* a user without rights */
};

/* The word of one kind, NULL behind the last: bit `index`. */
const char *vary_name(unsigned int index);

struct twin_options {
	unsigned int runs, vary;
	bool vary_given;
	const char *keep, *report;  /* as given, or NULL */
	const char *seed, *workdir; /* as given to record, or NULL */
	const char **record;	    /* owned: options handed to record, NULL-terminated */
	char **command;		    /* NULL-terminated tail of argv */
};

/* One recording: its circumstances, and what came of it. */
struct run {
	unsigned int number; /* from 1 */
	unsigned int varied; /* enum vary: in what it differs from the first */
	unsigned int busy;   /* processes */
	int nice;
	uid_t user;		  /* 0: as the caller */
	char directory[PATH_MAX]; /* to run in; empty: as the caller */
	char trace[PATH_MAX];
	bool recorded;
	int code;			/* how `sworn record` exited, or -errno */
	char reason[TWIN_REASON_BYTES]; /* its last word when not recorded */
	char cpu[96];			/* from the trace, as all that follows */
	uint64_t started_utc_ns, events;
	uint8_t state[DIGEST_BYTES];
};

struct twin {
	struct twin_options options;
	char seed[TWIN_SEED_BYTES];
	char scratch[PATH_MAX]; /* owned directory; empty when there is none */
	int output, errors;	/* files that the runs write to */
	int input;		/* regular file that every run reads from its start, or -1 */
	off_t input_start;
	int program;		/* this program, to be executed */
	uint64_t last_start_ns; /* monotonic */
	int signal;		/* that asked to end, or 0 */
	struct report_file report;
	struct run *runs;  /* owned: options.runs of them */
	unsigned int made; /* runs that were begun; all but the last are recorded and alike */
	struct comparison found;
	int error; /* of the comparison: negative */
	unsigned int compared;
};

enum twin_code {
	TWIN_IDENTICAL = 0,
	TWIN_DIFFERENT = 1,
	TWIN_USAGE = 2,
	TWIN_UNKNOWN = 3,
	TWIN_INTEGRITY = 5,
};

/* Opens what all runs need. 0 or -errno. */
int twin_open(struct twin *twin);
/* Removes the scratch directory, all but the two traces when `keep` is set. */
void twin_close(struct twin *twin, bool keep);

/* Moves a run's trace to where it stays (--keep, or the scratch directory where `differs` is set) or removes it; removes all
 * else of the run. */
void twin_settle(const struct twin *twin, struct run *run, bool differs);

/* Makes one recording; what came of it is in *run. Sets twin->signal when one asked to end; nothing that it started
 * is left when it returns. */
void twin_record(struct twin *twin, struct run *run);

enum twin_code twin_code(const struct twin *twin);
/* The verdict and what belongs to it, as text. */
void twin_print(FILE *out, const struct twin *twin);
/* The JSON report; `finished` false: the one that stands there while the runs are made. 0 or -errno. */
int twin_report(const struct twin *twin, bool finished);
/* The circumstances of a run as a clause: "2 busy processes, ...". */
void twin_describe(const struct run *run, char *ret_text, size_t size);

#endif
