/* poll, ppoll, select and pselect on pipes and socket pairs: ready, timeout, hang-up, invalid, signals. */
#include "guest.h"
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>

static volatile sig_atomic_t hits;

static void handler(int number)
{
	(void)number;
	hits++;
}

int main(void)
{
	struct timespec brief = { .tv_nsec = 5000000 };
	struct timeval tv = { .tv_usec = 5000 };
	struct pollfd set[4];
	int a[2], b[2], n;
	sigset_t mask, empty;
	fd_set in, out;
	pid_t pid;

	expect(pipe(a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	set[0] = (struct pollfd){ a[0], POLLIN, 0 };
	set[1] = (struct pollfd){ b[0], POLLIN | POLLOUT, 0 };
	set[2] = (struct pollfd){ 99, POLLIN, 0 };
	set[3] = (struct pollfd){ -1, POLLIN, 0 };
	n = poll(set, 4, 10);
	say("poll %d: %#hx %#hx %#hx %#hx\n", n, set[0].revents, set[1].revents, set[2].revents,
	    set[3].revents);
	n = poll(set, 1, 5);
	say("timeout %d: %#hx\n", n, set[0].revents);
	expect(write(a[1], "x", 1) == 1 && write(b[1], "y", 1) == 1);
	close(b[1]);
	n = ppoll(set, 2, &brief, NULL);
	say("ppoll %d: %#hx %#hx\n", n, set[0].revents, set[1].revents);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(a[0], &in);
	FD_SET(b[0], &in);
	FD_SET(a[1], &out);
	n = select(b[0] + 1, &in, &out, NULL, NULL);
	say("select %d: %d %d %d\n", n, FD_ISSET(a[0], &in), FD_ISSET(b[0], &in), FD_ISSET(a[1], &out));
	FD_ZERO(&in);
	n = select(0, NULL, NULL, NULL, &tv);
	say("sleep %d, left %ld.%06ld\n", n, (long)tv.tv_sec, (long)tv.tv_usec);
	/* a descriptor beyond the process's table is ignored, not refused: grow the table first */
	expect(dup2(a[0], 77) == 77 && close(77) == 0);
	FD_SET(77, &in);
	expect(select(78, &in, NULL, NULL, &tv) == -1 && errno == EBADF);

	signal(SIGUSR1, handler);
	sigemptyset(&empty);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	raise(SIGUSR1);
	expect(pselect(0, NULL, NULL, NULL, NULL, &empty) == -1 && errno == EINTR && hits == 1);
	raise(SIGUSR1);
	expect(ppoll(NULL, 0, NULL, &empty) == -1 && errno == EINTR && hits == 2);
	say("signals let in: %d\n", (int)hits);
	pid = fork();
	if (pid == 0) {
		sleep_ms(20);
		expect(write(a[1], "late", 4) == 4);
		_exit(0);
	}
	expect(read(a[0], &(char){ 0 }, 1) == 1);
	n = poll(set, 1, -1);
	say("woken %d: %#hx, child %d\n", n, set[0].revents, reap(pid));
	return 0;
}
