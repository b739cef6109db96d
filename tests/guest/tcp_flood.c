/* A long stream over TCP: the reader lets much of it wait, in both directions, and asks for pieces of many sizes. */
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define TOTAL (3U << 20)

static uint8_t buffer[256 << 10];

/* As much as is taken at once, again when there is room. */
static void flood(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	size_t sent = 0;

	while (sent < TOTAL) {
		size_t n = TOTAL - sent < sizeof(buffer) ? TOTAL - sent : sizeof(buffer);
		ssize_t took = send(fd, buffer, n, MSG_DONTWAIT);

		expect(took > 0 || errno == EAGAIN);
		if (took > 0)
			sent += (size_t)took;
		else
			expect(poll(&room, 1, 60000) == 1);
	}
	expect(shutdown(fd, SHUT_WR) == 0);
}

static size_t drain(int fd)
{
	const struct timespec nap = { 0, 2000000 };
	size_t sum = 0, size = 1;
	ssize_t n;

	while ((n = read(fd, buffer, size)) > 0) {
		sum += (size_t)n;
		size = size * 7 % 200003 + 4000;
		if (sum % 3 == 0)
			nanosleep(&nap, NULL);
	}
	expect(n == 0);
	return sum;
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), status;
	socklen_t length = sizeof(address);
	pid_t pid;

	expect(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	pid = fork();
	if (pid == 0) {
		int peer = accept(listener, NULL, NULL);

		flood(peer);
		_exit(drain(peer) == TOTAL ? 0 : 1);
	}
	expect(connect(fd, (struct sockaddr *)&address, length) == 0);
	say("there: %zu\n", drain(fd));
	flood(fd);
	expect(waitpid(pid, &status, 0) == pid);
	say("back: %#x\n", status);
	return 0;
}
