/* Strict seccomp: four calls are left, any other one and rdtsc end the thread. */
#include "guest.h"
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile sig_atomic_t handled;

static void handler(int number)
{
	handled = number;
}

static void step_over(int number, siginfo_t *info, void *context)
{
	handled = number + info->si_code;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void attempt(const char *what, int which)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGFPE, handler);
		if (which & 1)
			expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
		else
			expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
		say("strict\n");
		if (which == 1)
			syscall(SYS_exit, 5);
		if (which == 2)
			syscall(SYS_getpid);
		if (which == 3)
			syscall(SYS_exit_group, 5);
		if (which == 4)
			__builtin_ia32_rdtsc();
		if (which == 5)
			raise(SIGFPE);
		syscall(SYS_exit, 6);
	}
	status = reap(pid);
	if (WIFSIGNALED(status))
		say("%s: killed by %d\n", what, WTERMSIG(status));
	else
		say("%s: status %d\n", what, WEXITSTATUS(status));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = step_over, .sa_flags = SA_SIGINFO };
	int mode;

	attempt("exit", 1);
	attempt("getpid", 2);
	attempt("exit_group", 3);
	attempt("rdtsc", 4);
	attempt("raise", 5);
	expect(prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_ENABLE);
	expect(prctl(PR_SET_TSC, 3) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
	expect(prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV);
	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	__asm__ volatile("rdtsc" ::: "rax", "rdx");
	expect(handled == SIGSEGV + SI_KERNEL);
	expect(prctl(PR_SET_TSC, PR_TSC_ENABLE) == 0);
	say("tsc: %d\n", __builtin_ia32_rdtsc() > 0);
	return 0;
}
