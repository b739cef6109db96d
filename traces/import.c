#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"
#include "error.h"
#include "frame.h"
#include "place.h"
#include "store.h"
#include "stream.h"

#define COPY_BYTES (1u << 20)

/* 1 when both files begin with the same `length` bytes, else 0. */
static int begin_alike(int fd, int other_fd, uint64_t length)
{
	const struct frame_source a = { .fd = fd }, b = { .fd = other_fd };
	uint8_t *bytes = malloc(2 * COPY_BYTES);
	int r = bytes ? 0 : -ENOMEM;
	bool same = true;
	for (uint64_t offset = 0; r == 0 && same && offset < length; offset += COPY_BYTES) {
		size_t n = length - offset < COPY_BYTES ? (size_t)(length - offset) : COPY_BYTES;
		r = frame_pread(&a, offset, bytes, n);
		if (r == 0)
			r = frame_pread(&b, offset, bytes + COPY_BYTES, n);
		same = r == 0 && memcmp(bytes, bytes + COPY_BYTES, n) == 0;
	}
	free(bytes);
	return r == SWORN_ETRUNCATED ? 0 : r < 0 ? r : same;
}

/* 1 when a file of that name is there and has the same bytes, 2 when it has others behind the same seal, 0 when there is none. */
static int is_there(const struct import *import, const struct place *place)
{
	const struct trace_report *report = import->report;
	struct stat theirs;
	int fd = openat(place->directory_fd, place->name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = fstat(fd, &theirs) < 0 ? -errno
				       : begin_alike(fd, import->source_fd, report->sealed_bytes);
	bool whole = r == 1 && (uint64_t)theirs.st_size == report->bytes &&
		     begin_alike(fd, import->source_fd, report->bytes) == 1;
	close(fd);
	return r < 0 ? r : r == 0 ? SWORN_EREFUSED : whole ? 1 : 2;
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
		return r < 0 ? r : r == 1 ? IMPORT_THERE : IMPORT_OTHER_TRAILERS;
	r = copy_blobs(import, place->blobs_fd);
	if (r == 0)
		r = copy_file(import, place->fd);
	if (r == 0)
		r = check_copy(import, place);
	if (r == 0)
		r = place_commit(place);
	return r == 0 ? IMPORT_TAKEN : r;
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
	if (r != IMPORT_TAKEN)
		place_discard(&place);
	place_release(&place);
	return r;
}
