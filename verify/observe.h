/*
 * What somebody outside could see of a recorded run: how it ended, what it sent to its outputs, which files it left and how,
 * which programs it started, with whom it spoke and what it sent; and what it read. Read off the events of a trace; how the
 * run split or mapped its calls leaves no mark here. `sworn gate` compares two of these. Pure.
 */
#ifndef SWORN_VERIFY_OBSERVE_H
#define SWORN_VERIFY_OBSERVE_H

#include "../traces/reader.h"
#include "content.h"
#include "history.h"

#define OBSERVE_BYTES_MAX (UINT64_C(1) << 30) /* contents of one run that are kept */

enum seen_kind {
	SEEN_OUTPUT = 0, /* standard output or error */
	SEEN_FILE,	 /* a file, directory or link that the run made, changed or removed */
	SEEN_PROGRAM,	 /* a program that was started */
	SEEN_CHANNEL, /* a connection, an attempt at one, an offer of one, or a peer of datagrams */
	SEEN_INPUT,   /* a file that was read and not written before */
};

/* One thing that was seen. `name` is what it is compared by, together with the kind. */
struct seen {
	enum seen_kind kind;
	char *name;	      /* owned: path; command line; kind and address of a channel */
	char *state;	      /* owned: what else counts: mode, target, result; NULL: nothing */
	uint64_t event;	      /* that brought it up */
	uint64_t state_event; /* that made the state what it is; 0: the same */
	uint32_t program;     /* PROGRAM: number in the history */
	bool absent;	      /* FILE: removed; INPUT: every look found nothing */
	bool mapped;	      /* FILE: written through memory, which no event shows */
	uint8_t digest[DIGEST_BYTES]; /* INPUT: of what a mapping showed; zeros: none did */
	struct content content;
};

struct observation {
	struct history *history; /* owned */
	struct seen *seen;	 /* owned; in the order of events */
	size_t seen_count, seen_capacity;
	uint32_t status; /* as wait(2) reports it */
	bool ended;
	bool merged;	/* standard output and error were one file */
	bool has_input; /* standard input was read: */
	struct content input;
	uint64_t budget, input_budget; /* bytes of contents that it may still take */
};

/* Reads the whole trace, which it checks. Owned observation in *ret (observation_release()). 0 or as reader_check(). */
int observe(struct reader *reader, struct observation **ret);
/*
 * The name under which a run saw its working directory when that was not its own (`sworn record --workdir-as`), by the
 * environment of its first EXEC event. Owned; NULL when it was its own.
 */
char *observe_workdir(const struct event *exec, const char *directory);
void observation_release(struct observation *observation); /* NULL allowed */

#endif
