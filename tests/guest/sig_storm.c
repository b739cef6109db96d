/* Timers and other processes send signals all the time while a program makes calls of all kinds. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define ROUNDS 60

static volatile sig_atomic_t alarms, others;
static int ends[2];

static void on_alarm(int number)
{
	int kept = errno;

	(void)number;
	alarms++;
	(void)!write(-1, "", 0);
	errno = kept;
}

static void on_other(int number)
{
	(void)number;
	others++;
}

static int exits(void *argument)
{
	(void)argument;
	_exit(3);
}

static void *echo(void *argument)
{
	char byte;

	for (int i = 0; i < ROUNDS; i++) {
		expect(read(ends[0], &byte, 1) == 1 && byte == (char)i);
		sched_yield();
	}
	return argument;
}

static void round_of_calls(int i)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct timespec little = { 0, 300000 }, left = little;
	struct pollfd none = { .fd = -1 };
	char byte = (char)i;
	int fd, status;
	void *map;
	pid_t pid;

	expect(write(ends[1], &byte, 1) == 1);
	map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(map != MAP_FAILED);
	memset(map, i, 65536);
	expect(mprotect(map, 4096, PROT_READ) == 0 && munmap(map, 65536) == 0);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && pread(fd, stack, 4, 0) == 4 && memcmp(stack, "\177ELF", 4) == 0 &&
	       close(fd) == 0);
	while (nanosleep(&left, &left) < 0)
		expect(errno == EINTR);
	expect(poll(&none, 1, 1) == 0 || errno == EINTR);
	if (i % 20 == 0) {
		pid = fork();
		if (pid == 0)
			_exit(i);
		expect(WEXITSTATUS(reap(pid)) == i);
		pid = clone(exits, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
		expect(pid > 0);
		status = reap(pid);
		expect(WEXITSTATUS(status) == 3);
	}
}

static void storm(const char *what, int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread;

	alarms = others = 0;
	expect(sigaction(SIGALRM, &action, NULL) == 0);
	action.sa_handler = on_other;
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	expect(pipe(ends) == 0);
	expect(pthread_create(&thread, NULL, echo, NULL) == 0);
	expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		round_of_calls(i);
		if (i % 5 == 0)
			raise(SIGUSR1);
	}
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
	expect(pthread_join(thread, NULL) == 0);
	say("%s: alarms %d, others %d\n", what, alarms > 0, (int)others);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	storm("restarted", SA_RESTART);
	storm("nested", SA_RESTART | SA_NODEFER);
	return 0;
}
