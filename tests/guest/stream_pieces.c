/* Much data through streams, read in pieces as it comes: by each call that reads, waiting in the call or for readiness. */
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BYTES 600000
#define WRITE_BYTES 90000

static unsigned char data[BYTES], got[BYTES];

static void pair_of(int family, int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener;

	if (family == AF_UNIX) {
		expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	expect(listen(listener, 1) == 0);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	expect(connect(ends[0], (struct sockaddr *)&address, sizeof(address)) == 0);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static ssize_t piece(int fd, unsigned char *to, size_t room, int way)
{
	struct iovec parts[2] = { { to, room / 2 }, { to + room / 2, room - room / 2 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	unsigned char first;

	switch (way) {
	case 0: return read(fd, to, room);
	case 1: return recv(fd, to, room, 0);
	case 2: return readv(fd, parts, 2);
	case 3: return recvmsg(fd, &message, 0);
	case 4: expect(poll(&ready, 1, -1) == 1); return recv(fd, to, room, MSG_DONTWAIT);
	case 5: expect(recv(fd, &first, 1, MSG_PEEK) >= 0); return read(fd, to, room);
	default: return recv(fd, to, room < 200000 ? room : 200000, MSG_WAITALL);
	}
}

static void move(int family, int way)
{
	size_t done = 0;
	ssize_t n = 1;
	int ends[2];
	pid_t pid;

	pair_of(family, ends);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		while (done < BYTES) {
			n = write(ends[0], data + done,
				  BYTES - done < WRITE_BYTES ? BYTES - done : WRITE_BYTES);
			expect(n > 0);
			done += (size_t)n;
		}
		_exit(0);
	}
	close(ends[0]);
	memset(got, 0, sizeof(got));
	while (done < BYTES && n > 0) {
		n = piece(ends[1], got + done, BYTES - done, way);
		done += n > 0 ? (size_t)n : 0;
	}
	say("family %d, way %d: %zu, %d, then %zd\n", family, way, done,
	    memcmp(data, got, BYTES) == 0, read(ends[1], got, 1));
	expect(reap(pid) == 0);
	close(ends[1]);
}

static volatile sig_atomic_t rung;

static void ring(int signal)
{
	rung = signal;
}

/* A read that waits is interrupted, goes on by itself, and is told of an end. */
static void interrupted(int flags, const char *text)
{
	struct sigaction action = { .sa_handler = ring, .sa_flags = flags };
	struct timespec nap = { 0, 30000000 };
	char bytes[8] = "";
	int ends[2];
	ssize_t n;
	pid_t pid;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	pair_of(AF_INET, ends);
	rung = 0;
	pid = fork();
	if (pid == 0) {
		nanosleep(&nap, NULL);
		expect(kill(getppid(), SIGUSR1) == 0);
		nanosleep(&nap, NULL);
		expect(write(ends[0], "word", 4) == 4);
		_exit(0);
	}
	close(ends[0]);
	n = read(ends[1], bytes, sizeof(bytes));
	say("%s: %zd %s, %d\n", text, n, n < 0 ? strerror(errno) : bytes, rung == SIGUSR1);
	if (n < 0)
		say("then: %zd\n", read(ends[1], bytes, sizeof(bytes)));
	say("end: %zd\n", read(ends[1], bytes, sizeof(bytes)));
	expect(reap(pid) == 0);
	close(ends[1]);
}

/* Any argument: local streams alone. */
int main(int argc, char **argv)
{
	for (size_t i = 0; i < BYTES; i++)
		data[i] = (unsigned char)(i * i >> 5);
	for (int way = 0; way < 7; way++) {
		if (argc < 2 || !argv[1])
			move(AF_INET, way);
		move(AF_UNIX, way);
	}
	interrupted(0, "without restart");
	interrupted(SA_RESTART, "with restart");
	return 0;
}
