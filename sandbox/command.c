#include "command.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *search_path(char *const *environment)
{
	for (; environment && *environment; environment++) {
		if (!strncmp(*environment, "PATH=", 5))
			return *environment + 5;
	}
	return "/bin:/usr/bin";
}

/* A binfmt_misc handler may run anything. */
static bool handlers_registered(void)
{
	return !access("/proc/sys/fs/binfmt_misc/status", F_OK);
}

/* A file that may be executed but not read is taken at its word. */
static int check_format(const char *path)
{
	Elf64_Ehdr head;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	memset(&head, 0, sizeof(head));
	n = read(fd, &head, sizeof(head));
	close(fd);
	if (n >= 2 && !memcmp(&head, "#!", 2))
		return 0;
	if (n == (ssize_t)sizeof(head) && !memcmp(head.e_ident, ELFMAG, SELFMAG)) {
		if (head.e_machine == EM_X86_64 && head.e_ident[EI_CLASS] == ELFCLASS64)
			return 0;
		if (head.e_machine == EM_X86_64 || head.e_machine == EM_386)
			return -ENOEXEC;
	}
	return handlers_registered() ? 0 : -ENOEXEC;
}

static int check_file(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return -EACCES;
	return 0;
}

static int search(const char *name, const char *path, char *ret_path)
{
	int r = -ENOENT;

	for (;;) {
		size_t length = strcspn(path, ":");
		int n = snprintf(ret_path, PATH_BYTES_MAX, "%.*s%s%s", (int)length, path,
				 length ? "/" : "./", name);
		int found = n >= PATH_BYTES_MAX ? -ENOENT : check_file(ret_path);

		if (!found)
			return 0;
		if (found == -EACCES)
			r = found;
		if (!path[length])
			return r;
		path += length + 1;
	}
}

int command_find(const char *name, char *const *environment, char ret_path[PATH_BYTES_MAX])
{
	char path[PATH_BYTES_MAX];
	int r;

	if (!name || !*name)
		return -ENOENT;
	if (strlen(name) >= sizeof(path))
		return -ENAMETOOLONG;
	if (strchr(name, '/')) {
		strcpy(path, name);
		r = check_file(path);
	} else {
		r = search(name, search_path(environment), path);
	}
	if (r == -ENOTDIR)
		r = -ENOENT;
	if (!r)
		r = check_format(path);
	if (!r)
		strcpy(ret_path, path);
	return r;
}
