/* Fifty threads at once, a barrier, and five waves of short ones whose stacks are used again. */
#include "guest.h"
#include <pthread.h>

static pthread_barrier_t barrier;
static long sums[50];

static void *work(void *argument)
{
	long id = (long)argument;

	pthread_barrier_wait(&barrier);
	for (long i = 0; i < 1000; i++)
		sums[id] += i * id;
	pthread_barrier_wait(&barrier);
	return (void *)(sums[(id + 1) % 50]);
}

static void *brief(void *argument)
{
	return (void *)((long)argument * 3);
}

int main(void)
{
	pthread_t thread[50];
	long total = 0;
	void *part;

	pthread_barrier_init(&barrier, NULL, 50);
	for (long i = 0; i < 50; i++)
		expect(pthread_create(&thread[i], NULL, work, (void *)i) == 0);
	for (int i = 0; i < 50; i++) {
		pthread_join(thread[i], &part);
		total += (long)part;
	}
	say("fifty: %ld\n", total);
	total = 0;
	for (int wave = 0; wave < 5; wave++) {
		for (long i = 0; i < 20; i++)
			expect(pthread_create(&thread[i], NULL, brief, (void *)i) == 0);
		for (int i = 0; i < 20; i++) {
			pthread_join(thread[i], &part);
			total += (long)part;
		}
	}
	say("waves: %ld\n", total);
	return 0;
}
