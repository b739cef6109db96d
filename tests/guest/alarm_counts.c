/* Waits for the signals of timers, by counting, with calls and without, and by a jump to itself that only a long jump ends. */
#include "guest.h"
#include "ticks.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

static volatile sig_atomic_t alarms;
static volatile uint64_t *ticks;
static sigjmp_buf out;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void jump_out(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

int main(void)
{
	const struct itimerval often = { { 0, 30000 }, { 0, 30000 } }, never = { 0 };
	void *address = (void *)TICKS_ADDRESS;

	ticks = mmap(address, sizeof(*ticks), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect(ticks == address);
	signal(SIGALRM, count_alarm);
	alarm(1);
	while (!alarms)
		++*ticks;
	say("after %d alarm\n", (int)alarms);
	expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (alarms < 4)
		++*ticks;
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
	say("after some more\n");
	alarm(1);
	while (alarms < 5) {
		for (int i = 0; i < 100; i++)
			++*ticks;
		getppid();
	}
	say("after one between calls\n");
	signal(SIGALRM, jump_out);
	if (sigsetjmp(out, 1) == 0) {
		alarm(1);
		for (;;)
			__asm__ volatile("");
	}
	say("out\n");
	return 0;
}
