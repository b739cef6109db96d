/*
 * The store of one tenant: traces/, blobs/sha256/ (an OCI image layout), latest. Where
 * `sworn record` without -o writes, and `sworn replay` without an argument reads.
 */
#ifndef SWORN_TRACES_STORE_H
#define SWORN_TRACES_STORE_H

#include <stddef.h>

/* Opens (creating it, mode 0700) the store at `path`, or at $XDG_DATA_HOME/sworn/store, or
 * $HOME/.local/share/sworn/store, when `path` is NULL. Returns a directory fd (O_CLOEXEC) or negative. */
int store_open(const char *path);

/* The same without creating anything: -ENOENT when there is no store yet. */
int store_find(const char *path);

/* Fd of the store's blobs/sha256 directory, or negative. */
int store_blobs(int store_fd);

/* Opens a trace for reading: NULL or "@latest" is the store's latest, another "@NAME" a trace of the
 * store, anything else a path. *ret_name is what to call it in messages (owned, free()). */
int store_trace(int store_fd, const char *name, char **ret_name);

#endif
