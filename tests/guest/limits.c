/* Resource limits and usage: read, set, inherited, enforced by SIGXCPU and SIGXFSZ. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* A child whose stack may grow so far, changed twice, uses 1 MiB of it. */
static int deepen(rlim_t bytes)
{
	struct rlimit limit;
	pid_t pid = fork();

	if (pid == 0) {
		volatile char *at = __builtin_frame_address(0);

		expect(getrlimit(RLIMIT_STACK, &limit) == 0);
		limit.rlim_cur = 128 << 10;
		expect(setrlimit(RLIMIT_STACK, &limit) == 0);
		limit.rlim_cur = bytes;
		expect(prlimit(0, RLIMIT_STACK, &limit, NULL) == 0);
		for (int i = 0; i < 256; i++)
			*(at -= 4096) = 1;
		_exit(0);
	}
	return reap(pid);
}

int main(void)
{
	struct rlimit limit = { 40, 64 }, now;
	struct rusage usage;
	int fd = memfd_create("file", 0);
	pid_t pid;

	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0 && prlimit(0, RLIMIT_NOFILE, NULL, &now) == 0);
	say("files %lu of %lu\n", (unsigned long)now.rlim_cur, (unsigned long)now.rlim_max);
	expect(dup2(0, 39) == 39 && dup2(0, 40) == -1 && errno == EBADF);
	pid = fork();
	if (pid == 0) {
		getrlimit(RLIMIT_NOFILE, &now);
		_exit((int)now.rlim_cur);
	}
	say("child %d\n", WEXITSTATUS(reap(pid)));
	limit = (struct rlimit){ 1000, 2000 };
	expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	signal(SIGXFSZ, SIG_IGN);
	expect(pwrite(fd, "0123456789", 10, 995) == 5 && pwrite(fd, "0", 1, 1000) == -1 &&
	       errno == EFBIG);
	pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		_exit(pwrite(fd, "0", 1, 1000) < 0);
	}
	say("too long a file: %#x\n", reap(pid));
	pid = fork();
	if (pid == 0) {
		limit = (struct rlimit){ 1, 5 };
		setrlimit(RLIMIT_CPU, &limit);
		for (volatile unsigned long i = 0;; i++)
			;
	}
	say("too long a run: %#x\n", reap(pid));
	say("too deep a stack: %#x, %#x\n", deepen(256 << 10), deepen(4 << 20));
	expect(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
	expect(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss > 0);
	expect(getpriority(PRIO_PROCESS, 0) == 0);
	return 0;
}
