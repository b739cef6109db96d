#include "catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "cursor.h"
#include "error.h"
#include "place.h"
#include "report.h"
#include "store.h"
#include "stream.h"

const char *catalog_state_name(enum catalog_state state)
{
	static const char *const names[] = {
		[CATALOG_SEALED] = "sealed",	     [CATALOG_PREFIX] = "prefix",
		[CATALOG_REPAIRED] = "repaired",     [CATALOG_RECORDING] = "recording",
		[CATALOG_UNFINISHED] = "unfinished", [CATALOG_DAMAGED] = "damaged",
		[CATALOG_NEWER] = "newer",
	};
	return names[state];
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);
	return length >= tail && !strcmp(name + length - tail, suffix);
}

static int open_traces(int store_fd, DIR **ret_directory)
{
	int fd = openat(store_fd, "traces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret_directory = fd < 0 ? NULL : fdopendir(fd);
	if (*ret_directory)
		return 0;
	int r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* What the seal at the end says, if it is one of this trace. */
static enum catalog_state read_seal(int fd, const struct cursor *cursor, struct catalog_entry *entry)
{
	struct manifest manifest;
	uint8_t id[DIGEST_BYTES];
	if (report_manifest(fd, &manifest, id) < 0 ||
	    !digest_equal(manifest.header_hash, cursor->chain.header))
		return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK ? CATALOG_RECORDING
										: CATALOG_UNFINISHED;
	entry->events = manifest.events;
	if (manifest.completeness == COMPLETE_YES)
		return CATALOG_SEALED;
	return manifest.completeness == COMPLETE_PREFIX
		       ? manifest.is_derived ? CATALOG_REPAIRED : CATALOG_PREFIX
		       : CATALOG_NEWER;
}

static enum catalog_state read_start(int fd, struct catalog_entry *entry)
{
	struct cursor cursor;
	enum catalog_state state;
	int r = cursor_open(&cursor, fd);
	if (r == 0)
		r = info_decode(cursor.frame.content, cursor.frame.content_length, &entry->info);
	if (r == 0) {
		memcpy(entry->tenant, cursor.header.tenant, sizeof(entry->tenant));
		memcpy(entry->archive, cursor.header.archive, sizeof(entry->archive));
		entry->started_ns = entry->info.info.started_utc_ns;
	}
	state = r == SWORN_EVERSION ? CATALOG_NEWER : CATALOG_DAMAGED;
	if (r == 0 || r == SWORN_ETRUNCATED)
		state = read_seal(fd, &cursor, entry);
	cursor_release(&cursor);
	return state;
}

/* 1 for an entry, 0 for what is none. */
static int read_entry(int directory_fd, const char *name, struct catalog_entry *ret_entry)
{
	struct catalog_entry entry = { .file = NULL };
	struct stat status;
	int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return 0;
	}
	entry.bytes = (uint64_t)status.st_size;
	entry.state = read_start(fd, &entry);
	close(fd);
	entry.file = strdup(name);
	if (!entry.file) {
		info_release(&entry.info);
		return -ENOMEM;
	}
	*ret_entry = entry;
	return 1;
}

static int by_start(const void *a, const void *b)
{
	const struct catalog_entry *one = a, *other = b;
	if (one->started_ns != other->started_ns)
		return one->started_ns < other->started_ns ? -1 : 1;
	return strcmp(one->file, other->file);
}

static int read_all(DIR *directory, const char *latest, struct catalog *catalog)
{
	struct dirent *found;
	while ((found = readdir(directory))) {
		struct catalog_entry entry;
		if (found->d_name[0] == '.' || ends_with(found->d_name, PLACE_NEW))
			continue;
		int r = read_entry(dirfd(directory), found->d_name, &entry);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		entry.latest = !strcmp(entry.file, latest);
		struct catalog_entry *grown = array_grow(catalog->entries, catalog->count,
							 &catalog->capacity, sizeof(entry));
		if (!grown) {
			free(entry.file);
			info_release(&entry.info);
			return -ENOMEM;
		}
		catalog->entries = grown;
		catalog->entries[catalog->count++] = entry;
	}
	return 0;
}

int catalog_read(int store_fd, struct catalog *ret_catalog)
{
	char latest[PATH_BYTES_MAX] = "";
	DIR *directory;
	*ret_catalog = (struct catalog){ .count = 0 };
	store_latest(store_fd, latest, sizeof(latest));
	int r = open_traces(store_fd, &directory);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = read_all(directory, latest, ret_catalog);
	closedir(directory);
	if (ret_catalog->count > 0)
		qsort(ret_catalog->entries, ret_catalog->count, sizeof(struct catalog_entry), by_start);
	return r;
}

void catalog_release(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++) {
		free(catalog->entries[i].file);
		info_release(&catalog->entries[i].info);
	}
	free(catalog->entries);
	*catalog = (struct catalog){ .count = 0 };
}

static int add_needed(struct blob_table *needed, const uint8_t digest[DIGEST_BYTES])
{
	struct blob blob = { .size = 0 };
	memcpy(blob.name, digest, DIGEST_BYTES);
	int r = digest_is_zero(digest) ? 0 : blob_table_add(needed, &blob);
	return r < 0 ? r : 0;
}

/* A sealed trace lists them. */
static int need_listed(int fd, struct blob_table *needed)
{
	struct index index = { 0 };
	struct cursor cursor;
	int r = cursor_open(&cursor, fd);
	cursor.skip_blobs = true;
	while (r >= 0 && (r = cursor_next(&cursor)) > 0 && cursor.frame.kind != FRAME_INDEX)
		;
	if (r > 0)
		r = index_take_stored(cursor.frame.content, cursor.frame.content_length, &index);
	for (size_t i = 0; i < index.stored_count && r >= 0; i++)
		r = add_needed(needed, index.stored[i].name);
	index_release(&index);
	cursor_release(&cursor);
	return r;
}

/* Of one without a seal the events have to be asked. */
static int need_named(int fd, struct blob_table *needed)
{
	struct blob_table in_file = { 0 };
	struct stream stream;
	struct event event;
	int r = stream_open(&stream, fd, &in_file, NULL);
	stream.cursor.skip_blobs = true;
	while (r >= 0 && (r = stream_next(&stream, &event)) > 0)
		for (size_t i = 0; i < event.mappings_count && r >= 0; i++)
			r = add_needed(needed, event.mappings[i].digest);
	stream_release(&stream);
	blob_table_release(&in_file);
	return r == SWORN_ETRUNCATED ? 0 : r;
}

static int need_entry(int directory_fd, const struct catalog_entry *entry, struct blob_table *needed)
{
	bool sealed = entry->state == CATALOG_SEALED || entry->state == CATALOG_PREFIX ||
		      entry->state == CATALOG_REPAIRED;
	if (entry->state == CATALOG_DAMAGED || entry->state == CATALOG_NEWER)
		return SWORN_EFORMAT;
	int fd = openat(directory_fd, entry->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = sealed ? need_listed(fd, needed) : need_named(fd, needed);
	close(fd);
	/* Whatever is wrong inside: what it needs is not known. */
	return r <= -5000 && r != SWORN_EFORMAT ? SWORN_EFORMAT : r;
}

int catalog_needed(int store_fd, const struct catalog *catalog, struct blob_table *needed,
		   const char **ret_file)
{
	DIR *directory;
	int r = open_traces(store_fd, &directory);
	if (r < 0)
		return r;
	for (size_t i = 0; i < catalog->count && r >= 0; i++) {
		const struct catalog_entry *entry = &catalog->entries[i];
		if (entry->leaving)
			continue;
		r = need_entry(dirfd(directory), entry, needed);
		if (r < 0)
			*ret_file = entry->file;
	}
	closedir(directory);
	return r < 0 ? r : 0;
}

static bool parse_digest(const char *name, uint8_t ret_digest[DIGEST_BYTES])
{
	char again[DIGEST_HEX_BYTES];
	for (size_t i = 0; i < 2 * DIGEST_BYTES; i++) {
		char c = name[i];
		unsigned int digit = c >= '0' && c <= '9'   ? (unsigned int)(c - '0')
				     : c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10
							    : 16;
		if (digit > 15)
			return false;
		ret_digest[i / 2] = (uint8_t)(i % 2 ? ret_digest[i / 2] | digit : digit << 4);
	}
	digest_hex(ret_digest, again);
	return !strcmp(name, again);
}

/* Counts a file, and removes it. A directory, or what else is no file of ours, stays. */
static int sweep_file(int directory_fd, const char *name, bool only_count, uint64_t *bytes)
{
	struct stat status;
	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
		return 0;
	if (!only_count && unlinkat(directory_fd, name, 0) < 0)
		return -errno;
	*bytes += (uint64_t)status.st_size;
	return 1;
}

static int sweep_blobs(DIR *directory, const struct blob_table *needed, bool only_count,
		       struct sweep *sweep)
{
	struct dirent *found;
	uint8_t digest[DIGEST_BYTES];
	while ((found = readdir(directory))) {
		const char *name = found->d_name;
		bool temporary = name[0] == '.' && strlen(name) > 2 * DIGEST_BYTES;
		if (!temporary && (!parse_digest(name, digest) || blob_table_find(needed, digest)))
			continue;
		int r = sweep_file(dirfd(directory), name, only_count, &sweep->bytes);
		if (r < 0)
			return r;
		*(temporary ? &sweep->others : &sweep->blobs) += (uint64_t)r;
	}
	return 0;
}

static int sweep_traces(DIR *directory, bool only_count, struct sweep *sweep)
{
	struct dirent *found;
	while ((found = readdir(directory))) {
		if (!ends_with(found->d_name, STORE_SUFFIX PLACE_NEW))
			continue;
		int r = sweep_file(dirfd(directory), found->d_name, only_count, &sweep->bytes);
		if (r < 0)
			return r;
		sweep->others += (uint64_t)r;
	}
	return 0;
}

int catalog_sweep(int store_fd, const struct blob_table *needed, bool only_count, struct sweep *ret_sweep)
{
	struct sweep sweep = { 0 };
	DIR *directory;
	int r = open_traces(store_fd, &directory);
	if (r < 0)
		return r;
	r = sweep_traces(directory, only_count, &sweep);
	closedir(directory);
	int fd = r < 0 ? r : store_blobs(store_fd);
	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	r = sweep_blobs(directory, needed, only_count, &sweep);
	closedir(directory);
	if (r == 0)
		*ret_sweep = sweep;
	return r;
}
