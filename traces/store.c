#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"
#include "error.h"

#define STORE_PATH_MAX 4096
#define STORE_SUFFIX ".sworn"

static const char oci_layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
static const char oci_index[] = "{\"schemaVersion\":2,\"manifests\":[]}\n";

static int default_path(char *ret_path, size_t length)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	int n;
	/* The XDG base directory specification says to ignore a relative path. */
	if (data && data[0] == '/')
		n = snprintf(ret_path, length, "%s/sworn/store", data);
	else if (home && home[0] == '/')
		n = snprintf(ret_path, length, "%s/.local/share/sworn/store", home);
	else
		return -ENOENT;
	return n < 0 || (size_t)n >= length ? -ENAMETOOLONG : 0;
}

/* Without a name the store is the default one, whose path goes into `found`. */
static int choose_path(const char **path, char found[STORE_PATH_MAX])
{
	int r = *path ? 0 : default_path(found, STORE_PATH_MAX);
	if (r == 0 && !*path)
		*path = found;
	return r;
}

/* mkdir -p with mode 0700 for what is made. */
static int make_directories(const char *path)
{
	char part[STORE_PATH_MAX];
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof(part))
		return length ? -ENAMETOOLONG : -ENOENT;
	memcpy(part, path, length + 1);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST && access(part, F_OK) < 0)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_once(int store_fd, const char *name, const char *text)
{
	int fd = openat(store_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	int r = write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

static int fill(int store_fd)
{
	static const char *const directories[] = { "traces", "blobs", "blobs/sha256" };
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (mkdirat(store_fd, directories[i], 0700) < 0 && errno != EEXIST)
			return -errno;
	int r = write_once(store_fd, "oci-layout", oci_layout);
	return r < 0 ? r : write_once(store_fd, "index.json", oci_index);
}

int store_find(const char *path)
{
	char found[STORE_PATH_MAX];
	int r = choose_path(&path, found);
	return r < 0 ? r : open_directory(AT_FDCWD, path);
}

int store_open(const char *path)
{
	char found[STORE_PATH_MAX];
	int r = choose_path(&path, found);
	if (r < 0)
		return r;
	int fd = open_directory(AT_FDCWD, path);
	if (fd == -ENOENT) {
		r = make_directories(path);
		fd = r < 0 ? r : open_directory(AT_FDCWD, path);
	}
	if (fd < 0 || faccessat(fd, "index.json", F_OK, 0) == 0)
		return fd;
	r = fill(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int store_blobs(int store_fd)
{
	return open_directory(store_fd, "blobs/sha256");
}

static int open_trace(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_latest(int store_fd, char **ret_name)
{
	char target[STORE_PATH_MAX];
	ssize_t length = readlinkat(store_fd, "latest", target, sizeof(target) - 1);
	if (length < 0)
		return errno == ENOENT ? SWORN_ENOTRACE : -errno;
	target[length] = '\0';
	int fd = open_trace(store_fd, target);
	if (fd < 0)
		return fd == -ENOENT ? SWORN_ENOTRACE : fd;
	const char *base = strrchr(target, '/');
	if (asprintf(ret_name, "@%s", base ? base + 1 : target) < 0) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

static int open_named(int store_fd, const char *name, char **ret_name)
{
	char path[STORE_PATH_MAX];
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
		return SWORN_ENOTRACE;
	size_t length = strlen(name), suffix = strlen(STORE_SUFFIX);
	bool whole = length > suffix && !strcmp(name + length - suffix, STORE_SUFFIX);
	int n = snprintf(path, sizeof(path), "traces/%s%s", name, whole ? "" : STORE_SUFFIX);
	if (n < 0 || (size_t)n >= sizeof(path))
		return SWORN_ENOTRACE;
	int fd = open_trace(store_fd, path);
	if (fd < 0)
		return fd == -ENOENT ? SWORN_ENOTRACE : fd;
	if (asprintf(ret_name, "@%s", path + strlen("traces/")) < 0) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

int store_trace(int store_fd, const char *name, char **ret_name)
{
	if (!name || !strcmp(name, "@latest"))
		return open_latest(store_fd, ret_name);
	if (name[0] == '@')
		return open_named(store_fd, name + 1, ret_name);
	int fd = open_trace(AT_FDCWD, name);
	if (fd < 0)
		return fd;
	char *copy = strdup(name);
	if (!copy) {
		close(fd);
		return -ENOMEM;
	}
	*ret_name = copy;
	return fd;
}
