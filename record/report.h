/*
 * What `sworn record` says about how a recording came out: its status, exit code and one line for
 * people. Used by cmd_record.c, which fills in the facts. Pure.
 */
#ifndef SWORN_RECORD_REPORT_H
#define SWORN_RECORD_REPORT_H

#include <stddef.h>
#include <stdint.h>

enum record_code {
	RECORD_USAGE = 2,
	RECORD_FAILED = 125,
	RECORD_NOT_EXECUTABLE = 126,
	RECORD_NOT_FOUND = 127,
};

/* How far it came. */
enum stage {
	STAGE_SETUP,   /* before there was a trace */
	STAGE_KEYS,    /* opening the keystore */
	STAGE_TRACE,   /* creating the trace */
	STAGE_START,   /* starting the command */
	STAGE_COUNTER, /* the counter that --preempt pmu asks for */
	STAGE_RUN,     /* the command ran */
	STAGE_CLOSE,   /* it came to its end: completing the trace */
};

struct ending {
	enum stage stage;
	int error;	     /* 0, or what ended it there */
	const char *command; /* its name */
	const char *output;  /* as given with -o, or NULL: the store */
	const char *tenant;  /* its name, unless it is the default one */
	const char *path;    /* of the whole trace; NULL without one */
	const char *detail;  /* more about the error, or NULL */
	uint64_t events;
	uint64_t held_up_ns;  /* that the command waited for its trace to be written */
	uint32_t wait_status; /* of the command, once it ended */
};

/* "ok", "needs_pmu", "disk_full", "deadlock", "not_found", ...: never NULL, static. */
const char *ending_status(const struct ending *ending);
/* The exit code of the verb. */
int ending_code(const struct ending *ending);
/* What happened, to what, and what to do next, in one line. */
void ending_describe(const struct ending *ending, char *ret_text, size_t size);

#endif
