/* timerfd: one shot, periodic, absolute, disarmed, polled. */
#include <sys/timerfd.h>
#include "guest.h"
#include <poll.h>

int main(void)
{
	struct itimerspec once = { .it_value = { .tv_nsec = 5000000 } }, now, off = { 0 };
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd set = { .fd = fd, .events = POLLIN };
	uint64_t count, sum = 0;

	expect(fd >= 0);
	expect(timerfd_settime(fd, 0, &once, NULL) == 0);
	expect(timerfd_gettime(fd, &now) == 0 && now.it_value.tv_nsec <= 5000000);
	expect(poll(&set, 1, -1) == 1);
	expect(read(fd, &count, sizeof(count)) == sizeof(count));
	say("once: %lu\n", (unsigned long)count);
	expect(timerfd_settime(fd, 0, &often, NULL) == 0);
	while (sum < 5) {
		expect(read(fd, &count, sizeof(count)) == sizeof(count) && count >= 1);
		sum += count;
	}
	say("often: at least 5\n");
	expect(timerfd_settime(fd, 0, &off, &now) == 0 && now.it_interval.tv_nsec == 2000000);
	expect(poll(&set, 1, 5) == 0);
	clock_gettime(CLOCK_MONOTONIC, &once.it_value);
	expect(timerfd_settime(fd, TFD_TIMER_ABSTIME, &once, NULL) == 0);
	expect(read(fd, &count, sizeof(count)) == sizeof(count));
	say("past: %lu\n", (unsigned long)count);
	return 0;
}
