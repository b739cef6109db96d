/* Jumps to where no code is, stacks on which no frame fits, and pages behind a file's end. */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

static char stack[65536];
static sigjmp_buf back;
static siginfo_t seen;
static volatile uintptr_t ip_seen;
static volatile int on_stack;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	on_stack = (char *)&info > stack && (char *)&info < stack + sizeof(stack);
	seen = *info;
	ip_seen = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, 1);
}

static void jump(const char *what, uintptr_t address)
{
	void (*volatile code)(void) = (void (*)(void))address;

	if (sigsetjmp(back, 1) == 0) {
		code();
		say("came back\n");
	}
	say("%s: signal %d, code %d, address %s, ip %s, alternate stack %d\n", what, seen.si_signo,
	    seen.si_code,
	    (uintptr_t)seen.si_addr == address ? "same"
	    : seen.si_addr		       ? "other"
					       : "none",
	    ip_seen == address ? "same" : "other", on_stack);
}

__attribute__((noinline)) static int deeper(volatile char *above)
{
	volatile char here[4096];

	here[0] = above[0];
	return deeper(here) + here[1];
}

static void overflow(void)
{
	volatile char top[1] = { 1 };

	if (sigsetjmp(back, 1) == 0)
		deeper(top);
	say("stack overflow: signal %d, code %d, alternate stack %d\n", seen.si_signo, seen.si_code,
	    on_stack);
}

static void *in_thread(void *argument)
{
	static char other[65536];
	stack_t alternate = { .ss_sp = other, .ss_size = sizeof(other) };

	expect(sigaltstack(&alternate, NULL) == 0);
	overflow();
	return argument;
}

static void behind_end(void)
{
	char path[256];
	volatile char *map;
	int fd;

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect(fd >= 0 && write(fd, "x", 1) == 1);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED && map[0] == 'x' && map[1] == 0);
	if (sigsetjmp(back, 1) == 0)
		map[4096] = 1;
	say("behind the end: signal %d, code %d, address %s\n", seen.si_signo, seen.si_code,
	    seen.si_addr == map + 4096 ? "same" : "other");
	expect(unlink("file") == 0 && close(fd) == 0);
	scratch_end(path);
}

/* The kernel has nowhere to put the frame. */
static void no_frame(const char *what, uintptr_t address, int handled)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		stack_t none = { .ss_flags = SS_DISABLE };

		expect(sigaltstack(&none, NULL) == 0);
		if (!handled)
			signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("movq %0, %%rsp; movq %1, %%rdi\n\t"
				 "movl $200, %%eax; movl $10, %%esi; syscall; ud2"
				 :
				 : "r"(address), "r"((long)syscall(SYS_gettid))
				 : "rdi", "rsi", "memory");
	}
	status = reap(pid);
	say("%s: killed by %d\n", what, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* No frame for the signal, but one for the SIGSEGV that this raises. */
static void frame_elsewhere(void)
{
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("movl $64, %%esp; movq %0, %%rdi\n\t"
				 "movl $200, %%eax; movl $10, %%esi; syscall; ud2"
				 :
				 : "r"((long)syscall(SYS_gettid))
				 : "rax", "rcx", "r11", "rdi", "rsi", "memory");
	say("no stack for SIGUSR1: signal %d, code %d\n", seen.si_signo, seen.si_code);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("movl $64, %%esp; ud2" ::: "memory");
	say("no stack for SIGILL: signal %d, code %d\n", seen.si_signo, seen.si_code);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("movl $64, %%esp; movl $15, %%eax; syscall; ud2" ::: "memory");
	say("rt_sigreturn without a frame: signal %d, code %d\n", seen.si_signo, seen.si_code);
}

static void bad_return(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("movq $64, %%rsp; movl $15, %%eax; syscall; ud2" ::: "memory");
	}
	status = reap(pid);
	say("rt_sigreturn from nowhere: killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	pid = fork();
	if (pid == 0) {
		static char zeros[8192] __attribute__((aligned(64)));

		signal(SIGSEGV, SIG_DFL);
		__asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2"
				 :
				 : "r"(zeros + 4096)
				 : "memory");
	}
	status = reap(pid);
	say("rt_sigreturn to nowhere: killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	expect(sigaltstack(&alternate, NULL) == 0);
	expect(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
	action.sa_flags = SA_SIGINFO;
	expect(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGILL, &action, NULL) == 0);
	jump("null", 0);
	jump("no code", (uintptr_t)page);
	jump("no access", (uintptr_t)hole);
	expect(munmap(hole, 4096) == 0);
	jump("unmapped", (uintptr_t)hole);
	jump("kernel", 0xffffffff81000000);
	jump("not canonical", 0x123456789abcdef0);
	overflow();
	expect(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	behind_end();
	no_frame("no stack", 64, 1);
	no_frame("no stack, default", 64, 0);
	no_frame("stack not canonical", 0x123456789abcdef0, 1);
	bad_return();
	frame_elsewhere();
	return 0;
}
