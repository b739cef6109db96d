/*
 * A /tmp of the guests' own, for recordings that are to be the same whatever others left there. Used by ambient.c
 * only, in a mount namespace that is cut off from all others. Async-signal-safe.
 */
#ifndef SWORN_SANDBOX_PRIVATE_TMP_H
#define SWORN_SANDBOX_PRIVATE_TMP_H

#include <stdbool.h>

/* Whether the absolute path lies in a directory that private_tmp_show() covers. */
bool private_tmp_covers(const char *path);

/*
 * Covers /tmp and /var/tmp, as far as they are directories, by empty ones in memory, which go with the namespace. 0 or -errno;
 * -EXDEV when the working directory would be lost from sight.
 */
int private_tmp_show(void);

#endif
