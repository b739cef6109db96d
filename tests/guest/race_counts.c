/* Two threads add to one number without a lock, in code that is no small loop. With an argument it shows what came of it. */
#include "guest.h"
#include "ticks.h"
#include <pthread.h>
#include <sys/mman.h>

#define CALLS 6 /* each adds as often as its number in the series of Fibonacci says */
#define DEPTH 13

static volatile uint64_t *ticks, total;

static __attribute__((noinline)) uint64_t recurse(uint64_t depth)
{
	uint64_t before = total;

	++*ticks;
	total = before + 1;
	return depth < 2 ? depth : recurse(depth - 1) + recurse(depth - 2);
}

static void *add(void *unused)
{
	char text[64], copy[64];

	for (int i = 0; i < CALLS; i++) {
		int length = snprintf(text, sizeof(text), "%d:%llu", i,
				      (unsigned long long)recurse(DEPTH));

		expect(length > 0);
		memcpy(copy, text, sizeof(copy));
		expect(strtoull(strchr(copy, ':') + 1, NULL, 10) == 233);
	}
	return unused;
}

int main(int argc, char **argv)
{
	void *address = (void *)TICKS_ADDRESS;
	pthread_t thread;

	(void)argv;
	ticks = mmap(address, sizeof(*ticks), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect(ticks == address);
	expect(pthread_create(&thread, NULL, add, NULL) == 0);
	add(NULL);
	expect(pthread_join(thread, NULL) == 0);
	expect(total <= 2 * CALLS * 753);
	if (argc > 1)
		say("%llu of %d\n", (unsigned long long)total, 2 * CALLS * 753);
	say("done\n");
	return 0;
}
