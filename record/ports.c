#include "ports.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

#define PORT_FIRST 32768U
#define PORTS 28232U /* up to 60999, as ip(7) has it */
#define NAMES (1U << 20)
#define NETLINK_FIRST (-4097)
#define NETLINKS (1U << 20)
#define UNIX_NAME_BYTES (offsetof(struct sockaddr_un, sun_path) + 6)
#define IN6_BYTES_MIN 24U /* RFC 2133 */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_nl nl;
	uint8_t bytes[sizeof(struct sockaddr_storage)];
};

/* A guest's socket, in our hands. */
struct held_socket {
	int fd, domain, type;
	uint64_t inode;
};

static int option(const struct held_socket *held, int level, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(held->fd, level, name, &value, &length) == 0 ? value : 0;
}

/* False for what is no socket, and where we cannot have it. */
static bool take_socket(struct thread *thread, struct held_socket *ret)
{
	int fd = (int)thread->call.args[0];

	ret->fd = fd_copy(thread->tid, fd);
	if (ret->fd < 0 && thread->tid != thread->process->leader)
		ret->fd = fd_copy(thread->process->leader, fd);
	if (ret->fd < 0)
		return false;
	ret->domain = option(ret, SOL_SOCKET, SO_DOMAIN);
	ret->type = option(ret, SOL_SOCKET, SO_TYPE);
	return true;
}

static bool has_ports(const struct held_socket *held)
{
	return (held->domain == AF_INET || held->domain == AF_INET6) && held->type != SOCK_RAW &&
	       held->type != SOCK_PACKET;
}

/* Puts number `n` of the sequence into the address; its length. */
static socklen_t number_address(const struct recorder *rec, const struct thread *thread,
				const struct held_socket *held, union address *address, uint32_t n)
{
	char name[8];

	switch (held->domain) {
	case AF_INET:
		address->in.sin_port = htons((uint16_t)(PORT_FIRST + n % PORTS));
		return sizeof(address->in);
	case AF_INET6:
		address->in6.sin6_port = htons((uint16_t)(PORT_FIRST + n % PORTS));
		return sizeof(address->in6);
	case AF_NETLINK:
		/* The first one of a process has the number of the process, netlink(7). */
		address->nl.nl_pid = n == rec->given.netlinks
					     ? thread->process->pid
					     : (uint32_t)(NETLINK_FIRST - (int)((n - 1) % NETLINKS));
		return sizeof(address->nl);
	default:
		snprintf(name, sizeof(name), "%05x", n % NAMES);
		memset(&address->un, 0, sizeof(address->un));
		address->un.sun_family = AF_UNIX;
		memcpy(address->un.sun_path + 1, name, 5);
		return UNIX_NAME_BYTES;
	}
}

/* Binds to the next number that is free. 0 or -errno, of an address that no number makes good. */
static int give_number(struct recorder *rec, const struct thread *thread,
		       const struct held_socket *held, union address *address)
{
	bool ports = held->domain == AF_INET || held->domain == AF_INET6;
	uint32_t *next = ports			      ? &rec->given.ports
			 : held->domain == AF_NETLINK ? &rec->given.netlinks
						      : &rec->given.names;
	uint32_t limit = ports ? PORTS : NAMES;

	for (uint32_t i = 0; i < limit; i++) {
		socklen_t length = number_address(rec, thread, held, address, *next + i);

		if (bind(held->fd, &address->any, length) == 0) {
			/* A process's own number leaves the sequence where it was. */
			*next += held->domain == AF_NETLINK ? i : i + 1;
			return 0;
		}
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

/* An address that leaves the number to the kernel. */
static bool is_open(const struct held_socket *held, const union address *address, uint64_t length)
{
	bool no_port_yet;

	switch (held->domain) {
	case AF_INET:
	case AF_INET6:
		no_port_yet = option(held, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
		if (!has_ports(held) || no_port_yet)
			return false;
		if (held->domain == AF_INET)
			return length >= sizeof(address->in) && address->in.sin_port == 0;
		return length >= IN6_BYTES_MIN && address->in6.sin6_port == 0;
	case AF_UNIX:
		return length == sizeof(address->any.sa_family) && address->any.sa_family == AF_UNIX;
	case AF_NETLINK: return length >= sizeof(address->nl) && address->nl.nl_pid == 0;
	default: return false;
	}
}

static int enter_bind(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	uint64_t length = thread->call.args[2];
	union address address = { 0 };
	struct held_socket held;

	if (length < sizeof(address.any.sa_family) || length > sizeof(address) ||
	    guest_read(thread, thread->call.args[1], &address, (size_t)length) != length ||
	    !take_socket(thread, &held))
		return 0;
	*ret_answered = is_open(&held, &address, length) &&
			give_number(rec, thread, &held, &address) == 0;
	close(held.fd);
	return *ret_answered ? record_answer(rec, thread, 0) : 0;
}

/* The kernel would name it in this call: unix(7), netlink(7), ip(7). */
static bool wants_name(const struct held_socket *held, uint32_t nr, const union address *name,
		       socklen_t length)
{
	bool sends = nr != SYS_connect && nr != SYS_listen, stream = held->type == SOCK_STREAM;

	if (nr == SYS_listen && !(has_ports(held) && stream))
		return false;
	switch (held->domain) {
	case AF_INET:
	case AF_INET6:
		/* The port is at the same place in both. */
		return has_ports(held) && !(sends && stream) && name->in.sin_port == 0;
	case AF_UNIX:
		return length == sizeof(name->any.sa_family) && !(sends && stream) &&
		       (option(held, SOL_SOCKET, SO_PASSCRED) || option(held, SOL_SOCKET, SO_PASSPIDFD));
	case AF_NETLINK: return name->nl.nl_pid == 0;
	default: return false;
	}
}

/* No call that sends needs to look at it again. */
static bool is_settled(const struct held_socket *held, const union address *name, socklen_t length)
{
	switch (held->domain) {
	case AF_INET:
	case AF_INET6:
		return !has_ports(held) || held->type == SOCK_STREAM || name->in.sin_port != 0;
	case AF_UNIX: return held->type == SOCK_STREAM || length > sizeof(name->any.sa_family);
	case AF_NETLINK: return name->nl.nl_pid != 0;
	default: return true;
	}
}

static void name_socket(struct recorder *rec, struct thread *thread)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);
	uint64_t *settled = &rec->given.settled[info.inode % SETTLED_SOCKETS];
	union address name = { 0 };
	socklen_t length = sizeof(name);
	uint32_t nr = thread->call.nr;
	struct held_socket held;

	if (!S_ISSOCK(info.mode))
		return;
	if ((nr != SYS_connect && nr != SYS_listen && *settled == info.inode) ||
	    !take_socket(thread, &held))
		return;
	if (getsockname(held.fd, &name.any, &length) == 0) {
		if (wants_name(&held, nr, &name, length) && give_number(rec, thread, &held, &name) == 0)
			length = sizeof(name);
		if (is_settled(&held, &name, length))
			*settled = info.inode;
	}
	close(held.fd);
}

/* connect(2) to an address that undoes connections, or that the kernel refuses by its length, names nothing. */
static bool is_dialling(struct thread *thread)
{
	uint64_t length = thread->call.args[2];
	sa_family_t family;

	if (length <= sizeof(family) || length > sizeof(struct sockaddr_storage) ||
	    guest_read(thread, thread->call.args[1], &family, sizeof(family)) != sizeof(family))
		return false;
	switch (family) {
	case AF_UNSPEC: return false;
	case AF_INET: return length >= sizeof(struct sockaddr_in);
	case AF_INET6: return length >= IN6_BYTES_MIN;
	case AF_UNIX: return length <= sizeof(struct sockaddr_un);
	default: return true;
	}
}

int ports_entry(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	*ret_answered = false;
	switch (thread->call.nr) {
	case SYS_bind: return enter_bind(rec, thread, ret_answered);
	case SYS_connect:
		if (is_dialling(thread))
			name_socket(rec, thread);
		return 0;
	case SYS_listen: name_socket(rec, thread); return 0;
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg: name_socket(rec, thread); return 0;
	default: return 0;
	}
}
