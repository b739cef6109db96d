/* Instructions that trap: breakpoints, the trap flag, invalid opcodes, and what a handler sees and changes. */
#include "guest.h"
#include <signal.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static volatile sig_atomic_t number_seen, code_seen, count;
static greg_t first_ip;
static int skip;

static void handler(int number, siginfo_t *info, void *context)
{
	greg_t *saved = ((ucontext_t *)context)->uc_mcontext.gregs;

	number_seen = number;
	code_seen = info->si_code;
	if (count++ == 0)
		first_ip = saved[REG_RIP];
	saved[REG_RIP] += skip;
}

static void stepped(int number, siginfo_t *info, void *context)
{
	greg_t *saved = ((ucontext_t *)context)->uc_mcontext.gregs;

	expect(number == SIGTRAP);
	if (count++ == 0) {
		code_seen = info->si_code;
		first_ip = saved[REG_RIP];
	}
	expect(saved[REG_EFL] & TRAP_FLAG);
	if (count == 5)
		saved[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

static void on(int number, void (*action)(int, siginfo_t *, void *), int bytes)
{
	struct sigaction new = { .sa_sigaction = action, .sa_flags = SA_SIGINFO };

	count = 0;
	skip = bytes;
	number_seen = code_seen = 0;
	expect(sigaction(number, &new, NULL) == 0);
}

static void traps(void)
{
	on(SIGTRAP, handler, 0);
	__asm__ volatile("int3");
	say("int3: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGTRAP, handler, 0);
	__asm__ volatile(".byte 0xcd, 0x03");
	say("int 3: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGILL, handler, 2);
	__asm__ volatile("ud2");
	say("ud2: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGILL, handler, 1);
	__asm__ volatile(".byte 0xce");
	say("into: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGSEGV, handler, 1);
	__asm__ volatile("hlt");
	say("hlt: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGSEGV, handler, 0);
	__asm__ volatile(".byte 0xcd, 0x04");
	say("int 4: signal %d, code %d\n", (int)number_seen, (int)code_seen);
	on(SIGTRAP, handler, 0);
	expect(kill(getpid(), SIGTRAP) == 0 && raise(SIGTRAP) == 0);
	say("sent: signal %d, code %d, %d times\n", (int)number_seen, (int)code_seen, (int)count);
}

static void steps(void)
{
	on(SIGTRAP, stepped, 0);
	__asm__ volatile("pushfq\n"
			 "orq $0x100, (%%rsp)\n"
			 "popfq\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 :
			 :
			 : "cc", "memory");
	say("trap flag: %d steps, code %d\n", (int)count, (int)code_seen);
}

/* A call in the middle of the steps. */
static void steps_over_call(void)
{
	long pid;

	on(SIGTRAP, stepped, 0);
	__asm__ volatile("pushfq\n"
			 "orq $0x100, (%%rsp)\n"
			 "popfq\n"
			 "movl $39, %%eax\n"
			 "syscall\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 "nop\n"
			 : "=a"(pid)::"rcx", "r11", "cc", "memory");
	expect(pid == getpid());
	say("with a call: %d steps\n", (int)count);
}

/* Reading the time stamp counter is one step, like any other instruction. */
static void steps_over_counter(void)
{
	unsigned int left = 0;
	greg_t after = 0;

	on(SIGTRAP, stepped, 0);
	__asm__ volatile("leaq 1f(%%rip), %%rax\n"
			 "movq %%rax, %1\n"
			 "pushfq\n"
			 "orq $0x100, (%%rsp)\n"
			 "popfq\n"
			 "rdtsc\n"
			 "1: incl %0\n"
			 "rdtsc\n"
			 "incl %0\n"
			 "incl %0\n"
			 "incl %0\n"
			 : "+m"(left), "=m"(after)::"rax", "rdx", "cc", "memory");
	expect(left == 4);
	say("with rdtsc: %d steps, code %d, the first after it: %d\n", (int)count, (int)code_seen,
	    first_ip == after);
}

static void attempt(const char *what, int signal_number, int blocked, void (*work)(void))
{
	pid_t pid = fork();
	sigset_t set;
	int status;

	if (pid == 0) {
		struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

		if (!blocked)
			action.sa_handler = SIG_IGN;
		sigaction(signal_number, &action, NULL);
		sigemptyset(&set);
		sigaddset(&set, signal_number);
		if (blocked)
			sigprocmask(SIG_BLOCK, &set, NULL);
		work();
		_exit(7);
	}
	status = reap(pid);
	say("%s, %s: %s %d\n", what, blocked ? "blocked" : "ignored",
	    WIFSIGNALED(status) ? "killed by" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static void icebp(void)
{
	__asm__ volatile(".byte 0xf1");
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void wild(void)
{
	*nowhere() = 1;
}

static void divide(void)
{
	volatile int zero = 0, one = 1;

	one /= zero;
}

static void trace(void)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" ::: "cc", "memory");
}

static void stamp(void)
{
	expect(__builtin_ia32_rdtsc() > 0);
}

static void sent(void)
{
	kill(getpid(), SIGSEGV);
}

int main(void)
{
	traps();
	steps();
	steps_over_call();
	steps_over_counter();
	for (int blocked = 0; blocked < 2; blocked++) {
		attempt("int3", SIGTRAP, blocked, breakpoint);
		attempt("icebp", SIGTRAP, blocked, icebp);
		attempt("trap flag", SIGTRAP, blocked, trace);
		attempt("ud2", SIGILL, blocked, undefined);
		attempt("bad address", SIGSEGV, blocked, wild);
		attempt("division", SIGFPE, blocked, divide);
		attempt("rdtsc", SIGSEGV, blocked, stamp);
		attempt("sent SIGSEGV", SIGSEGV, blocked, sent);
	}
	return 0;
}
