/* Leaving handlers by siglongjmp, with and without the mask, out of faults and out of a blocked read. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf back;

static void handler(int number)
{
	siglongjmp(back, number);
}

static int blocked(int number)
{
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, number);
}

int main(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 },
				  .it_interval = { .tv_usec = 20000 } };
	struct itimerval off = { 0 };
	volatile int jumps = 0;
	int ends[2], number;
	char byte;
	sigset_t mask;

	signal(SIGSEGV, handler);
	signal(SIGALRM, handler);
	for (volatile int i = 0; i < 100; i++) {
		if (sigsetjmp(back, 1) == 0)
			*nowhere() = 1;
		else
			jumps++;
	}
	say("jumps %d, blocked %d\n", jumps, blocked(SIGSEGV));
	if (sigsetjmp(back, 0) == 0)
		*nowhere() = 1;
	say("mask not restored: blocked %d\n", blocked(SIGSEGV));
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	expect(pipe(ends) == 0);
	number = sigsetjmp(back, 1);
	if (number == 0) {
		setitimer(ITIMER_REAL, &soon, NULL);
		expect(read(ends[0], &byte, 1) == 1);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	say("left read by signal %d\n", number);
	return 0;
}
