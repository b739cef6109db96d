/*
 * Four threads race on two counters without a lock. The atomic one is printed; the other loses updates
 * differently in every run and stays in memory, where only the state hash sees it. With an argument
 * it is printed too.
 */
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 300000

static atomic_long exact;
static volatile long lossy;
static atomic_int ready;

static void *count(void *unused)
{
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < 4)
		sched_yield();
	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add_explicit(&exact, 1, memory_order_relaxed);
		lossy = lossy + 1;
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[4];

	(void)argv;
	for (int i = 0; i < 4; i++)
		expect(pthread_create(&thread[i], NULL, count, NULL) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	say("exact %ld\n", atomic_load(&exact));
	expect(lossy > 0 && lossy <= 4L * ROUNDS);
	if (argc > 1)
		say("lossy %ld\n", lossy);
	return 0;
}
