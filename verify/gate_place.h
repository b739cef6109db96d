/*
 * Where and how a recorded command is started again: directory, environment, input, options of `sworn record`, all as the
 * recording had them. Used by gate_rerun.c.
 */
#ifndef SWORN_VERIFY_GATE_PLACE_H
#define SWORN_VERIFY_GATE_PLACE_H

#include "gate.h"
#include "observe.h"

/* All owned but where noted; gate_place_release(). */
struct gate_place {
	char *problem; /* why there is none, or NULL */
	char *root;    /* directory for everything about this trace */
	char *work;    /* the current run's, with its copy of the working directory */
	char *trace;   /* that the current run writes */
	char *workdir; /* name under which guests see a copy of the directory, or NULL: they run where the recording did */
	char *directory;		/* as guests see it */
	const char *const *argv;	/* borrowed: the command */
	const char **environment;	/* its texts are the observation's */
	size_t variables;		/* of it */
	const struct observation *seen; /* borrowed */
	const struct trace_info *info;	/* borrowed */
	const char *cpu;		/* borrowed */
	const uint8_t *tenant;		/* borrowed: whose trace it is */
	bool network;			/* the recording had the host's */
	bool private_tmp;		/* an empty /tmp */
	size_t runs;
};

/* 0, or negative with place->problem where there is more to say. The place is to be released in any case. */
int gate_place_init(const struct gate *gate, size_t index, struct reader *reader,
		    const struct observation *seen, struct gate_place *place);
void gate_place_release(struct gate_place *place);

/*
 * Records the command into place->trace; run 1 has the recording's order of threads, others have their own. 0, -ETIME, or
 * negative with what `sworn record` said last in *ret_words (owned, may be NULL).
 */
int gate_place_record(const struct gate *gate, struct gate_place *place, unsigned int number,
		      char **ret_words);
/* Removes what the current run left in its directory, with its trace. */
void gate_place_clean(struct gate_place *place);
/* Copies a new run's trace to --keep, where it is asked for. */
void gate_place_keep(const struct gate *gate, int fd, struct gate_result *result);
/* OLD of a --with, from the root, as guests see it. Owned. */
char *gate_place_at(const struct gate_place *place, const char *with);

#endif
