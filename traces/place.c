#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "event.h"
#include "store.h"

/* Owned by the caller, NULL without memory. */
static char *join(const char *a, const char *b)
{
	char *joined;
	return asprintf(&joined, "%s%s", a, b) < 0 ? NULL : joined;
}

static int place_beside(struct place *place, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!directory)
		return -ENOMEM;
	place->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = place->directory_fd < 0 ? -errno : 0;
	free(directory);
	place->path = strdup(path);
	place->name = strdup(slash ? slash + 1 : path);
	if (r == 0 && (!place->path || !place->name))
		r = -ENOMEM;
	return r == 0 && place->name[0] == '\0' ? -EISDIR : r;
}

static int place_in_store(struct place *place, int store_fd, const uint8_t id[ARCHIVE_ID_BYTES])
{
	char link[32], store[PATH_BYTES_MAX], hex[2 * ARCHIVE_ID_BYTES + 1];
	place->store_fd = fcntl(store_fd, F_DUPFD_CLOEXEC, 3);
	if (place->store_fd < 0)
		return -errno;
	place->lock_fd = store_lock(store_fd, false);
	if (place->lock_fd < 0)
		return place->lock_fd;
	place->blobs_fd = store_blobs(store_fd);
	if (place->blobs_fd < 0)
		return place->blobs_fd;
	place->directory_fd = openat(store_fd, "traces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->directory_fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", store_fd);
	ssize_t length = readlink(link, store, sizeof(store) - 1);
	store[length < 0 ? 0 : length] = '\0';
	hex_encode(id, ARCHIVE_ID_BYTES, hex);
	strncat(store, "/traces/", sizeof(store) - strlen(store) - 1);
	place->name = join(hex, STORE_SUFFIX);
	place->path = place->name ? join(store, place->name) : NULL;
	return place->path ? 0 : -ENOMEM;
}

/* Only a regular file gives way to a trace: neither a directory nor a device is replaced. Another writer of
 * the same name holds the lock, so the file is emptied only behind it. */
static int create(struct place *place, const char *suffix)
{
	struct stat there;

	if (fstatat(place->directory_fd, place->name, &there, 0) == 0 && !S_ISREG(there.st_mode))
		return S_ISDIR(there.st_mode) ? -EISDIR : -EEXIST;
	char *temporary = join(place->name, suffix);
	if (!temporary)
		return -ENOMEM;
	int fd = openat(place->directory_fd, temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : 0;
	if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (r == 0 && ftruncate(fd, 0) < 0)
		r = -errno;
	if (r < 0) {
		free(temporary);
		if (fd >= 0)
			close(fd);
		return r;
	}
	place->fd = fd;
	place->temporary = temporary;
	return 0;
}

int place_open(struct place *place, const char *path, int store_fd,
	       const uint8_t id[ARCHIVE_ID_BYTES], const char *suffix)
{
	*place = PLACE_NONE;
	int r = path ? place_beside(place, path) : place_in_store(place, store_fd, id);
	return r < 0 ? r : create(place, suffix);
}

int place_commit(struct place *place)
{
	if ((place->blobs_fd >= 0 && fsync(place->blobs_fd) < 0) || fsync(place->fd) < 0 ||
	    renameat(place->directory_fd, place->temporary, place->directory_fd, place->name) < 0 ||
	    fsync(place->directory_fd) < 0)
		return -errno;
	return 0;
}

void place_discard(struct place *place)
{
	if (place->temporary)
		unlinkat(place->directory_fd, place->temporary, 0);
}

void place_release(struct place *place)
{
	int fds[] = { place->fd, place->directory_fd, place->store_fd, place->blobs_fd, place->lock_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(place->path);
	free(place->name);
	free(place->temporary);
	*place = PLACE_NONE;
}
