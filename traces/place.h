/*
 * Where a trace file comes to be: beside the path that a user named, or in a store. It is written under a
 * temporary name, with a lock on it, and takes its own name only when it is whole and durable; what a
 * kill leaves behind is the temporary file. Used by the writer and by whoever makes one trace of another.
 */
#ifndef SWORN_TRACES_PLACE_H
#define SWORN_TRACES_PLACE_H

#include "seal.h"

#define PLACE_PARTIAL ".partial" /* a recording: after a kill it is worth keeping */
#define PLACE_NEW ".new"	 /* a copy: after a kill it is worth nothing */

struct place {
	int fd;		  /* owned: of the temporary file */
	int directory_fd; /* owned: where the trace file is */
	int store_fd;	  /* owned, -1 beside a path */
	int blobs_fd;	  /* owned, likewise */
	int lock_fd;	  /* owned, likewise: keeps others from removing blobs */
	char *path;	  /* owned: what people call it */
	char *name;	  /* owned: of the file in its directory */
	char *temporary;  /* owned: likewise, while it is written */
};

/* Nothing open yet; place_release() is harmless on it. */
#define PLACE_NONE \
	((struct place){ .fd = -1, .directory_fd = -1, .store_fd = -1, .blobs_fd = -1, .lock_fd = -1 })

/*
 * Makes the empty temporary file, NAME and `suffix`, beside `path`, or, when that is NULL, in the store, named
 * after the archive's `id`. 0; -EBUSY while somebody else writes it, -EISDIR or -EEXIST where no regular file is
 * in the way, other -errno. Release in either case.
 */
int place_open(struct place *place, const char *path, int store_fd,
	       const uint8_t id[ARCHIVE_ID_BYTES], const char *suffix);

/* Makes the file durable and gives it its name, in place of a file that had it. 0 or -errno. */
int place_commit(struct place *place);

/* Removes the temporary file. */
void place_discard(struct place *place);

void place_release(struct place *place);

#endif
