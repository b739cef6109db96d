/*
 * Files and directories that are shown where others are, for runs that are to be repeated with something new in an old
 * place. Used by ambient.c only, in a mount namespace that is cut off from all others. Async-signal-safe.
 */
#ifndef SWORN_SANDBOX_SUBSTITUTE_H
#define SWORN_SANDBOX_SUBSTITUTE_H

#define SUBSTITUTES_MAX 64

/* `at` is covered by what is at `shown`; a relative path starts from the working directory. Borrowed. */
struct substitute {
	const char *at, *shown; /* NULL in the entry behind the last */
};

/* Takes hold of all that is to be shown, before any place changes. 0 or -errno. */
int substitute_open(const struct substitute *list, int ret_trees[SUBSTITUTES_MAX]);
/* Shows them, and closes the trees. 0 or -errno: -ENOENT, -ENOTDIR when `at` is not there or of another kind. */
int substitute_show(const struct substitute *list, const int trees[SUBSTITUTES_MAX]);

#endif
