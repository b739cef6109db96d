/* Files as guests see them: numbers in the order of first sight, times of the virtual clock, owners of the domain. */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "../traces/error.h"
#include "view.h"

#define BUCKETS 4096
#define UNCHANGED_BEFORE_S 3600 /* files that no guest changed are this much older than the epoch */
#define FIRST_INODE 16
#define DISK_MAJOR 8
#define PROC_LINKS 2
#define FOREIGN_LINKS 1 /* find(1) and others take it for: not counted */
#define BLOCK_BYTES 4096ULL
#define NS_PER_S 1000000000ULL

static size_t bucket_of(const struct view *view, uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ device * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;

	return (size_t)((hash ^ hash >> 32) & (view->buckets_count - 1));
}

static int grow(struct view *view)
{
	struct view grown = *view;

	grown.buckets_count = view->buckets_count ? view->buckets_count * 4 : BUCKETS;
	grown.buckets = calloc(grown.buckets_count, sizeof(struct view_file *));
	if (!grown.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < view->buckets_count; i++) {
		struct view_file *next;

		for (struct view_file *file = view->buckets[i]; file; file = next) {
			struct view_file **bucket = &grown.buckets[bucket_of(&grown, file->device, file->inode)];

			next = file->next;
			file->next = *bucket;
			*bucket = file;
		}
	}
	free(view->buckets);
	*view = grown;
	return 0;
}

static struct timespec unchanged(const struct recorder *rec)
{
	uint64_t seconds = rec->epoch_ns / NS_PER_S;

	return (struct timespec){
		.tv_sec = (time_t)(seconds > UNCHANGED_BEFORE_S ? seconds - UNCHANGED_BEFORE_S : 0),
	};
}

struct timespec view_stamp(struct recorder *rec)
{
	uint64_t now = rec->epoch_ns + record_clock_ns(rec);

	return (struct timespec){ .tv_sec = (time_t)(now / NS_PER_S),
				  .tv_nsec = (long)(now % NS_PER_S) };
}

struct view_file *view_file_find(struct recorder *rec, uint64_t device, uint64_t inode)
{
	struct view *view = rec->view;
	struct view_file *file, **bucket;

	if (view->files_count >= view->buckets_count && grow(view) < 0)
		return NULL;
	bucket = &view->buckets[bucket_of(view, device, inode)];
	for (file = *bucket; file; file = file->next) {
		if (file->inode == inode && file->device == device)
			return file;
	}
	if (view->files_count >= VIEW_FILES_MAX)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->device = device;
	file->inode = inode;
	file->number = FIRST_INODE + view->files_count++;
	file->access = file->change = file->birth = file->modified = unchanged(rec);
	file->next = *bucket;
	*bucket = file;
	return file;
}

struct view_file *view_file_create(struct recorder *rec, const struct stat *status)
{
	size_t before = rec->view->files_count;
	struct view_file *file = view_file_find(rec, status->st_dev, status->st_ino);

	if (!file)
		return NULL;
	if (rec->view->files_count == before) {
		file->number = FIRST_INODE + rec->view->files_count++;
		sinks_forget(rec->sinks, status->st_dev, status->st_ino);
	}
	file->access = file->change = file->birth = file->modified = view_stamp(rec);
	file->timed = file->placed = true;
	file->foreign = false;
	return file;
}

static size_t find_device(struct view *view, uint64_t device)
{
	size_t i = 0;

	while (i < view->devices_count && view->devices[i].device != device)
		i++;
	if (i == view->devices_count && i < VIEW_DEVICES_MAX)
		view->devices[view->devices_count++].device = device;
	return i;
}

uint64_t view_device_number(struct view *view, uint64_t device)
{
	return makedev(DISK_MAJOR, (unsigned int)find_device(view, device) + 1);
}

/* By the table of mounts: statfs(2) would ask whoever serves the file system. */
static enum view_system ask_system(const struct thread *thread, uint64_t device)
{
	static const char *const kernel[] = { "proc",	 "sysfs",   "cgroup",	 "cgroup2",
					      "debugfs", "tracefs", "securityfs" };
	enum view_system system = SYSTEM_FILES;
	unsigned int high, low;
	char path[64], type[32], *line = NULL, *dash;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", thread->tid);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0) {
		dash = strstr(line, " - ");
		if (!dash || sscanf(line, "%*u %*u %u:%u", &high, &low) != 2 ||
		    makedev(high, low) != device || sscanf(dash, " - %31s", type) != 1)
			continue;
		if (strncmp(type, "fuse", 4) == 0)
			system = SYSTEM_SERVED;
		for (size_t i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++) {
			if (strcmp(type, kernel[i]) == 0)
				system = SYSTEM_KERNEL;
		}
	}
	free(line);
	if (file)
		fclose(file);
	return system;
}

enum view_system view_system_of(struct view *view, const struct thread *thread, uint64_t device)
{
	size_t i = find_device(view, device);

	if (i == VIEW_DEVICES_MAX)
		return ask_system(thread, device);
	if (view->devices[i].system == SYSTEM_UNKNOWN)
		view->devices[i].system = ask_system(thread, device);
	return view->devices[i].system;
}

static uint64_t size_of(uint32_t mode, uint64_t size)
{
	return S_ISDIR(mode) ? BLOCK_BYTES : size;
}

/* In blocks of 512 bytes: what the size needs. */
static uint64_t blocks_of(uint32_t mode, uint64_t size)
{
	if (S_ISREG(mode))
		return (size + BLOCK_BYTES - 1) / BLOCK_BYTES * (BLOCK_BYTES / 512);
	return S_ISDIR(mode) ? BLOCK_BYTES / 512 : 0;
}

/* The root of /proc has a link for every process of the host. */
static bool counts_processes(struct view *view, const struct thread *thread, uint64_t device)
{
	struct stat status;
	char path[64];

	if (!view->proc_device) {
		snprintf(path, sizeof(path), "/proc/%d/root/proc", thread->tid);
		view->proc_device = stat(path, &status) ? UINT64_MAX : status.st_dev;
	}
	return device == view->proc_device;
}

/* What a call of the stat family names. False when that is out of reach. */
static bool named_path(struct thread *thread, struct view_path *ret)
{
	const uint64_t *args = thread->call.args;
	bool at = thread->call.nr == SYS_newfstatat || thread->call.nr == SYS_statx;
	uint64_t flags = at ? args[thread->call.nr == SYS_statx ? 2 : 3] : 0;

	if (thread->call.nr == SYS_fstat) {
		ret->directory = (int)args[0];
		ret->text[0] = '\0';
	} else if (view_path_read(thread, at ? (int)args[0] : AT_FDCWD, args[at ? 1 : 0], ret) < 0) {
		return false;
	}
	ret->follow = thread->call.nr != SYS_lstat && !(flags & AT_SYMLINK_NOFOLLOW);
	return true;
}

/* What comes and goes with this very run: files of the kernel, and where its output goes. */
static bool is_of_the_run(struct view *view, const struct thread *thread, const struct view_file *file)
{
	for (size_t i = 0; i < 3; i++) {
		if (view->inherited[i].st_ino == file->inode && view->inherited[i].st_dev == file->device)
			return true;
	}
	return view_system_of(view, thread, file->device) != SYSTEM_FILES;
}

/*
 * Files that are not the command's own work, as installed programs and libraries, keep the time of their content
 * where that lies before the epoch: compilers and interpreters compare it with what they have noted.
 */
static void find_times(struct recorder *rec, struct thread *thread, struct view_file *file,
		       const struct timespec *modified)
{
	struct view_path path;

	if (file->timed)
		return;
	file->timed = true;
	if ((uint64_t)modified->tv_sec >= rec->epoch_ns / NS_PER_S ||
	    is_of_the_run(rec->view, thread, file) || !named_path(thread, &path) ||
	    view_path_is_below(rec->view, thread, &path, rec->view->workdir))
		return;
	file->access = file->change = file->birth = file->modified = *modified;
}

/* How many directories the host has in one that is not the command's own work changes with the day. */
static uint64_t links_of(struct recorder *rec, struct thread *thread, struct view_file *file,
			 uint64_t links)
{
	struct view_path path;

	if (counts_processes(rec->view, thread, file->device))
		return PROC_LINKS;
	if (!file->placed)
		file->foreign = view_system_of(rec->view, thread, file->device) == SYSTEM_FILES &&
				named_path(thread, &path) &&
				!view_path_is_below(rec->view, thread, &path, rec->view->workdir);
	file->placed = true;
	return file->foreign ? FOREIGN_LINKS : links;
}

static int change_stat(struct recorder *rec, struct thread *thread, uint64_t address)
{
	struct view_file *file;
	struct stat status;

	if (guest_read(thread, address, &status, sizeof(status)) != sizeof(status))
		return 0;
	file = view_file_find(rec, status.st_dev, status.st_ino);
	if (!file)
		return SWORN_ELIMIT;
	if (S_ISREG(status.st_mode))
		find_times(rec, thread, file, &status.st_mtim);
	if (S_ISDIR(status.st_mode))
		status.st_nlink = (nlink_t)links_of(rec, thread, file, status.st_nlink);
	status.st_ino = file->number;
	status.st_dev = view_device_number(rec->view, status.st_dev);
	status.st_uid = file->owner;
	status.st_gid = file->group;
	status.st_size = (off_t)size_of(status.st_mode, (uint64_t)status.st_size);
	status.st_blocks = (blkcnt_t)blocks_of(status.st_mode, (uint64_t)status.st_size);
	status.st_blksize = BLOCK_BYTES;
	status.st_atim = file->access;
	status.st_mtim = file->modified;
	status.st_ctim = file->change;
	return guest_write(thread, address, &status, sizeof(status));
}

static struct statx_timestamp stamp_of(const struct timespec *time)
{
	return (struct statx_timestamp){ .tv_sec = time->tv_sec, .tv_nsec = (uint32_t)time->tv_nsec };
}

/* What lies behind the device numbers says how this file system does its work. */
static int change_statx(struct recorder *rec, struct thread *thread, uint64_t address)
{
	struct view_file *file;
	struct statx status;
	struct timespec modified;
	uint64_t device;
	size_t known = offsetof(struct statx, stx_dev_minor) + sizeof(status.stx_dev_minor);

	if (guest_read(thread, address, &status, sizeof(status)) != sizeof(status))
		return 0;
	device = makedev(status.stx_dev_major, status.stx_dev_minor);
	file = view_file_find(rec, device, status.stx_ino);
	if (!file)
		return SWORN_ELIMIT;
	modified = (struct timespec){ status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec };
	if (S_ISREG(status.stx_mode))
		find_times(rec, thread, file, &modified);
	if (S_ISDIR(status.stx_mode))
		status.stx_nlink = (uint32_t)links_of(rec, thread, file, status.stx_nlink);
	memset((uint8_t *)&status + known, 0, sizeof(status) - known);
	device = view_device_number(rec->view, device);
	status.stx_ino = file->number;
	status.stx_dev_major = major(device);
	status.stx_dev_minor = minor(device);
	status.stx_uid = file->owner;
	status.stx_gid = file->group;
	status.stx_size = size_of(status.stx_mode, status.stx_size);
	status.stx_blocks = blocks_of(status.stx_mode, status.stx_size);
	status.stx_blksize = BLOCK_BYTES;
	status.stx_attributes = status.stx_attributes_mask = 0;
	status.stx_mask &= STATX_BASIC_STATS | STATX_BTIME;
	status.stx_atime = stamp_of(&file->access);
	status.stx_mtime = stamp_of(&file->modified);
	status.stx_ctime = stamp_of(&file->change);
	if (status.stx_mask & STATX_BTIME)
		status.stx_btime = stamp_of(&file->birth);
	return guest_write(thread, address, &status, sizeof(status));
}

int view_file_status(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;

	switch (thread->call.nr) {
	case SYS_newfstatat: return change_stat(rec, thread, args[2]);
	case SYS_statx: return change_statx(rec, thread, args[4]);
	default: return change_stat(rec, thread, args[1]);
	}
}
