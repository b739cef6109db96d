/* Work that is doubled until it takes long enough, by each clock that programs measure themselves with. */
#include "guest.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>

static double of_clock(clockid_t id)
{
	struct timespec t;

	expect(clock_gettime(id, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double by_wall(void)
{
	return of_clock(CLOCK_MONOTONIC);
}

static double by_process(void)
{
	return of_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static double by_thread(void)
{
	return of_clock(CLOCK_THREAD_CPUTIME_ID);
}

static double by_times(void)
{
	struct tms tms;

	expect(times(&tms) != (clock_t)-1);
	return (double)tms.tms_utime / 100;
}

static double by_usage(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_SELF, &usage) == 0);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
}

static double by_stamp(void)
{
	/* Slower than any processor counts, so that this ends there too. */
	return (double)__builtin_ia32_rdtsc() / 2e9;
}

static void work(uint64_t count)
{
	volatile uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum = sum * 3 + i;
}

static void measure(const char *name, double (*now)(void), double long_enough_s)
{
	uint64_t count = 64;
	double start;

	do {
		count *= 2;
		start = now();
		work(count);
	} while (now() - start < long_enough_s);
	say("%s: %g s or longer\n", name, long_enough_s);
}

static void *make_calls(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_SEQ_CST))
		syscall(SYS_getppid);
	return NULL;
}

/* Somebody else makes calls meanwhile. */
static void measure_beside(void)
{
	pthread_t thread;
	int stop = 0;

	expect(pthread_create(&thread, NULL, make_calls, &stop) == 0);
	measure("thread, beside another one", by_thread, 0.3);
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	expect(pthread_join(thread, NULL) == 0);
}

int main(void)
{
	measure("wall clock", by_wall, 0.05);
	measure("wall clock", by_wall, 1);
	measure("process", by_process, 0.05);
	measure("thread", by_thread, 0.3);
	measure_beside();
	measure("times", by_times, 0.05);
	measure("usage", by_usage, 1);
	measure("time stamp", by_stamp, 0.05);
	return 0;
}
