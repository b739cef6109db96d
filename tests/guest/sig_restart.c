/* A read that a handler interrupts: EINTR without SA_RESTART, restarted with it; the same for waitpid. */
#include "guest.h"
#include <signal.h>

static volatile sig_atomic_t hits;

static void handler(int number)
{
	(void)number;
	hits++;
}

static void install(int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
	hits = 0;
}

/* A child that signals us `times` times (0: for ever), 10 ms apart, then writes a byte to `fd` and exits with 4. */
static pid_t signaller(int times, int fd)
{
	pid_t pid = fork(), parent;

	if (pid != 0)
		return pid;
	parent = getppid();
	for (int i = 0; times == 0 || i < times; i++) {
		sleep_ms(10);
		kill(parent, SIGUSR1);
	}
	sleep_ms(10);
	expect(write(fd, "x", 1) == 1);
	_exit(4);
}

int main(void)
{
	char byte = 0;
	int ends[2], status;
	pid_t pid;

	expect(pipe(ends) == 0);
	install(0);
	pid = signaller(0, ends[1]);
	expect(read(ends[0], &byte, 1) == -1 && errno == EINTR && hits >= 1);
	say("read: EINTR\n");
	expect(waitpid(pid, &status, 0) == -1 && errno == EINTR);
	say("waitpid: EINTR\n");
	kill(pid, SIGKILL);
	expect(reap(pid) == SIGKILL);

	install(SA_RESTART);
	pid = signaller(3, ends[1]);
	expect(read(ends[0], &byte, 1) == 1 && byte == 'x' && hits >= 1);
	expect(waitpid(pid, &status, 0) == pid);
	say("read: restarted, got '%c', child left %d\n", byte, WEXITSTATUS(status));
	pid = signaller(3, ends[1]);
	expect(waitpid(pid, &status, 0) == pid && hits >= 2);
	say("waitpid: restarted, child left %d\n", WEXITSTATUS(status));
	return 0;
}
