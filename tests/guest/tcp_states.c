/* TCP: connecting without waiting, a full backlog, resets, urgent bytes, half-closed ends, edges in epoll. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct sockaddr_in address;

static int listen_at(int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(address);

	address = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	expect(bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, backlog) == 0);
	expect(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	return fd;
}

static int dial(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	int r = connect(fd, (struct sockaddr *)&address, sizeof(address));

	expect(r == 0 || (r == -1 && errno == EINPROGRESS && flags & SOCK_NONBLOCK));
	return fd;
}

static short wait_for(int fd, short events)
{
	struct pollfd one = { .fd = fd, .events = events };

	expect(poll(&one, 1, 5000) == 1);
	return one.revents;
}

static int error_of(int fd)
{
	socklen_t length = sizeof(int);
	int error = -1;

	expect(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
	return error;
}

static void without_waiting(void)
{
	int listener = listen_at(2), fd = dial(SOCK_NONBLOCK), server, refused;

	say("connected: %d", wait_for(fd, POLLOUT) & POLLOUT);
	say(", error %d\n", error_of(fd));
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EISCONN);
	server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	expect(server >= 0 && fcntl(server, F_GETFL) & O_NONBLOCK);
	expect(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	expect(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
	close(listener);
	refused = dial(SOCK_NONBLOCK);
	say("refused: %#x", (unsigned int)wait_for(refused, POLLOUT));
	say(", %s\n", strerror(error_of(refused)));
	close(refused);
	close(server);
	close(fd);
}

/* Clients queue up before anybody accepts. */
static void queued(void)
{
	int listener = listen_at(8), clients[6], sum = 0;
	struct sockaddr_in peer, own;
	socklen_t length;

	for (int i = 0; i < 6; i++) {
		clients[i] = dial(0);
		expect(send(clients[i], &i, sizeof(i), 0) == sizeof(i));
	}
	for (int i = 0; i < 6; i++) {
		int number = -1, fd;

		length = sizeof(peer);
		fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
		expect(fd >= 0 && recv(fd, &number, sizeof(number), 0) == sizeof(number));
		length = sizeof(own);
		expect(getsockname(clients[number], (struct sockaddr *)&own, &length) == 0);
		expect(own.sin_port == peer.sin_port);
		sum |= 1 << number;
		close(fd);
		close(clients[number]);
	}
	say("served: %d\n", sum == 63);
	close(listener);
}

static void reset(void)
{
	struct linger now = { 1, 0 };
	int listener = listen_at(1), fd = dial(0), server = accept(listener, NULL, NULL);
	char byte;

	expect(setsockopt(server, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 && close(server) == 0);
	say("reset: %#x", (unsigned int)wait_for(fd, POLLIN | POLLRDHUP));
	expect(recv(fd, &byte, 1, 0) == -1);
	say(", %s", strerror(errno));
	expect(send(fd, "x", 1, MSG_NOSIGNAL) == -1);
	say(", then %s\n", strerror(errno));
	close(fd);
	close(listener);
}

static void urgent(void)
{
	int listener = listen_at(1), fd = dial(0), server = accept(listener, NULL, NULL), on = 1;
	char text[16] = "";

	expect(send(fd, "ab", 2, 0) == 2 && send(fd, "!", 1, MSG_OOB) == 1 && send(fd, "cd", 2, 0) == 2);
	say("urgent: %#x", (unsigned int)(wait_for(server, POLLPRI) & POLLPRI));
	expect(recv(server, text, 1, MSG_OOB) == 1 && text[0] == '!');
	expect(recv(server, text, sizeof(text), 0) == 2 && sockatmark(server) == 1);
	expect(recv(server, text, 2, MSG_WAITALL) == 2);
	say(", then %.2s\n", text);
	expect(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
	expect(recv(server, text, 1, MSG_OOB) == -1 && errno == EINVAL);
	close(fd);
	close(server);
	close(listener);
}

static void half_closed(void)
{
	int listener = listen_at(1), fd = dial(0), server = accept(listener, NULL, NULL);
	char text[16];

	expect(shutdown(fd, SHUT_WR) == 0 && recv(server, text, 1, 0) == 0);
	say("half closed: %#x", (unsigned int)wait_for(server, POLLIN | POLLRDHUP));
	expect(send(server, "still", 5, 0) == 5 && recv(fd, text, 16, 0) == 5);
	expect(shutdown(fd, 9) == -1 && errno == EINVAL);
	expect(shutdown(server, SHUT_RDWR) == 0);
	expect(send(server, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	expect(shutdown(listener, SHUT_RD) == 0 && accept(listener, NULL, NULL) == -1);
	say(", then %s\n", strerror(errno));
	close(fd);
	close(server);
	close(listener);
}

static void *talker(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 3; i++) {
		sleep_ms(2);
		expect(send(fd, "edge", 4, 0) == 4);
	}
	sleep_ms(2);
	expect(shutdown(fd, SHUT_WR) == 0);
	return NULL;
}

static void edges(void)
{
	int listener = listen_at(1), fd = dial(0),
	    server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = 0x1234567890 };
	int epoll = epoll_create1(EPOLL_CLOEXEC), total = 0;
	struct timespec none = { 0 };
	pthread_t thread;
	char text[3];
	ssize_t n;

	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event) == 0);
	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event) == -1 && errno == EEXIST);
	expect(epoll_pwait2(epoll, &event, 1, &none, NULL) == 0);
	pthread_create(&thread, NULL, talker, &fd);
	do {
		expect(epoll_pwait2(epoll, &event, 1, NULL, NULL) == 1 && event.data.u64 == 0x1234567890);
		while ((n = recv(server, text, sizeof(text), 0)) > 0)
			total += (int)n;
	} while (n != 0);
	pthread_join(thread, NULL);
	say("by edges: %d bytes\n", total);
	close(epoll);
	close(fd);
	close(server);
	close(listener);
}

int main(void)
{
	without_waiting();
	queued();
	reset();
	urgent();
	half_closed();
	edges();
	return 0;
}
