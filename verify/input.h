/*
 * The trace that a verb was given, opened and checked whole, and the sentences that verbs of this folder have in
 * common. Prints what is wrong with it; decides nothing else.
 */
#ifndef SWORN_VERIFY_INPUT_H
#define SWORN_VERIFY_INPUT_H

#include "../traces/reader.h"
#include "../traces/rewrite.h"
#include "result.h"

struct input {
	const char *verb;      /* borrowed: for messages */
	char *name;	       /* owned: what to call it */
	bool allow_repaired;   /* take a trace that was made of one that was cut off */
	int fd, blobs_fd;      /* owned, -1 */
	struct reader *reader; /* owned */
	struct result result;  /* of the check */
	bool cuts;	       /* a turn ends where only a counter finds it again */
};

/*
 * Opens `name` as `sworn verify` does, in `store` or, when that is NULL, the default one, and checks it. VERIFY_OK
 * when it is whole, or, with `repair`, cut off. `verb` and `allow_repaired` are set before. Otherwise what is wrong was printed, and the code is to be
 * exited with. Release in either case.
 */
enum verify_code input_open(struct input *input, const char *store, const char *name, bool repair);
void input_release(struct input *input);

/* Opens the store for a verb that adds to it, or, with `must_exist`, looks into it. Fd; or -1 after a sentence. */
int input_store(const char *verb, const char *store, bool must_exist);

/* A new trace was made: its name to stdout, where it can be handed to other verbs. */
void input_print_made(const struct rewritten *made, bool in_store);

/* Says that what others said of the trace (its trailers) is not said of what was made of it, if there is any. */
void input_print_left(const struct input *input);

/* Prints why `what` failed, and what to do next. Gives the exit code. */
enum verify_code input_fail(const char *verb, const char *what, int error);
/* Prints a mistake in how the verb was called. Gives the exit code. */
int input_usage(const char *verb, const char *problem);
/* The same for an option that the verb does not know. */
int input_unknown(const char *verb, const char *option);

/* How many characters have to be changed, added or left out to make one name, of 255 characters at most, of the other. */
size_t input_distance(const char *a, const char *b);
/* The sentence that there is no trace `name`, with the name beside it that is most like it, if one is. */
void input_missing_text(int store_fd, const char *name, char *ret_text, size_t size);
/* Prints that there is no trace `name`, and the name beside it that is most like it. Gives the exit code. */
enum verify_code input_missing(const char *verb, int store_fd, const char *name);

#endif
