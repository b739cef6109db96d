/* Ways to a new image: by descriptor, from a deleted file, through scripts, from a thread, after vfork; and failures. */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char *const empty[] = { NULL };

static void *exec_from_thread(void *argument)
{
	char *const arguments[] = { "again", "thread", NULL };

	execve(argument, arguments, empty);
	return NULL;
}

static void copy(const char *from, const char *to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
	ssize_t n;

	expect(in >= 0 && out >= 0);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		expect(write(out, buffer, (size_t)n) == n);
	close(in);
	close(out);
}

static void script(const char *name, const char *first_line)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0700);

	expect(fd >= 0 && dprintf(fd, "%s\n", first_line) > 0 && close(fd) == 0);
}

static void failures(void)
{
	char *const arguments[] = { "x", NULL };

	script("text", "no program");
	script("circle", "#!circle");
	script("lost", "#!/nowhere/at/all");
	expect(mkdir("directory", 0700) == 0);
	expect(execve("missing", arguments, empty) == -1 && errno == ENOENT);
	expect(execve("text", arguments, empty) == -1 && errno == ENOEXEC);
	expect(execve("circle", arguments, empty) == -1 && errno == ELOOP);
	expect(execve("lost", arguments, empty) == -1 && errno == ENOENT);
	expect(execve("directory", arguments, empty) == -1 && errno == EACCES);
	expect(execve((const char *)nowhere(), arguments, empty) == -1 && errno == EFAULT);
	expect(execve("text", (char *const *)nowhere(), empty) == -1 && errno == EFAULT);
	expect(syscall(SYS_execveat, AT_FDCWD, "", arguments, empty, 0) == -1 && errno == ENOENT);
	expect(syscall(SYS_execveat, 99, "text", arguments, empty, 0) == -1 && errno == EBADF);
	expect(syscall(SYS_execveat, AT_FDCWD, "text", arguments, empty, 1 << 30) == -1 &&
	       errno == EINVAL);
	expect(unlink("text") == 0 && unlink("circle") == 0 && unlink("lost") == 0 &&
	       rmdir("directory") == 0);
	say("failures are told\n");
}

static int child(const char *how, const char *self)
{
	char *const arguments[] = { "again", (char *)how, NULL };
	pthread_t thread;
	int fd;

	if (strcmp(how, "fexecve") == 0)
		return fexecve(open(self, O_RDONLY | O_CLOEXEC), arguments, empty);
	if (strcmp(how, "execveat") == 0)
		return (int)syscall(SYS_execveat, open(".", O_PATH), "program", arguments, empty, 0);
	if (strcmp(how, "path") == 0)
		return (int)syscall(SYS_execveat, open(self, O_PATH), "", arguments, empty,
				    AT_EMPTY_PATH);
	if (strcmp(how, "deleted") == 0) {
		copy(self, "copy");
		fd = open("copy", O_RDONLY);
		expect(unlink("copy") == 0);
		return fexecve(fd, arguments, empty);
	}
	if (strcmp(how, "thread") == 0) {
		expect(pthread_create(&thread, NULL, exec_from_thread, (void *)self) == 0);
		for (;;)
			pause();
	}
	if (strcmp(how, "script") == 0)
		return execve("script", arguments, empty);
	return execv(self, empty);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "fexecve", "execveat", "path", "deleted",
					    "thread",  "script",   "none" };
	char directory[256], self[256], line[300];
	ssize_t n;

	if (!argv[0] || !*argv[0] || strcmp(argv[0], "again") == 0 || argc > 1) {
		expect(getpid() == gettid());
		say("again: %d, %s %s\n", argc, argc > 1 ? argv[1] : "-", argc > 2 ? argv[2] : "-");
		return 40 + argc;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	expect(n > 0);
	self[n] = '\0';
	scratch_begin(directory);
	failures();
	expect(symlink(self, "program") == 0);
	snprintf(line, sizeof(line), "#!%s word", self);
	script("script", line);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			child(ways[i], self);
			_exit(98);
		}
		say("%s: %d\n", ways[i], WEXITSTATUS(reap(pid)));
	}
	expect(unlink("program") == 0 && unlink("script") == 0);
	scratch_end(directory);
	return 0;
}
