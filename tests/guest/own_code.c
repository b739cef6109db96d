/* Code that the program writes itself: into memory that is writable and executable at once, and into memory that becomes
 * executable afterwards; on both sides of a boundary, after a fork, and in a handler. What it asks of the processor is
 * what the program's own text is told. */
#include "guest.h"
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#define REGION_BYTES 0x40000

/* push %rbx; mov %edi, %eax; mov %esi, %ecx; test %edi, %edi; js 2f; 1: cpuid; mov %ebx, %eax; pop %rbx; ret;
 * 2: and $0x7fffffff, %eax; jmp 1b */
static const uint8_t ask[] = { 0x53, 0x89, 0xf8, 0x89, 0xf1, 0x85, 0xff, 0x78, 0x06, 0x0f, 0xa2,
			       0x89, 0xd8, 0x5b, 0xc3, 0x25, 0xff, 0xff, 0xff, 0x7f, 0xeb, 0xf3 };
/* 1: rdrand %rax; jnc 1b; ret */
static const uint8_t draw[] = { 0x48, 0x0f, 0xc7, 0xf0, 0x73, 0xfa, 0xc3 };

typedef unsigned int (*ask_function)(unsigned int leaf, unsigned int subleaf);

static volatile uint64_t kept; /* in memory that is hashed */
static sigjmp_buf back;
static volatile int faults;

static void *region(int prot)
{
	void *bytes = mmap(NULL, REGION_BYTES, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(bytes != MAP_FAILED);
	return bytes;
}

static ask_function put(void *at, const uint8_t *code, size_t length)
{
	memcpy(at, code, length);
	return (ask_function)at;
}

static void agrees(ask_function function)
{
	unsigned int a, b, c, d;

	__cpuid_count(7, 0, a, b, c, d);
	expect(function(7, 0) == b);
	__cpuid_count(1, 0, a, b, c, d);
	/* The upper byte is the processor's own number. */
	expect(((function(1, 0) ^ b) & 0xffffff) == 0);
	kept += function(4, 3);
}

static void at_once(void)
{
	uint8_t *bytes = region(PROT_READ | PROT_WRITE | PROT_EXEC);
	pid_t child;

	agrees(put(bytes, ask, sizeof(ask)));
	agrees(put(bytes + 0x10000 - 4, ask, sizeof(ask))); /* across what becomes executable at a time */
	agrees(put(bytes + 0x20000, ask, sizeof(ask)));
	put(bytes + 0x30000, ask, sizeof(ask));
	child = fork();
	if (child == 0) {
		agrees((ask_function)(bytes + 0x30000));
		_exit(3);
	}
	expect(WEXITSTATUS(reap(child)) == 3);
	agrees((ask_function)(bytes + 0x30000));
	expect(munmap(bytes, REGION_BYTES) == 0);
	say("writable and executable at once\n");
}

static void afterwards(void)
{
	struct {
		unsigned int a, b, c, d;
	} brand;
	bool is_named;
	uint8_t *bytes = region(PROT_READ | PROT_WRITE);

	__cpuid(0x80000002, brand.a, brand.b, brand.c, brand.d);
	/* Only for such a recording are these numbers known. All processors of this decade have the instruction. */
	is_named = memcmp(&brand, "Sworn", 5) == 0;
	for (int i = 0; i < 3; i++) {
		expect(mprotect(bytes, REGION_BYTES, PROT_READ | PROT_WRITE) == 0);
		put(bytes + i * 64, ask, sizeof(ask));
		put(bytes + 0x10000, draw, sizeof(draw));
		expect(mprotect(bytes, REGION_BYTES, PROT_READ | PROT_EXEC) == 0);
		agrees((ask_function)(bytes + i * 64));
		if (is_named)
			kept ^= ((uint64_t(*)(void))(bytes + 0x10000))();
	}
	expect(munmap(bytes, REGION_BYTES) == 0);
	say("executable afterwards\n");
}

static void on_fault(int signal)
{
	(void)signal;
	faults++;
	siglongjmp(back, 1);
}

/* Faults that are the program's own stay so: writes beside the instruction, and memory that may not run. */
static void own_faults(void)
{
	/* movb $1, 1f(%rip); 1: ret */
	static const uint8_t writes[] = { 0xc6, 0x05, 0x00, 0x00, 0x00, 0x00, 0x01, 0xc3 };
	uint8_t *bytes = region(PROT_READ | PROT_WRITE);
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGSEGV, &action, NULL);
	put(bytes, writes, sizeof(writes));
	for (int i = 0; i < 2; i++) {
		if (sigsetjmp(back, 1) == 0)
			((void (*)(void))bytes)();
		expect(mprotect(bytes, REGION_BYTES, PROT_READ | PROT_EXEC) == 0);
	}
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))bytes)();
	expect(faults == 3);
	/* Nothing changes by what the kernel refuses, and the code there goes on. */
	expect(mprotect(bytes + 7, 4096, PROT_READ) == -1 && errno == EINVAL);
	expect(mprotect(bytes, 4096, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP) == -1 && errno == EINVAL);
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))bytes)();
	expect(faults == 4);
	expect(munmap(bytes, REGION_BYTES) == 0);
	say("%d faults\n", faults);
}

/* The handler itself is such code. */
static void as_handler(void)
{
	static const uint8_t nothing[] = { 0x0f, 0x1f, 0x00, 0xc3 }; /* nopl; ret */
	uint8_t *bytes = region(PROT_READ | PROT_WRITE | PROT_EXEC);
	struct sigaction action = { .sa_handler = (void (*)(int))bytes };

	put(bytes, nothing, sizeof(nothing));
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	expect(raise(SIGUSR1) == 0);
	say("a handler\n");
}

int main(void)
{
	at_once();
	afterwards();
	own_faults();
	as_handler();
	return 0;
}
