#include "command.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/error.h"
#include "../traces/frame.h"

#define HEAD_BYTES 256 /* of a file that the kernel looks at */
#define INTERPRETERS_MAX 5

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

static int check_file(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return errno == ENAMETOOLONG || errno == ENOTDIR || errno == ELOOP ? -ENOENT : -errno;
	if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return -EACCES;
	return 0;
}

/* The program of a "#!" line, as the kernel cuts it out: it reads no more than `line` holds. */
static int script_interpreter(const char *line, size_t length, char *ret_name)
{
	size_t start = 2, end;

	while (start < length && (line[start] == ' ' || line[start] == '\t'))
		start++;
	end = start;
	while (end < length && line[end] && !strchr(" \t\n", line[end]))
		end++;
	if (end == start || end == HEAD_BYTES)
		return -ENOEXEC;
	memcpy(ret_name, line + start, end - start);
	ret_name[end - start] = 0;
	return 1;
}

/* Exactly `length` bytes: 0, -ENOEXEC when the file has fewer, or -errno. */
static int read_at(int fd, void *bytes, size_t length, uint64_t offset)
{
	const struct frame_source file = { .fd = fd };
	int r = offset > INT64_MAX - length ? SWORN_ETRUNCATED
					    : frame_pread(&file, offset, bytes, length);

	return r == SWORN_ETRUNCATED ? -ENOEXEC : r;
}

static int elf_interpreter(int fd, const Elf64_Ehdr *head, char *ret_name)
{
	for (unsigned i = 0; i < head->e_phnum; i++) {
		Elf64_Phdr segment;
		int r = read_at(fd, &segment, sizeof(segment), head->e_phoff + i * sizeof(segment));

		if (r < 0)
			return r;
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz < 2 || segment.p_filesz >= PATH_BYTES_MAX)
			return -ENOEXEC;
		r = read_at(fd, ret_name, segment.p_filesz, segment.p_offset);
		if (r < 0)
			return r;
		ret_name[segment.p_filesz] = 0;
		return 1;
	}
	return 0;
}

/* 1 with another program that has to be there, 0 without, or negative. */
static int interpreter(const char *path, char *ret_name)
{
	union {
		char line[HEAD_BYTES];
		Elf64_Ehdr elf;
	} head = { 0 };
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), r;
	ssize_t n;

	if (fd < 0) /* what cannot be read cannot be recorded */
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -EACCES;
	n = TEMP_FAILURE_RETRY(read(fd, &head, sizeof(head)));
	if (n < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	if (n >= 2 && !memcmp(&head, "#!", 2))
		r = script_interpreter(head.line, (size_t)n, ret_name);
	else if (n < (ssize_t)sizeof(head.elf) || memcmp(&head, ELFMAG, SELFMAG))
		r = handlers_registered() ? 0 : -ENOEXEC;
	else if (head.elf.e_machine == EM_X86_64 && head.elf.e_ident[EI_CLASS] == ELFCLASS64)
		r = elf_interpreter(fd, &head.elf, ret_name);
	else
		r = head.elf.e_machine != EM_386 && head.elf.e_machine != EM_X86_64 &&
				    handlers_registered()
			    ? 0
			    : -ENOEXEC;
	close(fd);
	return r;
}

/* Scripts may name scripts; the kernel gives up at the same depth. */
static int check_format(const char *path)
{
	char names[2][PATH_BYTES_MAX];

	for (unsigned i = 0; i <= INTERPRETERS_MAX; i++) {
		int r = interpreter(path, names[i % 2]);

		if (r <= 0)
			return r;
		path = names[i % 2];
		r = check_file(path);
		if (r)
			return r;
	}
	return -ENOEXEC;
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
		return -ENOENT;
	if (strchr(name, '/')) {
		strcpy(path, name);
		r = check_file(path);
	} else {
		r = search(name, search_path(environment), path);
	}
	if (!r)
		r = check_format(path);
	if (!r)
		strcpy(ret_path, path);
	return r;
}
