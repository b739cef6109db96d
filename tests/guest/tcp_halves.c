/* Requests in two writes: the kernel holds the second one back until the first is acknowledged, unless told otherwise. */
#include "guest.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define ROUNDS 24

static void serve(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char half[4];

	for (int i = 0; i < ROUNDS; i++) {
		for (int part = 0; part < 2; part++) {
			expect(poll(&ready, 1, 5000) == 1);
			expect(recv(fd, half, sizeof(half), MSG_WAITALL) == sizeof(half));
		}
		expect(write(fd, half, sizeof(half)) == sizeof(half));
	}
	_exit(0);
}

static int delay(int fd)
{
	int value = -1;
	socklen_t length = sizeof(value);

	expect(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0);
	expect(length == sizeof(value));
	return value;
}

static void settings(int fd)
{
	int five = 5;
	unsigned char byte = 7;
	socklen_t length = sizeof(byte);

	say("at first %d", delay(fd));
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &five, sizeof(five)) == 0);
	say(", set %d", delay(fd));
	expect(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &byte, &length) == 0);
	say(", a byte of it %d of %u", byte, length);
	five = 0;
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &five, sizeof(five)) == 0);
	say(", reset %d\n", delay(fd));
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &five, 3) == -1 && errno == EINVAL);
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4) == -1 && errno == EFAULT);
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	socklen_t length = sizeof(address);
	char answer[4];
	pid_t pid;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	expect(listen(listener, 1) == 0);
	settings(fd);
	pid = fork();
	if (pid == 0)
		serve(accept(listener, NULL, NULL));
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		expect(write(fd, "head", 4) == 4 && write(fd, "body", 4) == 4);
		expect(read(fd, answer, sizeof(answer)) == 4);
	}
	say("answers: %.4s\n", answer);
	expect(reap(pid) == 0);
	expect(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	say("taken over: %d, not by the other end: %d\n", delay(accept(listener, NULL, NULL)),
	    delay(fd));
	return 0;
}
