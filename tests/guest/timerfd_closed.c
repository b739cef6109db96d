/* timerfds that are closed while they run, by one of those who have them or by all; sent over a socket; many. With an argument:
 * two threads' worth of waiting after one was closed, which nothing ends. */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define MANY 300

static int started(long ns, long interval_ns)
{
	struct itimerspec when = { { 0, interval_ns }, { 0, ns } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	expect(fd >= 0 && timerfd_settime(fd, 0, &when, NULL) == 0);
	return fd;
}

static uint64_t count_of(int fd)
{
	uint64_t count;

	expect(read(fd, &count, sizeof(count)) == sizeof(count));
	return count;
}

static void nap(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

/* What is closed is no more in the set, and never ready. */
static void watched(void)
{
	int set = epoll_create1(0), gone = started(1000000, 1000000), left = started(5000000, 5000000);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = 1 };

	expect(epoll_ctl(set, EPOLL_CTL_ADD, gone, &event) == 0);
	event.data.fd = 2;
	expect(epoll_ctl(set, EPOLL_CTL_ADD, left, &event) == 0);
	close(gone);
	for (int i = 0; i < 3; i++) {
		expect(epoll_wait(set, &event, 1, -1) == 1 && event.data.fd == 2);
		expect(count_of(left) >= 1);
	}
	close(left);
	close(set);
	say("watched: the one that is left\n");
}

static void inherited(void)
{
	int fd = started(3000000, 0), other;
	pid_t child = fork();

	if (child == 0)
		_exit((int)count_of(fd));
	close(fd);
	expect(waitpid(child, &other, 0) == child);
	say("inherited: %d\n", WEXITSTATUS(other));
	fd = started(3000000, 0);
	other = dup(fd);
	close(fd);
	say("copied: %d\n", (int)count_of(other));
	close(other);
}

/* Nobody has it when its time comes. */
static void sent(void)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	int ends[2], fd = started(2000000, 0);

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	expect(sendmsg(ends[0], &message, 0) == 1);
	close(fd);
	nap(10000000);
	expect(recvmsg(ends[1], &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	say("sent: %d\n", (int)count_of(fd));
	close(fd);
}

/* What comes after them has nothing to do with their time. */
static void many(void)
{
	int last = started(400000000, 0), fd = -1;
	uint64_t count;

	for (int i = 0; i < MANY; i++)
		close(started(1000000 + i, 1000000));
	fd = eventfd(0, EFD_NONBLOCK);
	nap(20000000);
	expect(read(fd, &count, sizeof(count)) == -1 && errno == EAGAIN);
	say("many: %d\n", (int)count_of(last));
}

int main(int argc, char **argv)
{
	watched();
	inherited();
	sent();
	many();
	(void)argv;
	if (argc > 1) {
		close(started(1000000, 1000000));
		pause();
	}
	return 0;
}
