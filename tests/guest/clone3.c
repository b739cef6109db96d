/* clone3: its structure in all sizes, every word that it writes, threads, vfork, cleared handlers, chosen numbers. */
#include "guest.h"
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define CLONE_CLEAR_SIGHAND_FLAG 0x100000000ULL
#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static char stack[65536] __attribute__((aligned(64)));
static atomic_int met;
static int parent_tid, child_tid;

static long clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static void on_usr1(int number)
{
	met += number == SIGUSR1;
}

static void sizes(void)
{
	static char large[256];
	struct clone_args args = { .exit_signal = SIGCHLD };
	const size_t good[] = { CLONE_ARGS_SIZE_VER0, CLONE_ARGS_SIZE_VER1, CLONE_ARGS_SIZE_VER2 };

	memcpy(large, &args, sizeof(args));
	for (int i = 0; i < 4; i++) {
		long pid = i < 3 ? clone3(&args, good[i])
				 : clone3((struct clone_args *)(void *)large, sizeof(large));

		if (pid == 0)
			_exit(40 + i);
		expect(pid > 0 && WEXITSTATUS(reap((pid_t)pid)) == 40 + i);
	}
	large[200] = 1;
	expect(clone3((struct clone_args *)(void *)large, sizeof(large)) == -1 && errno == E2BIG);
	expect(clone3(&args, 8) == -1 && errno == EINVAL);
	expect(clone3(&args, 1UL << 40) == -1 && errno == E2BIG);
	expect(clone3((struct clone_args *)(uintptr_t)nowhere(), CLONE_ARGS_SIZE_VER0) == -1 &&
	       errno == EFAULT);
	args.flags = SIGCHLD;
	expect(clone3(&args, sizeof(args)) == -1 && errno == EINVAL);
	args = (struct clone_args){ .flags = CLONE_THREAD };
	expect(clone3(&args, sizeof(args)) == -1 && errno == EINVAL);
	args = (struct clone_args){ .exit_signal = SIGCHLD, .stack_size = sizeof(stack) };
	expect(clone3(&args, sizeof(args)) == -1 && errno == EINVAL);
	say("every size\n");
}

static void words(void)
{
	int pidfd = -1;
	struct clone_args args = { .flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
				   .pidfd = (uintptr_t)&pidfd,
				   .parent_tid = (uintptr_t)&parent_tid,
				   .child_tid = (uintptr_t)&child_tid,
				   .exit_signal = SIGCHLD };
	siginfo_t info;
	long pid = clone3(&args, sizeof(args));

	if (pid == 0)
		_exit(child_tid == getpid() ? 5 : 6);
	expect(pid > 0 && parent_tid == pid && child_tid == 0 && pidfd >= 0);
	expect(!waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) && info.si_pid == pid);
	expect(info.si_status == 5 && !close(pidfd));
	say("three words\n");
}

static void handlers(void)
{
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND_FLAG, .exit_signal = SIGCHLD };
	long pid;
	int status;

	expect(signal(SIGUSR1, on_usr1) != SIG_ERR && signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	pid = clone3(&args, sizeof(args));
	if (pid == 0) {
		raise(SIGUSR2);
		raise(SIGUSR1);
		_exit(1);
	}
	status = reap((pid_t)pid);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	raise(SIGUSR1);
	expect(met == 1);
	say("handlers are the parent's alone\n");
}

static _Noreturn void thread_body(void)
{
	met = (int)syscall(SYS_gettid) == parent_tid ? 77 : 78;
	for (;;)
		syscall(SYS_exit, 0);
}

/* The C library's wrapper would do the same with its own stack. */
static long start(struct clone_args *args)
{
	long result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%%rdx\n\t"
			 "1:"
			 : "=a"(result)
			 : "0"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "d"(thread_body)
			 : "rcx", "r11", "memory");
	return result;
}

static void thread(void)
{
	struct clone_args args = { .flags = THREAD_FLAGS,
				   .parent_tid = (uintptr_t)&parent_tid,
				   .child_tid = (uintptr_t)&child_tid,
				   .stack = (uintptr_t)stack,
				   .stack_size = sizeof(stack) };

	child_tid = -1;
	expect(start(&args) > 0);
	while (*(volatile int *)&child_tid)
		sched_yield();
	expect(met == 77);
	say("a thread\n");
}

static void spawned(void)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 9", NULL };
	pid_t pid;

	expect(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
	expect(WEXITSTATUS(reap(pid)) == 9);
	say("a program\n");
}

/* The number is free in a recording's own numbers as well as in the host's; who may not choose is told so. */
static void chosen_number(void)
{
	pid_t wanted = 31999;
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&wanted,
				   .set_tid_size = 1 };
	long pid = clone3(&args, sizeof(args));

	if (pid == 0)
		_exit(getpid() == wanted ? 3 : 4);
	if (pid > 0)
		expect(pid == wanted && WEXITSTATUS(reap((pid_t)pid)) == 3);
	else
		expect(errno == EPERM || errno == EEXIST);
	say("a number\n");
}

int main(void)
{
	sizes();
	words();
	handlers();
	thread();
	spawned();
	chosen_number();
	return 0;
}
