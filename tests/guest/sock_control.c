/* What travels beside the data: many descriptors, credentials, time stamps, addresses, errors. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MANY 253 /* as many descriptors as one message takes */

static char control[8192] __attribute__((aligned(8)));

static ssize_t take(int fd, struct msghdr *message, size_t room, int flags)
{
	static char text[64];
	static struct iovec part;
	static struct sockaddr_storage from;

	part = (struct iovec){ text, sizeof(text) };
	memset(control, 0, sizeof(control));
	*message = (struct msghdr){ .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &part,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = room };
	return recvmsg(fd, message, flags);
}

static void many_descriptors(void)
{
	static int fds[MANY + 1];
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header = (struct cmsghdr *)(void *)control;
	int pair[2], ends[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(ends) == 0);
	for (int i = 0; i <= MANY; i++)
		fds[i] = ends[i % 2];
	for (int count = MANY + 1; count >= MANY; count--) {
		*header = (struct cmsghdr){ CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET,
					    SCM_RIGHTS };
		memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		say("%d descriptors: %zd\n", count, sendmsg(pair[0], &message, 0));
	}
	expect(take(pair[1], &message, CMSG_SPACE(MANY * sizeof(int)), 0) == 1);
	expect(header->cmsg_len == CMSG_LEN(MANY * sizeof(int)));
	memcpy(fds, CMSG_DATA(header), MANY * sizeof(int));
	expect(write(fds[MANY - 2], "last", 4) == 4 && read(fds[0], control, 4) == 4);
	say("the last of them writes: %.4s\n", control);
	for (int i = 0; i < MANY; i++)
		expect(close(fds[i]) == 0);
	*header = (struct cmsghdr){ CMSG_LEN(3 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	for (int i = 0; i < 3; i++)
		memcpy(CMSG_DATA(header) + i * (int)sizeof(int), &ends[0], sizeof(int));
	message = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	message.msg_controllen = CMSG_SPACE(3 * sizeof(int));
	expect(sendmsg(pair[0], &message, 0) == 1);
	expect(take(pair[1], &message, CMSG_LEN(sizeof(int)), MSG_CMSG_CLOEXEC) == 1);
	memcpy(fds, CMSG_DATA(header), sizeof(int));
	say("room for one of three: cut %d, length %zu, close-on-exec %d\n",
	    (message.msg_flags & MSG_CTRUNC) != 0, message.msg_controllen, fcntl(fds[0], F_GETFD));
	close(fds[0]);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(ends[i]);
	}
}

static void credentials(void)
{
	struct ucred own = { getpid(), getuid(), getgid() }, seen;
	struct iovec part = { "who", 3 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header = (struct cmsghdr *)(void *)control;
	int pair[2], on = 1;

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	expect(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(own)), SOL_SOCKET, SCM_CREDENTIALS };
	memcpy(CMSG_DATA(header), &own, sizeof(own));
	message.msg_controllen = CMSG_SPACE(sizeof(own));
	expect(sendmsg(pair[0], &message, 0) == 3 && send(pair[0], "me", 2, 0) == 2);
	for (int i = 0; i < 2; i++) {
		expect(take(pair[1], &message, sizeof(control), 0) == 3 - i);
		memcpy(&seen, CMSG_DATA(header), sizeof(seen));
		say("credentials %s: %d\n", i ? "by default" : "given",
		    !memcmp(&seen, &own, sizeof(own)));
	}
	close(pair[0]);
	close(pair[1]);
}

static int udp(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	expect(bind(fd, (struct sockaddr *)address, length) == 0);
	expect(getsockname(fd, (struct sockaddr *)address, &length) == 0);
	return fd;
}

static void describe(struct msghdr *message)
{
	struct in_pktinfo info;
	int hops;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		say("level %d, type %d, %zu bytes", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			say(", to %s", inet_ntoa(info.ipi_addr));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
			say(", %d hops", hops);
		}
		say("\n");
	}
}

static void on_datagrams(void)
{
	static const struct {
		int level, name;
	} options[] = { { SOL_SOCKET, SO_TIMESTAMP },
			{ IPPROTO_IP, IP_PKTINFO },
			{ IPPROTO_IP, IP_RECVTTL },
			{ IPPROTO_IP, IP_RECVTOS },
			{ IPPROTO_IP, IP_RECVORIGDSTADDR } };
	struct sockaddr_in address, dead;
	int fd = udp(&address), sender = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	struct sock_extended_err error;
	struct msghdr message;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		expect(setsockopt(fd, options[i].level, options[i].name, &on, sizeof(on)) == 0);
	expect(sendto(sender, "stamped", 7, 0, (struct sockaddr *)&address, sizeof(address)) == 7);
	expect(take(fd, &message, sizeof(control), MSG_PEEK) == 7);
	expect(take(fd, &message, sizeof(control), 0) == 7);
	describe(&message);
	close(udp(&dead));
	expect(setsockopt(sender, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0);
	expect(sendto(sender, "lost", 4, 0, (struct sockaddr *)&dead, sizeof(dead)) == 4);
	expect(take(sender, &message, sizeof(control), 0) == -1 && errno == ECONNREFUSED);
	expect(take(sender, &message, sizeof(control), MSG_ERRQUEUE) == 4);
	expect(message.msg_flags & MSG_ERRQUEUE);
	memcpy(&error, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(error));
	say("came back: %s, origin %d, type %d\n", strerror((int)error.ee_errno), error.ee_origin,
	    error.ee_type);
	expect(take(sender, &message, sizeof(control), MSG_ERRQUEUE) == -1 && errno == EAGAIN);
	close(fd);
	close(sender);
}

static void in_parts(void)
{
	char text[16] = "", far[8] = "";
	struct iovec parts[3] = { { text, 3 }, { NULL, 0 }, { far, 4 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	int pair[2];
	pid_t pid;

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	expect(send(pair[0], "0123456789", 10, 0) == 10);
	expect(recvmsg(pair[1], &message, MSG_PEEK | MSG_TRUNC) == 10);
	say("peeked %s and %s, cut %d\n", text, far, (message.msg_flags & MSG_TRUNC) != 0);
	expect(recv(pair[1], NULL, 0, MSG_PEEK | MSG_TRUNC) == 10);
	expect(recvmsg(pair[1], &message, 0) == 7);
	expect(recvmsg(pair[1], &message, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	close(pair[0]);
	close(pair[1]);
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			expect(send(pair[0], "abcdefgh" + i, 2, 0) == 2);
			sleep_ms(5);
		}
		_exit(0);
	}
	expect(recv(pair[1], text, 10, MSG_WAITALL) == 10);
	say("all of it: %.10s, %d\n", text, reap(pid));
	close(pair[0]);
	expect(recv(pair[1], text, 10, MSG_WAITALL) == 0);
	close(pair[1]);
}

int main(void)
{
	many_descriptors();
	credentials();
	on_datagrams();
	in_parts();
	return 0;
}
