/* Sockets: owners, stamps in nanoseconds, what is not sent yet, sources of a group, and who of several gets a datagram. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

static struct sockaddr_in here = { .sin_family = AF_INET };

static void receive(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char text[8];

	expect(poll(&ready, 1, 5000) == 1 && recv(fd, text, sizeof(text), 0) == 4);
}

static void stamps(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), owner = getpid();
	socklen_t length = sizeof(here);
	struct timespec stamp = { 0 };

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here.sin_port = 0;
	expect(bind(fd, (struct sockaddr *)&here, length) == 0);
	expect(getsockname(fd, (struct sockaddr *)&here, &length) == 0);
	expect(ioctl(fd, SIOCGSTAMPNS_OLD, &stamp) == -1 && errno == ENOENT);
	expect(sendto(fd, "text", 4, 0, (struct sockaddr *)&here, length) == 4);
	receive(fd);
	expect(ioctl(fd, SIOCGSTAMPNS_OLD, &stamp) == 0 && stamp.tv_sec >= 946684800);
	memset(&stamp, 0, sizeof(stamp));
	expect(ioctl(fd, SIOCGSTAMPNS_NEW, &stamp) == 0 && stamp.tv_sec >= 946684800);
	expect(ioctl(fd, FIOSETOWN, &owner) == 0);
	owner = 0;
	expect(ioctl(fd, FIOGETOWN, &owner) == 0 && owner == getpid());
	say("stamped and owned\n");
	close(fd);
}

static void not_sent(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0),
	    bytes = -1;
	socklen_t length = sizeof(here);

	here.sin_port = 0;
	expect(bind(listener, (struct sockaddr *)&here, length) == 0 && listen(listener, 1) == 0);
	expect(getsockname(listener, (struct sockaddr *)&here, &length) == 0);
	expect(connect(fd, (struct sockaddr *)&here, length) == 0);
	expect(ioctl(fd, SIOCOUTQNSD, &bytes) == 0);
	say("not sent: %d\n", bytes);
	close(fd);
	close(listener);
}

/* The kernel writes as many sources as the value has room for, whatever length is said beside it. */
static void sources(int family, const char *group, const char *source)
{
	int fd = socket(family, SOCK_DGRAM, 0), level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_family = family }, *found;
	struct group_source_req member = { .gsr_interface = 1 };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct group_filter *filter = (struct group_filter *)(page + 4096 - GROUP_FILTER_SIZE(4));
	socklen_t length = GROUP_FILTER_SIZE(0);

	expect(page != MAP_FAILED && fd >= 0);
	expect(getaddrinfo(group, NULL, &hints, &found) == 0);
	memcpy(&member.gsr_group, found->ai_addr, found->ai_addrlen);
	memcpy(&filter->gf_group, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	expect(getaddrinfo(source, NULL, &hints, &found) == 0);
	memcpy(&member.gsr_source, found->ai_addr, found->ai_addrlen);
	expect(setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &member, sizeof(member)) == 0);
	filter->gf_interface = 1;
	filter->gf_numsrc = 4;
	expect(getsockopt(fd, level, MCAST_MSFILTER, filter, &length) == 0);
	say("sources: %u, mode %u, the first is ours: %d\n", filter->gf_numsrc, filter->gf_fmode,
	    memcmp(&filter->gf_slist[0], found->ai_addr, found->ai_addrlen) == 0);
	freeaddrinfo(found);
	close(fd);
}

/* Two sockets at one port; the program says that the second one gets everything. */
static void chosen(void)
{
	struct sock_filter second[] = { BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_fprog program = { 1, second };
	int fd[2], on = 1, from = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t length = sizeof(here);

	here.sin_port = 0;
	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
		expect(setsockopt(fd[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
		expect(bind(fd[i], (struct sockaddr *)&here, length) == 0);
		expect(getsockname(fd[i], (struct sockaddr *)&here, &length) == 0);
	}
	expect(setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0);
	for (int i = 0; i < 8; i++) {
		expect(sendto(from, "text", 4, 0, (struct sockaddr *)&here, length) == 4);
		receive(fd[1]);
	}
	say("the second one was chosen\n");
}

int main(void)
{
	stamps();
	not_sent();
	sources(AF_INET, "232.1.2.3", "127.0.0.5");
	sources(AF_INET6, "ff3e::1234", "::1");
	chosen();
	return 0;
}
