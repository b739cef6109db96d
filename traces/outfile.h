/*
 * A file that is written whole or not at all: under a temporary name beside its own, made durable, renamed.
 */
#ifndef SWORN_TRACES_OUTFILE_H
#define SWORN_TRACES_OUTFILE_H

#include <stddef.h>
#include <sys/types.h>

struct outfile {
	int fd;			/* to be written to */
	char *path, *temporary; /* owned */
};

/* Creates the temporary file beside `path`. 0 or -errno; then one of the other two. */
int outfile_open(struct outfile *file, const char *path, mode_t mode);
/* Makes it durable and gives it its name, in the place of another file. 0 or -errno. */
int outfile_commit(struct outfile *file);
/* Removes it. */
void outfile_abandon(struct outfile *file);

/* All of it at once. */
int outfile_write(const char *path, const void *bytes, size_t length, mode_t mode);

#endif
