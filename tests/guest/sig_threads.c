/* Signals to single threads: pthread_kill, per-thread masks, a process signal that one thread may take. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static __thread int mine;
static atomic_int handled, ready;
static int never[2];

static void handler(int number)
{
	(void)number;
	mine++;
	atomic_fetch_add(&handled, 1);
}

static void *reader(void *interrupted)
{
	char byte;

	atomic_fetch_add(&ready, 1);
	while (mine == 0) {
		ssize_t n = read(never[0], &byte, 1);

		expect(n == -1 && errno == EINTR);
	}
	*(int *)interrupted = mine > 0;
	return NULL;
}

static void *waiter(void *taken)
{
	sigset_t mask;
	int number;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	atomic_fetch_add(&ready, 1);
	expect(sigwait(&mask, &number) == 0);
	*(int *)taken = number == SIGUSR2;
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	pthread_t thread[3];
	int result[3] = { 0 };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	sigaction(SIGUSR1, &action, NULL);
	expect(pipe(never) == 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, i < 2 ? reader : waiter, &result[i]);
	while (atomic_load(&ready) < 3)
		sleep_ms(1);
	for (int i = 0; i < 2; i++) {
		while (!*(volatile int *)&result[i]) {
			if (pthread_kill(thread[i], SIGUSR1) != 0)
				break;
			sleep_ms(10);
		}
		pthread_join(thread[i], NULL);
	}
	kill(getpid(), SIGUSR2);
	pthread_join(thread[2], NULL);
	say("interrupted %d %d, taken %d, mine %d\n", result[0], result[1], result[2], mine);
	expect(atomic_load(&handled) >= 2);
	return 0;
}
