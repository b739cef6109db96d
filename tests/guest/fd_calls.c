/* Calls that make, copy, close or wait for descriptors, in the forms that the C library does not use. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static void vectors(void)
{
	struct iovec out[2] = { { "head", 4 }, { "tail", 4 } };
	char a[4] = "", b[8] = "";
	struct iovec in[2] = { { a, 3 }, { b, 8 } };
	int fd = memfd_create("vectors", 0);

	expect(pwritev2(fd, out, 2, 2, RWF_DSYNC) == 8 && pwritev2(fd, out, 1, -1, 0) == 4);
	expect(preadv2(fd, in, 2, 1, 0) == 9);
	say("%.2s %.6s\n", a + 1, b);
	expect(lseek(fd, 0, SEEK_SET) == 0 && preadv2(fd, in, 1, -1, RWF_HIPRI) == 3);
	say("%.3s, at %ld\n", a, (long)lseek(fd, 0, SEEK_CUR));
	expect(preadv2(fd, in, 2, 0, 1 << 30) == -1 && errno == EOPNOTSUPP && close(fd) == 0);
}

static void waits(const int ends[2])
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 42 }, got[3];
	struct timespec none = { 0, 1000 };
	struct timeval soon = { 1, 0 };
	sigset_t mask;
	fd_set set;
	int queue = (int)syscall(SYS_epoll_create, 5);

	sigemptyset(&mask);
	expect(queue >= 0 && epoll_ctl(queue, EPOLL_CTL_ADD, ends[0], &event) == 0);
	expect(syscall(SYS_epoll_pwait2, queue, got, 3, &none, &mask, 8) == 0);
	expect(write(ends[1], "x", 1) == 1);
	expect(syscall(SYS_epoll_pwait2, queue, got, 3, NULL, NULL, 8) == 1 && got[0].data.u64 == 42);
	expect(syscall(SYS_epoll_wait, queue, got, 3, 0) == 1 &&
	       syscall(SYS_epoll_pwait, queue, got, 3, 0, NULL, 8) == 1);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	expect(syscall(SYS_select, ends[0] + 1, &set, NULL, NULL, &soon) == 1 &&
	       FD_ISSET(ends[0], &set));
	say("ready: %x\n", got[0].events);
	expect(close(queue) == 0);
}

static void makes(void)
{
	uint64_t count = 5;
	sigset_t mask;
	struct signalfd_siginfo info;
	int event = (int)syscall(SYS_eventfd, 3), watch = (int)syscall(SYS_inotify_init), old;

	expect(event >= 0 && watch >= 0 && write(event, &count, 8) == 8 && read(event, &count, 8) == 8);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	expect(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
	old = (int)syscall(SYS_signalfd, -1, &mask, 8);
	expect(old >= 0 && raise(SIGUSR1) == 0 && read(old, &info, sizeof(info)) == sizeof(info));
	say("event %ld, signal %u\n", (long)count, info.ssi_signo);
	expect(close(event) == 0 && close(watch) == 0 && close(old) == 0);
}

static void closes(void)
{
	int fds[2];

	expect(syscall(SYS_pipe, fds) == 0 && dup2(fds[0], 100) == 100 &&
	       dup3(fds[1], 101, O_CLOEXEC) == 101);
	expect(dup2(fds[0], 105) == 105 && dup3(fds[1], fds[1], 0) == -1 && errno == EINVAL);
	expect(syscall(SYS_close_range, 100, 110, 1u << 2) == 0 && fcntl(100, F_GETFD) == FD_CLOEXEC);
	expect(syscall(SYS_close_range, 100, 104, 0) == 0 && fcntl(101, F_GETFD) == -1);
	expect(fcntl(105, F_GETFD) == FD_CLOEXEC && syscall(SYS_close_range, 10, 5, 0) == -1);
	if (fork() == 0) {
		expect(syscall(SYS_close_range, 3, ~0u, 1u << 1) == 0 && fcntl(105, F_GETFD) == -1);
		_exit(3);
	}
	say("closed %d\n", WEXITSTATUS(reap(-1)));
	expect(fcntl(105, F_GETFD) == FD_CLOEXEC && close(105) == 0);
	expect(close(fds[0]) == 0 && close(fds[1]) == 0);
}

int main(void)
{
	int ends[2];

	expect(pipe2(ends, O_CLOEXEC) == 0);
	vectors();
	waits(ends);
	makes();
	closes();
	return 0;
}
