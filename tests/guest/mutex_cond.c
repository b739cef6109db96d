/* Producers and consumers with a mutex and two condition variables. */
#include "guest.h"
#include <pthread.h>

#define ITEMS 2000
#define SLOTS 7

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int slot[SLOTS], used, taken;

static void *produce(void *first)
{
	for (int i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&lock);
		while (used == SLOTS)
			pthread_cond_wait(&emptied, &lock);
		slot[used++] = (int)(intptr_t)first + i;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *consume(void *sum)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		while (used == 0 && taken < 2 * ITEMS)
			pthread_cond_wait(&filled, &lock);
		if (used == 0)
			break;
		*(long *)sum += slot[--used];
		if (++taken == 2 * ITEMS)
			pthread_cond_broadcast(&filled);
		pthread_cond_signal(&emptied);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(void)
{
	pthread_t thread[4];
	long sum[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		pthread_create(&thread[i], NULL, produce, (void *)(intptr_t)(i * 10000));
		pthread_create(&thread[2 + i], NULL, consume, &sum[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	say("%d items, sum %ld\n", taken, sum[0] + sum[1]);
	return 0;
}
