/* What `sworn replay` is asked for. */
#ifndef SWORN_REPLAY_OPTIONS_H
#define SWORN_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../traces/trust.h"
#include "attest.h"

struct replay_options {
	const char *trace, *store, *report, *keystore, *trust_file, *tenant, *challenge;
	bool show_output;
	struct trust_allow allow;
	struct attest attest;
	unsigned int jobs;
	uint64_t stop_at; /* number of an event; UINT64_MAX: none */
};

/* Fills *ret, which starts as zeros and borrows from argv. 0 to go on, 1 when help was printed, else the exit code of a mistake that
 * was printed. */
int replay_options_parse(int argc, char **argv, struct replay_options *ret);

/* Says what is wrong with the command line; returns the exit code. */
int replay_options_problem(const char *problem, const char *detail);

/* Whether the path, which may be NULL, means standard output. */
bool replay_options_stdout(const char *path);

#endif
