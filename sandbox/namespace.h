/*
 * Namespaces of a process that was just cloned, one kind at a time, so that a host that refuses
 * one of them still gives the others. Used by ambient.c and isolation.c only; depends on nothing
 * but the kernel. Everything here is async-signal-safe, but for namespace_print().
 */
#ifndef SWORN_SANDBOX_NAMESPACE_H
#define SWORN_SANDBOX_NAMESPACE_H

#include <stddef.h>

/* Enters a new namespace of each CLONE_NEW* kind in `wanted`. Gives those that could be had. */
unsigned long namespace_unshare(unsigned long wanted);

/*
 * Cuts the calling process's mounts, in a mount namespace just entered, off from all others, so
 * that whatever it mounts from now on is its own. Where the root directory is not a mount point
 * (a plain chroot) the tree below it is copied, and the copy becomes the root; the working
 * directory stays the one of the same name. 0 or -errno.
 */
int namespace_private(void);

/*
 * "mount pid ipc; no net": the kinds in `had`, then those of `wanted` that are missing; "no
 * namespaces" when there are none at all. Cut off at `size`.
 */
void namespace_print(unsigned long had, unsigned long wanted, char *ret_text, size_t size);

#endif
