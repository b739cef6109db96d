/* Requests to sockets: the loopback interface, bytes waiting, time stamps, ownership; what is refused. */
#include "guest.h"
#include <stdbool.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define SIOCGIWNAME 0x8b01

static struct ifreq *of_lo(void)
{
	static struct ifreq request;

	memset(&request, 0xcc, sizeof(request));
	strcpy(request.ifr_name, "lo");
	return &request;
}

static const char *address_of(const struct ifreq *request)
{
	struct sockaddr_in address;

	memcpy(&address, &request->ifr_addr, sizeof(address));
	return inet_ntoa(address.sin_addr);
}

static void interface(int fd)
{
	struct ifreq *request = of_lo();
	int index;

	expect(ioctl(fd, SIOCGIFINDEX, request) == 0);
	index = request->ifr_ifindex;
	memset(request, 0xcc, sizeof(*request));
	request->ifr_ifindex = index;
	expect(ioctl(fd, SIOCGIFNAME, request) == 0);
	say("interface %d is %s\n", index, request->ifr_name);
	expect(ioctl(fd, SIOCGIFFLAGS, of_lo()) == 0);
	say("up %d, loopback %d\n", (request->ifr_flags & IFF_UP) != 0,
	    (request->ifr_flags & IFF_LOOPBACK) != 0);
	expect(ioctl(fd, SIOCGIFADDR, of_lo()) == 0);
	say("address %s", address_of(request));
	expect(ioctl(fd, SIOCGIFNETMASK, of_lo()) == 0);
	say(" mask %s\n", address_of(request));
	expect(ioctl(fd, SIOCGIFBRDADDR, of_lo()) == 0 && ioctl(fd, SIOCGIFDSTADDR, of_lo()) == 0);
	expect(ioctl(fd, SIOCGIFHWADDR, of_lo()) == 0);
	say("hardware %d\n", request->ifr_hwaddr.sa_family);
	expect(ioctl(fd, SIOCGIFMETRIC, of_lo()) == 0 && ioctl(fd, SIOCGIFMAP, of_lo()) == 0);
	expect(ioctl(fd, SIOCGIFMTU, of_lo()) == 0);
	say("MTU %d\n", request->ifr_mtu);
	expect(ioctl(fd, SIOCGIFTXQLEN, of_lo()) == 0);
	expect(ioctl(fd, SIOCGIFMEM, of_lo()) == -1 && errno == ENOTTY);
	strcpy(request->ifr_name, "nosuch0");
	expect(ioctl(fd, SIOCGIFFLAGS, request) == -1 && errno == ENODEV);
}

static void list(int fd)
{
	struct ifreq all[32];
	struct ifconf conf = { .ifc_len = 0 };
	bool found = false;

	expect(ioctl(fd, SIOCGIFCONF, &conf) == 0 && conf.ifc_len > 0);
	conf.ifc_len = sizeof(all);
	conf.ifc_req = all;
	memset(all, '~', sizeof(all));
	expect(ioctl(fd, SIOCGIFCONF, &conf) == 0);
	for (size_t i = 0; i < (size_t)conf.ifc_len / sizeof(all[0]); i++)
		found |= strcmp(all[i].ifr_name, "lo") == 0;
	say("listed %d\n", found);
	expect(((char *)all)[conf.ifc_len] == '~');
	conf.ifc_len = 5;
	expect(ioctl(fd, SIOCGIFCONF, &conf) == 0);
	say("no room for one: %d\n", conf.ifc_len);
}

static void waiting(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = -1, on = 1;
	socklen_t length = sizeof(address);
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct timeval stamp = { 0 };
	char text[16];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(fd, (struct sockaddr *)&address, length) == 0);
	expect(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	expect(ioctl(fd, SIOCGSTAMP, &stamp) == -1 && errno == ENOENT);
	expect(sendto(fd, "seven b", 7, 0, (struct sockaddr *)&address, length) == 7);
	expect(poll(&ready, 1, 5000) == 1 && ioctl(fd, FIONREAD, &bytes) == 0);
	say("waiting: %d\n", bytes);
	expect(ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes == 0);
	expect(recv(fd, text, sizeof(text), 0) == 7);
	expect(ioctl(fd, SIOCGSTAMP, &stamp) == 0 && stamp.tv_sec >= 946684800);
	expect(ioctl(fd, SIOCGSTAMP_NEW, &stamp) == 0 && stamp.tv_sec >= 946684800);
	expect(ioctl(fd, FIONBIO, &on) == 0 && recv(fd, text, 1, 0) == -1 && errno == EAGAIN);
	bytes = getpid();
	expect(ioctl(fd, SIOCSPGRP, &bytes) == 0);
	bytes = 0;
	expect(ioctl(fd, SIOCGPGRP, &bytes) == 0 && bytes == getpid());
	expect(ioctl(fd, SIOCATMARK, &bytes) == -1);
	say("a mark in datagrams: %s\n", strerror(errno));
	close(fd);
}

/* Hardware settings differ from host to host: all that counts is that the errors are ones that callers expect. */
static void refused(int fd)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq *request = of_lo();
	char wireless[32] = "lo";

	request->ifr_data = (char *)&link;
	expect(ioctl(fd, SIOCETHTOOL, request) == 0 || errno == EOPNOTSUPP || errno == EPERM);
	expect(ioctl(fd, SIOCGIWNAME, wireless) == -1);
	expect(errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY);
	expect(ioctl(fd, SIOCDEVPRIVATE, of_lo()) == -1);
}

static void virtual_interface(void)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI }, copy = { 0 };
	int fd = open("/dev/net/tun", O_RDWR), features = 0, bytes = 0;

	if (fd >= 0 && ioctl(fd, TUNGETFEATURES, &features) == 0) {
		expect(features & IFF_TAP);
		if (ioctl(fd, TUNSETIFF, &request) == 0) {
			expect(request.ifr_name[0] && ioctl(fd, TUNGETIFF, &copy) == 0);
			expect(strcmp(copy.ifr_name, request.ifr_name) == 0);
			expect(ioctl(fd, TUNGETSNDBUF, &bytes) == 0 && bytes > 0);
			expect(ioctl(fd, TUNGETVNETHDRSZ, &bytes) == 0 && bytes > 0);
			expect(ioctl(fd, TUNDETACHFILTER, NULL) == 0);
		}
	}
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct arpreq neighbour = { .arp_pa.sa_family = AF_INET, .arp_dev = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	interface(fd);
	list(fd);
	waiting();
	expect(ioctl(fd, SIOCGARP, &neighbour) == -1);
	say("no neighbour: %s\n", strerror(errno));
	refused(fd);
	virtual_interface();
	close(fd);
	return 0;
}
