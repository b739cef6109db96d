#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"

static void release(struct outfile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	free(file->path);
	free(file->temporary);
	file->path = file->temporary = NULL;
}

int outfile_open(struct outfile *file, const char *path, mode_t mode)
{
	struct stat there;
	*file = (struct outfile){ .fd = -1 };
	/* Neither a directory nor a device gives way to a file. */
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return S_ISDIR(there.st_mode) ? -EISDIR : -EEXIST;
	file->path = strdup(path);
	if (!file->path || asprintf(&file->temporary, "%s.XXXXXX", path) < 0) {
		file->temporary = NULL;
		release(file);
		return -ENOMEM;
	}
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	int r = file->fd < 0 ? -errno : 0;
	if (r == 0 && fchmod(file->fd, mode) < 0) {
		r = -errno;
		unlink(file->temporary);
	}
	if (r < 0)
		release(file);
	return r;
}

int outfile_commit(struct outfile *file)
{
	int r = fsync(file->fd) < 0 && errno != EINVAL ? -errno : 0;
	if (r == 0 && rename(file->temporary, file->path) < 0)
		r = -errno;
	if (r < 0)
		unlink(file->temporary);
	release(file);
	return r;
}

void outfile_abandon(struct outfile *file)
{
	if (file->temporary)
		unlink(file->temporary);
	release(file);
}

int outfile_write(const char *path, const void *bytes, size_t length, mode_t mode)
{
	struct outfile file;
	int r = outfile_open(&file, path, mode);
	if (r < 0)
		return r;
	r = write_all(file.fd, bytes, length);
	if (r == 0)
		return outfile_commit(&file);
	outfile_abandon(&file);
	return r;
}
