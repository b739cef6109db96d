/* Many messages in one call: batches of a thousand, batches cut by time, sent in part, or failing midway. */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BATCH 1024

static struct mmsghdr headers[BATCH];
static struct iovec parts[2 * BATCH];
static struct sockaddr_un names[BATCH];
static char controls[BATCH][64], text[BATCH][32];

static void prepare(size_t length)
{
	for (int i = 0; i < BATCH; i++) {
		parts[2 * i] = (struct iovec){ text[i], 3 };
		parts[2 * i + 1] = (struct iovec){ text[i] + 3, length - 3 };
		headers[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &parts[2 * i], .msg_iovlen = 2 } };
	}
}

static void *feeder(void *arg)
{
	int fd = *(int *)arg;
	size_t length;

	for (int i = 0; i < BATCH; i++) {
		length = 4 + (size_t)i % 20;
		expect(send(fd, "a text that is long enough", length, 0) == (ssize_t)length);
	}
	return NULL;
}

static void a_thousand(void)
{
	unsigned int sum = 0;
	pthread_t thread;
	int pair[2], got = 0, n;

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	prepare(sizeof(text[0]));
	for (int i = 0; i < BATCH; i++) {
		headers[i].msg_hdr.msg_name = &names[i];
		headers[i].msg_hdr.msg_namelen = sizeof(names[i]);
		headers[i].msg_hdr.msg_control = controls[i];
		headers[i].msg_hdr.msg_controllen = sizeof(controls[i]);
	}
	pthread_create(&thread, NULL, feeder, &pair[0]);
	while (got < BATCH) {
		n = recvmmsg(pair[1], headers + got, BATCH - (unsigned int)got, MSG_WAITFORONE, NULL);
		expect(n > 0);
		for (int i = got; i < got + n; i++) {
			sum += headers[i].msg_len;
			expect(headers[i].msg_hdr.msg_namelen == 0 &&
			       headers[i].msg_hdr.msg_controllen == 0);
		}
		got += n;
	}
	pthread_join(thread, NULL);
	say("%d messages, %u bytes\n", got, sum);
	close(pair[0]);
	close(pair[1]);
}

static void in_time(void)
{
	struct timespec limit = { .tv_nsec = 5000000 }, bad = { .tv_nsec = -1 };
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	prepare(16);
	expect(recvmmsg(pair[1], headers, 4, 0, &bad) == -1 && errno == EINVAL);
	expect(recvmmsg(pair[1], headers, 4, MSG_DONTWAIT, &limit) == -1 && errno == EAGAIN);
	for (int i = 0; i < 3; i++)
		expect(send(pair[0], "tick tock", 9 - (size_t)i, 0) == 9 - i);
	limit.tv_nsec = 0;
	say("no time at all: %d of 3\n", recvmmsg(pair[1], headers, 4, 0, &limit));
	limit.tv_sec = 5;
	say("time enough: %d\n", recvmmsg(pair[1], headers, 2, 0, &limit));
	say("left of 5 s: %d\n", limit.tv_sec >= 1 && limit.tv_sec <= 5);
	close(pair[0]);
	close(pair[1]);
}

/* The socket takes the first messages and some bytes of the next; the others stay. */
static void in_part(void)
{
	static char big[3][300000];
	struct iovec part[3];
	struct mmsghdr messages[3] = { 0 };
	int pair[2], size = 64 * 1024, n;
	size_t total = 0, taken = 0;
	ssize_t bytes;

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	expect(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	for (int i = 0; i < 3; i++) {
		memset(big[i], 'a' + i, sizeof(big[i]));
		part[i] = (struct iovec){ big[i], i == 0 ? 1000 : sizeof(big[i]) };
		messages[i].msg_hdr.msg_iov = &part[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(pair[0], messages, 3, MSG_NOSIGNAL);
	expect(n == 2 && messages[0].msg_len == 1000 && messages[1].msg_len > 0);
	expect(messages[1].msg_len < sizeof(big[1]) && messages[2].msg_len == 0);
	for (int i = 0; i < n; i++)
		total += messages[i].msg_len;
	while ((bytes = read(pair[1], big[2], sizeof(big[2]))) > 0)
		taken += (size_t)bytes;
	say("sent in part: %d messages, %d\n", n, taken == total);
	close(pair[1]);
	expect(sendmmsg(pair[0], messages, 3, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	close(pair[0]);
}

static void failing(void)
{
	char *gap = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pair[2], n;

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	prepare(16);
	parts[4].iov_base = gap;
	n = sendmmsg(pair[0], headers, 4, 0);
	say("a bad third: %d sent, lengths %u %u\n", n, headers[0].msg_len, headers[1].msg_len);
	expect(sendmmsg(pair[0], &headers[2], 2, 0) == -1 && errno == EFAULT);
	expect(send(pair[0], "third", 5, 0) == 5);
	n = recvmmsg(pair[1], headers, 4, MSG_DONTWAIT, NULL);
	say("and received: %d\n", n);
	expect(recvmmsg(pair[1], headers, 4, MSG_DONTWAIT, NULL) == -1);
	say("then: %s\n", strerror(errno));
	expect(sendmmsg(pair[0], NULL, 0, 0) == 0 && sendmmsg(pair[0], headers, 0, 0) == 0);
	expect(sendmmsg(pair[0], NULL, 1, 0) == -1 && errno == EFAULT);
	expect(sendmmsg(1000, headers, 1, 0) == -1 && errno == EBADF);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	a_thousand();
	in_time();
	in_part();
	failing();
	return 0;
}
