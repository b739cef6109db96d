/* Calls without a number, and what signals do to exec, vfork and pending state. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static volatile sig_atomic_t seen;

static void handler(int number)
{
	seen = number;
}

static long raw(long nr)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(1), "S"(2), "d"(3)
			 : "rcx", "r11", "memory");
	return result;
}

static void numbers(void)
{
	say("-1: %ld\n", raw(-1));
	say("-2: %ld\n", raw(-2));
	say("9999: %ld\n", raw(9999));
	say("x32: %ld\n", raw(0x40000000 + 9999));
	say("large: %ld\n", raw(0x7fffffff00000000 | 500000));
	say("upper half: %d\n", raw(0x100000000 | SYS_getpid) == getpid());
}

static void after_exec(char **argv)
{
	struct sigaction action;
	sigset_t set;

	expect(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	expect(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
	expect(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGTERM));
	expect(sigpending(&set) == 0 && sigismember(&set, SIGTERM));
	signal(SIGTERM, handler);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("%s: pending over exec: %d\n", argv[1], (int)seen);
}

static void *execs(void *argument)
{
	char *const argv[] = { argument, "thread", NULL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_kill(pthread_self(), SIGTERM);
	execv("/proc/self/exe", argv);
	return NULL;
}

static void exec_with(int by_thread)
{
	char *const argv[] = { "bad_calls", "process", NULL };
	pid_t pid = fork();
	pthread_t thread;
	sigset_t set;

	if (pid == 0) {
		signal(SIGUSR1, handler);
		signal(SIGUSR2, SIG_IGN);
		if (by_thread) {
			pthread_create(&thread, NULL, execs, argv[0]);
			for (;;)
				pause();
		}
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
		execv("/proc/self/exe", argv);
	}
	expect(reap(pid) == 0);
}

/* A vfork child has handlers and a mask of its own, and the parent waits through its signals. */
static void vforked(void)
{
	volatile int inside = 0;
	int status;
	pid_t pid;

	signal(SIGUSR1, handler);
	seen = 0;
	pid = vfork();
	if (pid == 0) {
		raise(SIGUSR1);
		inside = seen;
		kill(getppid(), SIGUSR1);
		signal(SIGUSR1, SIG_DFL);
		raise(SIGUSR1);
		_exit(1);
	}
	status = reap(pid);
	say("vfork: inside %d, then killed by %d, handled by the parent %d\n", inside,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0, (int)seen);
}

static void at_exit(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
		_exit(9);
	}
	status = reap(pid);
	say("exit with a blocked signal: %d\n", WEXITSTATUS(status));
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(9);
	}
	status = reap(pid);
	say("SIGKILL to itself: %d\n", WTERMSIG(status));
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		after_exec(argv);
		return 0;
	}
	numbers();
	exec_with(0);
	exec_with(1);
	vforked();
	at_exit();
	return 0;
}
