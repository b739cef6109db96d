/* Two threads hand a flag to and fro by spinning on it, without a call that could switch them. */
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 6

static atomic_int turn;

static void *answer(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (atomic_load(&turn) != 2 * i + 1)
			;
		atomic_store(&turn, 2 * i + 2);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	unsigned long work = 1;

	expect(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&turn, 2 * i + 1);
		while (atomic_load(&turn) != 2 * i + 2)
			;
		work = work * 31 + (unsigned long)i;
	}
	pthread_join(thread, NULL);
	say("turns %d, work %lu\n", atomic_load(&turn), work);
	return 0;
}
