/* exec beside others: threads that spin and sleep, a leader that left, memory that is shared, several at once; limits. */
#include "guest.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static char self[256];
static char stack[1 << 16] __attribute__((aligned(64)));

static void *spin(void *argument)
{
	for (;;)
		getppid();
	return argument;
}

static void *rest(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static void *exec_as(void *name)
{
	char *const arguments[] = { "x", name, NULL };

	execv(self, arguments);
	return NULL;
}

static int exec_in_clone(void *name)
{
	exec_as(name);
	return 98;
}

static void start(void *(*what)(void *), void *argument)
{
	pthread_t thread;

	expect(pthread_create(&thread, NULL, what, argument) == 0);
}

static void beside(int sleepers, int spinners)
{
	while (sleepers-- > 0)
		start(rest, NULL);
	while (spinners-- > 0)
		start(spin, NULL);
}

static void from_thread(void)
{
	beside(2, 1);
	start(exec_as, "a thread");
	rest(NULL);
}

static void from_leader(void)
{
	beside(2, 1);
	exec_as("the leader");
}

static void without_leader(void)
{
	start(exec_as, "without a leader");
	pthread_exit(NULL);
}

static void several(void)
{
	for (int i = 0; i < 3; i++)
		start(exec_as, "one of several");
	rest(NULL);
}

static void with_stack(rlim_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	expect(setrlimit(RLIMIT_STACK, &limit) == 0);
	exec_as("limited");
}

static void small_stack(void)
{
	with_stack(1 << 17);
}

static void long_arguments(void)
{
	static char text[100000];
	char *const arguments[] = { "x", "long arguments", text, NULL };

	memset(text, 'a', sizeof(text) - 1);
	execv(self, arguments);
}

/* exit_group against a signal that ends the process, beside the same threads. */
static void race_to_the_end(void)
{
	pthread_t thread;

	beside(2, 1);
	expect(pthread_create(&thread, NULL, rest, NULL) == 0);
	pthread_kill(thread, SIGTERM);
	rest(NULL);
}

static int run(void (*what)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		what();
		_exit(99);
	}
	return reap(pid);
}

int main(int argc, char **argv)
{
	static void (*const ways[])(void) = { from_thread, from_leader, without_leader,
					      several,	   small_stack, long_arguments };
	char name[17];
	sigset_t set;
	pid_t pid;

	if (argc > 1) {
		prctl(PR_GET_NAME, name);
		sigprocmask(SIG_BLOCK, NULL, &set);
		say("%s: %s, blocked %d, ignored %d, leader %d\n", argv[1], name,
		    sigismember(&set, SIGUSR1), signal(SIGUSR2, SIG_DFL) == SIG_IGN,
		    getpid() == gettid());
		return 5;
	}
	expect(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, SIG_IGN);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		expect(WEXITSTATUS(run(ways[i])) == 5);
	for (int i = 0; i < 5; i++)
		expect(WEXITSTATUS(run(from_thread)) == 5);
	pid = clone(exec_in_clone, stack + sizeof(stack), CLONE_VM | SIGCHLD, "from our memory");
	expect(WEXITSTATUS(reap(pid)) == 5);
	pid = clone(exec_in_clone, stack + sizeof(stack),
		    CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, "from our memory and files");
	expect(WEXITSTATUS(reap(pid)) == 5);
	say("race: %#x\n", run(race_to_the_end));
	return 0;
}
