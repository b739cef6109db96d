/* Numbers that the kernel draws, counts or measures for the whole host: orders, cookies, versions, times of arrival. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static long compare(int one, int other)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, one, other);
}

static void orders(void)
{
	int fds[3];

	for (int i = 0; i < 3; i++)
		expect((fds[i] = open("/dev/null", O_RDONLY)) >= 0);
	if (compare(fds[0], fds[0]) < 0) {
		say("kcmp is not allowed here\n");
		return;
	}
	for (int i = 0; i < 3; i++) {
		long there = compare(fds[i], fds[(i + 1) % 3]),
		     back = compare(fds[(i + 1) % 3], fds[i]);

		say("order: %d, %ld\n", there == 1 || there == 2, there + back);
	}
}

static unsigned long long cookie(int fd)
{
	unsigned long long value = 0;
	socklen_t length = sizeof(value);

	expect(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &length) == 0 && length == sizeof(value));
	return value;
}

static void cookies(void)
{
	int one = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0),
	    again = dup(one);
	int cpu = -7;
	socklen_t length = sizeof(cpu);

	say("cookies: %d, %d, %d\n", cookie(one) != cookie(other), cookie(one) == cookie(again),
	    cookie(one) != 0);
	expect(getsockopt(other, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &length) == 0 && cpu >= -1);
	close(one);
	close(other);
	close(again);
}

static unsigned move(int fd, const char *from, const char *to)
{
	char bytes[4096];
	struct inotify_event first, second;
	ssize_t n;

	expect(rename(from, to) == 0);
	n = read(fd, bytes, sizeof(bytes));
	expect(n > (ssize_t)sizeof(first));
	memcpy(&first, bytes, sizeof(first));
	expect(n >= (ssize_t)(2 * sizeof(first) + first.len));
	memcpy(&second, bytes + sizeof(first) + first.len, sizeof(second));
	say("moved: %x, %x, %d\n", first.mask, second.mask, first.cookie == second.cookie);
	return first.cookie;
}

static void moves(void)
{
	int fd = inotify_init1(IN_CLOEXEC), file = open("one", O_CREAT | O_RDWR, 0600);
	unsigned first, second, version = 0, again = 0;

	expect(fd >= 0 && file >= 0 && inotify_add_watch(fd, ".", IN_MOVE) >= 0);
	first = move(fd, "one", "two");
	second = move(fd, "two", "three");
	say("another: %d\n", first != second && first != 0 && second != 0);
	if (ioctl(file, FS_IOC_GETVERSION, &version) == 0)
		expect(ioctl(file, FS_IOC_GETVERSION, &again) == 0 && version == again);
	expect(unlink("three") == 0);
	close(fd);
	close(file);
}

static void arrival(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	_Alignas(struct cmsghdr) char control[256] = { 0 }, byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct timespec now, stamp;
	const struct cmsghdr *first;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	expect(setsockopt(fd, SOL_SOCKET, type, &on, sizeof(on)) == 0);
	expect(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1);
	expect(recvmsg(fd, &message, 0) == 1);
	first = CMSG_FIRSTHDR(&message);
	expect(first && first->cmsg_level == SOL_SOCKET);
	memcpy(&stamp, CMSG_DATA(first), sizeof(stamp));
	clock_gettime(CLOCK_REALTIME, &now);
	say("arrival %d: %zu bytes, on the clock %d\n", first->cmsg_type, (size_t)first->cmsg_len,
	    stamp.tv_sec <= now.tv_sec && stamp.tv_sec + 60 > now.tv_sec);
	close(fd);
}

int main(void)
{
	char path[256];

	scratch_begin(path);
	orders();
	cookies();
	moves();
	arrival(SO_TIMESTAMP);
	arrival(SO_TIMESTAMPNS);
	scratch_end(path);
	return 0;
}
