/* A thread spins, and its first round writes what every later one leaves as it is: the registers are the same in all rounds,
 * memory is not. Whoever looks after the cut must see what the spin has written. */
#include "guest.h"
#include <pthread.h>

#define ROUNDS 12

static volatile uint64_t words[2]; /* what it waits for, what it writes */

static void spin(void)
{
	/* The first comparison makes the flags of the first round those of the others. */
	__asm__ volatile("cmpq $0, (%0)\n\t"
			 "1: pause\n\tpause\n\tpause\n\tpause\n\t"
			 "movq $1, 8(%0)\n\t"
			 "cmpq $0, (%0)\n\tje 1b"
			 :
			 : "r"(words)
			 : "cc", "memory");
}

static void *waits(void *unused)
{
	spin();
	return unused;
}

int main(void)
{
	struct timespec while_spinning = { .tv_nsec = 2000000 };
	unsigned int seen = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread;

		words[0] = words[1] = 0;
		expect(pthread_create(&thread, NULL, waits, NULL) == 0);
		while (!words[1])
			nanosleep(&while_spinning, NULL);
		seen += words[1] == 1;
		words[0] = 1;
		expect(pthread_join(thread, NULL) == 0);
	}
	say("written %u times\n", seen);
	return 0;
}
