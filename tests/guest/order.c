/* Two threads add to a number without a lock, and one reads what another is to set first: what comes out is a matter of the order in
 * which they get their turns. Without an argument each waits for the one before. */
#include "guest.h"
#include <pthread.h>
#include <stdbool.h>

#define ROUNDS 3

static volatile int balance, value;

static void *add(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		int before = balance;

		(void)getppid();
		balance = before + 1;
	}
	return unused;
}

static void *set(void *unused)
{
	(void)getppid();
	value = 42;
	return unused;
}

int main(int argc, char **argv)
{
	void *(*const starts[3])(void *) = { add, add, set };
	bool race = argc > 1;
	pthread_t threads[3];
	int seen;

	(void)argv;
	for (int i = 0; i < 3; i++) {
		expect(pthread_create(&threads[i], NULL, starts[i], NULL) == 0);
		if (!race)
			expect(pthread_join(threads[i], NULL) == 0);
	}
	(void)getppid();
	(void)getppid();
	seen = value;
	for (int i = 0; race && i < 3; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect(balance >= ROUNDS && balance <= 2 * ROUNDS);
	say("update %s, value %s\n", balance == 2 * ROUNDS ? "kept" : "lost", seen ? "set" : "unset");
	return 0;
}
