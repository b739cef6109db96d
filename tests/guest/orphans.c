/* Processes that outlive their parents: adopted, then gone; a subreaper; a pipe that only they keep open. */
#include "guest.h"
#include <sys/prctl.h>

static int family(int out)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		while (getppid() == parent)
			sleep_ms(1);
		sleep_ms(5);
		expect(write(out, "orphan", 6) == 6);
		_exit(4);
	}
	return 2;
}

int main(void)
{
	char text[16] = "";
	int ends[2], first, second, status;
	pid_t pid, last;

	expect(pipe(ends) == 0);
	pid = fork();
	if (pid == 0)
		_exit(family(ends[1]));
	first = WEXITSTATUS(reap(pid));
	expect(read(ends[0], text, sizeof(text)) == 6);
	say("parent left %d, then: %s\n", first, text);
	expect(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
	expect(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	if (pid == 0)
		_exit(family(ends[1]));
	first = WEXITSTATUS(reap(pid));
	last = wait(&status);
	second = WEXITSTATUS(status);
	say("parent left %d, adopted child %d left %d\n", first, last > 0 && last != pid, second);
	return 0;
}
