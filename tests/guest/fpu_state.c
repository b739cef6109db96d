/* Vector and x87 registers, MXCSR and the control word across calls, signals, faults and clones. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static unsigned char before[16][32] __attribute__((aligned(32))),
	after[16][32] __attribute__((aligned(32)));
static unsigned int handler_mxcsr;
static unsigned short handler_control;

static void handler(int number)
{
	double zero = 0;

	(void)number;
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(handler_mxcsr), "=m"(handler_control));
	__asm__ volatile("fninit; fldpi; fldpi; pxor %%xmm3, %%xmm3; pxor %%xmm15, %%xmm15; movsd %0, %%xmm0"
			 : "+m"(zero)
			 :
			 : "xmm0", "xmm3", "xmm15");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall"
				 :
				 :
				 : "xmm0", "xmm1", "xmm2", "xmm4", "xmm5", "xmm6", "xmm7");
}

#define FOR_SSE(op, a, b)                                                                   \
	op(0, a, b) op(1, a, b) op(2, a, b) op(3, a, b) op(4, a, b) op(5, a, b) op(6, a, b) \
		op(7, a, b) op(8, a, b) op(9, a, b) op(10, a, b) op(11, a, b) op(12, a, b)  \
			op(13, a, b) op(14, a, b) op(15, a, b)
#define LOAD(n, insn, reg) #insn " " #n "*32(%[from]), %%" #reg #n "; "
#define STORE(n, insn, reg) #insn " %%" #reg #n ", " #n "*32(%[to]); "

/* Loads all registers, makes the call, stores them again: nothing of the compiler's between. */
static void across(long nr, long first, long second, long third)
{
	long result = nr;

	if (__builtin_cpu_supports("avx"))
		__asm__ volatile(
			FOR_SSE(LOAD, vmovups, ymm) "syscall; " FOR_SSE(STORE, vmovups, ymm) "vzeroupper"
			: "+a"(result)
			: [from] "r"(before), [to] "r"(after), "D"(first), "S"(second), "d"(third)
			: "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			  "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			  "xmm14", "xmm15");
	else
		__asm__ volatile(FOR_SSE(LOAD, movups, xmm) "syscall; " FOR_SSE(STORE, movups, xmm)
				 : "+a"(result)
				 : [from] "r"(before), [to] "r"(after), "D"(first), "S"(second), "d"(third)
				 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
				   "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
				   "xmm12", "xmm13", "xmm14", "xmm15");
	expect(result >= 0);
}

static void check(const char *what)
{
	size_t width = __builtin_cpu_supports("avx") ? 32 : 16;
	int same = 0;

	for (int i = 0; i < 16; i++)
		same += memcmp(before[i], after[i], width) == 0;
	say("%s: %d of 16 registers kept\n", what, same);
	memset(after, 0, sizeof(after));
}

static void *thread_state(void *result)
{
	unsigned int mxcsr;
	unsigned short control;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
	*(int *)result = (mxcsr & 0x6000) == 0x2000 && (control & 0xc00) == 0x400;
	across(SYS_getppid, 0, 0, 0);
	return NULL;
}

int main(void)
{
	unsigned int mxcsr = 0x1f80 | 0x2000, mxcsr_now;
	unsigned short control = 0x37f | 0x400, control_now;
	long double pi = 0, one = 0;
	int inherited = 0;
	pthread_t thread;

	for (unsigned int i = 0; i < sizeof(before); i++)
		before[i / 32][i % 32] = (unsigned char)(i * 37 + 11);
	signal(SIGUSR1, handler);
	across(SYS_getppid, 0, 0, 0);
	check("call");
	across(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	check("signal");
	__asm__ volatile("ldmxcsr %0; fldcw %1; fld1; fldpi" : : "m"(mxcsr), "m"(control));
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	__asm__ volatile("fstpt %0; fstpt %1; stmxcsr %2; fnstcw %3"
			 : "=m"(pi), "=m"(one), "=m"(mxcsr_now), "=m"(control_now));
	say("x87 kept: %d, mxcsr %#x, control %#x\n", pi > 3.14L && pi < 3.15L && one == 1.0L,
	    mxcsr_now & 0xffc0U, (unsigned int)control_now);
	say("in the handler: mxcsr %#x, control %#x\n", handler_mxcsr & 0xffc0U,
	    (unsigned int)handler_control);
	pthread_create(&thread, NULL, thread_state, &inherited);
	pthread_join(thread, NULL);
	check("thread");
	say("inherited by a thread: %d\n", inherited);
	if (fork() == 0) {
		thread_state(&inherited);
		_exit(inherited);
	}
	say("by a child: %d\n", WEXITSTATUS(reap(-1)));
	return 0;
}
