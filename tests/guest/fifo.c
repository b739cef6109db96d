/* A named pipe between processes: each open waits for the other side. */
#include "guest.h"
#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	char path[256], text[64] = "";
	ssize_t n, used = 0;
	pid_t pid;
	int fd;

	scratch_begin(path);
	expect(mkfifo("fifo", 0600) == 0);
	expect(open("fifo", O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			fd = open("fifo", O_WRONLY);
			expect(dprintf(fd, "message %d;", i) == 10);
			_exit(i);
		}
		fd = open("fifo", O_RDONLY);
		expect(fd >= 0);
		while ((n = read(fd, text + used, sizeof(text) - (size_t)used)) > 0)
			used += n;
		expect(close(fd) == 0 && WEXITSTATUS(reap(pid)) == i);
	}
	say("%s\n", text);
	expect(unlink("fifo") == 0);
	scratch_end(path);
	return 0;
}
