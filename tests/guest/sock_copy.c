/* Data that moves without passing through the program: sendfile, splice, and sending without a copy. */
#include "guest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define BYTES 300000

static char data[BYTES], got[BYTES];

struct reader {
	int fd;
	size_t used;
};

static void *reader_main(void *arg)
{
	struct reader *reader = arg;
	ssize_t n;

	while ((n = recv(reader->fd, got + reader->used, BYTES - reader->used, 0)) > 0)
		reader->used += (size_t)n;
	return NULL;
}

static void connect_tcp(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	expect(connect(pair[0], (struct sockaddr *)&address, length) == 0);
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void check(const char *what, size_t used)
{
	say("%s: %zu bytes, %d\n", what, used, memcmp(got, data, used) == 0);
	memset(got, 0, sizeof(got));
}

static void from_a_file(int file)
{
	struct reader reader = { 0 };
	off_t offset = 0;
	pthread_t thread;
	int pair[2];

	connect_tcp(pair);
	reader.fd = pair[1];
	pthread_create(&thread, NULL, reader_main, &reader);
	while (offset < BYTES)
		expect(sendfile(pair[0], file, &offset, (size_t)(BYTES - offset)) > 0);
	expect(sendfile(pair[0], file, &offset, 100) == 0);
	expect(close(pair[0]) == 0);
	pthread_join(thread, NULL);
	check("sendfile", reader.used);
	close(pair[1]);
}

static void through_a_pipe(int file)
{
	int pair[2], back[2], ends[2], to = memfd_create("to", 0);
	loff_t in = 0, out = 0;
	ssize_t n, total = 0;

	connect_tcp(pair);
	expect(pipe(ends) == 0);
	for (int i = 0; i < 10; i++) {
		n = splice(file, &in, ends[1], NULL, 3000, SPLICE_F_MORE);
		expect(n > 0 && splice(ends[0], NULL, pair[0], NULL, (size_t)n, 0) == n);
		total += n;
	}
	close(pair[0]);
	while ((n = splice(pair[1], NULL, ends[1], NULL, 70000, SPLICE_F_MOVE)) > 0) {
		while (n > 0) {
			ssize_t m = splice(ends[0], NULL, to, &out, (size_t)n, 0);

			expect(m > 0);
			n -= m;
		}
	}
	expect(n == 0 && out == total && pread(to, got, (size_t)total, 0) == total);
	check("splice", (size_t)total);
	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, back) == 0);
	expect(splice(back[0], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK) == -1 && errno == EAGAIN);
	for (int i = 0; i < 2; i++) {
		close(back[i]);
		close(ends[i]);
	}
	close(pair[1]);
	close(to);
}

/* The kernel says through the error queue when it needs the pages no longer. */
static void without_a_copy(void)
{
	char control[128] __attribute__((aligned(8)));
	struct msghdr message = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err error;
	struct reader reader = { 0 };
	struct pollfd ready = { 0 };
	int pair[2], on = 1;
	pthread_t thread;

	connect_tcp(pair);
	reader.fd = pair[1];
	expect(setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0);
	pthread_create(&thread, NULL, reader_main, &reader);
	expect(send(pair[0], data, 50000, MSG_ZEROCOPY) == 50000);
	ready.fd = pair[0];
	expect(poll(&ready, 1, 10000) == 1 && ready.revents == POLLERR);
	expect(recvmsg(pair[0], &message, MSG_ERRQUEUE) == 0);
	memcpy(&error, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(error));
	say("done with: %u to %u, origin %d\n", error.ee_info, error.ee_data, error.ee_origin);
	close(pair[0]);
	pthread_join(thread, NULL);
	check("without a copy", reader.used);
	close(pair[1]);
}

/* Pages of received data in the program's memory: refused, or nothing to map as nothing came. */
static void mapped(void)
{
	struct tcp_zerocopy_receive request = { 0 };
	socklen_t length = sizeof(request);
	int pair[2];

	connect_tcp(pair);
	request.address = (uint64_t)(uintptr_t)got;
	expect(getsockopt(pair[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &request, &length) == -1 ||
	       request.length == 0);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	int file = memfd_create("from", 0);

	for (size_t i = 0; i < BYTES; i++)
		data[i] = (char)(i * 7 >> 4);
	expect(write(file, data, BYTES) == BYTES);
	from_a_file(file);
	through_a_pipe(file);
	without_a_copy();
	mapped();
	return 0;
}
