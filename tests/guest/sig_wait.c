/* Waiting for signals: sigsuspend, pause, sigwait, sigwaitinfo, sigtimedwait. */
#include "guest.h"
#include <signal.h>

static volatile sig_atomic_t hits;

static void handler(int number)
{
	(void)number;
	hits++;
}

/* Starts a child that sends `number` to us every 10 ms until it is killed. */
static pid_t sender(int number)
{
	pid_t pid = fork(), parent;

	if (pid != 0)
		return pid;
	parent = getppid();
	for (;;) {
		sleep_ms(10);
		sigqueue(parent, number, (union sigval){ .sival_int = 5 });
	}
}

static void stop(pid_t pid)
{
	expect(kill(pid, SIGKILL) == 0);
	expect(reap(pid) == SIGKILL);
}

int main(void)
{
	struct timespec brief = { .tv_nsec = 5000000 }, zero = { 0 };
	sigset_t mask, empty;
	siginfo_t info;
	int number;
	pid_t pid;

	signal(SIGUSR1, handler);
	sigemptyset(&empty);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMIN);
	expect(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
	raise(SIGUSR1);
	expect(hits == 0 && sigsuspend(&empty) == -1 && errno == EINTR && hits == 1);
	say("sigsuspend returned\n");
	expect(sigtimedwait(&mask, &info, &zero) == -1 && errno == EAGAIN);
	expect(sigtimedwait(&mask, &info, &brief) == -1 && errno == EAGAIN);
	raise(SIGUSR1);
	expect(sigwait(&mask, &number) == 0);
	say("sigwait gave USR1 %d\n", number == SIGUSR1);
	pid = sender(SIGRTMIN);
	expect(sigwaitinfo(&mask, &info) == SIGRTMIN);
	say("sigwaitinfo: code %d, value %d, pid %s\n", info.si_code, info.si_value.sival_int,
	    info.si_pid == pid ? "of the child" : "other");
	stop(pid);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	signal(SIGRTMIN, SIG_IGN);
	hits = 0;
	pid = sender(SIGUSR1);
	expect(pause() == -1 && errno == EINTR && hits >= 1);
	say("pause returned\n");
	stop(pid);
	return 0;
}
