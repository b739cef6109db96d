/* Signals for a process that computes without any call: a timer's, one from another process, several kinds at once; their
 * handlers run while the computation goes on, and end it. */
#include "guest.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t timer, user;
static unsigned char block[16384];
static uint64_t result;

static void on_timer(int number)
{
	(void)number;
	timer++;
}

static void on_user(int number)
{
	(void)number;
	user++;
}

__attribute__((noinline)) static uint64_t mix(const unsigned char *bytes, size_t length)
{
	uint64_t sum = 5381;

	for (size_t i = 0; i < length; i++)
		sum = sum * 33 + bytes[i];
	return sum;
}

__attribute__((noinline)) static void compute_until(volatile sig_atomic_t *flag)
{
	for (uint64_t round = 0; !*flag; round++) {
		block[round % sizeof(block)] ^= (unsigned char)round;
		result += mix(block, sizeof(block));
	}
}

int main(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 30000 } };
	pid_t parent = getpid(), pid;

	signal(SIGALRM, on_timer);
	signal(SIGUSR1, on_user);
	expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	compute_until(&timer);
	say("a timer ended it\n");
	pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		sleep_ms(30);
		expect(kill(parent, SIGUSR1) == 0);
		_exit(0);
	}
	compute_until(&user);
	say("another process ended it\n");
	expect(reap(pid) == 0);
	timer = 0;
	expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	compute_until(&timer);
	say("%d and %d, %s\n", (int)timer, (int)user, result != 0 ? "computed" : "nothing");
	return 0;
}
