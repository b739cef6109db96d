/* A SIGCHLD handler that reaps in a loop; SA_NOCLDWAIT and ignored SIGCHLD leave nothing to wait for. */
#include "guest.h"
#include <signal.h>

static volatile sig_atomic_t reaped, sum;

static void handler(int number)
{
	int status, saved = errno;

	(void)number;
	while (waitpid(-1, &status, WNOHANG) > 0) {
		reaped++;
		sum += WEXITSTATUS(status);
	}
	errno = saved;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t child, empty;

	sigemptyset(&empty);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (int i = 1; i <= 20; i++) {
		pid_t pid = fork();

		expect(pid >= 0);
		if (pid == 0) {
			sleep_ms(i % 4);
			_exit(i);
		}
	}
	while (reaped < 20)
		sigsuspend(&empty);
	say("reaped %d, sum %d\n", (int)reaped, (int)sum);
	expect(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	action.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	if (fork() == 0)
		_exit(1);
	while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
		;
	say("SA_NOCLDWAIT: %s\n", strerror(errno));
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(1);
	expect(waitpid(-1, NULL, 0) == -1);
	say("ignored: %s\n", strerror(errno));
	return 0;
}
