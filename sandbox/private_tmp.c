#include "private_tmp.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/event.h"

static const char *const places[] = { "/tmp", "/var/tmp" };
#define PLACES (sizeof(places) / sizeof(places[0]))

bool private_tmp_covers(const char *path)
{
	for (size_t i = 0; i < PLACES; i++) {
		size_t length = strlen(places[i]);

		if (strncmp(path, places[i], length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

int private_tmp_show(void)
{
	static char here[PATH_BYTES_MAX];
	struct stat status;

	if (!getcwd(here, sizeof(here)))
		return -errno;
	if (private_tmp_covers(here))
		return -EXDEV;
	for (size_t i = 0; i < PLACES; i++) {
		/* A link leads to the other one, or to a place that is somebody else's. */
		if (lstat(places[i], &status) || !S_ISDIR(status.st_mode))
			continue;
		if (mount("sworn-tmp", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
			return -errno;
	}
	return 0;
}
