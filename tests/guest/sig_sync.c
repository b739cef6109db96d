/* Signals that an instruction raises: FPE, ILL, TRAP, SEGV without an address, BUS past a file's end. */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile sig_atomic_t seen, code, length;
static void *volatile address;
static sigjmp_buf back;

/* Steps over the instruction, whose length the test says. */
static void skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	seen = number;
	code = info->si_code;
	address = info->si_addr;
	at->uc_mcontext.gregs[REG_RIP] += length;
}

static void jump(int number, siginfo_t *info, void *context)
{
	(void)context;
	seen = number;
	code = info->si_code;
	address = info->si_addr;
	siglongjmp(back, 1);
}

static void past_end(void)
{
	char path[256], *map;
	int fd;

	scratch_begin(path);
	fd = open("short", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && ftruncate(fd, 5000) == 0);
	map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED && map[5000] == 0);
	if (sigsetjmp(back, 1) == 0)
		((volatile char *)map)[8192] = 1;
	say("bus: signal %d, code %d, offset %ld\n", (int)seen, (int)code,
	    (long)((char *)address - map));
	expect(unlink("short") == 0);
	scratch_end(path);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };
	unsigned int left = 7;

	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	length = 2;
	__asm__ volatile("xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx"
			 : "+a"(left)::"rcx", "rdx", "cc");
	say("divide: signal %d, code %d, eax %u\n", (int)seen, (int)code, left);
	__asm__ volatile("ud2");
	say("undefined: signal %d, code %d\n", (int)seen, (int)code);
	length = 0;
	__asm__ volatile("int3");
	say("breakpoint: signal %d, code %d\n", (int)seen, (int)code);
	length = 2;
	__asm__ volatile("movb (%%rax), %%al" : : "a"(0x8000000000000000) : "memory");
	say("non-canonical: signal %d, code %d, address %p\n", (int)seen, (int)code, address);
	__asm__ volatile("movb (%%rax), %%al" : : "a"(16) : "memory");
	say("low page: signal %d, code %d, address %p\n", (int)seen, (int)code, address);
	length = 1;
	__asm__ volatile("hlt");
	say("privileged: signal %d, code %d\n", (int)seen, (int)code);
	action.sa_sigaction = jump;
	sigaction(SIGBUS, &action, NULL);
	past_end();
	return 0;
}
