#include "trail.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"
#include "error.h"
#include "outfile.h"

#define COPY_BYTES (1u << 20)

/* The name of the open file, if it still is its name. 0 or -EBUSY. */
static int name_of(int fd, char ret_path[PATH_MAX], struct stat *ret_status)
{
	char link[64];
	struct stat named;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, ret_path, PATH_MAX - 1);
	if (n < 0 || fstat(fd, ret_status) < 0)
		return -errno;
	ret_path[n] = '\0';
	if (lstat(ret_path, &named) < 0 || named.st_dev != ret_status->st_dev ||
	    named.st_ino != ret_status->st_ino)
		return -EBUSY;
	return 0;
}

bool trail_is_current(int fd)
{
	char path[PATH_MAX];
	struct stat status;
	return name_of(fd, path, &status) == 0;
}

static int copy(const struct trail *trail, int to_fd)
{
	struct frame_source source = { trail->fd, trail->report->bytes };
	uint8_t *bytes = malloc(COPY_BYTES);
	int r = bytes ? 0 : -ENOMEM;
	for (uint64_t offset = 0; r == 0 && offset < source.size;) {
		uint64_t left = source.size - offset;
		size_t length = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
		r = frame_pread(&source, offset, bytes, length);
		if (r == 0)
			r = write_all(to_fd, bytes, length);
		offset += length;
	}
	free(bytes);
	return r == SWORN_ETRUNCATED ? SWORN_EINTEGRITY : r;
}

static int append(const struct trail *trail, int to_fd)
{
	uint8_t head[FRAME_HEAD_BYTES];
	frame_head(FRAME_TRAILER, trail->length, head);
	int r = copy(trail, to_fd);
	if (r == 0)
		r = write_all(to_fd, head, sizeof(head));
	return r == 0 ? write_all(to_fd, trail->trailer, trail->length) : r;
}

/* Reads what was made, as anybody will. */
static int check(const struct trail *trail, int fd)
{
	struct reader *reader = NULL;
	struct trace_report report;
	int r = reader_open(fd, trail->blobs_fd, &reader);
	if (r == 0)
		r = reader_check(reader, &report, NULL, NULL);
	reader_close(reader);
	if (r < 0)
		return r;
	bool same = digest_equal(report.seal_id, trail->report->seal_id) &&
		    report.bytes == trail->report->bytes + FRAME_HEAD_BYTES + trail->length;
	return same ? 0 : SWORN_EINTEGRITY;
}

int trail_append(const struct trail *trail)
{
	char path[PATH_MAX];
	struct stat status;
	struct outfile file;
	int r = name_of(trail->fd, path, &status);
	if (r == 0)
		r = outfile_open(&file, path, status.st_mode & 07777);
	if (r < 0)
		return r;
	if ((status.st_uid != geteuid() || status.st_gid != getegid()) &&
	    fchown(file.fd, status.st_uid, status.st_gid) < 0)
		r = -errno;
	if (r == 0)
		r = append(trail, file.fd);
	if (r == 0)
		r = check(trail, file.fd);
	if (r == 0)
		return outfile_commit(&file);
	outfile_abandon(&file);
	return r;
}
