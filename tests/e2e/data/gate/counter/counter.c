/* Two threads count what they printed, under a lock. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int total;

static void *count(void *context)
{
	(void)context;
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&lock);
		int before = total;
		if (write(2, ".", 1) != 1)
			return NULL;
		total = before + 1;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("\n%d\n", total);
	return 0;
}
