/* Pipes at their limits: full, empty, partial writes, atomic writes, changed size, end of file. */
#include "guest.h"
#include <fcntl.h>
#include <sys/ioctl.h>

static char block[200000];

int main(void)
{
	int ends[2], queued;
	long total = 0;
	ssize_t n;
	pid_t pid;

	expect(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i % 251);
	expect(read(ends[0], block, 1) == -1 && errno == EAGAIN);
	n = write(ends[1], block, sizeof(block));
	say("non-blocking write of %zu: %zd\n", sizeof(block), n);
	expect(write(ends[1], block, 1) == -1 && errno == EAGAIN);
	expect(ioctl(ends[0], FIONREAD, &queued) == 0);
	say("queued %d\n", queued);
	expect(read(ends[0], block, 3000) == 3000);
	n = write(ends[1], block, 3000);
	say("after reading 3000: %zd\n", n);
	expect(read(ends[0], block, 4096) == 4096);
	n = write(ends[1], block, 5000);
	say("after reading 4096 more: %zd\n", n);
	expect(fcntl(ends[1], F_SETPIPE_SZ, 131072) == 131072 && fcntl(ends[0], F_GETPIPE_SZ) == 131072);
	while (read(ends[0], block, sizeof(block)) > 0)
		;
	expect(errno == EAGAIN);

	expect(fcntl(ends[0], F_SETFL, 0) == 0 && fcntl(ends[1], F_SETFL, 0) == 0);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		sleep_ms(10);
		while ((n = read(ends[0], block, 7777)) > 0)
			total += n;
		_exit(total == 600000);
	}
	close(ends[0]);
	for (int i = 0; i < 3; i++) {
		n = write(ends[1], block, sizeof(block));
		say("blocking write: %zd\n", n);
	}
	close(ends[1]);
	say("reader saw all: %d\n", WEXITSTATUS(reap(pid)));
	return 0;
}
