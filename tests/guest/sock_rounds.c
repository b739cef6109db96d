/* Two processes answer each other many times, over TCP, UDP and a terminal: each is woken by what the other sends. */
#include "guest.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>

static struct sockaddr_in address = { .sin_family = AF_INET };

static void take(int fd, unsigned *ret)
{
	expect(read(fd, ret, sizeof(*ret)) == sizeof(*ret));
}

static void give(int fd, unsigned number)
{
	expect(write(fd, &number, sizeof(number)) == sizeof(number));
}

static void answer(int fd, unsigned rounds)
{
	unsigned number;

	for (unsigned i = 0; i < rounds; i++) {
		take(fd, &number);
		give(fd, number * 3 + 1);
	}
	_exit(0);
}

static unsigned ask(int fd, unsigned rounds)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	unsigned number = 1;

	for (unsigned i = 0; i < rounds; i++) {
		give(fd, number);
		if (i % 2)
			expect(poll(&ready, 1, 1000) == 1);
		take(fd, &number);
	}
	return number;
}

static int bound(int type)
{
	int fd = socket(AF_INET, type, 0);
	socklen_t length = sizeof(address);

	address.sin_port = 0;
	expect(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	return fd;
}

static void stream(unsigned rounds)
{
	int listener = bound(SOCK_STREAM), fd;
	pid_t pid;

	expect(listen(listener, 1) == 0);
	pid = fork();
	if (pid == 0)
		answer(accept(listener, NULL, NULL), rounds);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	say("stream: %u\n", ask(fd, rounds));
	expect(reap(pid) == 0);
	close(fd);
	close(listener);
}

static void datagrams(unsigned rounds)
{
	struct sockaddr_in first;
	int fd = bound(SOCK_DGRAM), other;
	pid_t pid;

	first = address;
	other = bound(SOCK_DGRAM);
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(connect(other, (struct sockaddr *)&first, sizeof(first)) == 0);
	pid = fork();
	if (pid == 0)
		answer(other, rounds);
	say("datagrams: %u\n", ask(fd, rounds));
	expect(reap(pid) == 0);
	close(fd);
	close(other);
}

static void terminal(unsigned rounds)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct termios modes;
	char name[64];
	pid_t pid;

	if (master < 0) {
		say("no terminals here\n");
		return;
	}
	expect(grantpt(master) == 0 && unlockpt(master) == 0);
	expect(ptsname_r(master, name, sizeof(name)) == 0);
	slave = open(name, O_RDWR | O_NOCTTY);
	expect(tcgetattr(slave, &modes) == 0);
	cfmakeraw(&modes);
	modes.c_cc[VMIN] = sizeof(unsigned);
	expect(tcsetattr(slave, TCSANOW, &modes) == 0);
	pid = fork();
	if (pid == 0)
		answer(slave, rounds);
	say("terminal: %u\n", ask(master, rounds));
	expect(reap(pid) == 0);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
	const char *which = argc > 2 ? argv[2] : "sdt";

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (strchr(which, 's'))
		stream(rounds);
	if (strchr(which, 'd'))
		datagrams(rounds);
	if (strchr(which, 't'))
		terminal(rounds);
	return 0;
}
