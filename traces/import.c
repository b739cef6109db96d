#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "blob.h"
#include "error.h"
#include "frame.h"
#include "place.h"
#include "store.h"
#include "report.h"
#include "stream.h"

#define COPY_BYTES (1u << 20)

/* 1 when a file of that name is there and has the same bytes, 0 when there is none. */
static int is_there(const struct import *import, const struct place *place)
{
	uint8_t theirs[DIGEST_BYTES], ours[DIGEST_BYTES];
	uint64_t bytes;
	int fd = openat(place->directory_fd, place->name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = report_digest(fd, theirs, &bytes);
	if (r == 0)
		r = report_digest(import->source_fd, ours, &bytes);
	close(fd);
	if (r < 0)
		return r;
	return digest_equal(theirs, ours) ? 1 : SWORN_EREFUSED;
}

static int copy_file(const struct import *import, int to_fd)
{
	struct frame_source source = { import->source_fd, import->report->bytes };
	uint8_t *bytes = malloc(COPY_BYTES);
	uint64_t offset = 0;
	int r = bytes ? 0 : -ENOMEM;
	while (r == 0 && offset < source.size) {
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

static int copy_blobs(const struct import *import, int to_fd)
{
	const struct index *index = &reader_found(import->source)->index;
	uint64_t size;
	for (size_t i = 0; i < index->stored_count; i++) {
		int r = import->blobs_fd < 0 ? SWORN_EBLOB
					     : blob_file_copy(import->blobs_fd, to_fd,
							      index->stored[i].name, &size);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The copy is checked, not only what it was made of. */
static int check_copy(const struct import *import, const struct place *place)
{
	struct trace_report report;
	struct reader *reader = NULL;
	int r = reader_open(place->fd, place->blobs_fd, &reader);
	if (r == 0)
		r = reader_check(reader, &report, NULL, NULL);
	reader_close(reader);
	if (r != import->expected)
		return r < 0 ? r : SWORN_EINTEGRITY;
	return digest_equal(report.seal_id, import->report->seal_id) ? 0 : SWORN_EINTEGRITY;
}

static int take(const struct import *import, struct place *place)
{
	int r = is_there(import, place);
	if (r != 0)
		return r < 0 ? r : 0;
	r = copy_blobs(import, place->blobs_fd);
	if (r == 0)
		r = copy_file(import, place->fd);
	if (r == 0)
		r = check_copy(import, place);
	if (r == 0)
		r = place_commit(place);
	return r == 0 ? 1 : r;
}

int import_trace(const struct import *import)
{
	struct place place;
	int r = store_claim(import->store_fd, import->report->tenant);
	if (r < 0)
		return r;
	r = place_open(&place, NULL, import->store_fd, import->report->archive, PLACE_NEW);
	if (r == 0)
		r = take(import, &place);
	if (r <= 0)
		place_discard(&place);
	place_release(&place);
	return r;
}
