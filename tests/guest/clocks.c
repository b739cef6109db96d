/* Clocks go forward, agree with each other and with the sleeps between. */
#include "guest.h"
#include <sys/time.h>
#include <sys/times.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	expect(clock_gettime(id, &now) == 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(void)
{
	static const clockid_t ids[] = { CLOCK_REALTIME,	   CLOCK_MONOTONIC,
					 CLOCK_MONOTONIC_RAW,	   CLOCK_BOOTTIME,
					 CLOCK_REALTIME_COARSE,	   CLOCK_MONOTONIC_COARSE,
					 CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	int64_t last, now, before, slept;
	struct timespec until, resolution;
	struct timeval day;
	struct tms usage;
	unsigned int kinds = 0;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		last = read_ns(ids[i]);
		for (int k = 0; k < 200; k++) {
			now = read_ns(ids[i]);
			expect(now >= last);
			last = now;
		}
		expect(clock_getres(ids[i], &resolution) == 0 && resolution.tv_nsec > 0);
		kinds++;
	}
	say("%u clocks go forward\n", kinds);
	before = read_ns(CLOCK_REALTIME) / 1000;
	expect(gettimeofday(&day, NULL) == 0);
	expect(day.tv_sec * 1000000 + day.tv_usec >= before);
	expect(time(NULL) >= before / 1000000 - 1);
	before = read_ns(CLOCK_MONOTONIC);
	sleep_ms(20);
	slept = read_ns(CLOCK_MONOTONIC) - before;
	expect(slept >= 20000000);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	expect(read_ns(CLOCK_MONOTONIC) >= until.tv_sec * 1000000000 + until.tv_nsec);
	expect(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){ 0, 1000000 }, NULL) == 0);
	say("sleeps are long enough\n");
	expect(times(&usage) != (clock_t)-1 && clock() != (clock_t)-1);
	expect(clock_gettime(999, &until) == -1 && errno == EINVAL);
	return 0;
}
