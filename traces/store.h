/*
 * The store of one tenant: traces/, blobs/sha256/ (an OCI image layout), latest. Where
 * `sworn record` without -o writes, and `sworn replay` without an argument reads.
 */
#ifndef SWORN_TRACES_STORE_H
#define SWORN_TRACES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_SUFFIX ".sworn"

/* Opens (creating it, mode 0700) the store at `path`, or at $XDG_DATA_HOME/sworn/store, or
 * $HOME/.local/share/sworn/store, when `path` is NULL. Returns a directory fd (O_CLOEXEC) or negative. */
int store_open(const char *path);

/* The same without creating anything: -ENOENT when there is no store yet. */
int store_find(const char *path);

/* Fd of the store's blobs/sha256 directory, or negative. */
int store_blobs(int store_fd);

/* The same of the store that the open trace lies in, wherever that is. */
int store_blobs_beside(int trace_fd);

/*
 * The same of where the blobs of an open trace are: in the store (-1: there is none) where the user `named` that, else in the one that
 * the trace lies in, or in `store_fd` when that is no store. -ENOENT when there is none, so that a trace which needs blobs has none.
 */
int store_find_blobs(int store_fd, bool named, int trace_fd);

/*
 * Takes the store's lock, for as long as the descriptor that is returned stays open: shared by all that
 * add something, who wait for it; alone (`alone`) by who removes blobs, who gets -EBUSY while others add.
 * A killed holder has released it. Fd or negative.
 */
int store_lock(int store_fd, bool alone);

/* Makes `latest` the trace of that name ("ID.sworn"); NULL: nothing. Whole at any time. 0 or -errno. */
int store_point_latest(int store_fd, const char *name);
/* Name of the trace that `latest` is ("ID.sworn"), of at most `size` - 1 bytes. 0, SWORN_ENOTRACE, or -errno. */
int store_latest(int store_fd, char *ret_name, size_t size);
/*
 * Makes the store that tenant's, if it is nobody's yet, before something is written into it: a store never has traces or blobs
 * of two tenants. 0; SWORN_ETENANT when it is another one's; -errno.
 */
int store_claim(int store_fd, const uint8_t tenant[16]);

/* Opens a trace for reading: NULL or "@latest" is the store's latest, another "@NAME" a trace of the
 * store (the beginning of its name is enough, where no other one begins so), anything else a path. *ret_name is what to call it in messages (owned, free()). */
int store_trace(int store_fd, const char *name, char **ret_name);

#endif
