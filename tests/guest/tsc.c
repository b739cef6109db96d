/* rdtsc and rdtscp: forward in one thread, across a fork, and while another thread reads too. */
#include "guest.h"
#include <pthread.h>
#include <x86intrin.h>

static void *forward(void *unused)
{
	unsigned long long last = __rdtsc(), now;
	unsigned int cpu;

	for (int i = 0; i < 500; i++) {
		now = i % 2 ? __rdtscp(&cpu) : __rdtsc();
		expect(now >= last);
		last = now;
	}
	return unused;
}

int main(void)
{
	unsigned long long before = __rdtsc(), low;
	unsigned long kept = 0x1122334455667788, high = 0;
	pthread_t thread;

	forward(NULL);
	pthread_create(&thread, NULL, forward, NULL);
	forward(NULL);
	pthread_join(thread, NULL);
	if (fork() == 0) {
		forward(NULL);
		_exit(__rdtsc() <= before);
	}
	expect(reap(-1) == 0);
	low = 0xffffffff00000000;
	__asm__ volatile("rdtsc" : "+a"(low), "+d"(high), "+c"(kept));
	say("upper halves cleared: %d, rcx kept: %d\n", low >> 32 == 0 && high >> 32 == 0,
	    kept == 0x1122334455667788);
	return 0;
}
