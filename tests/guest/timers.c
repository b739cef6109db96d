/* Clocks and timers of every kind: resolutions, sleeping, interrupted sleeps, interval timers, POSIX timers, adjtimex. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t rings, value_seen, missed;

static void ring(int number, siginfo_t *info, void *context)
{
	(void)context;
	rings++;
	value_seen = info->si_value.sival_int;
	if (number >= SIGRTMIN && info->si_overrun > missed)
		missed = info->si_overrun;
}

static void catch (int number)
{
	struct sigaction action = { .sa_sigaction = ring, .sa_flags = SA_SIGINFO };

	expect(sigaction(number, &action, NULL) == 0);
}

static double seconds(clockid_t id)
{
	struct timespec t;

	expect(clock_gettime(id, &t) == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void clocks(void)
{
	static const clockid_t all[] = {
		CLOCK_REALTIME,		 CLOCK_MONOTONIC,     CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE,	 CLOCK_BOOTTIME,      CLOCK_TAI
	};
	struct timespec t;
	struct timeval now;
	struct timex adjust = { 0 };
	struct tms tms;
	clockid_t own;
	pid_t pid;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		double before = seconds(all[i]);

		expect(clock_getres(all[i], &t) == 0 && t.tv_sec == 0 && t.tv_nsec > 0);
		expect(seconds(all[i]) >= before);
	}
	expect(clock_getres(CLOCK_REALTIME, NULL) == 0);
	expect(clock_gettime(12345, &t) == -1 && errno == EINVAL);
	expect(syscall(SYS_clock_gettime, CLOCK_REALTIME, nowhere()) == -1 && errno == EFAULT);
	expect(pthread_getcpuclockid(pthread_self(), &own) == 0 && seconds(own) >= 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	expect(clock_getcpuclockid(pid, &own) == 0 && seconds(own) >= 0);
	kill(pid, SIGKILL);
	reap(pid);
	expect(gettimeofday(&now, NULL) == 0 && time(NULL) >= now.tv_sec - 1);
	expect(adjtimex(&adjust) >= 0 && adjust.tick > 0);
	memset(&adjust, 0, sizeof(adjust));
	expect(clock_adjtime(CLOCK_REALTIME, &adjust) >= 0);
	expect(times(&tms) != (clock_t)-1 && tms.tms_utime >= 0);
	say("clocks\n");
}

static void sleeps(void)
{
	struct timespec until, left = { -1, -1 }, bad = { 0, 1000000000 };

	catch (SIGALRM);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 2000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0); /* already past */
	expect(clock_nanosleep(CLOCK_REALTIME, 0, &bad, NULL) == EINVAL);
	expect(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &until, NULL) == EINVAL);
	ualarm(20000, 0);
	until = (struct timespec){ 100, 0 };
	expect(clock_nanosleep(CLOCK_BOOTTIME, 0, &until, &left) == EINTR && left.tv_sec == 99);
	ualarm(20000, 0);
	left.tv_sec = -1;
	expect(nanosleep(&until, &left) == -1 && errno == EINTR && left.tv_sec == 99);
	ualarm(20000, 0);
	expect(usleep(1000) == 0 && sleep(50) >= 49);
	say("sleeps: %d rings\n", rings);
}

static void intervals(void)
{
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } }, left;

	rings = 0;
	catch (SIGVTALRM);
	catch (SIGPROF);
	expect(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0 && getitimer(ITIMER_VIRTUAL, &left) == 0);
	expect(left.it_value.tv_sec == 0 && left.it_value.tv_usec <= 30000);
	while (!rings)
		getppid();
	expect(setitimer(ITIMER_PROF, &timer, &left) == 0 && left.it_value.tv_usec == 0);
	while (rings < 2)
		getppid();
	timer.it_value.tv_usec = 3000000;
	expect(setitimer(ITIMER_REAL, &timer, NULL) == -1 && errno == EINVAL);
	expect(setitimer(77, &timer, NULL) == -1 && errno == EINVAL);
	timer = (struct itimerval){ { 0, 5000 }, { 0, 5000 } };
	rings = 0;
	expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	while (rings < 3)
		pause();
	timer = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	expect(setitimer(ITIMER_REAL, &timer, &left) == 0 && left.it_interval.tv_usec == 5000);
	expect(alarm(100) == 0 && alarm(0) >= 99);
	say("interval timers\n");
}

static volatile int notified;

static void notify(union sigval value)
{
	__atomic_store_n(&notified, value.sival_int, __ATOMIC_SEQ_CST);
}

static void posix_timers(void)
{
	struct itimerspec soon = { { 0, 0 }, { 0, 5000000 } }, left;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGRTMIN,
				  .sigev_value.sival_int = 42 };
	timer_t timer;
	sigset_t set, old;

	catch (SIGRTMIN);
	rings = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &old);
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
	       timer_settime(timer, 0, &soon, NULL) == 0);
	while (!rings)
		sigsuspend(&old);
	expect(value_seen == 42 && timer_getoverrun(timer) == 0);
	soon.it_interval.tv_nsec = 1000000;
	expect(timer_settime(timer, 0, &soon, NULL) == 0);
	sleep_ms(30);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* The next ring may have come by now, and then the timer tells what that one missed. */
	expect(missed > 5 && timer_getoverrun(timer) >= 0 && timer_gettime(timer, &left) == 0);
	expect(left.it_interval.tv_nsec == 1000000 && timer_delete(timer) == 0 &&
	       timer_delete(timer) == -1);
	event.sigev_notify = SIGEV_NONE;
	expect(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
	soon = (struct itimerspec){ { 0, 0 }, { 100, 0 } };
	expect(timer_settime(timer, 0, &soon, NULL) == 0 && timer_gettime(timer, &left) == 0 &&
	       left.it_value.tv_sec == 99);
	expect(timer_delete(timer) == 0);
	event.sigev_notify = SIGEV_THREAD_ID;
	event._sigev_un._tid = gettid();
	rings = 0;
	expect(timer_create(CLOCK_BOOTTIME, &event, &timer) == 0);
	soon = (struct itimerspec){ { 0, 0 }, { 0, 1000000 } };
	expect(timer_settime(timer, 0, &soon, NULL) == 0);
	while (!rings)
		sleep_ms(1);
	expect(timer_delete(timer) == 0);
	event = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
				   .sigev_notify_function = notify,
				   .sigev_value.sival_int = 7 };
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
	       timer_settime(timer, 0, &soon, NULL) == 0);
	while (!__atomic_load_n(&notified, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	expect(notified == 7 && timer_delete(timer) == 0);
	expect(timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &timer) == 0 && timer_delete(timer) == 0);
	event.sigev_notify = 99;
	expect(timer_create(CLOCK_REALTIME, &event, &timer) == -1 && errno == EINVAL);
	say("timers\n");
}

static void timer_descriptors(void)
{
	struct itimerspec soon = { { 0, 2000000 }, { 0, 2000000 } }, left;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t count;

	expect(fd >= 0 && timerfd_settime(fd, 0, &soon, NULL) == 0 && read(fd, &count, 8) == 8 &&
	       count > 0);
	sleep_ms(20);
	expect(read(fd, &count, 8) == 8 && count > 2);
	memset(&soon, 0, sizeof(soon));
	expect(timerfd_settime(fd, 0, &soon, &left) == 0 && left.it_interval.tv_nsec == 2000000);
	expect(timerfd_gettime(fd, &left) == 0 && left.it_value.tv_nsec == 0);
	expect(read(fd, &count, 4) == -1 && errno == EINVAL);
	expect(timerfd_create(99, 0) == -1 && errno == EINVAL);
	close(fd);
	say("timer descriptors\n");
}

int main(void)
{
	clocks();
	sleeps();
	intervals();
	posix_timers();
	timer_descriptors();
	return 0;
}
