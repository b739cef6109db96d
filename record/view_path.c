/* Paths as a guest means them, looked up from outside: by its root directory and its own mounts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "view.h"

/* What a link of the guest's in /proc names. Bytes, 0 when it is too long, or -errno. */
static ssize_t read_link(const struct thread *thread, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", thread->tid, name);
	n = readlink(path, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return n < (ssize_t)size - 1 ? n : 0;
}

/* Takes the guest's root directory off the front of a name. 0 or negative. */
static int below_root(const struct thread *thread, char *name)
{
	char root[PATH_BYTES_MAX];
	ssize_t length = read_link(thread, "root", root, sizeof(root));

	if (length <= 0)
		return -ENOENT;
	if (length == 1)
		return 0;
	if (strncmp(name, root, (size_t)length) != 0)
		return -ENOENT;
	memmove(name, name + length, strlen(name + length) + 1);
	return 0;
}

int view_path_of(const struct thread *thread, int file, char ret[PATH_BYTES_MAX])
{
	char name[32];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	n = readlink(name, ret, PATH_BYTES_MAX - 1);
	if (n <= 0)
		return -ENOENT;
	ret[n] = '\0';
	return below_root(thread, ret);
}

/* Where relative paths begin, as the guest's root directory has it. 0 or negative. */
static int read_base(const struct thread *thread, int directory, char *ret, size_t size)
{
	char name[32] = "cwd";

	if (directory != AT_FDCWD)
		snprintf(name, sizeof(name), "fd/%d", directory);
	return read_link(thread, name, ret, size) <= 0 ? -ENOENT : below_root(thread, ret);
}

/* Without asking whoever serves the file system: that may be a guest, which stands still now. */
static int status_of(int directory, const char *path, struct stat *ret)
{
	const unsigned int mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID |
				  STATX_INO;
	struct statx status;

	if (statx(directory, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, mask, &status))
		return -errno;
	*ret = (struct stat){
		.st_dev = makedev(status.stx_dev_major, status.stx_dev_minor),
		.st_ino = status.stx_ino,
		.st_mode = status.stx_mode,
		.st_nlink = status.stx_nlink,
		.st_uid = status.stx_uid,
		.st_gid = status.stx_gid,
	};
	return 0;
}

int view_fd_status(const struct thread *thread, int fd, struct stat *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, fd);
	return fd < 0 ? -EBADF : status_of(AT_FDCWD, path, ret);
}

/* Opens it for its name and status alone. The descriptor or -errno. */
static int open_path(const struct thread *thread, const struct view_path *path, bool cached)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	char full[2 * PATH_BYTES_MAX + 1] = "", name[64];
	int root, fd, r;
	size_t used;

	if (path->text[0] != '/') {
		r = read_base(thread, path->directory, full, PATH_BYTES_MAX);
		if (r < 0)
			return r;
	}
	used = strlen(full);
	snprintf(full + used, sizeof(full) - used, "%s%s", path->text[0] ? "/" : "", path->text);
	/* What the call itself has looked up is at hand; more could be asked of a guest. */
	if (cached)
		how.resolve |= RESOLVE_CACHED;
	if (!path->follow)
		how.flags |= O_NOFOLLOW;
	snprintf(name, sizeof(name), "/proc/%d/root", thread->tid);
	root = open(name, O_PATH | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, full, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

int view_path_open(const struct thread *thread, const struct view_path *path)
{
	return open_path(thread, path, false);
}

int view_path_status(struct view *view, const struct thread *thread, const struct view_path *path,
		     struct stat *ret)
{
	int fd = open_path(thread, path, view->mounts_changed), r;

	if (fd < 0)
		return fd;
	r = status_of(fd, "", ret);
	close(fd);
	return r;
}

bool view_path_is_below(struct view *view, const struct thread *thread,
			const struct view_path *path, const char *directory)
{
	int fd = open_path(thread, path, view->mounts_changed);
	size_t length = strlen(directory);
	char name[PATH_BYTES_MAX] = "";
	bool known = fd >= 0 && view_path_of(thread, fd, name) == 0;

	if (fd >= 0)
		close(fd);
	return !known || (strncmp(name, directory, length) == 0 &&
			  (name[length] == '/' || name[length] == '\0' || length == 1));
}

int view_path_read(struct thread *thread, int directory, uint64_t address, struct view_path *ret)
{
	size_t n = guest_read(thread, address, ret->text, sizeof(ret->text));

	if (!memchr(ret->text, 0, n))
		return -ENAMETOOLONG;
	ret->directory = directory;
	ret->follow = false;
	return 0;
}

void view_path_parent(struct view_path *path)
{
	size_t length = strlen(path->text);

	while (length > 1 && path->text[length - 1] == '/')
		length--;
	while (length > 0 && path->text[length - 1] != '/')
		length--;
	if (length == 0)
		path->text[length++] = '.';
	path->text[length] = '\0';
	path->follow = true;
}
