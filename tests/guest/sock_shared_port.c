/* Sockets that share a port: each connection and datagram comes to one of them, to which one is the kernel's choice or a program's. */
#include "guest.h"
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif
#define SHARERS 3
#define SENDERS 24

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6; /* the port is at the same place in both */
};

static int join(int type, union address *address, socklen_t length)
{
	int fd = socket(address->any.sa_family, type, 0), on = 1;

	expect(fd >= 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
	expect(bind(fd, &address->any, length) == 0);
	expect(getsockname(fd, &address->any, &length) == 0);
	if (type == SOCK_STREAM)
		expect(listen(fd, SENDERS) == 0);
	return fd;
}

/* Which of them something came to. */
static int reached(struct pollfd *sharers, int count)
{
	expect(poll(sharers, (nfds_t)count, 10000) == 1);
	for (int i = 0; i < count; i++) {
		if (sharers[i].revents)
			return i;
	}
	return -1;
}

static void share(const char *what, int type, union address *address, socklen_t length)
{
	struct pollfd sharers[SHARERS];
	int senders[SENDERS], taken, arrived = 0;
	char text[8];

	for (int i = 0; i < SHARERS; i++)
		sharers[i] = (struct pollfd){ .fd = join(type, address, length), .events = POLLIN };
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = socket(address->any.sa_family, type, 0);
		expect(connect(senders[i], &address->any, length) == 0);
		expect(send(senders[i], "text", 4, 0) == 4);
		taken = sharers[reached(sharers, SHARERS)].fd;
		if (type == SOCK_STREAM) {
			int fd = accept(taken, NULL, NULL);

			arrived += read(fd, text, sizeof(text)) == 4;
			close(fd);
		} else {
			arrived += read(taken, text, sizeof(text)) == 4;
		}
	}
	for (int i = 0; i < SENDERS; i++)
		close(senders[i]);
	for (int i = 0; i < SHARERS; i++)
		close(sharers[i].fd);
	say("%s: %d of %d arrived\n", what, arrived, SENDERS);
}

/* The program stays where one more joins. */
static void chosen(union address *address, socklen_t length)
{
	struct sock_filter last[] = { BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_fprog program = { 1, last };
	struct pollfd sharers[SHARERS];
	int from = socket(AF_INET, SOCK_DGRAM, 0), right = 0;
	char text[8];

	for (int i = 0; i < SHARERS; i++) {
		sharers[i] = (struct pollfd){ .fd = join(SOCK_DGRAM, address, length), .events = POLLIN };
		if (i == 1)
			expect(setsockopt(sharers[0].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
					  &program, sizeof(program)) == 0);
	}
	for (int i = 0; i < SENDERS; i++) {
		expect(sendto(from, "text", 4, 0, &address->any, length) == 4);
		right += reached(sharers, SHARERS) == 1;
		expect(read(sharers[1].fd, text, sizeof(text)) == 4);
	}
	say("chosen: %d of %d\n", right, SENDERS);
}

int main(void)
{
	static const struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr = { 0x0100007f } };
	static const struct sockaddr_in6 loopback6 = { .sin6_family = AF_INET6,
						       .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	share("connections", SOCK_STREAM, &(union address){ .in = loopback }, sizeof(loopback));
	share("connections over IPv6", SOCK_STREAM, &(union address){ .in6 = loopback6 },
	      sizeof(loopback6));
	share("datagrams", SOCK_DGRAM, &(union address){ .in = loopback }, sizeof(loopback));
	share("datagrams over IPv6", SOCK_DGRAM, &(union address){ .in6 = loopback6 },
	      sizeof(loopback6));
	chosen(&(union address){ .in = loopback }, sizeof(loopback));
	return 0;
}
