/* A fault whose signal is blocked or ignored kills all the same; a handler with SA_RESETHAND works once. */
#include "guest.h"
#include <signal.h>
#include <sys/resource.h>

static void handler(int number)
{
	(void)number;
	say("handled once\n");
}

static void child(int kind)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = (int)SA_RESETHAND };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGSEGV);
	if (kind == 1)
		sigprocmask(SIG_BLOCK, &mask, NULL);
	if (kind == 2)
		signal(SIGSEGV, SIG_IGN);
	if (kind == 3)
		sigaction(SIGSEGV, &action, NULL);
	*nowhere() = kind;
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	for (int kind = 0; kind < 4; kind++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			child(kind);
			_exit(0);
		}
		status = reap(pid);
		say("%d: signalled %d by %d\n", kind, WIFSIGNALED(status), WTERMSIG(status));
	}
	return 0;
}
