/* Real work between calls, cut short: a signal that has to come before the work is done, and threads of which one computes
 * until another, which also has to compute, is done. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#define WORDS 4096

static volatile sig_atomic_t stop;
static atomic_int done;
static unsigned int table[2][WORDS];

static void on_alarm(int number)
{
	(void)number;
	stop = 1;
}

static __attribute__((noinline)) unsigned int shuffle(unsigned int *words, unsigned int seed)
{
	for (unsigned int i = WORDS - 1; i > 0; i--) {
		unsigned int other, kept = words[i];

		seed = seed * 1664525 + 1013904223;
		other = seed % (i + 1);
		words[i] = words[other];
		words[other] = kept;
	}
	return seed;
}

static __attribute__((noinline)) unsigned int sum(const unsigned int *words)
{
	unsigned int result = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		result = result * 31 + words[i];
	return result;
}

static void until_signal(int which)
{
	struct itimerval timer = { .it_value = { 0, 100000 } };
	unsigned long rounds = 0;
	unsigned int seed = 1;

	stop = 0;
	expect(setitimer(which, &timer, NULL) == 0);
	while (!stop) {
		seed = shuffle(table[0], seed);
		rounds++;
	}
	expect(rounds > 0 && (sum(table[0]) != 0));
}

static void *worker(void *unused)
{
	unsigned int seed = 2;

	(void)unused;
	for (int i = 0; i < 3000; i++)
		seed = shuffle(table[1], seed);
	atomic_store(&done, 1);
	return NULL;
}

int main(void)
{
	unsigned int seed = 3;
	pthread_t thread;

	for (unsigned int i = 0; i < WORDS; i++)
		table[0][i] = table[1][i] = i;
	signal(SIGALRM, on_alarm);
	until_signal(ITIMER_REAL);
	until_signal(ITIMER_REAL);
	say("alarms came\n");
	expect(pthread_create(&thread, NULL, worker, NULL) == 0);
	while (!atomic_load(&done))
		seed = shuffle(table[0], seed);
	expect(pthread_join(thread, NULL) == 0);
	say("worker: %u\n", sum(table[1]));
	return 0;
}
