/* A network of one's own: a virtual interface with its addresses, neighbours, routes and filters. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct ifreq request;

static struct ifreq *of(const char *name)
{
	memset(&request, 0, sizeof(request));
	strcpy(request.ifr_name, name);
	return &request;
}

static struct sockaddr address(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr any;

	expect(inet_aton(text, &in.sin_addr));
	memcpy(&any, &in, sizeof(any));
	return any;
}

static void loopback(int fd)
{
	struct sockaddr_in in;

	of("lo")->ifr_flags = IFF_UP;
	expect(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	of("lo")->ifr_addr = address("127.0.0.9");
	expect(ioctl(fd, SIOCSIFADDR, &request) == 0 && ioctl(fd, SIOCGIFADDR, of("lo")) == 0);
	memcpy(&in, &request.ifr_addr, sizeof(in));
	say("loopback is %s now\n", inet_ntoa(in.sin_addr));
}

static void attach(int tun)
{
	int index = 41;

	expect(ioctl(tun, TUNSETIFINDEX, &index) == 0);
	of("t%d")->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
	expect(ioctl(tun, TUNSETIFF, &request) == 0);
	say("interface %s", request.ifr_name);
}

static void settings(int tun)
{
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 0xffff) };
	struct sock_fprog filter = { 1, all }, got = { 0 };
	int value = 65536;

	expect(ioctl(tun, TUNSETOWNER, 0) == 0 && ioctl(tun, TUNSETGROUP, 0) == 0);
	expect(ioctl(tun, TUNSETPERSIST, 1) == 0 && ioctl(tun, TUNSETPERSIST, 0) == 0);
	expect(ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM) == 0 && ioctl(tun, TUNSETNOCSUM, 1) == 0);
	expect(ioctl(tun, TUNSETLINK, ARPHRD_ETHER) == 0 || errno == EBUSY);
	expect(ioctl(tun, TUNSETDEBUG, 0) == 0 || errno == EINVAL || errno == ENOTTY);
	expect(ioctl(tun, TUNSETSNDBUF, &value) == 0);
	value = 12;
	expect(ioctl(tun, TUNSETVNETHDRSZ, &value) == 0);
	expect(ioctl(tun, TUNATTACHFILTER, &filter) == 0 && ioctl(tun, TUNGETFILTER, &got) == 0);
	say(", a filter of %d\n", got.len);
	of("")->ifr_flags = IFF_DETACH_QUEUE;
	expect(ioctl(tun, TUNSETQUEUE, &request) == 0);
	of("")->ifr_flags = IFF_ATTACH_QUEUE;
	expect(ioctl(tun, TUNSETQUEUE, &request) == 0);
}

static void interface(int fd)
{
	static const unsigned char hardware[6] = { 2, 0, 0, 1, 2, 3 };
	struct sockaddr_in in;

	of("t0")->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, hardware, 6);
	expect(ioctl(fd, SIOCSIFHWADDR, &request) == 0 && ioctl(fd, SIOCGIFHWADDR, of("t0")) == 0);
	expect(memcmp(request.ifr_hwaddr.sa_data, hardware, 6) == 0);
	of("t0")->ifr_mtu = 1300;
	expect(ioctl(fd, SIOCSIFMTU, &request) == 0);
	of("t0")->ifr_qlen = 77;
	expect(ioctl(fd, SIOCSIFTXQLEN, &request) == 0);
	strcpy(of("t0")->ifr_newname, "mine");
	expect(ioctl(fd, SIOCSIFNAME, &request) == 0 && ioctl(fd, SIOCGIFMTU, of("t0")) == -1);
	expect(errno == ENODEV && ioctl(fd, SIOCGIFMTU, of("mine")) == 0);
	say("renamed, MTU %d", request.ifr_mtu);
	expect(ioctl(fd, SIOCSIFMETRIC, of("mine")) == 0 || errno == EOPNOTSUPP);
	of("mine")->ifr_addr = address("10.9.8.7");
	expect(ioctl(fd, SIOCSIFADDR, &request) == 0);
	of("mine")->ifr_netmask = address("255.255.255.0");
	expect(ioctl(fd, SIOCSIFNETMASK, &request) == 0);
	of("mine")->ifr_broadaddr = address("10.9.8.200");
	expect(ioctl(fd, SIOCSIFBRDADDR, &request) == 0 && ioctl(fd, SIOCGIFBRDADDR, of("mine")) == 0);
	memcpy(&in, &request.ifr_broadaddr, sizeof(in));
	say(", broadcasts to %s\n", inet_ntoa(in.sin_addr));
	of("mine")->ifr_dstaddr = address("10.9.8.7");
	expect(ioctl(fd, SIOCSIFDSTADDR, &request) == 0);
	of("mine")->ifr_flags = IFF_UP | IFF_RUNNING;
	expect(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	of("mine")->ifr_hwaddr.sa_family = AF_UNSPEC;
	memcpy(request.ifr_hwaddr.sa_data, "\x01\x00\x5e\x01\x02\x03", 6);
	expect(ioctl(fd, SIOCADDMULTI, &request) == 0 && ioctl(fd, SIOCDELMULTI, &request) == 0);
}

static void neighbours(int fd)
{
	struct arpreq entry = { .arp_flags = ATF_COM | ATF_PERM, .arp_dev = "mine" };

	entry.arp_pa = address("10.9.8.1");
	entry.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(entry.arp_ha.sa_data, "\x02\x00\x00\x09\x09\x09", 6);
	expect(ioctl(fd, SIOCSARP, &entry) == 0);
	memset(&entry.arp_ha, 0, sizeof(entry.arp_ha));
	expect(ioctl(fd, SIOCGARP, &entry) == 0);
	say("a neighbour at %02x\n", entry.arp_ha.sa_data[5]);
	expect(ioctl(fd, SIOCDARP, &entry) == 0 && ioctl(fd, SIOCGARP, &entry) == -1 && errno == ENXIO);
}

static void routes(int fd)
{
	struct rtentry route = { .rt_flags = RTF_UP, .rt_dev = (char[]){ "mine" } };

	route.rt_dst = address("10.20.0.0");
	route.rt_genmask = address("255.255.0.0");
	expect(ioctl(fd, SIOCADDRT, &route) == 0);
	expect(ioctl(fd, SIOCADDRT, &route) == -1 && errno == EEXIST);
	expect(ioctl(fd, SIOCDELRT, &route) == 0);
	expect(ioctl(fd, SIOCDELRT, &route) == -1);
	say("no such route: %s\n", strerror(errno));
}

static void space(int fd)
{
	int name_space = ioctl(fd, SIOCGSKNS), own = open("/proc/self/ns/net", O_RDONLY);
	struct stat a, b;

	expect(name_space >= 0 && own >= 0 && fstat(name_space, &a) == 0 && fstat(own, &b) == 0);
	say("the socket's network is ours: %d\n", a.st_ino == b.st_ino);
}

/* What the kernel has a name for and no interface here has an answer to. */
static void unanswered(int fd)
{
	expect(ioctl(fd, SIOCGIFCOUNT, of("lo")) == -1 && ioctl(fd, SIOCGIFPFLAGS, of("lo")) == -1);
	expect(ioctl(fd, SIOCSIFPFLAGS, of("lo")) == -1);
	expect(ioctl(fd, SIOCGMIIPHY, of("mine")) == -1 && ioctl(fd, SIOCGMIIREG, of("mine")) == -1);
	say("unanswered\n");
}

int main(void)
{
	int fd, tun;

	if (unshare(CLONE_NEWNET) < 0 || (tun = open("/dev/net/tun", O_RDWR)) < 0) {
		say("no network of our own here\n");
		return 0;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	loopback(fd);
	attach(tun);
	settings(tun);
	interface(fd);
	neighbours(fd);
	routes(fd);
	space(fd);
	unanswered(fd);
	return 0;
}
