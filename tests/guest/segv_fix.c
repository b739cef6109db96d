/* A SIGSEGV handler on an alternate stack opens the page and retries, for writes, reads and system calls. */
#include "guest.h"
#include <signal.h>
#include <sys/mman.h>

static char stack[65536], *area;
static volatile int faults;
static volatile long page[64];
static volatile int codes[64];

static void handler(int number, siginfo_t *info, void *context)
{
	char *at = info->si_addr, here;

	(void)number;
	(void)context;
	expect(&here >= stack && &here < stack + sizeof(stack) && faults < 64);
	page[faults] = (at - area) / 4096;
	codes[faults++] = info->si_code;
	expect(mprotect(area + (at - area) / 4096 * 4096, 4096, PROT_READ | PROT_WRITE) == 0);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	int ends[2];
	long sum = 0;

	area = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(area != MAP_FAILED && pipe(ends) == 0);
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < 16; i += 2)
		((volatile char *)area)[i * 4096 + i] = (char)i;
	expect(mprotect(area, 16 * 4096, PROT_READ) == 0);
	for (int i = 15; i > 0; i -= 5)
		((volatile char *)area)[i * 4096] = 1;
	for (int i = 0; i < 16 * 4096; i++)
		sum += area[i];
	expect(mprotect(area, 4096, PROT_NONE) == 0);
	expect(write(ends[1], area, 1) == -1 && errno == EFAULT); /* the kernel's own fault raises no signal */
	for (int i = 0; i < faults; i++)
		say("fault on page %ld, code %d\n", page[i], codes[i]);
	say("sum %ld\n", sum);
	return 0;
}
