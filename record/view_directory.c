/*
 * Directories in the order of names. A listing is taken whole at the first read after the start, and further reads are
 * answered from it, so that what changes in between shows at the next rewind only. The position that the kernel keeps for
 * the open file names listing and place, so it is shared, copied and moved with lseek(2) as any other.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../traces/error.h"
#include "view.h"

#define CHUNK_BYTES 65536
#define REPLY_BYTES_MAX (1U << 20)
#define HEAD_BYTES 19 /* of a struct linux_dirent64, before the name */
#define OLD_HEAD_BYTES 18

struct name {
	uint64_t inode; /* as the host numbers it */
	uint8_t type;
	char text[]; /* zero at the end */
};

struct view_listing {
	uint64_t device, inode;
	uint64_t first; /* position of the first name; the end is `count` further */
	size_t count, capacity, bytes;
	struct name **names;
	bool ended; /* somebody read it to its end */
	struct view_listing *next;
};

static void listing_free(struct view_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->names[i]);
	free(listing->names);
	free(listing);
}

void view_listings_release(struct view *view)
{
	struct view_listing *next;

	for (struct view_listing *listing = view->listings; listing; listing = next) {
		next = listing->next;
		listing_free(listing);
	}
	view->listings = NULL;
}

static int add_name(struct view_listing *listing, const struct dirent64 *entry)
{
	size_t length = strlen(entry->d_name) + 1;
	struct name *name;

	if (listing->count == listing->capacity) {
		size_t capacity = listing->capacity ? listing->capacity * 2 : 32;
		struct name **grown = reallocarray(listing->names, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		listing->names = grown;
		listing->capacity = capacity;
	}
	name = malloc(sizeof(*name) + length);
	if (!name)
		return -ENOMEM;
	name->inode = entry->d_ino;
	name->type = entry->d_type;
	memcpy(name->text, entry->d_name, length);
	listing->names[listing->count++] = name;
	listing->bytes += sizeof(*name) + length;
	return 0;
}

static int compare(const void *left, const void *right)
{
	return strcmp((*(struct name *const *)left)->text, (*(struct name *const *)right)->text);
}

/* All names behind the descriptor's position. 0 or -errno. */
static int read_names(struct view_listing *listing, int fd)
{
	static char chunk[CHUNK_BYTES] __attribute__((aligned(8)));
	long n;

	while ((n = syscall(SYS_getdents64, fd, chunk, sizeof(chunk))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(chunk + at);
			int r = add_name(listing, entry);

			if (r < 0)
				return r;
			if (listing->bytes > VIEW_NAMES_BYTES_MAX)
				return SWORN_ELIMIT;
			at += entry->d_reclen;
		}
	}
	if (n < 0)
		return -errno;
	if (listing->count)
		qsort(listing->names, listing->count, sizeof(*listing->names), compare);
	return 0;
}

/* Listings that were read to their end go first; nobody but seekdir(3) comes back to them. */
static void make_room(struct view *view)
{
	for (int pass = 0; pass < 2 && view->names_bytes > VIEW_NAMES_BYTES_MAX / 4; pass++) {
		struct view_listing **link = &view->listings;

		while (*link) {
			struct view_listing *listing = *link;

			if (pass == 0 && !listing->ended) {
				link = &listing->next;
				continue;
			}
			*link = listing->next;
			view->names_bytes -= listing->bytes;
			listing_free(listing);
		}
	}
}

static int take_listing(struct recorder *rec, int fd, const struct stat *status,
			struct view_listing **ret)
{
	struct view *view = rec->view;
	struct view_listing *listing = calloc(1, sizeof(*listing));
	int r = listing ? read_names(listing, fd) : -ENOMEM;

	if (r < 0) {
		if (listing)
			listing_free(listing);
		return r;
	}
	listing->device = status->st_dev;
	listing->inode = status->st_ino;
	listing->first = view->positions + 1;
	view->positions += listing->count + 1;
	view->names_bytes += listing->bytes;
	make_room(view);
	listing->next = view->listings;
	view->listings = listing;
	*ret = listing;
	return 0;
}

static struct view_listing *find_listing(const struct view *view, const struct stat *status,
					 uint64_t position)
{
	struct view_listing *listing = view->listings;

	while (listing && (listing->device != status->st_dev || listing->inode != status->st_ino ||
			   position < listing->first || position > listing->first + listing->count))
		listing = listing->next;
	return listing;
}

struct reply {
	uint8_t *bytes;
	size_t length, size;
	bool old; /* getdents(2), whose type is the last byte */
};

/* False when there is no room for it. */
static bool append(struct reply *reply, const struct name *name, uint64_t number, uint64_t position)
{
	size_t head = reply->old ? OLD_HEAD_BYTES : HEAD_BYTES, text = strlen(name->text) + 1;
	size_t length = (head + text + reply->old + 7) & ~(size_t)7;
	uint8_t *at = reply->bytes + reply->length;
	uint16_t stored = (uint16_t)length;

	if (length > reply->size - reply->length)
		return false;
	memset(at, 0, length);
	memcpy(at, &number, 8);
	memcpy(at + 8, &position, 8);
	memcpy(at + 16, &stored, 2);
	memcpy(at + head, name->text, text);
	at[reply->old ? length - 1 : 18] = name->type;
	reply->length += length;
	return true;
}

/* Gives names from *position on, which moves on. The result of the call, or SWORN_E*. */
static int fill(struct recorder *rec, struct view_listing *listing, struct reply *reply,
		uint64_t *position)
{
	while (*position < listing->first + listing->count) {
		const struct name *name = listing->names[*position - listing->first];
		const struct view_file *file = view_file_find(rec, listing->device, name->inode);

		if (!file)
			return SWORN_ELIMIT;
		if (!append(reply, name, file->number, *position + 1))
			return reply->length ? (int)reply->length : -EINVAL;
		(*position)++;
	}
	listing->ended = true;
	return (int)reply->length;
}

/* The descriptor is a copy that shares its position with the guest's. 0 or negative. */
static int answer(struct recorder *rec, struct thread *thread, int fd, struct view_listing *listing)
{
	const uint64_t *args = thread->call.args;
	uint32_t size = (uint32_t)args[2] < REPLY_BYTES_MAX ? (uint32_t)args[2] : REPLY_BYTES_MAX;
	struct reply reply = { .bytes = malloc(size + 1UL), .size = size };
	uint64_t position = (uint64_t)lseek(fd, 0, SEEK_CUR);
	int64_t result;
	int r;

	reply.old = thread->call.nr == SYS_getdents;
	r = reply.bytes ? fill(rec, listing, &reply, &position) : -ENOMEM;
	result = r;
	if (reply.bytes && r >= -4095) {
		struct payload payload = { 1, DIRECTION_OUT, args[1], reply.length, reply.bytes };

		r = r > 0 ? record_give(rec, thread, &payload, &result) : 0;
		if (result > 0)
			lseek(fd, (off_t)position, SEEK_SET);
		if (r == 0)
			r = record_answer(rec, thread, result);
	}
	free(reply.bytes);
	return r;
}

int view_directory_read(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	struct view_listing *listing = NULL;
	struct stat status;
	off_t position;
	int fd, r = 0;

	if (view_fd_status(thread, (int)thread->call.args[0], &status) < 0 || !S_ISDIR(status.st_mode) ||
	    view_system_of(rec->view, thread, status.st_dev) == SYSTEM_SERVED)
		return 0;
	fd = fd_copy(thread->tid, (int)thread->call.args[0]);
	if (fd < 0)
		return 0;
	position = lseek(fd, 0, SEEK_CUR);
	if (position > 0) {
		listing = find_listing(rec->view, &status, (uint64_t)position);
	} else if (position == 0) {
		r = take_listing(rec, fd, &status, &listing);
		/* A directory that cannot be read or placed by number answers for itself. */
		if (r == 0 && lseek(fd, (off_t)listing->first, SEEK_SET) != (off_t)listing->first) {
			listing = NULL;
			lseek(fd, 0, SEEK_SET);
		}
	}
	if (listing) {
		*ret_answered = true;
		r = answer(rec, thread, fd, listing);
	} else if (r < 0 && r >= -4095) {
		r = 0;
	}
	close(fd);
	return r;
}
