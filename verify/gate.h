/*
 * What the files of `sworn gate` share. cmd_gate.c owns the flow; gate_select.c finds the traces, gate_run.c gives
 * each to a worker process; gate_replay.c or gate_rerun.c is what a worker does; gate_result.c is what it
 * found; gate_tenant.c knows whose traces they are; gate_report.c, gate_junit.c and gate_github.c say what came of all. A worker hands its result over as a JSON object, which is what the JSON report
 * shows of the trace, and what the other forms are made from.
 */
#ifndef SWORN_VERIFY_GATE_H
#define SWORN_VERIFY_GATE_H

#include <stdio.h>
#include <sys/types.h>

#include "../traces/report.h"
#include "../traces/trust.h"
#include "document.h"

#define GATE_TRACES_MAX 100000
#define GATE_WORKERS_MAX 256
#define GATE_REPEAT_MAX 1000
#define GATE_WITH_MAX 64
#define GATE_CHANGES_MAX 100 /* that are told of one trace */
#define GATE_SHORT 9	     /* annotations before "N more" */

/* Exit codes; gate_worse() merges them. */
enum gate_code {
	GATE_OK = 0,
	GATE_FAILED = 1,
	GATE_USAGE = 2,
	GATE_UNKNOWN = 3,
	GATE_NOTHING = 4,
	GATE_INTEGRITY = 5,
};

enum gate_mode { GATE_REPLAY, GATE_RERUN };

/* Borrowed from argv, all but the lists. */
struct gate_options {
	enum gate_mode mode;
	unsigned int workers, repeat, timeout_s; /* timeout 0: none */
	unsigned int shard, shards;		 /* from 1; 0: no shards */
	const char *report, *junit, *store, *keep, *keystore, *trust_file, *passphrase_file;
	const char *tenants[GATE_WITH_MAX + 1]; /* ids or names: only their traces; none: all */
	const char *with[GATE_WITH_MAX + 1];	/* OLD=NEW, NULL-terminated */
	const char *allow[GATE_WITH_MAX + 1]; /* options that are handed to `sworn verify`, and to replay */
	char **paths;
	int paths_count;
};

/* One trace. */
struct gate_item {
	char *path;			/* owned: as it is named in reports */
	char *problem;			/* owned: why it is not even looked at, or NULL */
	enum gate_code code;		/* of the problem; later of the result */
	struct value *result;		/* owned: what a worker found */
	uint8_t tenant[TENANT_ID_SIZE]; /* that its HEADER names, which nobody has checked yet */
	bool has_tenant;
	char *store; /* owned: where @NAME lies, and blobs that do not lie beside a file; NULL: the default store */
	pid_t worker;	   /* 0: none at work */
	int watch, answer; /* its pidfd, and the file that it writes its result to */
};

struct gate {
	struct gate_options options;
	struct gate_item *items; /* owned */
	size_t count, room;
	struct trust trust; /* whose signatures count; names of tenants */
	uint8_t tenants[GATE_WITH_MAX][TENANT_ID_SIZE]; /* options.tenants */
	size_t left_out;				/* traces of other tenants */
	int program;					/* this program, to be executed */
	char *scratch;	     /* owned: directory for what workers need, NULL when none is needed */
	int scratch_guard;   /* while anybody holds it the scratch directory stays */
	pid_t scratch_owner; /* the process that removes it */
	uint64_t wall_ns;
	struct report_file report;
};

/* The code that wins when several results come together: 2, 5, 1, 3, 4, 0. */
enum gate_code gate_worse(enum gate_code a, enum gate_code b);

/* gate_select.c: fills the items from options.paths. 0 or -ENOMEM; what is wrong with one path is its item's problem. */
int gate_select(struct gate *gate);
void gate_release(struct gate *gate);
void gate_item_release(struct gate_item *item);
/* Opens a selected trace, and the directory of blobs that belongs to it, as `sworn verify` does. An fd or negative. */
int gate_open(const struct gate_item *item);
int gate_blobs(const struct gate *gate, const struct gate_item *item);

/* gate_tenant.c: what the gate knows of tenants, before anything of a trace is believed. */
#define GATE_LABEL_BYTES 128
/* Loads whom to trust, and the tenants that were asked for. 0, or an exit code after a sentence. */
int gate_tenants_load(struct gate *gate);
/* Fills in whose trace each item is and where it lies, and leaves out those of tenants that were not asked for. */
void gate_tenants_choose(struct gate *gate);
/* A tenant as gate_tenant() has it, as people call it: "default", "NAME (ID)", or the id. */
void gate_tenant_label(const struct gate *gate, const char *tenant, char ret_text[GATE_LABEL_BYTES]);

/* gate_process.c: a program to run to its end. */
struct gate_process {
	const char *const *argv;
	const char *const *environment; /* NULL: the own one */
	const char *directory;		/* NULL: the own one */
	int input, output, errors;	/* borrowed; -1: nothing, nowhere */
	int report;			/* borrowed: kept open under its number, or -1 */
	unsigned int timeout_s;		/* 0: none */
};

/*
 * Runs a program, by PATH when `program` is -1; it is killed when this process ends, and after the timeout. How it exited
 * (128 and the signal's number after a signal), -ETIME or another -errno.
 */
int gate_process_run(int program, const struct gate_process *process);
/* A pipe whose other end a process of its own reads until nobody writes. The end to write to, or -errno. */
int gate_drain(pid_t *ret_reader);
/* Waits for that end; all who write must have closed the pipe. */
void gate_drained(pid_t reader);
/* A file without a name. Its fd (O_CLOEXEC) or -errno. */
int gate_file(const char *name);
/* The whole content as text, owned; NULL when it cannot be read or is too long. */
char *gate_file_text(int fd, size_t *ret_length);
/* The last line there that Sworn itself wrote on standard error, owned; NULL when there is none. */
char *gate_last_words(int errors);
/* Removes a directory and all below it, as far as it can. */
void gate_remove_tree(const char *path);
/*
 * Makes a directory below TMPDIR, and a process that outlives this one and removes the directory once nobody
 * holds gate->scratch_guard. 0 or -errno. gate_scratch_close() waits until it is gone.
 */
int gate_scratch_open(struct gate *gate);
void gate_scratch_close(struct gate *gate);

/* What a worker found out about one trace. */
struct gate_change {
	char *where, *expected, *actual, *event, *source; /* owned; NULL where not known */
};

struct gate_result {
	const char *path;	      /* borrowed */
	const struct gate_item *item; /* borrowed */
	const char *verdict; /* static: identical, changed, diverged, nondeterministic, incomplete, refused */
	enum gate_code code;
	char *reason;		/* owned; NULL when it is good */
	struct value *verified; /* owned: report of `sworn verify`, or NULL */
	struct value *replayed; /* owned: report of `sworn replay`, or NULL */
	struct gate_change changes[GATE_CHANGES_MAX];
	size_t changes_count;		/* may be more than are kept */
	char *inputs[GATE_CHANGES_MAX]; /* owned: inputs that are not those of the recording */
	size_t inputs_count;
	bool with_used[GATE_WITH_MAX]; /* OLD of this --with was executed or read */
	char *kept;		       /* owned: where the trace of the new run is, or NULL */
	unsigned int runs;
	uint64_t wall_ns;
	char *reproduce; /* owned: command line */
};

/* Sets the verdict, its code, and the reason (printf-like). */
__attribute__((format(printf, 4, 5))) void gate_decide(struct gate_result *result, const char *verdict,
						       enum gate_code code, const char *reason, ...);
void gate_result_release(struct gate_result *result);
/* The object of the trace in the report. */
void gate_result_json(struct json *json, const struct gate *gate, const struct gate_result *result);

/* gate_replay.c: checks the trace without executing anything; false when that ended in a verdict. */
bool gate_check(const struct gate *gate, struct gate_result *result);
/* The whole work of a worker in either mode. */
void gate_replay(const struct gate *gate, struct gate_result *result);

/* gate_run.c: gives all items to workers. The code of all, or -errno when nothing could be started. */
int gate_run(struct gate *gate);

/* Whether a run of any trace used this --with. */
bool gate_with_used(const struct gate *gate, size_t with);

/* gate_report.c: JSON (`finished` false: the one that stands there meanwhile), and text for people. */
int gate_report(const struct gate *gate, enum gate_code code, bool finished);
void gate_print(FILE *out, const struct gate *gate, enum gate_code code);
/* What reports ask of an item. */
const char *gate_verdict(const struct gate_item *item);
const char *gate_reason(const struct gate_item *item);
/* "default", or the digits of the tenant's id. */
const char *gate_tenant(const struct gate_item *item);
/* The recorded command as one printable line into `text`. */
void gate_command(const struct gate_item *item, char *text, size_t size);
/* The items in the order in which people want them: worst first, then as selected. Owned list, or NULL. */
const struct gate_item **gate_worst_first(const struct gate *gate);
/* One word of a command line, quoted for a shell where it must be. */
void gate_word(FILE *out, const char *word);
/* Printable ASCII, with nothing in it that a CI's log would take for a command. */
void gate_text(FILE *out, const char *text);

/* gate_junit.c: writes the file beside `path` first. 0 or -errno. */
int gate_junit(const char *path, const struct gate *gate);

/* gate_github.c: when GITHUB_ACTIONS is set, annotations on `out` and the step summary. 0 or -errno. */
int gate_github(FILE *out, const struct gate *gate, enum gate_code code);

#endif
