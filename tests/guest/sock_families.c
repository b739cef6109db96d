/* Families: unix names and kinds, UDP over IPv6, multicast, raw and packet sockets, what is not there. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static char text[2048];

static int wait_for(int fd, int ms)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	return poll(&one, 1, ms);
}

/* Abstract names, and the three kinds side by side. */
static void local(void)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int pair[2], fd, other;
	socklen_t length;

	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)snprintf(name.sun_path + 1, 64, "families-%d", getpid()));
	for (int i = 0; i < 3; i++) {
		fd = socket(AF_UNIX, kinds[i], 0);
		other = socket(AF_UNIX, kinds[i], 0);
		expect(bind(fd, (struct sockaddr *)&name, length) == 0);
		expect(bind(other, (struct sockaddr *)&name, length) == -1 && errno == EADDRINUSE);
		expect(listen(fd, 1) == 0 || (errno == EOPNOTSUPP && kinds[i] == SOCK_DGRAM));
		expect(connect(other, (struct sockaddr *)&name, length) == 0);
		close(fd);
		expect(send(other, "x", 1, MSG_NOSIGNAL) == -1);
		say("kind %d, the other end is gone: %s\n", kinds[i], strerror(errno));
		close(other);
		expect(socketpair(AF_UNIX, kinds[i], 0, pair) == 0);
		expect(send(pair[0], "one", 3, 0) == 3 && send(pair[0], "two", 3, 0) == 3);
		say("two sends read as %zd bytes\n", recv(pair[1], text, sizeof(text), 0));
		close(pair[0]);
		close(pair[1]);
	}
	expect(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, length) == -1);
	say("nobody of that name: %s\n", strerror(errno));
	expect(socketpair(AF_INET, SOCK_STREAM, 0, pair) == -1 && errno == EOPNOTSUPP);
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(uintptr_t)nowhere()) == -1 && errno == EFAULT);
	expect(socket(AF_UNIX, 77, 0) == -1 && errno == EINVAL);
	expect(socket(255, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
	expect(socket(AF_INET, SOCK_STREAM, 200) == -1 && errno == EPROTONOSUPPORT);
}

/* Who sent it, asked for in ever less room. */
static void senders(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "x-to" }, from = to, seen;
	int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t length = sizeof(seen);

	to.sun_path[0] = from.sun_path[0] = '\0';
	memcpy(from.sun_path + 1, "from", 4);
	expect(bind(receiver, (struct sockaddr *)&to, 7) == 0);
	expect(sendto(sender, "unnamed", 7, 0, (struct sockaddr *)&to, 7) == 7);
	expect(recvfrom(receiver, text, 64, 0, (struct sockaddr *)&seen, &length) == 7 && length == 0);
	expect(bind(sender, (struct sockaddr *)&from, 7) == 0);
	for (socklen_t room = 7; room < 8; room -= 3) {
		memset(&seen, '~', sizeof(seen));
		length = room;
		expect(sendto(sender, "named", 5, 0, (struct sockaddr *)&to, 7) == 5);
		expect(recvfrom(receiver, text, 64, 0, (struct sockaddr *)&seen, &length) == 5);
		say("in %u bytes: %u, %.6s\n", room, length, seen.sun_path + 1);
	}
	expect(sendto(sender, "named", 5, 0, (struct sockaddr *)&to, 7) == 5);
	length = (socklen_t)-1;
	expect(recvfrom(receiver, text, 64, 0, (struct sockaddr *)&seen, &length) == -1 &&
	       errno == EINVAL);
	say("a negative length cost the message: %d\n", wait_for(receiver, 0) == 0);
	close(sender);
	close(receiver);
}

static void six(void)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT }, from;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), four = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;
	socklen_t length = sizeof(name);
	char shown[INET6_ADDRSTRLEN];

	expect(bind(fd, (struct sockaddr *)&name, length) == 0);
	expect(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	expect(sendto(four, "over six", 8, 0, (struct sockaddr *)&name, length) == 8);
	expect(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &length) == 8);
	inet_ntop(AF_INET6, &from.sin6_addr, shown, sizeof(shown));
	say("%.8s from %s\n", text, shown);
	close(four);
	four = socket(AF_INET6, SOCK_DGRAM, 0);
	expect(setsockopt(four, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0);
	expect(inet_pton(AF_INET6, "::ffff:127.0.0.1", &name.sin6_addr) == 1);
	name.sin6_port = 0;
	expect(bind(four, (struct sockaddr *)&name, sizeof(name)) == 0);
	expect(getsockname(four, (struct sockaddr *)&name, &length) == 0);
	inet_ntop(AF_INET6, &name.sin6_addr, shown, sizeof(shown));
	say("bound to %s\n", shown);
	close(four);
	close(fd);
}

static void multicast(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex("lo") };
	int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	socklen_t length = sizeof(name);

	expect(inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr) == 1);
	expect(setsockopt(receiver, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	expect(bind(receiver, (struct sockaddr *)&name, length) == 0);
	expect(getsockname(receiver, (struct sockaddr *)&name, &length) == 0);
	expect(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
	expect(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == -1);
	say("joined twice: %s\n", strerror(errno));
	expect(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) == 0);
	expect(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof(on)) == 0);
	name.sin_addr = group.imr_multiaddr;
	expect(sendto(sender, "to all", 6, 0, (struct sockaddr *)&name, length) == 6);
	expect(wait_for(receiver, 5000) == 1 && recv(receiver, text, sizeof(text), 0) == 6);
	say("a group heard: %.6s\n", text);
	expect(setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof(group)) == 0);
	close(sender);
	close(receiver);
}

/* An echo request of our own; other traffic on the interface may come by. */
static void raw(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	struct icmphdr echo = { .type = ICMP_ECHO };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct icmphdr answer;

	if (fd < 0)
		return;
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	echo.un.echo.id = htons((uint16_t)getpid());
	echo.checksum = (uint16_t) ~(ICMP_ECHO + echo.un.echo.id);
	if (((uint32_t)ICMP_ECHO + echo.un.echo.id) > 0xffff)
		echo.checksum = (uint16_t) ~(ICMP_ECHO + echo.un.echo.id + 1);
	expect(sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&name, sizeof(name)) ==
	       sizeof(echo));
	do {
		expect(wait_for(fd, 5000) == 1);
		expect(recv(fd, text, sizeof(text), 0) >= (ssize_t)(20 + sizeof(answer)));
		memcpy(&answer, text + 20, sizeof(answer));
	} while (answer.type != ICMP_ECHOREPLY || answer.un.echo.id != echo.un.echo.id);
	close(fd);
}

/* A frame of ours, seen on the loopback interface twice: going out and coming in. */
static void packets(void)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5) }, from;
	struct tpacket_stats stats;
	socklen_t length = sizeof(from);
	char frame[64] = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));

	if (fd < 0)
		return;
	name.sll_ifindex = (int)if_nametoindex("lo");
	memcpy(frame + 12, "\x88\xb5payload", 9);
	expect(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	expect(sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&name, sizeof(name)) == 64);
	expect(wait_for(fd, 5000) == 1);
	expect(recvfrom(fd, text, sizeof(text), MSG_TRUNC, (struct sockaddr *)&from, &length) == 64);
	expect(memcmp(text + 14, "payload", 7) == 0 && from.sll_hatype == 772);
	length = sizeof(stats);
	expect(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0 && length == 8);
	close(fd);
}

int main(void)
{
	local();
	senders();
	six();
	multicast();
	raw();
	packets();
	return 0;
}
