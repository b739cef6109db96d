/* Two signals for a process that computes without a call: both handlers run, in whatever order. */
#include "guest.h"
#include <signal.h>

static volatile sig_atomic_t first, second;

static void handler(int number)
{
	if (number == SIGUSR1)
		first++;
	else
		second++;
}

static unsigned long compute(void)
{
	volatile unsigned long work = 1;

	for (unsigned long i = 0; i < 300000000UL; i++)
		work = work * 6364136223846793005UL + i;
	return work;
}

int main(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	expect(pipe(ready) == 0);
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	pid = fork();
	if (pid == 0) {
		expect(write(ready[1], "r", 1) == 1);
		expect(compute() != 0);
		expect(write(ready[1], "d", 1) == 1);
		_exit(first * 16 + second);
	}
	expect(read(ready[0], &byte, 1) == 1);
	sleep_ms(60);
	expect(kill(pid, SIGUSR1) == 0 && kill(pid, SIGUSR2) == 0);
	expect(read(ready[0], &byte, 1) == 1 && byte == 'd');
	say("handlers ran: %#x\n", reap(pid));
	return 0;
}
