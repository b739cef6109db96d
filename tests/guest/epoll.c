/* epoll on pipes, socket pairs and an eventfd: level, edge, one-shot, data, changes, nested sets. */
#include "guest.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static void show(int set, const char *what)
{
	struct epoll_event events[8];
	uint64_t seen = 0;
	int n = epoll_wait(set, events, 8, 5);

	for (int i = 0; i < n; i++)
		seen += events[i].data.u64 * 1000 + events[i].events;
	say("%s: %d events, sum %lu\n", what, n, (unsigned long)seen);
}

static void add(int set, int fd, uint32_t flags, uint64_t data)
{
	struct epoll_event event = { .events = flags, .data.u64 = data };

	expect(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

int main(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), a[2], b[2], counter;
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 9 };
	uint64_t one = 1;
	pid_t pid;
	char text[8];

	expect(pipe(a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	counter = eventfd(0, EFD_NONBLOCK);
	add(set, a[0], EPOLLIN, 1);
	add(set, b[0], EPOLLIN | EPOLLOUT | EPOLLET, 2);
	add(set, counter, EPOLLIN, 3);
	add(outer, set, EPOLLIN, 4);
	expect(epoll_ctl(set, EPOLL_CTL_ADD, a[0], &event) == -1 && errno == EEXIST);
	show(set, "writable socket");
	show(set, "edge is gone");
	show(outer, "outer idle");
	expect(write(a[1], "abc", 3) == 3 && write(counter, &one, 8) == 8);
	show(set, "pipe and counter");
	show(set, "still there");
	show(outer, "outer ready");
	expect(read(a[0], text, 8) == 3 && read(counter, &one, 8) == 8);
	show(set, "drained");
	expect(epoll_ctl(set, EPOLL_CTL_MOD, a[0], &event) == 0);
	expect(write(a[1], "abc", 3) == 3);
	show(set, "one shot");
	show(set, "one shot spent");
	expect(epoll_ctl(set, EPOLL_CTL_DEL, a[0], NULL) == 0);
	expect(epoll_ctl(set, EPOLL_CTL_DEL, a[0], NULL) == -1 && errno == ENOENT);
	close(b[1]);
	show(set, "hang-up");
	pid = fork();
	if (pid == 0) {
		sleep_ms(20);
		_exit(write(counter, &one, 8) != 8);
	}
	expect(epoll_pwait(set, &event, 1, -1, NULL) == 1);
	say("woken by %lu, child %d\n", (unsigned long)event.data.u64, reap(pid));
	return 0;
}
