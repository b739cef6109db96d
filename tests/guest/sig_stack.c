/* SS_AUTODISARM, leaving handlers by longjmp and setcontext, frames that the handler edits, threads' own stacks. */
#include "guest.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char *stack;
static volatile sig_atomic_t depth, inside[4], flags_inside, mask_inside;
static sigjmp_buf back;
static ucontext_t main_context, other_context;

static int is_inside(const void *at)
{
	return (const char *)at >= stack && (const char *)at < stack + 65536;
}

static void handler(int number)
{
	stack_t now;
	char here;

	expect(sigaltstack(NULL, &now) == 0);
	inside[depth] = is_inside(&here);
	flags_inside = now.ss_flags;
	if (++depth == 1 && number == SIGUSR1)
		raise(SIGUSR2);
}

static void disarm(void)
{
	stack_t alternate = { .ss_sp = stack, .ss_size = 65536, .ss_flags = (int)SS_AUTODISARM }, now;
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	action.sa_flags = 0;
	expect(sigaction(SIGUSR2, &action, NULL) == 0);
	expect(sigaltstack(&alternate, NULL) == 0);
	expect(sigaltstack(NULL, &now) == 0 && (unsigned int)now.ss_flags == SS_AUTODISARM);
	for (int i = 0; i < 2; i++) {
		depth = 0;
		raise(SIGUSR1);
		say("disarmed: on it %d %d, flags inside %d\n", (int)inside[0], (int)inside[1],
		    (int)flags_inside);
		expect(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack);
	}
	/* A handler on the ordinary stack disarms as well. */
	depth = 1;
	raise(SIGUSR2);
	say("ordinary stack: on it %d, flags inside %d\n", (int)inside[1], (int)flags_inside);
}

static void leave(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

static void switch_away(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	depth++;
	setcontext(&main_context);
}

static void jumps(void)
{
	struct sigaction action = { .sa_handler = leave, .sa_flags = SA_ONSTACK };
	stack_t alternate = { .ss_sp = stack, .ss_size = 65536 };
	volatile int times = 0;

	expect(sigaltstack(&alternate, NULL) == 0);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	while (times < 3) {
		if (sigsetjmp(back, 1) == 0)
			raise(SIGUSR1);
		times++;
	}
	say("left by longjmp %d times\n", times);
	action.sa_sigaction = switch_away;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	depth = 0;
	expect(getcontext(&main_context) == 0);
	if (depth < 3)
		raise(SIGUSR1);
	say("left by setcontext %d times\n", (int)depth);
}

static void coroutine(int a, int b)
{
	for (int i = 0; i < 3; i++) {
		say("coroutine %d\n", a + b + i);
		raise(SIGUSR2);
		swapcontext(&other_context, &main_context);
	}
}

static void contexts(void)
{
	static char other[65536];
	struct sigaction action = { .sa_handler = handler };

	expect(sigaction(SIGUSR2, &action, NULL) == 0);
	depth = 1;
	expect(getcontext(&other_context) == 0);
	other_context.uc_stack.ss_sp = other;
	other_context.uc_stack.ss_size = sizeof(other);
	other_context.uc_link = &main_context;
	makecontext(&other_context, (void (*)(void))coroutine, 2, 20, 3);
	for (int i = 0; i < 3; i++) {
		depth = 1;
		expect(swapcontext(&main_context, &other_context) == 0);
	}
}

static void edit(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	greg_t *saved = user->uc_mcontext.gregs;

	(void)info;
	saved[REG_RBX] = 0x1234567890;
	saved[REG_R15] = number;
	user->uc_mcontext.fpregs->_xmm[7].element[0] = 77;
	user->uc_mcontext.fpregs->mxcsr |= 0x8000;
	sigaddset(&user->uc_sigmask, SIGWINCH);
	saved[REG_EFL] |= 1;
	/* The handler's own state is another one. */
	__asm__ volatile("pxor %%xmm7, %%xmm7" ::: "xmm7");
}

static void edits(void)
{
	struct sigaction action = { .sa_sigaction = edit, .sa_flags = SA_SIGINFO };
	uint64_t rbx, r15, carry;
	unsigned int mxcsr, word;
	sigset_t set;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	__asm__ volatile("xorl %%ebx, %%ebx; xorl %%r15d, %%r15d; pxor %%xmm7, %%xmm7; clc\n"
			 "movl $200, %%eax; movq %5, %%rdi; movl $10, %%esi; syscall\n"
			 "sbbq %2, %2; movq %%rbx, %0; movq %%r15, %1; movd %%xmm7, %3; stmxcsr %4"
			 : "=&r"(rbx), "=&r"(r15), "=&r"(carry), "=&r"(word), "=m"(mxcsr)
			 : "r"((long)syscall(SYS_gettid))
			 : "rax", "rbx", "rcx", "rdi", "rsi", "r11", "r15", "xmm7", "cc", "memory");
	expect(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	say("edited: rbx %lx, r15 %ld, xmm7 %u, mxcsr %x, carry %d, blocked %d\n",
	    (unsigned long)rbx, (long)r15, word, mxcsr, carry != 0, sigismember(&set, SIGWINCH));
	__asm__ volatile("ldmxcsr %0" ::"m"((unsigned int){ 0x1f80 }));
}

static void *thread(void *argument)
{
	stack_t now;

	expect(sigaltstack(NULL, &now) == 0);
	say("a thread starts with flags %d\n", now.ss_flags);
	return argument;
}

int main(void)
{
	pthread_t other;

	stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(stack != MAP_FAILED);
	disarm();
	jumps();
	contexts();
	edits();
	expect(pthread_create(&other, NULL, thread, NULL) == 0 && pthread_join(other, NULL) == 0);
	return 0;
}
