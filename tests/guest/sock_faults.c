/* Socket calls with memory that ends too soon, cannot be written, or is not there. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

static char *edge;   /* the first byte behind 4,096 that can be used */
static char *locked; /* a page that can only be read, zeros */

static void show(const char *what, ssize_t r)
{
	int error = errno;

	say("%s: %zd", what, r);
	if (r < 0)
		say(", %s", strerror(error));
	say(", %016lx\n", fingerprint(edge - 4096, 4096));
	memset(edge - 4096, '~', 4096);
}

static void make_pair(int kind, int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);

	if (kind < 100) {
		expect(socketpair(AF_UNIX, kind, 0, pair) == 0);
		return;
	}
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pair[0] = socket(AF_INET, kind - 100, 0);
	pair[1] = socket(AF_INET, kind - 100, 0);
	expect(bind(pair[1], (struct sockaddr *)&address, length) == 0);
	expect(getsockname(pair[1], (struct sockaddr *)&address, &length) == 0);
	if (kind - 100 == SOCK_STREAM)
		expect(listen(pair[1], 1) == 0);
	expect(connect(pair[0], (struct sockaddr *)&address, length) == 0);
	if (kind - 100 == SOCK_STREAM) {
		int fd = accept(pair[1], NULL, NULL);

		close(pair[1]);
		pair[1] = fd;
	}
}

static void put(int fd)
{
	static char text[1000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	expect(send(fd, text, sizeof(text), 0) == sizeof(text));
}

static void await(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	expect(poll(&one, 1, 5000) == 1);
}

/* What is left of it, so that the next one starts anew. */
static void drain(int fd)
{
	char text[2000];

	while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

static void receiving(int kind)
{
	struct iovec parts[2] = { { edge - 700, 100 }, { edge - 300, 2000 } };
	struct msghdr *header = (void *)(edge - sizeof(struct msghdr));
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int pair[2];
	ssize_t r;

	make_pair(kind, pair);
	say("-- kind %d\n", kind);
	for (int way = 0; way < 6; way++) {
		drain(pair[1]);
		put(pair[0]);
		await(pair[1]);
		errno = 0;
		switch (way) {
		case 0: show("recv", recv(pair[1], edge - 500, 1000, 0)); break;
		case 1: show("nowhere", recv(pair[1], edge, 1000, 0)); break;
		case 2:
			*header = (struct msghdr){ .msg_iov = parts, .msg_iovlen = 2 };
			r = recvmsg(pair[1], header, 0);
			memset(header, 0, sizeof(*header)); /* it holds an address */
			show("recvmsg", r);
			break;
		case 3:
			*header = (struct msghdr){ .msg_iov = (struct iovec *)(void *)edge,
						   .msg_iovlen = 1 };
			r = recvmsg(pair[1], header, 0);
			memset(header, 0, sizeof(*header));
			show("no vector", r);
			break;
		case 4:
			show("no header", recvmsg(pair[1], (struct msghdr *)(void *)(edge - 16), 0));
			break;
		case 5:
			length = sizeof(from);
			show("no name", recvfrom(pair[1], edge - 1000, 1000, 0,
						 (struct sockaddr *)edge, &length));
			break;
		}
	}
	close(pair[0]);
	close(pair[1]);
}

/* The header cannot be written: the data has come, its length has not. */
static void locked_header(void)
{
	struct iovec *part = (struct iovec *)(void *)(locked + 1024);
	struct msghdr *header = (struct msghdr *)(void *)locked;
	int pair[2];

	expect(mprotect(locked, 4096, PROT_READ | PROT_WRITE) == 0);
	*part = (struct iovec){ edge - 1000, 1000 };
	*header = (struct msghdr){ .msg_iov = part, .msg_iovlen = 1 };
	expect(mprotect(locked, 4096, PROT_READ) == 0);
	make_pair(SOCK_DGRAM, pair);
	put(pair[0]);
	show("a locked header", recvmsg(pair[1], header, 0));
	put(pair[0]);
	show("into a locked page", recv(pair[1], locked, 1000, 0));
	put(pair[0]);
	await(pair[1]);
	show("locked descriptors", poll((struct pollfd *)(void *)(locked + 2048), 1, 0));
	close(pair[0]);
	close(pair[1]);
}

static void no_room_for_control(void)
{
	struct iovec part = { edge - 1000, 1000 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_controllen = 64 };
	struct cmsghdr *control = (struct cmsghdr *)(void *)(edge - 8);
	int pair[2], on = 1;

	make_pair(SOCK_DGRAM, pair);
	expect(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	put(pair[0]);
	header.msg_control = control;
	errno = 0;
	show("half a control buffer", recvmsg(pair[1], &header, 0));
	say("flags %#x, length %zu\n", (unsigned int)header.msg_flags, header.msg_controllen);
	close(pair[0]);
	close(pair[1]);
}

/* The second message has no room: the first counts, and the bytes of the other are in memory. */
static void in_batches(void)
{
	struct iovec parts[4] = { { edge - 2000, 1000 },
				  { edge - 1000, 500 },
				  { edge - 300, 1000 },
				  { edge - 4096, 1000 } };
	struct mmsghdr headers[3] = {
		{ .msg_hdr = { .msg_iov = parts, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 2 } },
		{ .msg_hdr = { .msg_iov = &parts[3], .msg_iovlen = 1 } },
	};
	int pair[2];

	make_pair(SOCK_DGRAM, pair);
	for (int i = 0; i < 3; i++)
		put(pair[0]);
	show("a batch cut short", recvmmsg(pair[1], headers, 3, 0, NULL));
	show("why it was", recvmmsg(pair[1], headers, 1, MSG_DONTWAIT, NULL));
	drain(pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static void sending(int kind)
{
	struct iovec parts[2] = { { edge - 700, 100 }, { edge - 300, 2000 } };
	struct msghdr header = { .msg_iov = parts, .msg_iovlen = 2 };
	int pair[2];

	make_pair(kind, pair);
	show("sendmsg", sendmsg(pair[0], &header, MSG_DONTWAIT));
	show("received", recv(pair[1], edge - 4096, 4096, MSG_DONTWAIT));
	drain(pair[1]);
	show("send", send(pair[0], edge - 10, 20, MSG_DONTWAIT));
	drain(pair[1]);
	header.msg_iovlen = 1025;
	show("too many parts", sendmsg(pair[0], &header, MSG_DONTWAIT));
	header.msg_iovlen = 1;
	header.msg_control = edge;
	header.msg_controllen = 32;
	show("no control", sendmsg(pair[0], &header, MSG_DONTWAIT));
	drain(pair[1]);
	header.msg_control = NULL;
	header.msg_controllen = 0;
	header.msg_name = edge;
	header.msg_namelen = 16;
	show("no name", sendmsg(pair[0], &header, MSG_DONTWAIT));
	close(pair[0]);
	close(pair[1]);
}

static void waiting(void)
{
	struct epoll_event *events = (struct epoll_event *)(void *)(edge - 30),
			   one = { .events = EPOLLIN };
	int pair[2], epoll = epoll_create1(0);

	for (int i = 0; i < 4; i++) {
		make_pair(SOCK_STREAM, pair);
		put(pair[1]);
		one.data.u32 = (uint32_t)i;
		expect(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &one) == 0);
	}
	show("room for two events", epoll_wait(epoll, events, 8, 0));
	show("room for none", epoll_wait(epoll, (struct epoll_event *)(void *)edge, 8, 0));
	show("no descriptors", poll((struct pollfd *)(void *)(edge - 4), 2, 0));
	/* of a set the kernel reads no more than the descriptor table is long */
	expect(dup2(epoll, 999) == 999 && close(999) == 0);
	show("no set",
	     select(1000, (fd_set *)(void *)(edge - 8), NULL, NULL, &(struct timeval){ 0, 0 }));
	show("no event", epoll_ctl(epoll, EPOLL_CTL_MOD, pair[0], (struct epoll_event *)(void *)edge));
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(void *)(edge - 4)) == -1 && errno == EFAULT);
	memset(edge - 4, '~', 4);
	show("no offset", sendfile(pair[0], epoll, (off_t *)(void *)(edge - 4), 10));
}

int main(void)
{
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	locked = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(edge != MAP_FAILED && locked != MAP_FAILED && munmap(edge + 4096, 4096) == 0);
	edge += 4096;
	memset(edge - 4096, '~', 4096);
	receiving(SOCK_STREAM);
	receiving(SOCK_DGRAM);
	receiving(SOCK_SEQPACKET);
	receiving(100 + SOCK_STREAM);
	receiving(100 + SOCK_DGRAM);
	locked_header();
	no_room_for_control();
	in_batches();
	sending(SOCK_STREAM);
	sending(SOCK_DGRAM);
	sending(100 + SOCK_STREAM);
	sending(100 + SOCK_DGRAM);
	waiting();
	return 0;
}
