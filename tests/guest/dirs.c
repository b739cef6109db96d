/* Directories: raw getdents64 with a small buffer, readdir, seek and rewind, entries that appear meanwhile. */
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#define FILES 200

static unsigned int seen[FILES];

static void mark(const char *name)
{
	if (name[0] != '.')
		seen[strtoul(name + 1, NULL, 10)]++;
}

static void check(const char *what)
{
	unsigned int once = 0;

	for (int i = 0; i < FILES; i++)
		once += seen[i] == 1;
	say("%s: %u of %d entries once\n", what, once, FILES);
	memset(seen, 0, sizeof(seen));
}

int main(void)
{
	char path[256], buffer[500], name[16];
	struct dirent *entry;
	long n, calls = 0;
	DIR *dir;
	int fd;

	scratch_begin(path);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		expect(fd >= 0 && close(fd) == 0);
	}
	fd = open(".", O_RDONLY | O_DIRECTORY);
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		calls++;
		for (long at = 0; at < n;) {
			struct dirent *found = (struct dirent *)(buffer + at);

			mark(found->d_name);
			at += found->d_reclen;
		}
	}
	expect(n == 0 && calls > 8);
	check("getdents64");
	expect(syscall(SYS_getdents64, fd, buffer, 4) == 0 || errno == EINVAL);
	dir = fdopendir(fd);
	rewinddir(dir);
	while ((entry = readdir(dir)))
		mark(entry->d_name);
	check("readdir");
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f')
			expect(unlink(entry->d_name) == 0);
	closedir(dir);
	expect(opendir("absent") == NULL && errno == ENOENT);
	scratch_end(path);
	return 0;
}
