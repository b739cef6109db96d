/*
 * The working directory under another name, for recordings that are to be the same wherever they are made. Used by
 * ambient.c only, in a mount namespace that is cut off from all others. Async-signal-safe.
 */
#ifndef SWORN_SANDBOX_WORKDIR_H
#define SWORN_SANDBOX_WORKDIR_H

/*
 * Shows the working directory, with all that is mounted in it, at the absolute path `at` as well, and goes there. What was at
 * `at` is covered. Where nothing is there, the root directory is replaced by a read-only one that shows everything the
 * old one has, and `at`; that can only give `at` its first component. 0 or -errno.
 */
int workdir_show(const char *at);

#endif
