/* SO_RCVTIMEO and SO_SNDTIMEO: each call that they end, what they say, who takes them over, and what a signal does to them. */
#include "guest.h"
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

static struct sockaddr_in address = { .sin_family = AF_INET };
static long long started_ms;

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void begin(void)
{
	started_ms = now_ms();
	errno = 0;
}

/* `least_ms` was waited, and not much more. */
static void end(const char *what, long long result, long long least_ms)
{
	const char *error = result < 0 ? strerror(errno) : "";
	long long took_ms = now_ms() - started_ms;

	say("%s: %lld %s, %s\n", what, result, error,
	    took_ms < least_ms		? "too short"
	    : took_ms > least_ms + 5000 ? "too long"
					: "in time");
}

static void limit(int fd, int option, long ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 }, got = { 7, 7 };
	socklen_t length = sizeof(got);

	expect(setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)) == 0);
	expect(getsockopt(fd, SOL_SOCKET, option, &got, &length) == 0 && length == sizeof(got));
	expect(got.tv_sec == t.tv_sec && got.tv_usec == t.tv_usec);
}

static void settings(int fd)
{
	struct timeval bad = { 0, 1000000 }, got[2] = { { 3, 3 }, { 3, 3 } };
	socklen_t length = 8;

	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)) == -1 && errno == EDOM);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bad, 8) == -1 && errno == EINVAL);
	expect(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, NULL, sizeof(bad)) == -1 && errno == EFAULT);
	expect(setsockopt(-1, SOL_SOCKET, SO_SNDTIMEO, &bad, sizeof(bad)) == -1 && errno == EBADF);
	expect(setsockopt(0, SOL_SOCKET, SO_SNDTIMEO, &bad, sizeof(bad)) == -1 && errno == ENOTSOCK);
	limit(fd, SO_RCVTIMEO, 2400);
	expect(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, got, &length) == 0);
	say("8 bytes of it: %u, %ld, %ld\n", length, (long)got[0].tv_sec, (long)got[0].tv_usec);
	length = sizeof(got);
	expect(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, got, &length) == 0);
	say("unset: %u, %ld, %ld\n", length, (long)got[0].tv_sec, (long)got[0].tv_usec);
	length = (socklen_t)-1;
	expect(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, got, &length) == -1 && errno == EINVAL);
}

static void receiving(int fd)
{
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr messages = { .msg_hdr = message };

	limit(fd, SO_RCVTIMEO, 200);
	begin(), end("read", read(fd, &byte, 1), 200);
	begin(), end("readv", readv(fd, &part, 1), 200);
	begin(), end("recv", recv(fd, &byte, 1, 0), 200);
	begin(), end("recvmsg", recvmsg(fd, &message, 0), 200);
	begin(), end("recvmmsg", recvmmsg(fd, &messages, 1, 0, NULL), 200);
	begin(), end("recv without waiting", recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

static void sending(void)
{
	static char much[1 << 20];
	struct iovec part = { much, sizeof(much) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int ends[2];
	ssize_t n;

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	limit(ends[0], SO_SNDTIMEO, 200);
	begin();
	n = write(ends[0], much, sizeof(much));
	end("write, in part", n > 0 && n < (ssize_t)sizeof(much), 200);
	begin(), end("write", write(ends[0], much, sizeof(much)), 200);
	begin(), end("writev", writev(ends[0], &part, 1), 200);
	begin(), end("send", send(ends[0], much, sizeof(much), 0), 200);
	begin(), end("sendmsg", sendmsg(ends[0], &message, 0), 200);
	close(ends[0]);
	close(ends[1]);
}

/* A local socket waits for room in the queue of the one that listens. */
static void connecting(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "xqueue" };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 6;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fds[3], r = 0;

	name.sun_path[0] = '\0';
	expect(bind(listener, (struct sockaddr *)&name, length) == 0 && listen(listener, 0) == 0);
	begin();
	for (int i = 0; i < 3; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		limit(fds[i], SO_SNDTIMEO, 200);
		if (r == 0)
			r = connect(fds[i], (struct sockaddr *)&name, length);
	}
	end("connect", r, 200);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(listener);
}

static void accepting(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd, other = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(address);
	struct timeval got;
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	expect(listen(listener, 4) == 0);
	limit(listener, SO_RCVTIMEO, 200);
	begin(), end("accept", accept(listener, NULL, NULL), 200);
	begin(), end("accept4", accept4(listener, NULL, NULL, SOCK_CLOEXEC), 200);
	expect(connect(other, (struct sockaddr *)&address, sizeof(address)) == 0);
	fd = accept(listener, NULL, NULL);
	length = sizeof(got);
	expect(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &length) == 0);
	say("taken over: %ld us\n", (long)got.tv_usec);
	begin(), end("accepted", read(fd, &byte, 1), 200);
	expect(write(other, "x", 1) == 1);
	begin(), end("accepted, with data", read(fd, &byte, 1), 0);
	close(fd);
	close(other);
	close(listener);
}

static volatile sig_atomic_t rung;

static void ring(int signal)
{
	rung = signal;
}

static void interrupted(int fd)
{
	struct sigaction action = { .sa_handler = ring, .sa_flags = SA_RESTART };
	struct itimerval soon = { .it_value = { 0, 100000 } };
	char byte;

	expect(sigaction(SIGALRM, &action, NULL) == 0);
	limit(fd, SO_RCVTIMEO, 4000);
	begin();
	expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	end("interrupted", read(fd, &byte, 1), 100);
	say("by signal %d\n", (int)rung);
	limit(fd, SO_RCVTIMEO, 0);
}

static void woken(int fd, int other)
{
	struct timespec nap = { 0, 50000000 };
	char byte;
	pid_t pid;

	limit(fd, SO_RCVTIMEO, 4000);
	begin();
	pid = fork();
	if (pid == 0) {
		nanosleep(&nap, NULL);
		_exit(write(other, "y", 1) != 1);
	}
	end("woken", read(fd, &byte, 1), 50);
	expect(reap(pid) == 0);
}

int main(void)
{
	int ends[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	settings(ends[0]);
	receiving(ends[0]);
	sending();
	connecting();
	accepting();
	interrupted(ends[0]);
	woken(ends[0], ends[1]);
	return 0;
}
