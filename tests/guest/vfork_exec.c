/* vfork: the parent waits for the exec or the exit of the child, which runs on the parent's memory. */
#include "guest.h"

static volatile int shared;

/* The child stores `value`, then becomes `program`. */
static pid_t launch(const char *program, char **args, int value)
{
	pid_t pid = vfork();

	if (pid == 0) {
		shared = value;
		execv(program, args);
		_exit(errno == ENOENT ? 11 : 12);
	}
	return pid;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "image", NULL };
	pid_t pid;

	if (argc > 1) {
		say("new image: %s\n", argv[1]);
		return 7;
	}
	pid = vfork();
	if (pid == 0) {
		shared = 42;
		_exit(3);
	}
	expect(pid > 0);
	say("child wrote %d, status %d\n", shared, WEXITSTATUS(reap(pid)));
	for (int i = 0; i < 3; i++) {
		pid = launch("/proc/self/exe", args, i);
		expect(pid > 0 && shared == i);
		say("image left %d\n", WEXITSTATUS(reap(pid)));
	}
	pid = launch("/nonexistent/program", args, 100);
	say("failed exec left %d, wrote %d\n", WEXITSTATUS(reap(pid)), shared);
	return 0;
}
