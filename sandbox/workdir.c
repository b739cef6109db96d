#include "workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../traces/event.h"

#define STAGE "/proc" /* a directory that every host has, and whose content is at hand as a mount */
#define CHUNK_BYTES 32768

static int attach(int tree, const char *path)
{
	int r = syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) ? -errno : 0;

	close(tree);
	return r;
}

static int clone_tree(const char *path)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
				OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	return tree < 0 ? -errno : tree;
}

/* One entry of the root directory in the new one. What cannot be read is out of the guest's reach as well. */
static int show_entry(const char *name, int staged)
{
	char from[NAME_MAX + 2], to[NAME_MAX + sizeof(STAGE) + 2], target[PATH_BYTES_MAX];
	struct stat status;
	ssize_t n;
	int fd;

	snprintf(from, sizeof(from), "/%s", name);
	snprintf(to, sizeof(to), STAGE "/%s", name);
	if (strcmp(from, STAGE) == 0)
		return mkdir(to, 0755) ? -errno : attach(staged, to);
	if (lstat(from, &status))
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (S_ISLNK(status.st_mode)) {
		n = readlink(from, target, sizeof(target) - 1);
		if (n < 0)
			return -errno;
		target[n] = '\0';
		return symlink(target, to) ? -errno : 0;
	}
	if (S_ISDIR(status.st_mode)) {
		if (mkdir(to, 0755))
			return -errno;
	} else {
		fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL) ? -errno : 0;
}

static int show_entries(int root, int staged)
{
	static char chunk[CHUNK_BYTES] __attribute__((aligned(8)));
	long n;

	while ((n = syscall(SYS_getdents64, root, chunk, sizeof(chunk))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(chunk + at);
			int r = 0;

			if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
				r = show_entry(entry->d_name, staged);
			if (r)
				return r;
			at += entry->d_reclen;
		}
	}
	return n < 0 ? -errno : 0;
}

/* Goes into the new root directory, which is mounted on STAGE, for good. */
static int enter_root(void)
{
	if (chdir(STAGE))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", "."))
		return umount2(".", MNT_DETACH) || chdir("/") ? -errno : 0;
	return chroot(".") ? -errno : 0;
}

static int replace_root(const char *at, int directory)
{
	char path[PATH_BYTES_MAX + sizeof(STAGE)];
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), staged, r;

	if (root < 0)
		return -errno;
	staged = clone_tree(STAGE);
	r = staged < 0 ? staged : mount("sworn-root", STAGE, "tmpfs", 0, "mode=0755") ? -errno : 0;
	if (!r)
		r = show_entries(root, staged);
	close(root);
	if (r)
		return r;
	snprintf(path, sizeof(path), STAGE "%s", at);
	if (mkdir(path, 0755))
		return -errno;
	r = attach(directory, path);
	if (!r && mount(NULL, STAGE, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		r = -errno;
	return r ? r : enter_root();
}

int workdir_show(const char *at)
{
	int directory = clone_tree(".");
	struct stat status;
	int r;

	if (directory < 0)
		return directory;
	r = stat(at, &status) ? replace_root(at, directory) : attach(directory, at);
	if (r)
		return r;
	return chdir(at) ? -errno : 0;
}
