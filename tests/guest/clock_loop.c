/* Loops on the clock until two seconds have passed, and again with looks at what is ready in between. */
#include "guest.h"
#include <poll.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	double start = now();
	int end[2];
	struct pollfd ready;

	while (now() < start + 2)
		;
	say("two seconds\n");
	expect(pipe(end) == 0);
	ready = (struct pollfd){ .fd = end[0], .events = POLLIN };
	start = now();
	while (poll(&ready, 1, 0) == 0 && now() < start + 2)
		;
	say("two more\n");
	return 0;
}
