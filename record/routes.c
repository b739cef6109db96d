#include "routes.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

#define MESSAGES_BYTES_MAX 65536
#define REACHABLE_MS 30000 /* the mean of what the kernel draws, RFC 4861 */

/* The attribute of that type among `length` bytes of them, NULL for none. */
static struct rtattr *find(struct rtattr *attribute, size_t length, unsigned int type)
{
	while (length >= sizeof(*attribute) && attribute->rta_len >= sizeof(*attribute) &&
	       attribute->rta_len <= length) {
		size_t step = RTA_ALIGN(attribute->rta_len);

		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
		if (step >= length)
			break;
		length -= step;
		attribute = (struct rtattr *)(void *)((uint8_t *)attribute + step);
	}
	return NULL;
}

static struct rtattr *find_inside(struct rtattr *outer, unsigned int type)
{
	return outer ? find(RTA_DATA(outer), RTA_PAYLOAD(outer), type) : NULL;
}

/* Attributes behind the message's own header of `fixed` bytes. */
static struct rtattr *find_first(struct nlmsghdr *message, size_t fixed, unsigned int type)
{
	size_t start = NLMSG_LENGTH(NLMSG_ALIGN(fixed));

	if (message->nlmsg_len <= start)
		return NULL;
	return find((struct rtattr *)(void *)((uint8_t *)message + start),
		    message->nlmsg_len - start, type);
}

static void change_link(struct nlmsghdr *message)
{
	struct rtattr *families = find_first(message, sizeof(struct ifinfomsg), IFLA_AF_SPEC);
	struct rtattr *cache = find_inside(find_inside(families, AF_INET6), IFLA_INET6_CACHEINFO);
	struct ifla_cacheinfo info;

	if (!cache || RTA_PAYLOAD(cache) < sizeof(info))
		return;
	memcpy(&info, RTA_DATA(cache), sizeof(info));
	info.tstamp = 0;
	info.reachable_time = REACHABLE_MS;
	memcpy(RTA_DATA(cache), &info, sizeof(info));
}

static void change_address(struct nlmsghdr *message)
{
	struct rtattr *cache = find_first(message, sizeof(struct ifaddrmsg), IFA_CACHEINFO);
	struct ifa_cacheinfo info;

	if (!cache || RTA_PAYLOAD(cache) < sizeof(info))
		return;
	memcpy(&info, RTA_DATA(cache), sizeof(info));
	info.cstamp = info.tstamp = 0;
	memcpy(RTA_DATA(cache), &info, sizeof(info));
}

static bool is_routes(const struct thread *thread, int fd)
{
	struct fd_info file = fd_lookup(thread->process->fds, thread->tid, fd);
	int domain = 0, protocol = -1, copy = S_ISSOCK(file.mode) ? fd_copy(thread->tid, fd) : -1;
	socklen_t length = sizeof(domain);

	if (copy < 0)
		return false;
	getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	close(copy);
	return domain == AF_NETLINK && protocol == NETLINK_ROUTE;
}

/* Where the first buffer is, and how much fits into it. */
static bool find_buffer(struct thread *thread, uint64_t *ret_address, size_t *ret_room)
{
	const uint64_t *args = thread->call.args;
	struct msghdr message;
	struct iovec part;

	*ret_address = args[1];
	*ret_room = args[2];
	if (thread->call.nr != SYS_recvmsg)
		return true;
	if (guest_read(thread, args[1], &message, sizeof(message)) != sizeof(message) ||
	    message.msg_iovlen == 0 ||
	    guest_read(thread, (uint64_t)(uintptr_t)message.msg_iov, &part, sizeof(part)) != sizeof(part))
		return false;
	*ret_address = (uint64_t)(uintptr_t)part.iov_base;
	*ret_room = part.iov_len;
	return true;
}

int routes_received(struct recorder *rec, struct thread *thread, int64_t received)
{
	_Alignas(struct nlmsghdr) static uint8_t bytes[MESSAGES_BYTES_MAX];
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)bytes;
	size_t length = (size_t)received, room, left;
	uint64_t address;

	if (!rec->routes || received <= 0 || !is_routes(thread, (int)thread->call.args[0]) ||
	    !find_buffer(thread, &address, &room))
		return 0;
	if (length > room)
		length = room; /* MSG_TRUNC counts what did not fit */
	if (length > sizeof(bytes) || guest_read(thread, address, bytes, length) != length)
		return 0;
	left = length;
	while (left >= sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= left) {
		size_t step = NLMSG_ALIGN(message->nlmsg_len);

		if (message->nlmsg_type == RTM_NEWLINK)
			change_link(message);
		else if (message->nlmsg_type == RTM_NEWADDR)
			change_address(message);
		if (step >= left)
			break;
		left -= step;
		message = (struct nlmsghdr *)(void *)((uint8_t *)message + step);
	}
	return guest_write(thread, address, bytes, length);
}
