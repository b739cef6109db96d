/* Shared objects: what several guests, or a guest and its calls, see at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

#define PAGE_BYTES 4096ULL
#define ENTRIES_PER_READ 512
#define SPARSE_BYTES_MIN (16ULL << 20)
/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_THERE (3ULL << 62) /* present or swapped */
#define ENTRY_FILE (1ULL << 61)

static bool is_mapped(const struct recorder *rec, uint64_t object)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		const struct mapping_table *table = &t->process->space->table;

		for (size_t i = 0; i < table->count; i++) {
			if (table->entries[i].object == object)
				return true;
		}
	}
	return false;
}

struct shared_object *shared_find(struct recorder *rec, uint64_t device, uint64_t inode)
{
	struct shared_object **link = &rec->objects, *object;

	while ((object = *link)) {
		if (object->device != device || object->inode != inode) {
			link = &object->next;
			continue;
		}
		if (object->stays || is_mapped(rec, object->number))
			return object;
		*link = object->next;
		free(object);
	}
	return NULL;
}

struct shared_object *shared_new(struct recorder *rec, uint64_t device, uint64_t inode)
{
	struct shared_object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->number = ++rec->objects_count;
	object->device = device;
	object->inode = inode;
	object->next = rec->objects;
	rec->objects = object;
	return object;
}

static uint64_t *mapped_word(struct recorder *rec, uint64_t device, uint64_t inode, uint64_t *ret_bit)
{
	uint64_t key = (inode * 0x9E3779B97F4A7C15ULL) ^ device * 0xBF58476D1CE4E5B9ULL;
	size_t bit = (size_t)(key >> 32) % (MAPPED_FILES_WORDS * 64);

	*ret_bit = 1ULL << (bit % 64);
	return &rec->mapped_files[bit / 64];
}

void shared_note_file(struct recorder *rec, struct mapping *mapping, const struct stat *status,
		      uint64_t base)
{
	uint64_t bit, *word = mapped_word(rec, status->st_dev, status->st_ino, &bit);

	*word |= bit;
	mapping->device = status->st_dev;
	mapping->inode = status->st_ino;
	mapping->base = base;
}

static bool is_of(const struct mapping *mapping, const struct shared_object *object)
{
	return mapping->backing == BACKING_BLOB && mapping->inode == object->inode &&
	       mapping->device == object->device;
}

bool shared_is_wanted(struct recorder *rec, uint64_t device, uint64_t inode)
{
	const struct shared_object key = { .device = device, .inode = inode };
	uint64_t bit, *word = mapped_word(rec, device, inode, &bit);

	if (!(*word & bit))
		return false;
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		const struct mapping_table *table = &t->process->space->table;

		for (size_t i = 0; i < table->count; i++) {
			if (is_of(&table->entries[i], &key))
				return true;
		}
	}
	return false;
}

static int piece_add(struct mapping_table *pieces, const struct mapping *m, uint64_t start,
		     uint64_t end, const struct shared_object *object)
{
	struct mapping piece = {
		.start = start,
		.end = end,
		.prot = m->prot,
		.flags = m->flags,
		.backing = BACKING_SHARED,
		.object = object->number,
		.length = object->length,
		.offset = m->base + m->offset + (start - m->start),
		.path = m->path,
	};

	memcpy(piece.digest, object->digest, DIGEST_BYTES);
	return mapping_insert(pieces, &piece);
}

/* The runs of pages of one mapping that still show the file: those that nobody has written. */
static int collect(struct mapping_table *pieces, int pagemap_fd, const struct mapping *m,
		   const struct shared_object *object)
{
	uint64_t entries[ENTRIES_PER_READ], run = m->start;
	int r = 0;

	for (uint64_t at = m->start; r == 0 && at < m->end;) {
		uint64_t wanted = (m->end - at) / PAGE_BYTES;
		ssize_t n;

		wanted = wanted < ENTRIES_PER_READ ? wanted : ENTRIES_PER_READ;
		n = pread(pagemap_fd, entries, wanted * 8, (off_t)(at / PAGE_BYTES * 8));
		if (n < 8)
			return n < 0 ? -errno : -ESRCH;
		for (size_t i = 0; r == 0 && i < (size_t)n / 8; i++, at += PAGE_BYTES) {
			if (!(entries[i] & ENTRY_THERE) || (entries[i] & ENTRY_FILE))
				continue;
			if (run < at)
				r = piece_add(pieces, m, run, at, object);
			run = at + PAGE_BYTES;
		}
	}
	return r == 0 && run < m->end ? piece_add(pieces, m, run, m->end, object) : r;
}

/* Moves one space's mappings of the file over to the object, and says so in the trace. */
static int adopt_space(struct recorder *rec, struct thread *target, struct event *event,
		       const struct shared_object *object)
{
	struct mapping_table *table = &target->process->space->table;
	struct mapping_table pieces = { 0 };
	char path[64];
	int fd = -1, r = 0;

	for (size_t i = 0; r == 0 && i < table->count; i++) {
		if (!is_of(&table->entries[i], object))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/pagemap", target->tid);
		if (fd < 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : collect(&pieces, fd, &table->entries[i], object);
	}
	if (fd >= 0)
		close(fd);
	for (size_t done = 0; r == 0 && done < pieces.count;) {
		size_t rest = pieces.count - done;

		event->memory.target = target->number;
		event->mappings = pieces.entries + done;
		event->mappings_count = rest < EVENT_MAPPINGS_MAX ? rest : EVENT_MAPPINGS_MAX;
		r = record_event(rec, event);
		done += event->mappings_count;
	}
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		r = mapping_insert(table, &pieces.entries[i]);
	mapping_release(&pieces);
	return r;
}

/* A large file that is mostly holes: reading, hashing and keeping those would cost as much as if they were bytes. */
static bool is_sparse(int fd, uint64_t *ret_length)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return false;
	*ret_length = (uint64_t)status.st_size;
	return *ret_length >= SPARSE_BYTES_MIN && (uint64_t)status.st_blocks * 512 < *ret_length / 4;
}

/* Begins with zeros, and tells what is between the holes. */
static int tell_data(struct recorder *rec, struct thread *thread, const struct mapping *whole, int fd)
{
	struct event event = { .kind = EVENT_MEMORY, .thread = thread->number };
	off_t from = 0, to;
	int r = 0;

	event.nr = thread->call.nr;
	event.ip = thread->call.ip;
	event.memory.object = whole->object;
	event.memory.length = whole->length;
	while (r == 0 && (from = lseek(fd, from, SEEK_DATA)) >= 0) {
		to = lseek(fd, from, SEEK_HOLE);
		if (to <= from)
			return to < 0 ? -errno : -EIO;
		r = record_file_range(rec, &event, fd, (uint64_t[2]){ (uint64_t)from, (uint64_t)to });
		from = to;
	}
	return r < 0 || errno == ENXIO ? r : -errno;
}

int shared_begin(struct recorder *rec, struct thread *thread, struct shared_object *object, int fd)
{
	struct mapping whole = { .backing = BACKING_SHARED, .object = object->number };
	int r = is_sparse(fd, &whole.length) ? tell_data(rec, thread, &whole, fd)
					     : record_content(rec, fd, &whole, 0);

	if (r < 0)
		return r;
	object->length = whole.length;
	memcpy(object->digest, whole.digest, DIGEST_BYTES);
	return shared_adopt(rec, thread, object);
}

int shared_adopt(struct recorder *rec, struct thread *thread, const struct shared_object *object)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		struct event event = { .kind = EVENT_MEMORY, .thread = thread->number };
		int r;

		if (t->record->exiting || t->stand == STAND_GONE)
			continue;
		event.nr = thread->call.nr;
		event.ip = thread->call.ip;
		event.memory.object = object->number;
		event.memory.length = object->length;
		r = adopt_space(rec, t, &event, object);
		if (r < 0)
			return r;
	}
	return 0;
}
