#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK_INDEX 1 /* in every namespace */

struct request {
	struct nlmsghdr head;
	struct rtmsg route;
	uint8_t attributes[64];
};

int loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0) /* a kernel without IPv4 has nothing to bring up */
		return errno == EAFNOSUPPORT ? 0 : -errno;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		r = -errno;
	close(fd);
	return r;
}

static void add(struct request *request, uint16_t type, const void *bytes, size_t length)
{
	struct rtattr *attribute = (void *)((uint8_t *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), bytes, length);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) +
				  (uint32_t)RTA_ALIGN(RTA_LENGTH(length));
}

/* The route to 127.0.0.0 or 127.0.0.1 as the kernel made it, and the metric besides. */
static void describe(struct request *request, uint32_t destination, uint8_t bits)
{
	const uint32_t source = htonl(INADDR_LOOPBACK), index = LOOPBACK_INDEX;
	const struct {
		struct rtattr head;
		uint32_t value;
	} quick = { { sizeof(quick), RTAX_QUICKACK }, 1 };

	memset(request, 0, sizeof(*request));
	request->head.nlmsg_len = NLMSG_LENGTH(sizeof(request->route));
	request->head.nlmsg_type = RTM_NEWROUTE;
	request->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_REPLACE | NLM_F_ACK;
	request->route = (struct rtmsg){
		.rtm_family = AF_INET,
		.rtm_dst_len = bits,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_KERNEL,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL,
	};
	destination = htonl(destination);
	add(request, RTA_DST, &destination, sizeof(destination));
	add(request, RTA_PREFSRC, &source, sizeof(source));
	add(request, RTA_OIF, &index, sizeof(index));
	add(request, RTA_METRICS, &quick, sizeof(quick));
}

static int change(int fd, const struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		uint8_t rest[256];
	} answer;
	ssize_t n = send(fd, request, request->head.nlmsg_len, 0);

	if (n < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	return (size_t)n >= sizeof(answer.head) + sizeof(int) && answer.head.nlmsg_type == NLMSG_ERROR
		       ? answer.error.error
		       : -EPROTO;
}

/* What lets TCP decide by measured time: idle connections, round trips, packets that are still on their way. */
static int calm_down(void)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{ "tcp_slow_start_after_idle", "0" },
		{ "tcp_no_metrics_save", "1" },
		{ "tcp_autocorking", "0" },
		{ "tcp_congestion_control", "reno" },
	};
	char path[64];
	int r = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", settings[i].name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, settings[i].value, strlen(settings[i].value)) < 0)
			r = -errno;
		if (fd >= 0)
			close(fd);
	}
	return r;
}

int loopback_acknowledge(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), r;
	struct request request;

	if (fd < 0)
		return -errno;
	describe(&request, INADDR_LOOPBACK & 0xff000000U, 8);
	r = change(fd, &request);
	if (r == 0) {
		describe(&request, INADDR_LOOPBACK, 32);
		r = change(fd, &request);
	}
	close(fd);
	return r < 0 ? r : calm_down();
}
