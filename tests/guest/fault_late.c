/* A process that has computed for longer than its turn dies by a fault while another one is ready to run. */
#include "guest.h"
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

int main(void)
{
	static const int expected[] = { SIGTRAP, SIGILL, SIGSEGV };
	struct rlimit none = { 0, 0 };
	volatile uint64_t sum = 0;
	int status;

	setrlimit(RLIMIT_CORE, &none);
	for (int kind = 0; kind < 3; kind++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (uint64_t i = 0; i < 40000000; i++)
				sum += i;
			if (kind == 0)
				__asm__ volatile("int3");
			if (kind == 1)
				__asm__ volatile("ud2");
			*nowhere() = 1;
		}
		while (waitpid(pid, &status, WNOHANG) == 0)
			sched_yield();
		expect(WIFSIGNALED(status) && WTERMSIG(status) == expected[kind]);
		say("killed by %d\n", WTERMSIG(status));
	}
	return 0;
}
