/*
 * Signals that come while the program computes, whose handlers block each other and make calls; then a timer with a
 * queued signal, faster than a loop without calls can be looked at; then one that a handler's sigsuspend lets in.
 */
#include "guest.h"
#include <signal.h>
#include <sys/syscall.h>

static volatile sig_atomic_t calls, ticks, inner;

static void call(int number)
{
	(void)number;
	expect(syscall(SYS_getpid) > 0);
	calls++;
	expect(syscall(SYS_getppid) > 0);
}

static void tick(int number)
{
	(void)number;
	ticks++;
}

static void inside(int number)
{
	expect(number == SIGUSR2);
	inner++;
}

static void outside(int number)
{
	sigset_t none;

	expect(number == SIGUSR1);
	sigemptyset(&none);
	if (!inner)
		expect(sigsuspend(&none) == -1 && errno == EINTR);
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigfillset(&action.sa_mask);
	expect(sigaction(number, &action, NULL) == 0);
}

static unsigned long compute(unsigned long rounds)
{
	volatile unsigned long work = 1;

	for (unsigned long i = 0; i < rounds; i++)
		work = work * 6364136223846793005UL + i;
	return work;
}

/* A child computes, and gets both signals while it does. */
static int child_with(void (*first)(int), void (*second)(int), const volatile sig_atomic_t *result)
{
	int ready[2];
	char byte;
	pid_t pid;

	expect(pipe(ready) == 0);
	handle(SIGUSR1, first);
	handle(SIGUSR2, second);
	pid = fork();
	if (pid == 0) {
		expect(write(ready[1], "r", 1) == 1);
		expect(compute(150000000UL) != 0);
		expect(write(ready[1], "d", 1) == 1);
		_exit(*result);
	}
	expect(read(ready[0], &byte, 1) == 1);
	sleep_ms(30);
	expect(kill(pid, SIGUSR1) == 0 && kill(pid, SIGUSR2) == 0);
	expect(read(ready[0], &byte, 1) == 1 && byte == 'd');
	close(ready[0]);
	close(ready[1]);
	return reap(pid);
}

static void spin_for_ticks(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec every = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;

	handle(SIGRTMIN, tick);
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	expect(timer_settime(timer, 0, &every, NULL) == 0);
	while (ticks < 3)
		;
	expect(timer_delete(timer) == 0);
}

int main(void)
{
	say("handlers that block each other: %#x\n", child_with(call, call, &calls));
	spin_for_ticks();
	say("ticks: enough\n");
	say("a handler that waits for the other: %#x\n", child_with(outside, inside, &inner));
	return 0;
}
