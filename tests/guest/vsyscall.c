/*
 * The three calls of the vsyscall page: what they answer, which registers they leave alone, a timer that fires between
 * them, and a filter of the program's own that answers one. A host without the page gives SIGSEGV, also recorded.
 */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define PAGE 0xffffffffff600000UL
#define KEPT 0x1122334455667788L

static volatile sig_atomic_t ticks;
static sigjmp_buf no_page;

static long call_page(unsigned long offset, void *first, void *second)
{
	register long r11 __asm__("r11") = KEPT;
	long result = -1, rcx = KEPT;

	__asm__ volatile("call *%%rax"
			 : "=a"(result), "+c"(rcx), "+r"(r11)
			 : "0"(PAGE + offset), "D"(first), "S"(second), "d"(0L)
			 : "memory", "cc");
	expect(rcx == KEPT && r11 == KEPT);
	return result;
}

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

static void absent(int signal)
{
	(void)signal;
	siglongjmp(no_page, 1);
}

static void filter_time(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_time, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 33),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void between_ticks(void)
{
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	long last = 0;

	signal(SIGALRM, tick);
	expect(setitimer(ITIMER_REAL, &every, NULL) == 0);
	while (ticks < 5) {
		long now = call_page(0x400, NULL, NULL);

		expect(now >= last);
		last = now;
	}
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

int main(void)
{
	struct timeval now = { 0, -1 };
	unsigned int cpu = -1U, node = -1U;
	long seconds = 0, result;

	signal(SIGSEGV, absent);
	if (sigsetjmp(no_page, 1)) {
		say("no such page\n");
		return 0;
	}
	expect(call_page(0, &now, NULL) == 0 && now.tv_sec > 0 && now.tv_usec >= 0);
	result = call_page(0x400, &seconds, NULL);
	expect(result == seconds && seconds >= now.tv_sec);
	expect(call_page(0x800, &cpu, &node) == 0 && cpu != -1U && node != -1U);
	between_ticks();
	filter_time();
	say("time behind the filter: %ld\n", call_page(0x400, NULL, NULL));
	expect(call_page(0, &now, NULL) == 0);
	say("three calls, %s\n", ticks >= 5 ? "with ticks" : "without");
	return 0;
}
