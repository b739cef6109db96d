#include "home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int home_path(const char *name, char *ret_path, size_t size)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	const char *slash = *name ? "/" : "";
	int n;
	/* The XDG base directory specification says to ignore a relative path. */
	if (data && data[0] == '/')
		n = snprintf(ret_path, size, "%s/sworn%s%s", data, slash, name);
	else if (home && home[0] == '/')
		n = snprintf(ret_path, size, "%s/.local/share/sworn%s%s", home, slash, name);
	else
		return -ENOENT;
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int home_make(const char *path)
{
	char part[HOME_PATH_MAX];
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
