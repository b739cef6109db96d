/* Children that compute and never call: ended by SIGKILL, by SIGTERM, by a handler that exits. */
#include "guest.h"
#include <signal.h>

static void leave(int number)
{
	_exit(number);
}

static void spin(int kind)
{
	volatile unsigned long work = 1;

	if (kind == 2)
		signal(SIGTERM, leave);
	for (;;) {
		if (kind == 3)
			__asm__ volatile("1: jmp 1b");
		work = work * 6364136223846793005UL + 1;
	}
}

int main(void)
{
	static const int number[] = { SIGKILL, SIGTERM, SIGTERM, SIGKILL };

	for (int kind = 0; kind < 4; kind++) {
		int ready[2];
		char byte;
		pid_t pid;

		expect(pipe(ready) == 0);
		pid = fork();
		if (pid == 0) {
			expect(write(ready[1], "r", 1) == 1);
			spin(kind);
		}
		expect(read(ready[0], &byte, 1) == 1);
		sleep_ms(30);
		expect(kill(pid, number[kind]) == 0);
		say("%d: %#x\n", kind, reap(pid));
		close(ready[0]);
		close(ready[1]);
	}
	return 0;
}
