/* Numbers that sockets get without asking: ports, abstract names, netlink numbers, by every call that gives one. */
#include "guest.h"
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in6 loopback6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
static struct sockaddr_in loopback = { .sin_family = AF_INET };
static unsigned seen[32], seen_count;

static unsigned port(int fd)
{
	struct sockaddr_in6 name; /* the port is at the same place in both families */
	socklen_t length = sizeof(name);

	expect(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	return ntohs(name.sin6_port);
}

static int fresh_port(int fd)
{
	unsigned number = port(fd);
	int fresh = number != 0;

	for (unsigned i = 0; i < seen_count; i++)
		fresh &= seen[i] != number;
	seen[seen_count++] = number;
	return fresh;
}

static void bound(int family, int type, struct sockaddr *address, socklen_t length)
{
	int fd = socket(family, type, 0), other = socket(family, type, 0), again;
	unsigned before = port(fd);

	expect(bind(fd, address, length) == 0);
	again = bind(fd, address, length);
	say("bind: %u, %d, again %d %s\n", before, fresh_port(fd), again, strerror(errno));
	if (type == SOCK_STREAM) {
		expect(listen(other, 1) == 0);
		say("listen: %d, accepting %d\n", fresh_port(other), listen(other, 2));
	}
	((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port(fd));
	if (type == SOCK_STREAM)
		expect(listen(fd, 4) == 0);
	close(other);
	other = socket(family, type, 0);
	expect(connect(other, address, length) == 0);
	say("connect: %d\n", fresh_port(other));
	close(other);
	other = socket(family, type, 0);
	if (type == SOCK_DGRAM) {
		expect(sendto(other, "hello", 5, 0, address, length) == 5);
		say("sendto: %d\n", fresh_port(other));
	} else {
		say("send: %zd, port %u\n", send(other, "hello", 5, MSG_NOSIGNAL), port(other));
	}
	close(other);
	close(fd);
	((struct sockaddr_in *)(void *)address)->sin_port = 0;
}

/* A port is asked for, with one that is taken and one that is free; a bind that waits for the connection. */
static void bound_late(void)
{
	struct sockaddr_in name = loopback;
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	expect(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(fd, 1) == 0);
	name.sin_port = htons((uint16_t)port(fd));
	expect(bind(other, (struct sockaddr *)&name, sizeof(name)) == -1 && errno == EADDRINUSE);
	expect(setsockopt(other, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) == 0);
	expect(bind(other, (struct sockaddr *)&loopback, sizeof(loopback)) == 0);
	say("no port yet: %u\n", port(other));
	expect(connect(other, (struct sockaddr *)&name, sizeof(name)) == 0);
	say("a port now: %d\n", fresh_port(other));
	close(other);
	other = socket(AF_INET, SOCK_DGRAM, 0);
	name.sin_family = AF_UNSPEC;
	expect(connect(other, (struct sockaddr *)&name, sizeof(name)) == 0);
	say("undone: %u\n", port(other));
	close(other);
	close(fd);
}

static void local(void)
{
	struct sockaddr_un first = { .sun_family = AF_UNIX }, second = first, third = first;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0), one = 1;
	int last = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t length = sizeof(first), room = sizeof(second);

	expect(bind(fd, (struct sockaddr *)&first, sizeof(sa_family_t)) == 0);
	expect(getsockname(fd, (struct sockaddr *)&first, &length) == 0);
	expect(setsockopt(other, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	expect(sendto(other, "hello", 5, 0, (struct sockaddr *)&first, length) == 5);
	expect(getsockname(other, (struct sockaddr *)&second, &room) == 0 && room == length);
	say("abstract: %u bytes, different %d\n", length, memcmp(&first, &second, length) != 0);
	room = sizeof(third);
	expect(sendto(last, "hello", 5, 0, (struct sockaddr *)&first, length) == 5);
	expect(getsockname(last, (struct sockaddr *)&third, &room) == 0);
	say("without credentials: %u bytes\n", room);
	close(fd);
	close(other);
	close(last);
}

static unsigned netlink_number(int fd)
{
	struct sockaddr_nl name;
	socklen_t length = sizeof(name);

	expect(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	return name.nl_pid;
}

static void netlink(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fds[4], r;

	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		r = i < 2 ? bind(fds[i], (struct sockaddr *)&any, sizeof(any))
			  : connect(fds[i], (struct sockaddr *)&any, sizeof(any));
		say("netlink: %d, own number %d, negative %d\n", r,
		    netlink_number(fds[i]) == (unsigned)getpid(), (int)netlink_number(fds[i]) < 0);
	}
	expect(netlink_number(fds[1]) != netlink_number(fds[2]));
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

int main(void)
{
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bound(AF_INET, SOCK_STREAM, (struct sockaddr *)&loopback, sizeof(loopback));
	bound(AF_INET, SOCK_DGRAM, (struct sockaddr *)&loopback, sizeof(loopback));
	bound(AF_INET6, SOCK_STREAM, (struct sockaddr *)&loopback6, sizeof(loopback6));
	bound(AF_INET6, SOCK_DGRAM, (struct sockaddr *)&loopback6, sizeof(loopback6));
	bound_late();
	local();
	netlink();
	return 0;
}
