/* Several threads spin for what a sleeping one will do: time has to pass for it although somebody is always ready. */
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>

#define SPINNERS 3

static atomic_int go, met;

static void *spin(void *argument)
{
	while (!atomic_load(&go))
		;
	atomic_fetch_add(&met, 1);
	return argument;
}

int main(void)
{
	pthread_t threads[SPINNERS];

	for (int round = 0; round < 2; round++) {
		atomic_store(&go, 0);
		for (int i = 0; i < SPINNERS; i++)
			expect(!pthread_create(&threads[i], NULL, spin, NULL));
		sleep_ms(30);
		atomic_store(&go, 1);
		for (int i = 0; i < SPINNERS; i++)
			expect(!pthread_join(threads[i], NULL));
		say("%d spun\n", atomic_load(&met));
	}
	return 0;
}
