/* What kind of program an exec is about to run. */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "view.h"

/* A guest that serves files stands still while the recorder looks. */
static bool has_served_mounts(const struct thread *thread)
{
	char path[64], line[4096];
	bool served = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", thread->tid);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (!served && fgets(line, sizeof(line), file))
		served = strstr(line, " - fuse") != NULL;
	fclose(file);
	return served;
}

static int open_program(struct thread *thread)
{
	const struct call *call = &thread->call;
	bool at = call->nr == SYS_execveat;
	static struct view_path path;
	int r = view_path_read(thread, at ? (int)call->args[0] : AT_FDCWD, call->args[at], &path);

	path.follow = !at || !(call->args[4] & AT_SYMLINK_NOFOLLOW);
	return r < 0 ? r : view_path_open(thread, &path);
}

/* The first bytes of what `file`, opened for its name alone, is about. Who may not execute it is told so by the kernel. */
static bool read_head(int file, uint8_t *ret, size_t length)
{
	struct stat status;
	char name[64];
	ssize_t n;
	int fd;

	if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || !(status.st_mode & 0111))
		return false;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = pread(fd, ret, length, 0);
	close(fd);
	return n == (ssize_t)length;
}

bool program_is_narrow(struct thread *thread)
{
	uint8_t head[EI_NIDENT];
	bool narrow;
	int file;

	if (has_served_mounts(thread))
		return false;
	file = open_program(thread);
	if (file < 0)
		return false;
	narrow = read_head(file, head, sizeof(head)) && memcmp(head, ELFMAG, SELFMAG) == 0 &&
		 head[EI_CLASS] == ELFCLASS32;
	close(file);
	return narrow;
}
