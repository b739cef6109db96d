/* Timers whose handlers interrupt pause, nanosleep and plain computation: alarm, setitimer, timer_create. */
#include "guest.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t hits, code, value;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	hits++;
	code = info->si_code;
	value = info->si_value.sival_int;
}

static void period(__itimer_which_t which, long us)
{
	struct itimerval timer = { { 0, us }, { 0, us } }, now;

	expect(setitimer(which, &timer, NULL) == 0 && getitimer(which, &now) == 0);
	expect(now.it_interval.tv_usec == us);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec timer_spec = { { 0, 10000000 }, { 0, 10000000 } };
	struct timespec left, hour = { .tv_sec = 3600 };
	sigset_t alarm_set, empty;
	timer_t timer;

	sigemptyset(&empty);
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	sigprocmask(SIG_BLOCK, &alarm_set, NULL);
	expect(alarm(1) == 0 && alarm(1) == 1);
	expect(sigsuspend(&empty) == -1 && hits == 1);
	sigprocmask(SIG_UNBLOCK, &alarm_set, NULL);
	say("alarm ended sigsuspend\n");
	period(ITIMER_REAL, 10000);
	expect(pause() == -1 && errno == EINTR);
	expect(nanosleep(&hour, &left) == -1 && errno == EINTR);
	expect(left.tv_sec >= 3500 && left.tv_sec <= 3600);
	hits = 0;
	while (hits < 2)
		; /* no call: only the handler ends this */
	period(ITIMER_REAL, 0);
	say("setitimer ended pause, nanosleep and a loop\n");
	hits = 0;
	period(ITIMER_PROF, 10000);
	while (hits < 1)
		;
	period(ITIMER_PROF, 0);
	say("profiling timer ended a loop\n");
	event.sigev_value.sival_int = 55;
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	expect(timer_settime(timer, 0, &timer_spec, NULL) == 0 &&
	       timer_gettime(timer, &timer_spec) == 0);
	hits = 0;
	expect(nanosleep(&hour, &left) == -1 && errno == EINTR && hits >= 1);
	say("timer: code %d, value %d, overrun %d\n", (int)code, (int)value,
	    timer_getoverrun(timer) >= 0);
	expect(timer_delete(timer) == 0 && timer_delete(timer) == -1);
	return 0;
}
