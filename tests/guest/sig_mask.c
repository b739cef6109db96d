/* Blocked signals stay pending, standard ones once, queued ones in order; masks of fork and of sa_mask. */
#include "guest.h"
#include <signal.h>

static char order[32];
static volatile sig_atomic_t used;

static void handler(int number, siginfo_t *info, void *context)
{
	sigset_t now;

	(void)context;
	sigprocmask(SIG_BLOCK, NULL, &now);
	expect(sigismember(&now, SIGTERM) && sigismember(&now, number));
	order[used++] = (char)(number == SIGUSR1   ? 'u'
			       : number == SIGUSR2 ? 'U'
						   : '0' + info->si_value.sival_int);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t mask, pending, old;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGTERM);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaddset(&action.sa_mask, SIGRTMIN);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, &old);
	for (int i = 1; i <= 3; i++) {
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
		kill(getpid(), SIGUSR2);
		kill(getpid(), SIGUSR1);
	}
	sigpending(&pending);
	say("pending: USR1 %d USR2 %d RTMIN %d TERM %d\n", sigismember(&pending, SIGUSR1),
	    sigismember(&pending, SIGUSR2), sigismember(&pending, SIGRTMIN),
	    sigismember(&pending, SIGTERM));
	if (fork() == 0) {
		sigpending(&pending);
		sigprocmask(SIG_BLOCK, NULL, &mask);
		_exit(sigismember(&pending, SIGUSR1) * 2 + sigismember(&mask, SIGUSR1));
	}
	say("child: %d\n", WEXITSTATUS(reap(-1)));
	expect(used == 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	say("order: %s\n", order);
	signal(SIGUSR1, SIG_IGN);
	expect(raise(SIGUSR1) == 0);
	expect(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	expect(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL);
	return 0;
}
