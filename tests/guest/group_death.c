/* How processes of several threads end: aborts, faults, exec and exits from one of them while the others are busy. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pthread_barrier_t ready;
static int ends[2];
static volatile int spin = 1;

static void *sleeps(void *argument)
{
	char byte;

	pthread_barrier_wait(&ready);
	(void)!read(ends[0], &byte, 1);
	return argument;
}

static void *computes(void *argument)
{
	pthread_barrier_wait(&ready);
	while (spin)
		syscall(SYS_getuid);
	return argument;
}

static void *leaves(void *argument)
{
	pthread_barrier_wait(&ready);
	return argument;
}

static void act(int how)
{
	char *const again[] = { "group_death", "again", NULL };

	switch (how) {
	case 0: abort();
	case 1: *nowhere() = 1; break;
	case 2: __asm__ volatile("ud2"); break;
	case 3: kill(getpid(), SIGQUIT); break;
	case 4: raise(SIGTERM); break;
	case 5: exit(5);
	case 6: _exit(6);
	case 7: execv("/proc/self/exe", again); break;
	case 8: kill(getpid(), SIGKILL); break;
	case 9: syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1); break;
	case 10: syscall(SYS_exit, 10);
	default: break;
	}
	for (;;)
		pause();
}

static void *acts(void *argument)
{
	pthread_barrier_wait(&ready);
	act(*(int *)argument);
	return argument;
}

static void run(int how, int main_acts)
{
	static void *(*const busy[])(void *) = { sleeps, computes, sleeps, leaves };
	pthread_t thread;

	expect(pipe(ends) == 0);
	pthread_barrier_init(&ready, NULL, 5 + !main_acts);
	for (int i = 0; i < 4; i++)
		expect(pthread_create(&thread, NULL, busy[i], NULL) == 0);
	if (!main_acts) {
		expect(pthread_create(&thread, NULL, acts, &how) == 0);
		pthread_barrier_wait(&ready);
		for (;;)
			pause();
	}
	pthread_barrier_wait(&ready);
	act(how);
}

int main(int argc, char **argv)
{
	struct rlimit none = { 0, 0 };

	if (argc > 1 && strcmp(argv[1], "again") == 0) {
		say("again, thread %d\n", getpid() == (pid_t)syscall(SYS_gettid));
		return 3;
	}
	setrlimit(RLIMIT_CORE, &none);
	for (int how = 0; how < 10; how++) {
		for (int main_acts = 0; main_acts < 2; main_acts++) {
			pid_t pid = fork();
			int status;

			if (pid == 0)
				run(how, main_acts);
			status = reap(pid);
			say("%d by %s: %s %d\n", how, main_acts ? "the first" : "another",
			    WIFSIGNALED(status) ? "signal" : "status",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		}
	}
	return 0;
}
