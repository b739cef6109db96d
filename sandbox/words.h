/*
 * The command's words at addresses that do not depend on where the recorder was loaded: the trace holds them as the
 * first exec passes them. Used by ambient.c only, in the process that becomes the command. Async-signal-safe.
 */
#ifndef SWORN_SANDBOX_WORDS_H
#define SWORN_SANDBOX_WORDS_H

#include <stddef.h>

/* Memory to put words into, at a fixed address. */
struct words {
	char *at;
	size_t left;
};

/* Room for copies of all of them: a path and two vectors that end in NULL. 0 or -errno. */
int words_reserve(const char *path, char *const *argv, char *const *environment, struct words *ret);
const char *words_text(struct words *words, const char *text);
char *const *words_vector(struct words *words, char *const *vector);

#endif
