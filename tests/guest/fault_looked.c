/* Two threads compute for a while between faults and traps that they handle. While one of them keeps the other waiting the recorder may
 * look at it at any instruction: the handlers must be there all the same. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ROUNDS 4000
#define WORK 900

static __thread volatile unsigned int faults, traps;
static char *forbidden;

/* The store is three bytes: movb $1, (%reg). */
static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)number;
	expect(info->si_addr == forbidden);
	interrupted->uc_mcontext.gregs[REG_RIP] += 3;
	faults++;
}

static void on_trap(int number)
{
	(void)number;
	traps++;
}

static void *compute(void *unused)
{
	unsigned int sum = 1;

	for (int i = 0; i < ROUNDS; i++) {
		for (unsigned int k = 0; k < WORK; k++)
			sum = sum * 31 + k;
		__asm__ volatile("movb $1, (%0)" : : "r"(forbidden) : "memory");
		for (unsigned int k = 0; k < WORK; k++)
			sum = sum * 17 + k;
		__asm__ volatile("int3");
	}
	expect(faults == ROUNDS && traps == ROUNDS && sum != 0);
	return unused;
}

int main(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	pthread_t thread;

	forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(forbidden != MAP_FAILED && sigaction(SIGSEGV, &fault, NULL) == 0);
	expect(signal(SIGTRAP, on_trap) != SIG_ERR);
	expect(pthread_create(&thread, NULL, compute, NULL) == 0);
	compute(NULL);
	expect(pthread_join(thread, NULL) == 0);
	say("%d rounds\n", ROUNDS);
	return 0;
}
