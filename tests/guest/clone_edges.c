/* Clone at its edges: no stack, no thread storage, words cleared by the dead, a coredump beside, threads at once gone. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define STACK (1 << 16)

static volatile int word;

static void no_stack(void)
{
	int status;
	long pid = syscall(SYS_clone, SIGCHLD, -1L, -1L, -1L, -1L);

	if (pid == 0)
		_exit(0); /* its stack is nowhere */
	expect(pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && WIFSIGNALED(status));
	say("no stack: signal %d\n", WTERMSIG(status));
	pid = syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		static const char text[] = "no thread storage\n";
		long r;

		__asm__ volatile("syscall"
				 : "=a"(r)
				 : "a"(SYS_write), "D"(1), "S"(text), "d"(sizeof(text) - 1)
				 : "rcx", "r11", "memory");
		__asm__ volatile("syscall"
				 : "=a"(r)
				 : "a"(SYS_exit_group), "D"(77)
				 : "rcx", "r11", "memory");
		__builtin_trap();
	}
	status = reap((pid_t)pid);
	say("without storage: %d\n", WEXITSTATUS(status));
	pid = syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, ~0UL);
	if (pid == 0)
		_exit(0);
	expect(pid == -1 && errno == EPERM);
}

static int die_by(void *argument)
{
	kill(getpid(), *(int *)argument);
	return 0;
}

static void *own_stack(void)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return stack + STACK;
}

/* A process in our memory gets a signal: SIGKILL spares us, a coredump takes all who share the memory. */
static void cleared(int number)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	    status;
	pid_t child;

	*shared = -1;
	child = fork();
	if (child == 0) {
		pid_t other = clone(die_by, own_stack(),
				    CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, &number,
				    shared, NULL, shared);

		expect(other > 0);
		while (__atomic_load_n(shared, __ATOMIC_SEQ_CST) != 0)
			syscall(SYS_futex, shared, FUTEX_WAIT, other, NULL, NULL, 0);
		expect(waitpid(other, &status, __WALL) == other && WTERMSIG(status) == number);
		_exit(6);
	}
	status = reap(child);
	say("beside a process ended by %d: %#x, word %d\n", number,
	    status & 0x7f ? status & 0x7f : status, *shared);
	munmap(shared, 4096);
}

static int leave(void *argument)
{
	(void)argument;
	return 0;
}

static void *at_once(void *argument)
{
	return argument;
}

static void gone_at_once(void)
{
	for (int i = 0; i < 5; i++) {
		pthread_t thread;
		int tid = 1;

		expect(pthread_create(&thread, NULL, at_once, NULL) == 0 &&
		       pthread_join(thread, NULL) == 0);
		expect(clone(leave, own_stack(),
			     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				     CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
			     NULL, &tid, NULL, &tid) > 0);
		while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0)
			sched_yield();
	}
	say("threads gone at once\n");
}

_Noreturn static void *wait_for_ever(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

/* The last of a process: a leader that left before, exit_group from a thread, many threads in calls. */
static void exits(void)
{
	pid_t pid = fork();
	pthread_t thread;

	if (pid == 0) {
		for (int i = 0; i < 5; i++)
			pthread_create(&thread, NULL, wait_for_ever, NULL);
		exit(12);
	}
	say("exit with threads: %d\n", WEXITSTATUS(reap(pid)));
	for (int round = 0; round < 10; round++) {
		pid = fork();
		if (pid == 0) {
			for (int i = 0; i < 5; i++)
				pthread_create(&thread, NULL, wait_for_ever, NULL);
			kill(getpid(), SIGKILL);
		}
		expect(WTERMSIG(reap(pid)) == SIGKILL);
	}
	say("killed with threads\n");
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++)
			pthread_create(&thread, NULL, wait_for_ever, NULL);
		abort();
	}
	say("aborted with threads: %d\n", WTERMSIG(reap(pid)));
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	no_stack();
	cleared(SIGKILL);
	cleared(SIGTERM);
	gone_at_once();
	exits();
	return 0;
}
