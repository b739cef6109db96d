#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/catalog.h"
#include "../traces/error.h"
#include "../traces/store.h"
#include "verify.h"
#include "input.h"

static const char help[] =
	"usage: sworn rm [--dry-run] [--store DIR] [--unused] [@NAME...]\n"
	"\n"
	"  sworn rm --dry-run @9eab0000    what would go\n"
	"  sworn rm @9eab0000 @latest\n"
	"\n"
	"Removes traces from a store, and all blobs that no trace of it needs any more. All names have to be there, or nothing is\n"
	"removed. While somebody records into the store, or when one of its traces is damaged, it cannot be told which blobs\n"
	"are needed: they stay, and go with the next removal. What went is printed.\n"
	"\n"
	"  --dry-run      change nothing\n"
	"  --unused       only blobs, and files that a killed sworn left behind; no NAME is needed then\n"
	"  --store DIR    the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --help         print this\n"
	"\n"
	"Exits 0 removed, 2 wrong options, 3 could not be removed or is being recorded, 4 no such trace.\n";

struct options {
	const char *store;
	bool dry_run, unused;
};

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "unused", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 's': ret->store = optarg; break;
		case 'n': ret->dry_run = true; break;
		case 'u': ret->unused = true; break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return input_usage("rm", "an option lacks its value");
		default: return input_unknown("rm", argv[optind - 1]);
		}
	}
	return optind == argc && !ret->unused ? input_usage("rm", "no trace is named") : 0;
}

/* Whether the open file is the entry's. */
static bool is_entry(int store_fd, int fd, const struct catalog_entry *entry)
{
	char path[PATH_BYTES_MAX];
	struct stat wanted, found;
	snprintf(path, sizeof(path), "traces/%s", entry->file);
	return fstat(fd, &wanted) == 0 && fstatat(store_fd, path, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       wanted.st_ino == found.st_ino && wanted.st_dev == found.st_dev;
}

/* Marks the entry that `name` means. */
static enum verify_code mark(struct catalog *catalog, int store_fd, const char *name)
{
	char *found = NULL;
	int fd = store_trace(store_fd, name, &found);
	enum verify_code code = VERIFY_NOTHING;
	free(found);
	if (fd == SWORN_ENOTRACE || fd == -ENOENT)
		return input_missing("rm", store_fd, name);
	if (fd < 0)
		return input_fail("rm", name, fd);
	for (size_t i = 0; i < catalog->count; i++) {
		struct catalog_entry *entry = &catalog->entries[i];
		if (!is_entry(store_fd, fd, entry))
			continue;
		entry->leaving = true;
		code = entry->state == CATALOG_RECORDING ? VERIFY_UNKNOWN : VERIFY_OK;
	}
	close(fd);
	if (code == VERIFY_UNKNOWN)
		fprintf(stderr,
			"sworn rm: %s: it is being recorded; wait until the command has ended\n", name);
	if (code == VERIFY_NOTHING)
		fprintf(stderr,
			"sworn rm: %s: it does not lie in the store; remove the file itself\n", name);
	return code;
}

/* `latest` never names what is gone: the newest of those that stay takes its place first. */
static int move_latest(const struct catalog *catalog, int store_fd)
{
	const char *name = NULL;
	bool moves = false;
	for (size_t i = 0; i < catalog->count; i++) {
		const struct catalog_entry *entry = &catalog->entries[i];
		moves |= entry->latest && entry->leaving;
		if (!entry->leaving && (entry->state == CATALOG_SEALED || entry->state == CATALOG_PREFIX))
			name = entry->file;
	}
	return moves ? store_point_latest(store_fd, name) : 0;
}

static enum verify_code remove_traces(const struct options *options, const struct catalog *catalog,
				      int store_fd)
{
	int directory_fd = openat(store_fd, "traces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = directory_fd < 0 ? -errno : 0;
	if (r == 0 && !options->dry_run)
		r = move_latest(catalog, store_fd);
	for (size_t i = 0; i < catalog->count && r == 0; i++) {
		const struct catalog_entry *entry = &catalog->entries[i];
		if (!entry->leaving)
			continue;
		if (!options->dry_run && unlinkat(directory_fd, entry->file, 0) < 0 && errno != ENOENT)
			r = -errno;
		else
			printf("@%s\n", entry->file);
	}
	/* No blob goes before its trace is gone for good. */
	if (r == 0 && !options->dry_run && fsync(directory_fd) < 0)
		r = -errno;
	if (directory_fd >= 0)
		close(directory_fd);
	return r < 0 ? input_fail("rm", "the store", r) : VERIFY_OK;
}

static enum verify_code remove_blobs(const struct options *options, const struct catalog *catalog,
				     int store_fd)
{
	struct blob_table needed = { 0 };
	struct sweep sweep = { 0 };
	const char *file = NULL;
	int r = catalog_needed(store_fd, catalog, &needed, &file);
	if (r == 0)
		r = catalog_sweep(store_fd, &needed, options->dry_run, &sweep);
	blob_table_release(&needed);
	if (r == SWORN_EFORMAT) {
		fprintf(stderr,
			"sworn rm: all blobs stay: it cannot be told which of them @%s needs; see `sworn verify`, and "
			"remove it too if it is of no use\n",
			file);
		return VERIFY_OK;
	}
	if (r < 0)
		return input_fail("rm", file ? file : "the store", r);
	fprintf(stderr,
		"sworn rm: %s%" PRIu64 " blobs and %" PRIu64 " temporary files, %" PRIu64 " bytes\n",
		options->dry_run ? "would remove " : "", sweep.blobs, sweep.others, sweep.bytes);
	return VERIFY_OK;
}

static enum verify_code remove_all(const struct options *options, int store_fd, char **names, int count)
{
	struct catalog catalog;
	enum verify_code code = VERIFY_OK;
	/* Taken first: nobody adds anything from here on, or somebody does and all blobs stay. */
	int lock_fd = store_lock(store_fd, true);
	int r = catalog_read(store_fd, &catalog);
	if (lock_fd < 0 && lock_fd != -EBUSY)
		r = lock_fd;
	if (r < 0)
		code = input_fail("rm", "the store", r);
	for (int i = 0; i < count && r >= 0; i++)
		code = result_worse(code, mark(&catalog, store_fd, names[i]));
	if (code != VERIFY_OK && count > 1)
		fputs("sworn rm: nothing was removed\n", stderr);
	if (code == VERIFY_OK)
		code = remove_traces(options, &catalog, store_fd);
	if (code == VERIFY_OK && lock_fd < 0)
		fputs("sworn rm: somebody records into the store: all blobs stay, until the next `sworn rm`\n",
		      stderr);
	else if (code == VERIFY_OK)
		code = remove_blobs(options, &catalog, store_fd);
	catalog_release(&catalog);
	if (lock_fd >= 0)
		close(lock_fd);
	return code;
}

int cmd_rm(int argc, char **argv)
{
	struct options options = { 0 };
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	int store_fd = input_store("rm", options.store, true);
	if (store_fd < 0)
		return VERIFY_UNKNOWN;
	enum verify_code code = remove_all(&options, store_fd, argv + optind, argc - optind);
	close(store_fd);
	return (int)code;
}
