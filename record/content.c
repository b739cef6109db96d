/* File content behind mappings: captured, hashed and stored once. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/error.h"
#include "recorder.h"

#define WHOLE_FILE_BYTES_MAX (256ULL << 20) /* larger files: only the part that is mapped */
#define COMPARE_BYTES (1U << 20)
#define KNOWN_SLOTS 1024

/* Where equal content was seen before. A hint only: the bytes are always compared. */
struct known {
	uint64_t device, inode, size, base;
	uint8_t digest[DIGEST_BYTES];
};

static struct known known[KNOWN_SLOTS];

static struct known *known_slot(const struct stat *status, uint64_t base)
{
	uint64_t key = (status->st_ino * 0x9E3779B97F4A7C15ULL) ^ (status->st_dev << 7) ^ base;

	return &known[(key >> 20) % KNOWN_SLOTS];
}

/* Compares the part of the file that the mapping shows: nothing else of the blob is used through it. Of a
 * shared object everything is. */
static bool same_bytes(int fd, uint64_t base, const struct mapping *mapping,
		       const struct arena_blob *blob)
{
	static uint8_t buffer[COMPARE_BYTES];
	uint64_t done = mapping->offset, end = mapping->offset + (mapping->end - mapping->start);

	if (mapping->backing == BACKING_SHARED) {
		done = 0;
		end = blob->length;
	}
	if (end > blob->length)
		end = blob->length;
	while (done < end) {
		size_t want = end - done < COMPARE_BYTES ? (size_t)(end - done) : COMPARE_BYTES;
		ssize_t n = pread(fd, buffer, want, (off_t)(base + done));

		if (n <= 0 || memcmp(buffer, blob->bytes + done, (size_t)n) != 0)
			return false;
		done += (uint64_t)n;
	}
	return true;
}

static int read_all(int fd, uint64_t base, uint8_t *buffer, uint64_t length)
{
	uint64_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, buffer + done, (size_t)(length - done), (off_t)(base + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) { /* the file shrank meanwhile */
			memset(buffer + done, 0, (size_t)(length - done));
			break;
		}
		done += (uint64_t)n;
	}
	return 0;
}

/* Reads the bytes into the arena and the trace; fills `digest`. */
static int store(struct recorder *rec, int fd, uint64_t base, uint64_t length,
		 uint8_t digest[DIGEST_BYTES])
{
	struct arena_blob blob;
	uint8_t *buffer;
	int r = arena_reserve(rec->guests.arena, length, &buffer);

	if (r < 0)
		return r;
	r = read_all(fd, base, buffer, length);
	if (r < 0)
		return r;
	SHA256(buffer, (size_t)length, digest);
	r = arena_commit(rec->guests.arena, digest, &blob);
	if (r < 0)
		return r;
	return writer_blob(rec->writer, digest, blob.bytes, (size_t)length);
}

int record_content(struct recorder *rec, int fd, struct mapping *mapping, uint64_t file_offset)
{
	struct stat status;
	struct known *slot;
	struct arena_blob blob;
	uint64_t base = 0, length;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	length = (uint64_t)status.st_size;
	if (length > WHOLE_FILE_BYTES_MAX && mapping->backing == BACKING_BLOB) {
		base = file_offset;
		length = length > base ? length - base : 0;
		if (length > mapping->end - mapping->start)
			length = mapping->end - mapping->start;
	}
	mapping->offset = file_offset - base;
	mapping->length = length;
	shared_note_file(rec, mapping, &status, base);
	slot = known_slot(&status, base);
	if (slot->device == status.st_dev && slot->inode == status.st_ino && slot->base == base &&
	    slot->size == length && arena_find(rec->guests.arena, slot->digest, &blob) == 1 &&
	    same_bytes(fd, base, mapping, &blob)) {
		memcpy(mapping->digest, slot->digest, DIGEST_BYTES);
		return 0;
	}
	r = store(rec, fd, base, length, mapping->digest);
	if (r < 0)
		return r;
	*slot = (struct known){ status.st_dev, status.st_ino, length, base, { 0 } };
	memcpy(slot->digest, mapping->digest, DIGEST_BYTES);
	return 0;
}
