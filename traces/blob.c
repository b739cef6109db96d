#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "error.h"
#include "frame.h"

static size_t slot_of(const struct blob_table *table, const uint8_t name[DIGEST_BYTES])
{
	uint64_t hash;
	memcpy(&hash, name, sizeof(hash));
	size_t slot = hash & (table->capacity - 1);
	while (!digest_is_zero(table->slots[slot].name) && !digest_equal(table->slots[slot].name, name))
		slot = (slot + 1) & (table->capacity - 1);
	return slot;
}

static int grow(struct blob_table *table)
{
	struct blob_table larger = { .capacity = table->capacity ? 2 * table->capacity : 64 };
	larger.slots = calloc(larger.capacity, sizeof(struct blob));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->capacity; i++)
		if (!digest_is_zero(table->slots[i].name))
			larger.slots[slot_of(&larger, table->slots[i].name)] = table->slots[i];
	larger.count = table->count;
	free(table->slots);
	*table = larger;
	return 0;
}

int blob_table_add(struct blob_table *table, const struct blob *blob)
{
	if (2 * (table->count + 1) > table->capacity) {
		int r = grow(table);
		if (r < 0)
			return r;
	}
	struct blob *slot = &table->slots[slot_of(table, blob->name)];
	if (!digest_is_zero(slot->name))
		return 0;
	*slot = *blob;
	table->count++;
	return 1;
}

const struct blob *blob_table_find(const struct blob_table *table, const uint8_t name[DIGEST_BYTES])
{
	if (table->count == 0 || digest_is_zero(name))
		return NULL;
	const struct blob *slot = &table->slots[slot_of(table, name)];
	return digest_is_zero(slot->name) ? NULL : slot;
}

void blob_table_release(struct blob_table *table)
{
	free(table->slots);
	*table = (struct blob_table){ 0 };
}

void blob_name(const uint8_t digest[DIGEST_BYTES], uint8_t ret_name[DIGEST_BYTES])
{
	chain_commit("blob", digest, DIGEST_BYTES, ret_name);
}

void blob_head_encode(const struct blob *blob, uint64_t chunk_offset, struct cbor_out *out)
{
	cbor_put_map(out, 3);
	cbor_put_uint(out, 0);
	cbor_put_bytes(out, blob->name, DIGEST_BYTES);
	cbor_put_uint(out, 1);
	cbor_put_uint(out, blob->size);
	cbor_put_uint(out, 2);
	cbor_put_uint(out, chunk_offset);
}

int blob_head_decode(struct cbor_in *in, struct blob *ret_blob, uint64_t *ret_chunk_offset)
{
	struct blob blob = { .size = 0 };
	uint64_t offset;
	int r = cbor_expect_map(in, 3);
	if (r < 0 || (r = cbor_expect_key(in, 0)) < 0 ||
	    (r = cbor_take_exactly(in, blob.name, DIGEST_BYTES)) < 0 ||
	    (r = cbor_expect_key(in, 1)) < 0 || (r = cbor_take_uint(in, &blob.size)) < 0 ||
	    (r = cbor_expect_key(in, 2)) < 0 || (r = cbor_take_uint(in, &offset)) < 0)
		return r;
	if (blob.size > BLOB_BYTES_MAX)
		return SWORN_ELIMIT;
	bool inside = offset < blob.size || (offset == 0 && blob.size == 0);
	if (!inside || offset % FRAME_CHUNK_BYTES || digest_is_zero(blob.name))
		return SWORN_EFORMAT;
	*ret_blob = blob;
	*ret_chunk_offset = offset;
	return 0;
}

uint64_t blob_chunk_length(uint64_t size, uint64_t chunk_offset)
{
	uint64_t rest = size - chunk_offset;
	return rest < FRAME_CHUNK_BYTES ? rest : FRAME_CHUNK_BYTES;
}

int blob_file_open(int blobs_fd, const uint8_t digest[DIGEST_BYTES], uint64_t *ret_size)
{
	char name[DIGEST_HEX_BYTES];
	struct stat status;
	digest_hex(digest, name);
	int fd = openat(blobs_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? SWORN_EBLOB : -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return SWORN_EBLOB;
	}
	*ret_size = (uint64_t)status.st_size;
	return fd;
}

static void temporary_name(const struct blob_file *file, char *ret_name, size_t length)
{
	char name[DIGEST_HEX_BYTES];
	digest_hex(file->digest, name);
	snprintf(ret_name, length, ".%s.%d", name, (int)getpid());
}

int blob_file_create(int blobs_fd, const uint8_t digest[DIGEST_BYTES], uint64_t size,
		     struct blob_file *ret_file)
{
	char name[DIGEST_HEX_BYTES + 16];
	struct blob_file file = { .fd = -1 };
	uint64_t found;
	int fd = blob_file_open(blobs_fd, digest, &found);
	if (fd >= 0)
		close(fd);
	*ret_file = file;
	if (fd >= 0 && found == size)
		return 1;
	memcpy(file.digest, digest, DIGEST_BYTES);
	temporary_name(&file, name, sizeof(name));
	file.fd = openat(blobs_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file.fd < 0)
		return -errno;
	*ret_file = file;
	return 0;
}

int blob_file_commit(int blobs_fd, struct blob_file *file)
{
	char name[DIGEST_HEX_BYTES], temporary[DIGEST_HEX_BYTES + 16];
	digest_hex(file->digest, name);
	temporary_name(file, temporary, sizeof(temporary));
	int r = fdatasync(file->fd) < 0 ? -errno : 0;
	if (r == 0 && renameat(blobs_fd, temporary, blobs_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		blob_file_abandon(blobs_fd, file);
		return r;
	}
	close(file->fd);
	file->fd = -1;
	return 0;
}

void blob_file_abandon(int blobs_fd, struct blob_file *file)
{
	char temporary[DIGEST_HEX_BYTES + 16];
	if (file->fd < 0)
		return;
	temporary_name(file, temporary, sizeof(temporary));
	unlinkat(blobs_fd, temporary, 0);
	close(file->fd);
	file->fd = -1;
}

/* All that can be read of `fd` into the file; SWORN_EBLOB when that is not what the file's name says. */
static int copy_into(struct blob_file *file, int fd)
{
	uint8_t found[DIGEST_BYTES];
	struct digest digest = { 0 };
	uint8_t *bytes = malloc(FRAME_CHUNK_BYTES);
	ssize_t n = 0;
	int r = bytes ? digest_init(&digest) : -ENOMEM;
	while (r == 0 && (n = read(fd, bytes, FRAME_CHUNK_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			break;
		}
		digest_append(&digest, bytes, (size_t)n);
		r = write_all(file->fd, bytes, (size_t)n);
	}
	if (r == 0)
		digest_end(&digest, found);
	digest_release(&digest);
	free(bytes);
	return r == 0 && !digest_equal(found, file->digest) ? SWORN_EBLOB : r;
}

int blob_file_copy(int from_fd, int to_fd, const uint8_t digest[DIGEST_BYTES], uint64_t *ret_size)
{
	struct blob_file file = { .fd = -1 };
	uint64_t size;
	int fd = blob_file_open(from_fd, digest, &size);
	if (fd < 0)
		return fd;
	int r = size > BLOB_BYTES_MAX ? SWORN_ELIMIT : blob_file_create(to_fd, digest, size, &file);
	if (r == 0)
		r = copy_into(&file, fd);
	if (r == 0 && file.fd >= 0)
		r = blob_file_commit(to_fd, &file);
	blob_file_abandon(to_fd, &file);
	close(fd);
	if (r < 0)
		return r;
	*ret_size = size;
	return 0;
}

int write_all(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;
	while (length > 0) {
		ssize_t n = write(fd, next, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		next += n;
		length -= (size_t)n;
	}
	return 0;
}
