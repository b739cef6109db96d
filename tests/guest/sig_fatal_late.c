/* Signals kill processes while others want to run: their memory takes longer to hash than a turn lasts, and long to
 * free. They die at a call of their own, in a call that sleeps, and by a fault. */
#include "guest.h"
#include <poll.h>
#include <signal.h>

#define MEMORY_BYTES (96UL << 20)

enum death { RAISED, ASLEEP, FAULT, DEATHS };

_Noreturn static void child(int fd, enum death death)
{
	char *memory = malloc(MEMORY_BYTES);

	expect(memory != NULL);
	memset(memory, 1, MEMORY_BYTES);
	expect(write(fd, "x", 1) == 1);
	if (death == RAISED)
		raise(SIGTERM);
	else if (death == FAULT)
		*nowhere() = 1;
	else
		pause();
	_exit(memory[1]);
}

static void one(enum death death)
{
	struct pollfd in = { .events = POLLIN };
	int ends[2], status;
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0);
	pid = fork();
	expect(pid >= 0);
	if (pid == 0)
		child(ends[1], death);
	close(ends[1]);
	in.fd = ends[0];
	expect(poll(&in, 1, -1) == 1);
	expect(read(ends[0], &byte, 1) == 1);
	if (death == ASLEEP)
		expect(kill(pid, SIGUSR1) == 0);
	expect(poll(&in, 1, -1) == 1 && (in.revents & POLLHUP));
	status = reap(pid);
	say("signalled %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
	close(ends[0]);
}

int main(void)
{
	pid_t busy;

	for (int death = 0; death < DEATHS; death++)
		one(death);
	busy = fork();
	expect(busy >= 0);
	while (busy == 0)
		getppid();
	for (int death = 0; death < DEATHS; death++)
		one(death);
	expect(kill(busy, SIGKILL) == 0);
	say("busy one killed by %d\n", WTERMSIG(reap(busy)));
	return 0;
}
