/* Socket options: flat values of all lengths, programs behind a pointer, and those that must be refused. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_GET_FILTER
#define SO_GET_FILTER SO_ATTACH_FILTER
#endif

static void show(int fd, int level, int name, const char *what)
{
	unsigned char value[64];
	socklen_t length = sizeof(value);

	memset(value, 0xee, sizeof(value));
	expect(getsockopt(fd, level, name, value, &length) == 0 && length <= sizeof(value));
	say("%s: %u bytes, %016lx\n", what, length, fingerprint(value, sizeof(value)));
}

static void flat(void)
{
	struct linger linger = { 1, 3 };
	struct timeval limit = { 2, 500000 };
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
	int size = 30000, room;
	char one = 7, name[16] = "";
	socklen_t length;

	expect(setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	expect(setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	expect(setsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	expect(setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof(on)) == 0);
	expect(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	expect(setsockopt(tcp, IPPROTO_IP, IP_TTL, &one, 1) == 0);
	expect(setsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
	expect(setsockopt(udp, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)) == 0);
	expect(setsockopt(tcp, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	show(tcp, SOL_SOCKET, SO_LINGER, "linger");
	show(tcp, SOL_SOCKET, SO_RCVTIMEO, "receive timeout");
	show(tcp, SOL_SOCKET, SO_TYPE, "type");
	show(tcp, SOL_SOCKET, SO_BINDTODEVICE, "device");
	show(tcp, IPPROTO_TCP, TCP_CONGESTION, "congestion");
	show(tcp, IPPROTO_IP, IP_TTL, "hops");
	show(udp, SOL_SOCKET, SO_DOMAIN, "domain");
	show(udp, IPPROTO_IPV6, IPV6_V6ONLY, "only six");
	for (length = 0; length < 6; length++) {
		char bytes[8] = "~~~~~~~";
		socklen_t given = length;
		int r = getsockopt(tcp, IPPROTO_IP, IP_TTL, bytes, &given);

		say("%u bytes of room: %d, %u, %.4s\n", length, r, given, bytes + 1);
	}
	length = (socklen_t)-1;
	expect(getsockopt(tcp, SOL_SOCKET, SO_TYPE, &room, &length) == -1 && errno == EINVAL);
	length = sizeof(room);
	expect(getsockopt(tcp, SOL_SOCKET, SO_TYPE, (void *)nowhere(), &length) == -1 && errno == EFAULT);
	expect(getsockopt(tcp, 12345, 1, &room, &length) == -1);
	say("a level that is none: %s\n", strerror(errno));
	expect(getsockopt(tcp, IPPROTO_TCP, 12345, &room, &length) == -1 && errno == ENOPROTOOPT);
	expect(getsockopt(0, SOL_SOCKET, SO_TYPE, &room, &length) == -1 && errno == ENOTSOCK);
	expect(setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, 3) == -1 && errno == EINVAL);
	expect(setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, NULL, 4) == -1 && errno == EFAULT);
	length = sizeof(name);
	expect(getsockopt(udp, IPPROTO_TCP, TCP_NODELAY, name, &length) == -1);
	close(tcp);
	close(udp);
}

/* What one TCP connection knows of itself: large, and full of times. */
static void of_a_connection(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), server;
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(address);
	int value;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	expect(connect(client, (struct sockaddr *)&address, length) == 0);
	server = accept(listener, NULL, NULL);
	length = sizeof(info);
	expect(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
	say("state %d, info of %d bytes or more\n", info.tcpi_state, length >= 104);
	length = 8;
	expect(getsockopt(server, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && length == 8);
	length = sizeof(value);
	expect(getsockopt(client, IPPROTO_TCP, TCP_MAXSEG, &value, &length) == 0 && value > 0);
	expect(getsockopt(client, SOL_SOCKET, SO_INCOMING_CPU, &value, &length) == 0);
	expect(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 1);
	expect(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == 0);
	close(client);
	close(server);
	close(listener);
}

static void of_a_peer(void)
{
	gid_t groups[64];
	struct ucred who;
	socklen_t length = sizeof(who);
	int pair[2], fd = -1;

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &length) == 0);
	expect(who.pid == getpid() && who.uid == geteuid());
	length = 1;
	expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0 || errno == ERANGE);
	length = sizeof(groups);
	expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0);
	expect(length / sizeof(gid_t) == (socklen_t)getgroups(0, NULL));
	length = sizeof(fd);
	if (getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &length) == 0)
		expect(fd >= 0 && close(fd) == 0);
	close(pair[0]);
	close(pair[1]);
}

/* Takes datagrams of four bytes or more, cut to four. */
static void programs(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 4),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { 4, code }, bad = { 4, (struct sock_filter *)(void *)nowhere() };
	struct sock_filter got[8];
	socklen_t length = 0;
	char text[16];
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	expect(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)) == -1);
	say("a bad program: %s\n", strerror(errno));
	expect(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0);
	expect(send(pair[0], "no", 2, 0) == 2 || errno == EPERM);
	expect(send(pair[0], "yes, please", 11, 0) == 11);
	say("filtered: %zd bytes\n", recv(pair[1], text, sizeof(text), MSG_DONTWAIT));
	expect(getsockopt(pair[1], SOL_SOCKET, SO_GET_FILTER, NULL, &length) == 0);
	say("instructions: %u\n", length);
	memset(got, '~', sizeof(got));
	length = 8;
	expect(getsockopt(pair[1], SOL_SOCKET, SO_GET_FILTER, got, &length) == 0 && length == 4);
	expect(memcmp(got, code, sizeof(code)) == 0);
	say("and behind them: %d\n", memcmp(&got[4], "~~~~~~~~", 8));
	expect(setsockopt(pair[1], SOL_SOCKET, SO_DETACH_FILTER, text, sizeof(int)) == 0);
	close(pair[0]);
	close(pair[1]);
}

/* The kernel stores as many sources as were asked for, whatever the length says. */
static void sources(void)
{
	struct ip_mreq_source member = { .imr_interface.s_addr = htonl(INADDR_LOOPBACK) };
	struct {
		struct ip_msfilter filter;
		uint32_t more[3];
	} got;
	socklen_t length = IP_MSFILTER_SIZE(0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect(inet_pton(AF_INET, "232.5.6.7", &member.imr_multiaddr) == 1);
	for (uint32_t i = 1; i <= 3; i++) {
		member.imr_sourceaddr.s_addr = htonl(0x0a000000 + i);
		expect(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &member, sizeof(member)) ==
		       0);
	}
	memset(&got, '~', sizeof(got));
	got.filter.imsf_multiaddr = member.imr_multiaddr;
	got.filter.imsf_interface = member.imr_interface;
	got.filter.imsf_numsrc = 3;
	expect(getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &got, &length) == 0);
	say("%u sources in %u bytes: %016lx\n", got.filter.imsf_numsrc, length,
	    fingerprint(&got, sizeof(got)));
	close(fd);
}

/* Memory that the kernel would write at any time; a kernel without the option says the same. */
static void refused(void)
{
	struct tpacket_req ring = { 4096, 1, 2048, 2 };
	struct nl_mmap_req messages = { 65536, 4, 16384, 16 };
	int packet = socket(AF_PACKET, SOCK_RAW, 0), link = socket(AF_NETLINK, SOCK_RAW, 0);
	int tcp = socket(AF_INET, SOCK_STREAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
	void *at;

	if (packet >= 0)
		setsockopt(packet, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring));
	expect(link >= 0);
	expect(setsockopt(link, SOL_NETLINK, NETLINK_RX_RING, &messages, sizeof(messages)) == -1);
	expect(setsockopt(link, SOL_NETLINK, NETLINK_TX_RING, &messages, sizeof(messages)) == -1);
	say("rings: %s\n", strerror(errno));
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, tcp, 0);
	if (at != MAP_FAILED)
		munmap(at, 4096);
	expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, local, 0) == MAP_FAILED && errno == ENODEV);
}

int main(void)
{
	flat();
	of_a_connection();
	of_a_peer();
	programs();
	sources();
	refused();
	return 0;
}
