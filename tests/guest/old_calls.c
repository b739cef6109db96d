/* Calls that the C library makes no more, in the form in which the kernel has them; and ones it never wrapped. */
#include "guest.h"
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/timex.h>

#define XCOMP_SUPP 0x1021
#define XCOMP_PERM 0x1022
#define GET_NOTIF_SIZES 3
#define SET_IO_FLUSHER 57
#define GET_IO_FLUSHER 58

static void forks(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(31);
	expect(pid > 1);
	say("forked: %d\n", WEXITSTATUS(reap((pid_t)pid)));
}

/* A stop in the middle of a sleep; what is left of it comes as a call of its own. */
static void sleeps(void)
{
	struct timespec span = { .tv_nsec = 300000000 }, left, begin, end;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		expect(clock_gettime(CLOCK_MONOTONIC, &begin) == 0);
		expect(syscall(SYS_nanosleep, &span, &left) == 0);
		expect(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
		_exit((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec >= 300000000
			      ? 0
			      : 1);
	}
	sleep_ms(30);
	expect(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	sleep_ms(30);
	expect(kill(pid, SIGCONT) == 0);
	say("slept all the same: %d\n", reap(pid));
	expect(syscall(SYS_restart_syscall) == -1);
	say("nothing to restart: %s\n", strerror(errno));
}

static void limits(void)
{
	struct rlimit was, now;

	expect(syscall(SYS_getrlimit, RLIMIT_NOFILE, &was) == 0);
	now = was;
	now.rlim_cur = 77;
	expect(syscall(SYS_setrlimit, RLIMIT_NOFILE, &now) == 0);
	expect(syscall(SYS_getrlimit, RLIMIT_NOFILE, &now) == 0);
	say("files: %d\n", (int)now.rlim_cur);
	expect(syscall(SYS_setrlimit, RLIMIT_NOFILE, &was) == 0);
	expect(syscall(SYS_getrlimit, 99, &now) == -1 && errno == EINVAL);
}

static void semaphores(void)
{
	struct sembuf up = { .sem_op = 1 }, down = { .sem_op = -1 }, try = { 0, -1, IPC_NOWAIT };
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid;

	expect(id >= 0 && syscall(SYS_semop, id, &try, 1) == -1 && errno == EAGAIN);
	pid = fork();
	if (pid == 0)
		_exit(syscall(SYS_semop, id, &down, 1) == 0 ? 5 : 6);
	sleep_ms(10);
	expect(syscall(SYS_semop, id, &up, 1) == 0);
	say("woken by a semaphore: %d\n", WEXITSTATUS(reap(pid)));
	expect(semctl(id, 0, IPC_RMID) == 0);
}

static void machine(void)
{
	uint64_t able = 0, allowed = 0;
	uint16_t sizes[3] = { 0 };
	struct timex clock = { 0 };
	int from = 0, to = 0;

	expect(syscall(SYS_adjtimex, &clock) >= 0 && clock.tick > 0);
	if (syscall(SYS_arch_prctl, XCOMP_SUPP, &able) == 0) {
		expect((able & 3) == 3 && syscall(SYS_arch_prctl, XCOMP_PERM, &allowed) == 0);
		expect((allowed & ~able) == 0);
	}
	expect(syscall(SYS_seccomp, GET_NOTIF_SIZES, 0, sizes) == 0 || errno == EOPNOTSUPP);
	expect(syscall(SYS_futex, &from, FUTEX_REQUEUE, 1, 1, &to) == 0);
	expect(syscall(SYS_syslog, 10, NULL, 0) > 0 || errno == EPERM); /* the size of the log */
	say("machine\n");
}

static void process(void)
{
	int *cleared = NULL, was;

	expect(prctl(PR_TASK_PERF_EVENTS_DISABLE) == 0 && prctl(PR_TASK_PERF_EVENTS_ENABLE) == 0);
	expect(prctl(PR_GET_TID_ADDRESS, &cleared) == 0 || errno == EINVAL);
	expect(prctl(PR_SET_PTRACER, getppid()) == 0 || errno == EINVAL);
	was = prctl(GET_IO_FLUSHER, 0, 0, 0, 0);
	if (was >= 0) {
		expect(prctl(SET_IO_FLUSHER, 1, 0, 0, 0) == 0 && prctl(GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
		expect(prctl(SET_IO_FLUSHER, was, 0, 0, 0) == 0);
	}
	was = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	if (was >= 0 && (was & PR_SPEC_PRCTL))
		expect(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0) == 0);
	say("process\n");
}

static void hang_up(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		expect(setsid() == getpid() && (syscall(SYS_vhangup) == 0 || errno == EPERM));
		_exit(0);
	}
	say("hung up: %d\n", reap(pid));
}

int main(void)
{
	forks();
	sleeps();
	limits();
	semaphores();
	machine();
	process();
	hang_up();
	return 0;
}
