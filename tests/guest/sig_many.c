/* More realtime signals than anybody keeps in a small table come while the program computes, each of them once, in order. */
#include "guest.h"
#include <signal.h>

#define SIGNALS 300

static volatile sig_atomic_t met, misplaced;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	misplaced += info->si_value.sival_int != met;
	met++;
}

static uint64_t compute(void)
{
	uint64_t x = 88172645463325252ULL;

	for (int i = 0; i < 40000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid(), child;

	expect(!sigaction(SIGRTMIN, &action, NULL));
	child = fork();
	if (child == 0) {
		for (int i = 0; i < SIGNALS; i++)
			expect(!sigqueue(parent, SIGRTMIN, (union sigval){ .sival_int = i }));
		_exit(0);
	}
	say("computed %016llx\n", (unsigned long long)compute());
	expect(reap(child) == 0);
	while (met < SIGNALS)
		sleep_ms(1);
	say("%d signals, %d misplaced\n", met, misplaced);
	return 0;
}
