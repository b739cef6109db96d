/* Netlink: interfaces and addresses from the kernel, errors and acknowledgements, groups, families by name. */
#include "guest.h"
#include <ifaddrs.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

static char buffer[32768] __attribute__((aligned(8)));

static int link_open(int protocol)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof(name);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	expect(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	expect(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	expect(length == sizeof(name) && name.nl_pid != 0);
	return fd;
}

static void ask(int fd, uint16_t type, uint16_t flags)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = { { sizeof(request), type, (uint16_t)(NLM_F_REQUEST | flags), 7, 0 },
		      { AF_UNSPEC } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	expect(sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) ==
	       sizeof(request));
}

/* All parts of one dump; tells whether the loopback interface is among them. */
static bool dump(int fd, uint16_t type)
{
	bool found = false;

	ask(fd, type, NLM_F_DUMP);
	for (;;) {
		struct sockaddr_nl from;
		struct iovec part = { buffer, sizeof(buffer) };
		struct msghdr message = { .msg_name = &from, .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n;
		unsigned int left;

		message.msg_namelen = sizeof(from);
		expect(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC) > 0);
		n = recvmsg(fd, &message, 0);
		expect(n > 0 && from.nl_pid == 0);
		left = (unsigned int)n;
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return found;
			expect(h->nlmsg_type != NLMSG_ERROR);
			if (h->nlmsg_type == RTM_NEWLINK)
				found |= ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_flags & IFF_LOOPBACK;
			else if (h->nlmsg_type == RTM_NEWADDR)
				found |= ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_scope == RT_SCOPE_HOST;
			else
				found = true;
		}
	}
}

static void errors(int fd)
{
	struct nlmsgerr *error = NLMSG_DATA(buffer);
	int on = 1;

	ask(fd, RTM_GETLINK, NLM_F_ACK);
	expect(recv(fd, buffer, sizeof(buffer), 0) > 0);
	say("no interface named: %s\n", strerror(-error->error));
	ask(fd, 9999, NLM_F_ACK);
	expect(recv(fd, buffer, sizeof(buffer), 0) > 0);
	say("no such type: %s\n", strerror(-error->error));
	expect(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) == 0);
	ask(fd, RTM_GETLINK, NLM_F_ACK);
	expect(recv(fd, buffer, sizeof(buffer), 0) > (ssize_t)(NLMSG_HDRLEN + sizeof(*error)));
	expect(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void groups(void)
{
	int fd = link_open(NETLINK_ROUTE), events, group = RTNLGRP_LINK, joined[4] = { 0 };
	struct pollfd ready;
	socklen_t length = sizeof(joined);

	expect(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
	expect(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, joined, &length) == 0);
	say("groups: %#x\n", (unsigned int)joined[0]);
	close(fd);
	events = link_open(NETLINK_KOBJECT_UEVENT);
	ready = (struct pollfd){ .fd = events, .events = POLLIN };
	say("no device came: %d\n", poll(&ready, 1, 1));
	close(events);
}

static void generic(void)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr generic;
		struct nlattr attribute;
		char name[8];
	} request = { { sizeof(request), GENL_ID_CTRL, NLM_F_REQUEST, 1, 0 },
		      { CTRL_CMD_GETFAMILY, 1, 0 },
		      { NLA_HDRLEN + 7, CTRL_ATTR_FAMILY_NAME },
		      "nlctrl" };
	struct nlmsghdr *header = (void *)buffer;
	int fd = link_open(NETLINK_GENERIC);

	expect(send(fd, &request, sizeof(request), 0) == sizeof(request));
	expect(recv(fd, buffer, sizeof(buffer), 0) > 0);
	say("the family of families: %#x\n", header->nlmsg_type);
	close(fd);
}

int main(void)
{
	struct ifaddrs *all;
	int fd = link_open(NETLINK_ROUTE), local = 0;

	say("links %d", dump(fd, RTM_GETLINK));
	say(", addresses %d", dump(fd, RTM_GETADDR));
	say(", routes %d\n", dump(fd, RTM_GETROUTE));
	errors(fd);
	close(fd);
	groups();
	generic();
	expect(getifaddrs(&all) == 0);
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
		    ((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr ==
			    htonl(INADDR_LOOPBACK))
			local++;
	}
	freeifaddrs(all);
	say("loopback by the C library: %d\n", local);
	return 0;
}
