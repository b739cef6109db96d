/* The command line of `sworn record`. */
#ifndef SWORN_RECORD_OPTIONS_H
#define SWORN_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../sandbox/cpu_model.h"
#include "../sandbox/substitute.h"

#define SEED_BYTES_MAX 256
#define VARIABLES_MAX 256

struct record_options {
	const char *output, *store, *seed, *report; /* borrowed from argv; NULL: not given */
	const char *preempt, *schedule, *clock, *workdir, *cpu_name;
	const char *keystore, *tenant, *passphrase_file;
	bool clock_virtual, schedule_seeded, chaos, allow_network, private_tmp;
	const char *variables[VARIABLES_MAX + 1]; /* NAME or NAME=VALUE; NULL behind the last; none: all */
	size_t variables_count;
	const struct cpu_model *cpu; /* NULL: the host's */
	uint64_t epoch_ns, checkpoint_interval;
	const char *order;		/* where turns come from instead of the seed, or NULL */
	struct substitute *substitutes; /* owned list that ends with NULLs, or NULL */
	char **command;			/* NULL-terminated tail of argv */
};

/* Fills *ret. 0, or the exit code after a line to stderr; --help prints and exits. */
int options_parse(int argc, char **argv, struct record_options *ret);

/* Says what is wrong with the command line; returns the exit code. */
int options_problem(const char *problem, const char *detail);

#endif
