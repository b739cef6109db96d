/* Calls that fail and still write memory, or stop at a buffer's unmapped half. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static char *edge; /* the page before is mapped, the one here is not */

static void handler(int number)
{
	(void)number;
}

static void attempt(const char *what, int in, int out)
{
	char text[200];
	ssize_t n;
	int written = 0;

	memset(text, 'A', sizeof(text));
	memset(edge - 100, '.', 100);
	expect(write(out, text, sizeof(text)) == sizeof(text));
	errno = 0;
	n = read(in, edge - 100, 200);
	for (int i = 1; i <= 100; i++)
		written += edge[-i] == 'A';
	say("%s: %zd, errno %d, bytes there %d\n", what, n, errno, written);
}

int main(void)
{
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } };
	struct timeval limit = { .tv_sec = 1000 };
	struct iovec part[2];
	int ends[2], file = memfd_create("file", 0), again;
	char name[32];

	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(edge != MAP_FAILED);
	edge += 4096;
	expect(munmap(edge, 4096) == 0);
	expect(pipe(ends) == 0);
	attempt("pipe", ends[0], ends[1]);
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	attempt("stream", ends[0], ends[1]);
	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
	attempt("datagram", ends[0], ends[1]);
	expect(write(file, "padding", 7) == 7 && lseek(file, 0, SEEK_SET) == 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	again = open(name, O_RDONLY);
	expect(again >= 0);
	attempt("file", again, file);
	expect(lseek(file, 0, SEEK_SET) == 0);
	part[0] = (struct iovec){ edge - 50, 50 };
	part[1] = (struct iovec){ edge, 50 };
	say("readv: %zd\n", readv(file, part, 2));
	say("write of the half: %zd\n", pwrite(file, edge - 100, 200, 0));
	expect(getcwd(edge - 1, 2) == NULL || edge[-1] == '/');
	expect(pipe((int *)(void *)(edge - 4)) == -1 && errno == EFAULT);
	signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &soon, NULL);
	expect(select(0, NULL, NULL, NULL, &limit) == -1 && errno == EINTR);
	say("select left less: %d\n", limit.tv_sec >= 900 && limit.tv_sec < 1000);
	return 0;
}
