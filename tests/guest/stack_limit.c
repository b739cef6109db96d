/* The stack's limit moves while the program runs: it grows as far as it may then, in a child as well. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>

#define FRAME 16384

static sigjmp_buf escape;
static volatile int depth;

static void on_fault(int signal)
{
	siglongjmp(escape, signal);
}

__attribute__((noinline)) static int descend(int level)
{
	volatile char frame[FRAME];

	depth = level;
	frame[0] = (char)level;
	return descend(level + 1) + frame[0];
}

static void limit(pid_t pid, rlim_t bytes)
{
	struct rlimit limit;

	expect(prlimit(pid, RLIMIT_STACK, NULL, &limit) == 0);
	limit.rlim_cur = bytes;
	expect(prlimit(pid, RLIMIT_STACK, &limit, NULL) == 0);
}

static void fall(const char *what)
{
	if (sigsetjmp(escape, 1) == 0)
		descend(0);
	say("%s: about %d KiB\n", what, (depth * FRAME >> 10) / 64 * 64);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
	stack_t other = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct rlimit limits;
	int ends[2];
	char byte;
	pid_t pid;

	expect(sigaltstack(&other, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0 &&
	       pipe(ends) == 0);
	limit(0, 512 << 10);
	fall("lowered");
	pid = fork();
	if (pid == 0) {
		expect(read(ends[0], &byte, 1) == 1);
		fall("child, raised by its parent");
		expect(getrlimit(RLIMIT_STACK, &limits) == 0);
		limits.rlim_cur = 3 << 20;
		expect(setrlimit(RLIMIT_STACK, &limits) == 0);
		fall("child, by itself");
		signal(SIGSEGV, SIG_DFL);
		descend(0);
	}
	limit(pid, 2 << 20);
	expect(write(ends[1], "x", 1) == 1);
	say("signal %d\n", WTERMSIG(reap(pid)));
	fall("parent");
	limit(0, 4 << 20);
	fall("raised");
	return 0;
}
