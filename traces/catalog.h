/*
 * What lies in a store's traces/: one entry for each trace, as its header, its INFO and the seal at its end say. Quick,
 * and for people: nothing but those is checked. Also the blobs that all of them need.
 */
#ifndef SWORN_TRACES_CATALOG_H
#define SWORN_TRACES_CATALOG_H

#include "blob.h"
#include "info.h"
#include "seal.h"

enum catalog_state {
	CATALOG_SEALED,	    /* its seal says that it is complete */
	CATALOG_PREFIX,	    /* its seal says that the recorder ended early */
	CATALOG_REPAIRED,   /* its seal says that it was made of one that was cut off */
	CATALOG_RECORDING,  /* somebody writes it */
	CATALOG_UNFINISHED, /* it has no seal, and nobody writes it any more */
	CATALOG_DAMAGED,    /* it does not begin as a trace does */
	CATALOG_NEWER,	    /* it is of a newer format */
};

struct catalog_entry {
	char *file; /* owned: name in traces/ */
	enum catalog_state state;
	uint64_t bytes, events; /* events: 0 without a seal */
	uint8_t tenant[TENANT_ID_BYTES];
	uint8_t archive[ARCHIVE_ID_BYTES];
	uint64_t started_ns; /* Unix time; 0 where it is not known */
	struct info info;    /* owned; text is NULL where it is not known */
	bool latest;
	bool leaving; /* set by the caller: it will be removed */
};

struct catalog {
	struct catalog_entry *entries; /* owned, oldest first */
	size_t count, capacity;
};

/* "sealed", "prefix", "repaired", "recording", "unfinished", "damaged" or "newer". */
const char *catalog_state_name(enum catalog_state state);

/* Reads all; what is no trace by its name is left out. 0 or negative; release in either case. */
int catalog_read(int store_fd, struct catalog *ret_catalog);
void catalog_release(struct catalog *catalog);

/*
 * Adds the SHA-256 of every blob of the store that its traces need, those marked `leaving` aside. 0; SWORN_EFORMAT when one
 * is damaged, so that nobody knows what it needs (*ret_file, borrowed from the catalog), or another error.
 */
int catalog_needed(int store_fd, const struct catalog *catalog, struct blob_table *needed,
		   const char **ret_file);

/* What catalog_sweep() found that no trace needs. */
struct sweep {
	uint64_t blobs, bytes,
		others; /* others: temporary files that somebody left behind when he was killed */
};
/* Removes (unless `only_count`) what is not in `needed`. Only with the store's lock alone (store_lock()). 0 or -errno. */
int catalog_sweep(int store_fd, const struct blob_table *needed, bool only_count,
		  struct sweep *ret_sweep);

#endif
