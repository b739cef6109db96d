#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob.h"
#include "digest.h"
#include "error.h"
#include "home.h"

#define STORE_PATH_MAX HOME_PATH_MAX
#define STORE_SHORT_MIN 4 /* of a name that stands for a longer one */
#define STORE_LOCK "lock"
#define STORE_TENANT "tenant" /* whose it is: the id, in a file */
#define LATEST_TEMPORARY ".latest.new"

static const char oci_layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
static const char oci_index[] = "{\"schemaVersion\":2,\"manifests\":[]}\n";

/* Without a name the store is the default one, whose path goes into `found`. */
static int choose_path(const char **path, char found[STORE_PATH_MAX])
{
	int r = *path ? 0 : home_path("store", found, STORE_PATH_MAX);
	if (r == 0 && !*path)
		*path = found;
	return r;
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
		r = home_make(path);
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

/* Whether a recording before there were tenants, or one that does not say, has left something. */
static bool has_traces(int store_fd)
{
	bool found = false;
	int fd = openat(store_fd, "traces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory && fd >= 0)
		close(fd);
	for (struct dirent *entry; directory && !found && (entry = readdir(directory));)
		found = entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return found;
}

int store_claim(int store_fd, const uint8_t tenant[16])
{
	static const uint8_t zeros[16];
	char wanted[34], found[34] = { 0 };
	hex_encode(tenant, sizeof(zeros), wanted);
	strcat(wanted, "\n");
	bool is_default = !memcmp(tenant, zeros, sizeof(zeros));
	if (faccessat(store_fd, STORE_TENANT, F_OK, 0) < 0) {
		if (!is_default && has_traces(store_fd))
			return SWORN_ETENANT;
		int r = write_once(store_fd, STORE_TENANT, wanted);
		if (r < 0)
			return r;
	}
	int fd = openat(store_fd, STORE_TENANT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	ssize_t n = pread(fd, found, sizeof(found) - 1, 0);
	close(fd);
	return n == (ssize_t)strlen(wanted) && !strcmp(found, wanted) ? 0 : SWORN_ETENANT;
}

int store_blobs(int store_fd)
{
	return open_directory(store_fd, "blobs/sha256");
}

int store_blobs_beside(int trace_fd)
{
	char link[64], path[STORE_PATH_MAX + 32];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", trace_fd);
	ssize_t length = readlink(link, path, STORE_PATH_MAX);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	strcpy(slash, "/../blobs/sha256");
	return open_directory(AT_FDCWD, path);
}

static bool is_no_store(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -ELOOP;
}

int store_find_blobs(int store_fd, bool named, int trace_fd)
{
	int fd = named ? -ENOENT : store_blobs_beside(trace_fd);
	if (is_no_store(fd) && store_fd >= 0)
		fd = store_blobs(store_fd);
	return is_no_store(fd) ? -ENOENT : fd;
}

int store_lock(int store_fd, bool alone)
{
	int fd = openat(store_fd, STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;
	if (fd < 0)
		return -errno;
	do
		r = flock(fd, alone ? LOCK_EX | LOCK_NB : LOCK_SH) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == 0)
		return fd;
	close(fd);
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

int store_point_latest(int store_fd, const char *name)
{
	char target[STORE_PATH_MAX];
	int n = snprintf(target, sizeof(target), "traces/%s", name ? name : "");
	if (n < 0 || (size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	unlinkat(store_fd, LATEST_TEMPORARY, 0);
	int r = name ? symlinkat(target, store_fd, LATEST_TEMPORARY) : unlinkat(store_fd, "latest", 0);
	if (r == 0 && name)
		r = renameat(store_fd, LATEST_TEMPORARY, store_fd, "latest");
	return r < 0 || fsync(store_fd) < 0 ? -errno : 0;
}

/* A name that stays in the traces/ folder, and that is not one of the store's own. */
static bool is_plain(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

int store_latest(int store_fd, char *ret_name, size_t size)
{
	static const char folder[] = "traces/";
	char target[STORE_PATH_MAX];
	ssize_t length = readlinkat(store_fd, "latest", target, sizeof(target) - 1);
	if (length < 0)
		return errno == ENOENT ? SWORN_ENOTRACE : -errno;
	target[length] = '\0';
	const char *name = target + strlen(folder);
	if (strncmp(target, folder, strlen(folder)) || !is_plain(name) || strlen(name) >= size)
		return SWORN_ENOTRACE;
	memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}

static int open_trace(int at, const char *path, int flags)
{
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	return fd < 0 ? -errno : fd;
}

/* A file of the store's traces/: what is a link there was put there by somebody else. */
static int open_stored(int store_fd, const char *file, char **ret_name)
{
	char path[STORE_PATH_MAX];
	int n = snprintf(path, sizeof(path), "traces/%s", file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return SWORN_ENOTRACE;
	int fd = open_trace(store_fd, path, O_NOFOLLOW);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP ? SWORN_ENOTRACE : fd;
	if (asprintf(ret_name, "@%s", file) < 0) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

static int open_latest(int store_fd, char **ret_name)
{
	char name[STORE_PATH_MAX];
	int r = store_latest(store_fd, name, sizeof(name));
	return r < 0 ? r : open_stored(store_fd, name, ret_name);
}

/* The only file of traces/ that begins with the name; SWORN_ENOTRACE for none or several. */
static int find_prefix(int store_fd, const char *name, char ret_file[STORE_PATH_MAX])
{
	int fd = open_directory(store_fd, "traces"), found = 0;
	DIR *traces = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (!traces) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while ((entry = readdir(traces))) {
		if (strncmp(entry->d_name, name, strlen(name)))
			continue;
		snprintf(ret_file, STORE_PATH_MAX, "%s", entry->d_name);
		found++;
	}
	closedir(traces);
	return found == 1 ? 0 : SWORN_ENOTRACE;
}

/* The file of traces/ that a name means: NAME.sworn, NAME itself (one that is not finished), or the only one that
 * begins with NAME. */
static int find_file(int store_fd, const char *name, char ret_file[STORE_PATH_MAX])
{
	static const char *const suffixes[] = { STORE_SUFFIX, "" };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char path[STORE_PATH_MAX + 16];
		snprintf(ret_file, STORE_PATH_MAX, "%s%s", name, suffixes[i]);
		snprintf(path, sizeof(path), "traces/%s", ret_file);
		if (faccessat(store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	}
	return strlen(name) < STORE_SHORT_MIN ? SWORN_ENOTRACE : find_prefix(store_fd, name, ret_file);
}

static int open_named(int store_fd, const char *name, char **ret_name)
{
	char file[STORE_PATH_MAX];
	if (!is_plain(name) || strlen(name) >= sizeof(file) - sizeof(STORE_SUFFIX))
		return SWORN_ENOTRACE;
	int r = find_file(store_fd, name, file);
	return r < 0 ? r : open_stored(store_fd, file, ret_name);
}

int store_trace(int store_fd, const char *name, char **ret_name)
{
	if (!name || !strcmp(name, "@latest"))
		return open_latest(store_fd, ret_name);
	if (name[0] == '@')
		return open_named(store_fd, name + 1, ret_name);
	int fd = open_trace(AT_FDCWD, name, 0);
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
