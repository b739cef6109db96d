/* Programs of 32 bits, by name, by descriptor and behind a script: those that run end as they should, those that do not leave no trace. */
#include "guest.h"
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BASE 0x8048000U
#define CODE 96 /* offset in the file */

/* exit(5) */
static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xbb, 5, 0, 0, 0, 0xcd, 0x80 };

static void make_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0700);

	expect(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && !close(fd));
}

static void make_program(const char *path)
{
	unsigned char file[CODE + sizeof(code)] = { 0 };
	Elf32_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
					   ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_EXEC,
			      .e_machine = EM_386,
			      .e_version = EV_CURRENT,
			      .e_entry = BASE + CODE,
			      .e_phoff = sizeof(header),
			      .e_ehsize = sizeof(header),
			      .e_phentsize = sizeof(Elf32_Phdr),
			      .e_phnum = 1 };
	Elf32_Phdr segment = { .p_type = PT_LOAD,
			       .p_vaddr = BASE,
			       .p_filesz = sizeof(file),
			       .p_memsz = sizeof(file),
			       .p_flags = PF_R | PF_X,
			       .p_align = 4096 };

	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), &segment, sizeof(segment));
	memcpy(file + CODE, code, sizeof(code));
	make_file(path, file, sizeof(file));
}

/* Not every kernel runs such programs. */
static void check(int status)
{
	expect(WIFEXITED(status) ? WEXITSTATUS(status) == 5 || WEXITSTATUS(status) == ENOEXEC
				 : WTERMSIG(status) == SIGSYS);
}

static void run(const char *path, int directory)
{
	char *const argv[] = { (char *)path, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		if (directory == AT_FDCWD)
			execve(path, argv, environ);
		else
			syscall(SYS_execveat, directory, path, argv, environ,
				path[0] ? 0 : AT_EMPTY_PATH);
		_exit(errno);
	}
	expect(pid > 0);
	check(reap(pid));
}

int main(void)
{
	char where[256], script[300];
	int here, file;

	scratch_begin(where);
	make_program("narrow");
	snprintf(script, sizeof(script), "#!%s/narrow\n", where);
	make_file("script", script, strlen(script));
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = open("narrow", O_RDONLY | O_CLOEXEC);
	expect(here >= 0 && file >= 0 && !symlink("narrow", "link"));

	run("./narrow", AT_FDCWD);
	run("link", AT_FDCWD);
	run("narrow", here);
	run("", file);
	run("./script", AT_FDCWD);
	expect(!unlink("narrow") && !unlink("script") && !unlink("link"));
	scratch_end(where);
	say("five programs\n");
	return 0;
}
