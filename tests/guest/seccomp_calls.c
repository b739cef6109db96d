/* Filters over calls that are special: clone, exec, exit, rt_sigreturn, mappings, and calls that signals interrupt. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile sig_atomic_t traps, last;

static void forbid(long nr, uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number;
	traps++;
	last = info->si_syscall;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 42;
}

static void on_other(int number)
{
	(void)number;
}

static void attempt(const char *what, void (*work)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

		sigaction(SIGSYS, &action, NULL);
		work();
		_exit(7);
	}
	status = reap(pid);
	say("%s: %s %d\n", what, WIFSIGNALED(status) ? "killed by" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void clones(void)
{
	forbid(SYS_clone, SECCOMP_RET_ERRNO | 25);
	forbid(SYS_clone3, SECCOMP_RET_ERRNO | 38);
	expect(fork() == -1);
	say("fork: %d\n", errno);
}

static void trapped_clone(void)
{
	forbid(SYS_clone, SECCOMP_RET_TRAP);
	expect(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 42 && last == SYS_clone);
}

static void execs(void)
{
	char *const argv[] = { "true", NULL };

	forbid(SYS_execve, SECCOMP_RET_ERRNO | 13);
	expect(execv("/proc/self/exe", argv) == -1 && errno == 13);
	forbid(SYS_execve, SECCOMP_RET_TRAP);
	expect(syscall(SYS_execve, "/proc/self/exe", argv, NULL) == 42 && last == SYS_execve);
}

static void exits(void)
{
	forbid(SYS_exit_group, SECCOMP_RET_ERRNO | 1);
	syscall(SYS_exit_group, 1);
	say("exit_group came back\n");
	forbid(SYS_exit_group, SECCOMP_RET_TRAP);
	syscall(SYS_exit_group, 1);
	expect(last == SYS_exit_group);
	syscall(SYS_exit, 8);
}

static void returns(void)
{
	forbid(SYS_rt_sigreturn, SECCOMP_RET_KILL_PROCESS);
	signal(SIGUSR1, on_other);
	raise(SIGUSR1);
}

static void maps(void)
{
	void *before = sbrk(0);

	forbid(SYS_mmap, SECCOMP_RET_ERRNO | 12);
	forbid(SYS_brk, SECCOMP_RET_ERRNO | 12);
	expect(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	       errno == 12);
	expect(syscall(SYS_brk, (char *)before + 4096) == -1);
	forbid(SYS_mmap, SECCOMP_RET_TRAP);
	expect((uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 42);
}

static void virtual_calls(void)
{
	struct timespec now;
	char bytes[8] = { 0 };

	forbid(SYS_getrandom, SECCOMP_RET_ERRNO | 71);
	forbid(SYS_clock_gettime, SECCOMP_RET_ERRNO | 72);
	forbid(SYS_getpid, SECCOMP_RET_TRAP);
	expect(syscall(SYS_getrandom, bytes, 8, 0) == -1 && errno == 71);
	expect(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == -1 && errno == 72);
	expect(syscall(SYS_getpid) == 42);
}

/* The signal arrives while the trap is on its way: both handlers run. */
static void traps_in_storm(void)
{
	struct sigaction action = { .sa_handler = on_other };
	sigset_t set, old;

	sigaction(SIGUSR1, &action, NULL);
	forbid(SYS_getpgid, SECCOMP_RET_TRAP);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (int i = 0; i < 100; i++) {
		sigprocmask(SIG_BLOCK, &set, &old);
		raise(SIGUSR1);
		expect(syscall(SYS_getpgid, i) == 42);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	say("traps: %d\n", (int)traps);
}

static void *one_of_many(void *argument)
{
	for (int i = 0; i < 50; i++) {
		expect(syscall(SYS_getpgid, i) == 42);
		sched_yield();
	}
	forbid(SYS_getsid, SECCOMP_RET_KILL_THREAD);
	if (argument)
		syscall(SYS_getsid, 0);
	return argument;
}

static void threads(void)
{
	pthread_t others[4];

	forbid(SYS_getpgid, SECCOMP_RET_TRAP);
	for (int i = 0; i < 4; i++)
		expect(pthread_create(&others[i], NULL, one_of_many, i % 2 ? others : NULL) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(others[i], NULL);
	say("all gone, %d traps\n", (int)traps);
}

static void *kills(void *argument)
{
	forbid(SYS_getsid, SECCOMP_RET_KILL_PROCESS);
	syscall(SYS_getsid, 0);
	return argument;
}

static void kill_by_thread(void)
{
	pthread_t thread;

	expect(pthread_create(&thread, NULL, kills, NULL) == 0);
	pthread_join(thread, NULL);
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	attempt("clone", clones);
	attempt("trapped clone", trapped_clone);
	attempt("exec", execs);
	attempt("exit", exits);
	attempt("rt_sigreturn", returns);
	attempt("maps", maps);
	attempt("virtual calls", virtual_calls);
	attempt("with other signals", traps_in_storm);
	attempt("threads", threads);
	attempt("one thread for all", kill_by_thread);
	return 0;
}
