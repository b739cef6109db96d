/* Two threads hand a flag to and fro, each counting in memory while it waits: no round leaves things as they were. */
#include "guest.h"
#include "ticks.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ROUNDS 4

static atomic_int turn;
static volatile uint64_t *ticks;

static void wait_for(int wanted)
{
	while (atomic_load_explicit(&turn, memory_order_relaxed) != wanted)
		++*ticks;
}

static void *answer(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		wait_for(2 * i + 1);
		atomic_store(&turn, 2 * i + 2);
	}
	return unused;
}

int main(void)
{
	void *address = (void *)TICKS_ADDRESS;
	pthread_t thread;

	ticks = mmap(address, sizeof(*ticks), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect(ticks == address);
	expect(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&turn, 2 * i + 1);
		wait_for(2 * i + 2);
	}
	expect(pthread_join(thread, NULL) == 0);
	say("turns %d\n", atomic_load(&turn));
	return 0;
}
