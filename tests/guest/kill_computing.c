/* SIGKILL from outside for a process whose first thread sleeps in a call while another computes. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>

static volatile unsigned long table[4096];

static void *compute(void *ready)
{
	unsigned long work = 1;

	expect(write(*(int *)ready, "r", 1) == 1);
	for (;;) {
		work = work * 6364136223846793005UL + 1;
		table[work >> 52] += work;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	for (int round = 0; round < rounds; round++) {
		int ready[2];
		char byte;
		pid_t pid;

		expect(pipe(ready) == 0);
		pid = fork();
		if (pid == 0) {
			pthread_t thread;

			expect(pthread_create(&thread, NULL, compute, &ready[1]) == 0);
			pause();
		}
		expect(read(ready[0], &byte, 1) == 1);
		sleep_ms(30);
		expect(kill(pid, SIGKILL) == 0);
		say("%d: %#x\n", round, reap(pid));
		close(ready[0]);
		close(ready[1]);
	}
	return 0;
}
