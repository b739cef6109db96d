#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/array.h"
#include "../traces/error.h"

#define PAGE_BYTES 4096ULL
#define OBJECT_BYTES_MAX (1ULL << 40)
#define OBJECTS_MAX (1U << 16)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h, since 6.3 */
#endif

struct arena_slot {
	bool used;
	uint8_t digest[DIGEST_BYTES];
	struct arena_blob blob;
};

struct arena {
	int fd, read_fd;
	uint64_t end;		  /* of the committed part, bytes, page-aligned */
	struct arena_slot *slots; /* open addressing, at most half full */
	size_t capacity, count;
	bool reserved;
	uint8_t *pending; /* NULL when the reserved length is 0 */
	uint64_t pending_length;
	uint8_t nothing; /* what a reservation of 0 bytes points to */
};

struct object {
	uint64_t number, offset, length;
};

struct object_arena {
	int fd;
	uint64_t end;		/* file size */
	struct object *objects; /* ascending by number */
	size_t capacity, count;
};

static uint64_t page_round_up(uint64_t length)
{
	return (length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static bool same_file(int a, int b)
{
	struct stat left, right;

	return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

/* Text is mapped from the arena, which a file system mounted noexec refuses. */
static bool can_execute(int fd)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (page == MAP_FAILED)
		return false;
	munmap(page, PAGE_BYTES);
	return true;
}

static int open_memory(int *ret_fd, int *ret_read_fd)
{
	char path[64];
	int read_fd, fd = memfd_create("arena", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL);
	else if (errno == EINVAL)
		fd = memfd_create("arena", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read_fd < 0 || !same_file(fd, read_fd)) {
		close_fd(read_fd);
		close(fd);
		return -ENOENT;
	}
	*ret_fd = fd;
	*ret_read_fd = read_fd;
	return 0;
}

static int open_file(const char *directory, int *ret_fd, int *ret_read_fd)
{
	char path[64];
	int fd, read_fd;

	snprintf(path, sizeof(path), "%s/sworn-arena-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	read_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unlink(path);
	if (read_fd < 0 || !same_file(fd, read_fd) || !can_execute(fd)) {
		close_fd(read_fd);
		close(fd);
		return -EACCES;
	}
	*ret_fd = fd;
	*ret_read_fd = read_fd;
	return 0;
}

/* An unlinked file and a second, read-only description of it. */
static int open_backing(int *ret_fd, int *ret_read_fd)
{
	static const char *const directories[] = { "/tmp", "/var/tmp", "/dev/shm" };
	int r = open_memory(ret_fd, ret_read_fd);

	for (size_t i = 0; r < 0 && i < sizeof(directories) / sizeof(directories[0]); i++)
		r = open_file(directories[i], ret_fd, ret_read_fd);
	return r;
}

int arena_open(struct arena **ret)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	int r;

	if (!arena)
		return -ENOMEM;
	r = open_backing(&arena->fd, &arena->read_fd);
	if (r < 0) {
		free(arena);
		return r;
	}
	*ret = arena;
	return 0;
}

static void drop_pending(struct arena *arena)
{
	if (arena->pending)
		munmap(arena->pending, page_round_up(arena->pending_length));
	arena->pending = NULL;
	arena->reserved = false;
}

void arena_close(struct arena *arena)
{
	if (!arena)
		return;
	drop_pending(arena);
	for (size_t i = 0; i < arena->capacity; i++)
		if (arena->slots[i].blob.bytes)
			munmap((void *)(uintptr_t)arena->slots[i].blob.bytes,
			       page_round_up(arena->slots[i].blob.length));
	free(arena->slots);
	close(arena->fd);
	close(arena->read_fd);
	free(arena);
}

int arena_fd(const struct arena *arena)
{
	return arena->read_fd;
}

/* The slot that holds `digest`, or the free one where it belongs. */
static struct arena_slot *slot_of(struct arena_slot *slots, size_t capacity,
				  const uint8_t digest[DIGEST_BYTES])
{
	uint64_t hash;
	size_t i;

	memcpy(&hash, digest, sizeof(hash));
	for (i = hash & (capacity - 1); slots[i].used; i = (i + 1) & (capacity - 1))
		if (memcmp(slots[i].digest, digest, DIGEST_BYTES) == 0)
			break;
	return &slots[i];
}

int arena_find(const struct arena *arena, const uint8_t digest[DIGEST_BYTES], struct arena_blob *ret)
{
	const struct arena_slot *slot;

	if (arena->capacity == 0)
		return 0;
	slot = slot_of(arena->slots, arena->capacity, digest);
	if (!slot->used)
		return 0;
	*ret = slot->blob;
	return 1;
}

static int slots_reserve(struct arena *arena)
{
	size_t capacity = arena->capacity ? arena->capacity * 2 : 64;
	struct arena_slot *slots;

	if ((arena->count + 1) * 2 <= arena->capacity)
		return 0;
	slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < arena->capacity; i++)
		if (arena->slots[i].used)
			*slot_of(slots, capacity, arena->slots[i].digest) = arena->slots[i];
	free(arena->slots);
	arena->slots = slots;
	arena->capacity = capacity;
	return 0;
}

int arena_reserve(struct arena *arena, uint64_t length, uint8_t **ret_buffer)
{
	uint64_t rounded = page_round_up(length);
	void *buffer;

	if (length > OBJECT_BYTES_MAX || arena->end > ARENA_BEYOND - OBJECT_BYTES_MAX)
		return SWORN_ELIMIT;
	drop_pending(arena);
	if (length == 0) {
		*ret_buffer = &arena->nothing;
		arena->pending_length = 0;
		arena->reserved = true;
		return 0;
	}
	/* Shrinking first clears what an abandoned reservation may have left. */
	if (ftruncate(arena->fd, (off_t)arena->end) < 0 ||
	    ftruncate(arena->fd, (off_t)(arena->end + rounded)) < 0)
		return -errno;
	buffer = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, (off_t)arena->end);
	if (buffer == MAP_FAILED)
		return -errno;
	arena->pending = buffer;
	arena->pending_length = length;
	arena->reserved = true;
	*ret_buffer = buffer;
	return 0;
}

int arena_commit(struct arena *arena, const uint8_t digest[DIGEST_BYTES], struct arena_blob *ret)
{
	uint64_t rounded = page_round_up(arena->pending_length);
	struct arena_slot *slot;
	int r;

	if (!arena->reserved)
		return -EINVAL;
	if (arena_find(arena, digest, ret)) {
		drop_pending(arena);
		return 0;
	}
	r = slots_reserve(arena);
	if (r < 0)
		return r;
	if (arena->pending) {
		memset(arena->pending + arena->pending_length, 0, rounded - arena->pending_length);
		if (mprotect(arena->pending, rounded, PROT_READ) < 0)
			return -errno;
	}
	slot = slot_of(arena->slots, arena->capacity, digest);
	slot->used = true;
	memcpy(slot->digest, digest, DIGEST_BYTES);
	slot->blob = (struct arena_blob){ .offset = arena->end,
					  .length = arena->pending_length,
					  .bytes = arena->pending };
	arena->count++;
	arena->end += rounded;
	arena->pending = NULL;
	arena->reserved = false;
	*ret = slot->blob;
	return 0;
}

int object_arena_open(struct object_arena **ret)
{
	struct object_arena *arena = calloc(1, sizeof(*arena));
	int r, read_fd;

	if (!arena)
		return -ENOMEM;
	r = open_backing(&arena->fd, &read_fd);
	if (r < 0) {
		free(arena);
		return r;
	}
	close(read_fd);
	*ret = arena;
	return 0;
}

void object_arena_close(struct object_arena *arena)
{
	if (!arena)
		return;
	close(arena->fd);
	free(arena->objects);
	free(arena);
}

int object_arena_fd(const struct object_arena *arena)
{
	return arena->fd;
}

/* Index of the first object whose number is not below `number`. */
static size_t object_index(const struct object_arena *arena, uint64_t number)
{
	size_t low = 0, high = arena->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (arena->objects[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct object *object_get(const struct object_arena *arena, uint64_t number)
{
	size_t i = object_index(arena, number);

	return i < arena->count && arena->objects[i].number == number ? &arena->objects[i] : NULL;
}

static int cover(struct object_arena *arena, uint64_t end)
{
	end = page_round_up(end);
	if (end <= arena->end)
		return 0;
	if (ftruncate(arena->fd, (off_t)end) < 0)
		return -errno;
	arena->end = end;
	return 0;
}

/* Makes the range read as zeros; the kernel itself clears parts of a page. */
static int punch(struct object_arena *arena, uint64_t start, uint64_t end)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (start < end && fallocate(arena->fd, mode, (off_t)start, (off_t)(end - start)) < 0)
		return -errno;
	return 0;
}

static int write_all(int fd, const uint8_t *bytes, uint64_t length, uint64_t offset)
{
	while (length > 0) {
		ssize_t n = pwrite(fd, bytes, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		bytes += n;
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

static int objects_reserve(struct object_arena *arena)
{
	struct object *grown;

	if (arena->count >= OBJECTS_MAX)
		return SWORN_ELIMIT;
	grown = array_grow(arena->objects, arena->count, &arena->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	arena->objects = grown;
	return 0;
}

int object_create(struct object_arena *arena, uint64_t number, const uint8_t *bytes,
		  uint64_t length, uint64_t *ret_offset)
{
	uint64_t offset = arena->count * OBJECT_BYTES_MAX;
	size_t i = object_index(arena, number);
	int r;

	if (number == 0)
		return -EINVAL;
	if (length > OBJECT_BYTES_MAX)
		return SWORN_ELIMIT;
	if (object_get(arena, number))
		return -EEXIST;
	r = objects_reserve(arena);
	if (r == 0)
		r = cover(arena, offset + length);
	if (r == 0 && bytes)
		r = write_all(arena->fd, bytes, length, offset);
	if (r < 0) {
		punch(arena, offset, offset + length);
		return r;
	}
	if (i < arena->count)
		memmove(&arena->objects[i + 1], &arena->objects[i],
			(arena->count - i) * sizeof(arena->objects[0]));
	arena->objects[i] = (struct object){ number, offset, length };
	arena->count++;
	*ret_offset = offset;
	return 0;
}

int object_find(const struct object_arena *arena, uint64_t number, uint64_t *ret_offset,
		uint64_t *ret_length)
{
	const struct object *object = object_get(arena, number);

	if (!object)
		return 0;
	*ret_offset = object->offset;
	*ret_length = object->length;
	return 1;
}

int object_write(struct object_arena *arena, uint64_t number, uint64_t offset, const void *bytes,
		 size_t length)
{
	const struct object *object = object_get(arena, number);

	if (!object)
		return -ENOENT;
	if (offset > object->length || length > object->length - offset)
		return SWORN_EREFUSED;
	return write_all(arena->fd, bytes, length, object->offset + offset);
}

int object_resize(struct object_arena *arena, uint64_t number, uint64_t length)
{
	struct object *object = object_get(arena, number);
	int r;

	if (!object)
		return -ENOENT;
	if (length > OBJECT_BYTES_MAX)
		return SWORN_ELIMIT;
	if (length < object->length) {
		r = punch(arena, object->offset + length,
			  object->offset + page_round_up(object->length));
	} else {
		r = cover(arena, object->offset + length);
	}
	if (r < 0)
		return r;
	object->length = length;
	return 0;
}
