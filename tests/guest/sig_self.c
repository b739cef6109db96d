/* Signals with siginfo: kill and raise to oneself, sigqueue with a value, kill from another process. */
#include "guest.h"
#include <signal.h>

static volatile sig_atomic_t seen, code, value, sender;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	seen = number;
	code = info->si_code;
	value = info->si_value.sival_int;
	sender = info->si_pid;
}

static void report(const char *what, pid_t from)
{
	say("%s: signal %d, code %d, from %s\n", what, (int)seen, (int)code,
	    sender == from ? "expected" : "other");
	seen = 0;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t empty, blocked;
	pid_t pid;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN + 1, &action, NULL);
	expect(kill(getpid(), SIGUSR1) == 0);
	expect(seen == SIGUSR1); /* due before kill returns */
	report("kill", getpid());
	expect(raise(SIGUSR1) == 0);
	report("raise", getpid());
	expect(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1234 }) == 0);
	expect(value == 1234);
	report("sigqueue", getpid());

	sigemptyset(&empty);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	pid = fork();
	if (pid == 0)
		_exit(kill(getppid(), SIGUSR1) != 0);
	while (seen == 0)
		sigsuspend(&empty);
	report("other process", pid);
	expect(reap(pid) == 0);
	expect(kill(getpid(), 0) == 0);
	return 0;
}
