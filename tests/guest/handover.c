/* Two threads hand a number to and fro without ever waiting for each other: that it arrives takes three switches at the right calls. Without an
 * argument one runs after the other. */
#include "guest.h"
#include <pthread.h>

#define BUSY 10

static volatile int number;

static void work(void)
{
	for (int i = 0; i < BUSY; i++)
		(void)getppid();
}

static void *first(void *unused)
{
	work();
	number = 1;
	(void)getppid();
	if (number == 2) {
		number = 3;
		(void)getppid();
	}
	work();
	return unused;
}

static void *second(void *unused)
{
	work();
	if (number == 1)
		number = 2;
	(void)getppid();
	if (number == 3)
		number = 4;
	work();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];

	(void)argv;
	expect(pthread_create(&threads[0], NULL, first, NULL) == 0);
	if (argc == 1)
		expect(pthread_join(threads[0], NULL) == 0);
	expect(pthread_create(&threads[1], NULL, second, NULL) == 0);
	if (argc > 1)
		expect(pthread_join(threads[0], NULL) == 0);
	expect(pthread_join(threads[1], NULL) == 0);
	say("%s\n", number == 4 ? "arrived" : "lost");
	return 0;
}
