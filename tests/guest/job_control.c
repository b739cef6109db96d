/* A stopped and continued child: WUNTRACED, WCONTINUED, a stop by itself, a handler for SIGCONT. */
#include "guest.h"
#include <signal.h>

static int out;

static void continued(int number)
{
	(void)number;
	expect(write(out, "c", 1) == 1);
}

int main(void)
{
	int ends[2], status;
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		out = ends[1];
		setpgid(0, 0); /* SIGTSTP does not stop an orphaned group */
		signal(SIGCONT, continued);
		raise(SIGSTOP);
		expect(write(out, "1", 1) == 1);
		for (;;)
			pause();
	}
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	say("stopped itself by %d\n", WSTOPSIG(status));
	expect(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
	kill(pid, SIGCONT);
	expect(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	expect(read(ends[0], &byte, 1) == 1 && byte == 'c');
	expect(read(ends[0], &byte, 1) == 1 && byte == '1');
	say("continued, handler first\n");
	for (int i = 0; i < 3; i++) {
		kill(pid, i == 1 ? SIGTSTP : SIGSTOP);
		expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		say("stopped by %d\n", WSTOPSIG(status));
		kill(pid, SIGCONT);
		expect(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
		expect(read(ends[0], &byte, 1) == 1 && byte == 'c');
	}
	kill(pid, SIGSTOP);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, SIGTERM);
	expect(waitpid(pid, &status, WNOHANG) == 0);
	kill(pid, SIGCONT);
	say("ended while stopped: %#x\n", reap(pid));
	return 0;
}
