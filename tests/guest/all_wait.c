/* With an argument two threads wait for each other's lock; without, one lets go in time. */
#include "guest.h"
#include <pthread.h>

static pthread_mutex_t locks[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
static pthread_barrier_t both;

static void *take(void *argument)
{
	int first = *(int *)argument;

	pthread_mutex_lock(&locks[first]);
	pthread_barrier_wait(&both);
	pthread_mutex_lock(&locks[1 - first]);
	return NULL;
}

int main(int argc, char **argv)
{
	int zero = 0, one = 1;
	pthread_t thread;

	(void)argv;
	expect(pthread_barrier_init(&both, NULL, 2) == 0);
	if (argc > 1) {
		expect(pthread_create(&thread, NULL, take, &one) == 0);
		take(&zero);
	}
	expect(pthread_mutex_lock(&locks[0]) == 0 && pthread_mutex_unlock(&locks[0]) == 0);
	say("nobody waits\n");
	return 0;
}
