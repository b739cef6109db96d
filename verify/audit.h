/*
 * What the questions of `sworn audit` share: the open trace, what checking it found, the history, the options and the
 * output. Each question is a function in an audit_*.c file and a row in cmd_audit.c.
 */
#ifndef SWORN_VERIFY_AUDIT_H
#define SWORN_VERIFY_AUDIT_H

#include "history.h"
#include "out.h"
#include "result.h"

struct audit_options {
	bool json, unverified, all, allow_truncated, allow_repaired, allow_unsigned,
		allow_untrusted, ignore_case;
	const char *store, *call, *keystore, *trust_file, *tenant; /* as given, or NULL */
	uint64_t from, to;					   /* events, inclusive */
	uint32_t pid;						   /* 0: all */
	size_t strings; /* bytes of a string that are shown */
};

struct audit {
	struct audit_options options;
	char **arguments; /* of the question, without the trace; borrowed */
	int arguments_count;
	const char *question, *name; /* name: of the trace */
	struct reader *reader;
	struct result result; /* of the check */
	uint64_t events; /* that are answered from: of a trace that is cut off, those that count */
	struct history *history; /* whole, for the questions that ask for one; else NULL */
	struct out out;
	int trace_fd, blobs_fd; /* -1: none */
	char *found;		/* owned: name of the trace once it is open */
};

/*
 * Each returns an exit code: VERIFY_OK, VERIFY_USAGE, VERIFY_NOTHING (what was asked for is not there; said on stderr)
 * or VERIFY_UNKNOWN.
 */
int audit_info(struct audit *audit);
int audit_ps(struct audit *audit);
int audit_exec(struct audit *audit);
int audit_env(struct audit *audit);
int audit_signals(struct audit *audit);
int audit_files(struct audit *audit);
int audit_net(struct audit *audit);
int audit_timeline(struct audit *audit);
int audit_stats(struct audit *audit);
int audit_events(struct audit *audit);
int audit_show(struct audit *audit);
int audit_cat(struct audit *audit);
int audit_grep(struct audit *audit);
int audit_diff(struct audit *audit);

/* Prints a message on stderr, escaped, after the verb's name, and returns `code`. */
__attribute__((format(printf, 3, 4))) int audit_fail(const struct audit *audit, int code,
						     const char *format, ...);
/* Escapes what a message is to quote; `size` bytes at most, NUL included. Returns ret_text. */
const char *audit_quote(const char *text, char *ret_text, size_t size);
/* A number of events, pids and the like; false when the text is none. */
bool audit_number(const char *text, uint64_t *ret_number);
/* How far two names are from each other; small is near. */
unsigned int audit_distance(const char *a, const char *b);

/*
 * Opens and checks the trace `name`, and makes its history when that is wanted. VERIFY_OK when it may be answered from;
 * else another exit code, after saying why. audit_close() afterwards in any case.
 */
int audit_open(struct audit *audit, bool history);
void audit_close(struct audit *audit);

/*
 * Hands the events of the trace to `each`, in order, until it returns other than 0 (negative is an error) or they end. Of a
 * trace that failed its check: until the damage. 0, or what `each` returned, or an error.
 */
int audit_each(struct audit *audit, int (*each)(void *context, const struct event *event),
	       void *context);
/* What a question returns that ended so: says an error. */
int audit_end(const struct audit *audit, int error);

/* Shared parts of lines. */
/* Name of the program that a process ran at an event, without its directory. */
const char *audit_program_name(const struct history *history, uint32_t process, uint64_t event);
void audit_put_status(struct out *out, uint32_t status);
void audit_member_status(struct out *out, bool gone, uint32_t status);
void audit_put_process(struct audit *audit, uint32_t process, uint64_t event); /* "5 cat" */
void audit_member_process(struct audit *audit, const char *key, uint32_t process);
void audit_put_arguments(struct out *out, const struct history_strings *strings);
void audit_member_strings(struct out *out, const char *key, const struct history_strings *strings);

#endif
