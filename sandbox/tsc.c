#include "tsc.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <x86intrin.h>

static bool given_up;
static volatile sig_atomic_t in_use;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal == SIGSEGV && info->si_code == SI_KERNEL && !in_use) {
		in_use = 1;
		prctl(PR_SET_TSC, PR_TSC_ENABLE);
		return;
	}
	/* A fault of another kind comes again, and ends the process. */
	sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

void tsc_give_up(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSEGV, &action, NULL) < 0)
		return;
	given_up = prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0;
}

void tsc_settle(void)
{
	if (!given_up || !in_use)
		return;
	in_use = 0;
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
}

uint64_t tsc_read(void)
{
	if (given_up && !in_use) {
		in_use = 1;
		prctl(PR_SET_TSC, PR_TSC_ENABLE);
	}
	return __rdtsc();
}
