/* signalfd: signals as bytes, alone and through poll. */
#include <sys/signalfd.h>
#include "guest.h"
#include <poll.h>
#include <signal.h>

int main(void)
{
	struct signalfd_siginfo info;
	struct pollfd poll_fd = { .events = POLLIN };
	sigset_t mask;
	pid_t pid;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMIN + 2);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	expect(fd >= 0);
	expect(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN);
	raise(SIGUSR1);
	expect(read(fd, &info, sizeof(info)) == sizeof(info));
	say("signal %u, code %d, own %d\n", info.ssi_signo, info.ssi_code,
	    info.ssi_pid == (uint32_t)getpid());
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 10 + i });
	for (int i = 0; i < 3; i++) {
		expect(read(fd, &info, sizeof(info)) == sizeof(info));
		say("queued value %d\n", info.ssi_int);
	}
	pid = fork();
	if (pid == 0) {
		/* Long enough for its time to be told, in ticks. */
		for (volatile unsigned int i = 0; i < 30000000; i++)
			;
		_exit(21);
	}
	poll_fd.fd = fd;
	expect(poll(&poll_fd, 1, -1) == 1 && poll_fd.revents == POLLIN);
	expect(read(fd, &info, sizeof(info)) == sizeof(info));
	say("child: code %d, status %d, pid %d\n", info.ssi_code, info.ssi_status,
	    info.ssi_pid == (uint32_t)pid);
	say("reaped %d\n", WEXITSTATUS(reap(pid)));
	return 0;
}
