/* Children made in unusual ways: untraced, sharing memory or files, siblings, other exit signals, pid descriptors. */
#include "guest.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define STACK 65536

static volatile int shared, caught;
static char stack[STACK] __attribute__((aligned(64)));

static void on_usr1(int number)
{
	caught += number == SIGUSR1;
}

static int write_shared(void *argument)
{
	shared += *(int *)argument;
	return 7;
}

static int close_one(void *argument)
{
	return close(*(int *)argument) == 0 ? 3 : 4;
}

static long raw_clone(unsigned long flags, int *parent_tid, int *child_tid)
{
	return syscall(SYS_clone, flags, 0, parent_tid, child_tid, 0);
}

static void plain_variants(void)
{
	int parent_tid = 0, child_tid = 0, status;
	long pid = raw_clone(SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_UNTRACED,
			     &parent_tid, &child_tid);

	if (pid == 0)
		_exit(child_tid == getpid() ? 11 : 12);
	expect(pid > 0 && parent_tid == pid && child_tid == 0);
	say("untraced child: %d\n", WEXITSTATUS(reap((pid_t)pid)));
	pid = raw_clone(SIGUSR1, NULL, NULL);
	if (pid == 0)
		_exit(5);
	expect(waitpid((pid_t)pid, &status, __WALL) == pid);
	say("child with another signal: %d, caught %d\n", WEXITSTATUS(status), caught);
	pid = raw_clone(0, NULL, NULL);
	if (pid == 0)
		_exit(6);
	expect(waitpid((pid_t)pid, &status, 0) == -1 && errno == ECHILD);
	expect(waitpid((pid_t)pid, &status, __WCLONE) == pid);
	say("child without a signal: %d\n", WEXITSTATUS(status));
}

static void shared_variants(void)
{
	int add = 5, fd = dup(1), status;
	pid_t pid = clone(write_shared, stack + STACK, CLONE_VM | SIGCHLD, &add);

	status = reap(pid);
	say("shared memory: %d, status %d\n", shared, WEXITSTATUS(status));
	pid = clone(write_shared, stack + STACK, SIGCHLD, &add);
	status = reap(pid);
	say("own memory: %d, status %d\n", shared, WEXITSTATUS(status));
	pid = clone(write_shared, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD, &add);
	say("shared until it ends: %d\n", shared);
	reap(pid);
	pid = clone(close_one, stack + STACK, CLONE_FILES | CLONE_FS | SIGCHLD, &fd);
	status = reap(pid);
	say("shared files: %d, then %d\n", WEXITSTATUS(status),
	    fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

static void sibling(void)
{
	long pid;
	int status;

	pid = fork();
	if (pid == 0) {
		pid_t parent = getppid();
		long other = raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL);

		if (other == 0)
			_exit(getppid() == parent ? 21 : 22);
		expect(other > 0 && waitpid((pid_t)other, NULL, 0) == -1 && errno == ECHILD);
		_exit(20);
	}
	for (int i = 0, sum = 0; i < 2; i++) {
		expect(wait(&status) > 0);
		sum += WEXITSTATUS(status);
		if (i == 1)
			say("siblings: %d\n", sum);
	}
}

static void descriptor(void)
{
	int pidfd = -1;
	siginfo_t info = { 0 };
	long pid = raw_clone(CLONE_PIDFD | SIGCHLD, &pidfd, NULL);

	if (pid == 0)
		_exit(9);
	expect(pid > 0 && pidfd > 2 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	expect(waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid);
	expect(waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED) == 0 && info.si_status == 9);
	expect(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == -1 && errno == ESRCH);
	say("descriptor of a child: %d\n", info.si_status);
	expect(close(pidfd) == 0);
	pid = raw_clone(CLONE_PIDFD | CLONE_VFORK | CLONE_VM | SIGCHLD | CLONE_THREAD, &pidfd, NULL);
	expect(pid == -1 && errno == EINVAL);
	pid = raw_clone(CLONE_THREAD | SIGCHLD, NULL, NULL);
	expect(pid == -1 && errno == EINVAL);
	pid = raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL);
	expect(pid == -1 && errno == EINVAL);
	pid = raw_clone(CLONE_PIDFD | SIGCHLD, (int *)8, NULL);
	expect(pid == -1 && errno == EFAULT);
	pid = raw_clone(CLONE_PARENT_SETTID | SIGCHLD, (int *)8, NULL);
	if (pid == 0)
		_exit(0);
	expect(pid > 0 && reap((pid_t)pid) == 0);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_usr1 };

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	plain_variants();
	shared_variants();
	sibling();
	descriptor();
	return 0;
}
