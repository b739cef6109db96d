/* Threads end: joined through CLEARTID, detached, cancelled, the leader first, all at once by exit_group. */
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_int done;
static int never[2];

static void *returns(void *argument)
{
	sleep_ms(5);
	return argument;
}

static void *exits(void *argument)
{
	atomic_fetch_add(&done, 1);
	pthread_exit(argument);
}

static void cleanup(void *unused)
{
	(void)unused;
	atomic_fetch_add(&done, 10);
}

static void *cancelled(void *unused)
{
	char byte;

	pthread_cleanup_push(cleanup, NULL);
	expect(read(never[0], &byte, 1) == 1);
	pthread_cleanup_pop(0);
	return unused;
}

static void *outlives(void *unused)
{
	(void)unused;
	sleep_ms(20);
	say("the leader has gone\n");
	exit(6);
}

static void *ends_all(void *unused)
{
	(void)unused;
	sleep_ms(10);
	_exit(8);
}

int main(void)
{
	pthread_t thread;
	void *result;

	expect(pipe(never) == 0);
	pthread_create(&thread, NULL, returns, (void *)11);
	pthread_join(thread, &result);
	say("returned %ld\n", (long)result);
	pthread_create(&thread, NULL, exits, (void *)12);
	pthread_join(thread, &result);
	say("exited %ld\n", (long)result);
	pthread_create(&thread, NULL, exits, NULL);
	pthread_detach(thread);
	while (atomic_load(&done) < 2)
		sched_yield();
	pthread_create(&thread, NULL, cancelled, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	say("cancelled %d, cleaned up %d\n", result == PTHREAD_CANCELED,
	    atomic_load(&done) == 12 || atomic_load(&done) == 2);
	if (fork() == 0) {
		pthread_create(&thread, NULL, outlives, NULL);
		pthread_exit(NULL);
	}
	say("status %d\n", WEXITSTATUS(reap(-1)));
	if (fork() == 0) {
		for (int i = 0; i < 5; i++)
			pthread_create(&thread, NULL, cancelled, NULL);
		pthread_create(&thread, NULL, ends_all, NULL);
		pthread_join(thread, NULL);
	}
	say("status %d\n", WEXITSTATUS(reap(-1)));
	return 0;
}
