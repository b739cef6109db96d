/* Stops and continues: of one's own children, of processes with threads and in calls, and by the stopped themselves. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static volatile sig_atomic_t continued, interrupted, children[3];

static void on_continue(int number)
{
	(void)number;
	continued++;
}

static void on_child(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (info->si_code == CLD_STOPPED)
		children[0]++;
	if (info->si_code == CLD_CONTINUED)
		children[1]++;
	if (info->si_code == CLD_EXITED)
		children[2]++;
}

static void *thread(void *argument)
{
	char byte;

	return read(*(int *)argument, &byte, 1) == 1 ? argument : NULL;
}

static void work(int in, int out, int threads)
{
	pthread_t others[3];
	void *result;
	char byte;

	setpgid(0, 0); /* SIGTSTP does not stop an orphaned group */
	signal(SIGCONT, on_continue);
	for (int i = 0; i < threads; i++)
		expect(pthread_create(&others[i], NULL, thread, &in) == 0);
	expect(write(out, "r", 1) == 1);
	while (read(in, &byte, 1) < 0)
		interrupted++;
	for (int i = 0; i < threads; i++)
		expect(pthread_join(others[i], &result) == 0 && result == &in);
	say("%d threads: continued %d, interrupted %s\n", threads, continued > 0,
	    interrupted <= 2 ? "at most twice" : "often");
	_exit(4);
}

static void attempt(int threads, int number)
{
	int to[2], from[2], status;
	char byte;
	pid_t pid;

	expect(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0)
		work(to[0], from[1], threads);
	expect(read(from[0], &byte, 1) == 1);
	for (int i = 0; i < 2; i++) {
		expect(kill(pid, number) == 0);
		while (waitpid(pid, &status, WUNTRACED) < 0)
			expect(errno == EINTR);
		expect(WIFSTOPPED(status));
		say("stopped by %d\n", WSTOPSIG(status));
		expect(kill(pid, SIGCONT) == 0);
		while (waitpid(pid, &status, WCONTINUED) < 0)
			expect(errno == EINTR);
		expect(WIFCONTINUED(status));
	}
	for (int i = 0; i <= threads; i++)
		expect(write(to[1], "x", 1) == 1);
	status = reap(pid);
	say("status %d\n", WEXITSTATUS(status));
}

static void by_itself(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		setpgid(0, 0);
		raise(SIGSTOP);
		raise(SIGTSTP);
		_exit(6);
	}
	for (int i = 0; i < 2; i++) {
		expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		say("stopped itself by %d\n", WSTOPSIG(status));
		kill(pid, SIGCONT);
	}
	expect(WEXITSTATUS(reap(pid)) == 6);
	pid = fork();
	if (pid == 0)
		raise(SIGSTOP);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, SIGKILL);
	status = reap(pid);
	say("killed while stopped: %d\n", WTERMSIG(status));
}

/* Stopped while it computes, then continued to its handler, or killed. */
static void computing(int killed)
{
	int from[2], status;
	char byte;
	pid_t pid;

	expect(pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGCONT, on_continue);
		expect(write(from[1], "r", 1) == 1);
		while (!continued)
			;
		_exit(8);
	}
	expect(read(from[0], &byte, 1) == 1);
	sleep_ms(5);
	kill(pid, SIGSTOP);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, killed ? SIGKILL : SIGCONT);
	status = reap(pid);
	say("computing: %s %d\n", WIFSIGNALED(status) ? "killed by" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void notices(int flags)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | flags };
	struct timespec long_time = { 5, 0 };
	sigset_t set, old;
	int status;
	pid_t pid;

	children[0] = children[1] = children[2] = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	(void)long_time;
	if (flags & SA_NOCLDSTOP)
		expect(waitpid(pid, NULL, WUNTRACED) == pid);
	else
		sigsuspend(&old);
	kill(pid, SIGCONT);
	while (children[2] == 0 && waitpid(pid, &status, WNOHANG) == 0)
		sigsuspend(&old);
	while (waitpid(pid, NULL, 0) > 0)
		;
	say("flags %x: stopped %d, continued at most once %d\n", flags, (int)children[0],
	    children[1] <= 1);
	sigprocmask(SIG_SETMASK, &old, NULL);
	action.sa_handler = SIG_DFL;
	action.sa_flags = 0;
	expect(sigaction(SIGCHLD, &action, NULL) == 0);
}

static void unwaited(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	pid_t pid;

	expect(sigaction(SIGCHLD, &action, NULL) == 0);
	pid = fork();
	if (pid == 0)
		_exit(1);
	expect(waitpid(pid, NULL, 0) == -1 && errno == ECHILD);
	say("nobody to wait for\n");
}

int main(void)
{
	attempt(0, SIGSTOP);
	attempt(0, SIGTSTP);
	attempt(2, SIGSTOP);
	by_itself();
	computing(0);
	computing(1);
	notices(0);
	notices(SA_NOCLDSTOP);
	unwaited();
	return 0;
}
