/* What a seccomp filter can answer, which of several wins, who inherits them, and which programs are no filters. */
#include "guest.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define NR offsetof(struct seccomp_data, nr)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define ON(nr, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(action)
#define INSTALL(...)                                         \
	install((const struct sock_filter[]){ __VA_ARGS__ }, \
		sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter), 0)

static volatile sig_atomic_t traps;

static long install(const struct sock_filter *code, size_t count, unsigned int flags)
{
	struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static long only(long nr, uint32_t action)
{
	return INSTALL(LOAD(NR), ON((uint32_t)nr, action), RETURN(SECCOMP_RET_ALLOW));
}

static void trapped(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	greg_t *saved = user->uc_mcontext.gregs;

	expect(number == SIGSYS && info->si_code == 1 && info->si_errno == 4242);
	expect(info->si_arch == AUDIT_ARCH_X86_64 && saved[REG_RAX] == info->si_syscall);
	expect((greg_t)(uintptr_t)info->si_call_addr == saved[REG_RIP]);
	saved[REG_RAX] = saved[REG_RDI] + 1;
	traps++;
}

static void handle(int flags)
{
	struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | flags };

	expect(sigaction(SIGSYS, &action, NULL) == 0);
}

/* How a child ends that does `work`. */
static void attempt(const char *what, void (*work)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		work();
		_exit(7);
	}
	status = reap(pid);
	if (WIFSIGNALED(status))
		say("%s: killed by %d\n", what, WTERMSIG(status));
	else
		say("%s: status %d\n", what, WEXITSTATUS(status));
}

static void errors(void)
{
	expect(only(SYS_getpgid, SECCOMP_RET_ERRNO | 0) == 0);
	expect(only(SYS_getsid, SECCOMP_RET_ERRNO | 0xffff) == 0);
	expect(only(SYS_getuid, SECCOMP_RET_TRACE | 1) == 0);
	expect(only(SYS_geteuid, SECCOMP_RET_LOG) == 0);
	expect(only(SYS_getgid, SECCOMP_RET_USER_NOTIF) == 0);
	expect(only(SYS_setpgid, SECCOMP_RET_ERRNO | 5) == 0);
	expect(only(SYS_setpgid, SECCOMP_RET_ERRNO | 6) == 0);
	expect(only(9999, SECCOMP_RET_ERRNO | 9) == 0);
	expect(syscall(SYS_getpgid, 0) == 0);
	expect(syscall(SYS_getsid, 0) == -1);
	say("large errno: %d\n", errno);
	expect(syscall(SYS_getuid) == -1 && errno == ENOSYS);
	expect(syscall(SYS_geteuid) >= 0);
	expect(syscall(SYS_getgid) == -1 && errno == ENOSYS);
	expect(setpgid(0, 0) == -1);
	say("the newer filter of the same action: %d\n", errno);
	expect(syscall(9999) == -1 && errno == 9);
	expect(syscall(9998) == -1 && errno == ENOSYS);
}

static void traps_with_handler(void)
{
	handle(0);
	expect(only(SYS_getpgid, SECCOMP_RET_TRAP | 4242) == 0);
	expect(syscall(SYS_getpgid, 41) == 42 && syscall(SYS_getpgid, 42) == 43);
	expect(syscall(0xfffffff) == -1 && errno == ENOSYS);
	say("traps: %d\n", (int)traps);
}

static void trap_on_stack(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	expect(sigaltstack(&alternate, NULL) == 0);
	handle(SA_ONSTACK | SA_RESETHAND);
	expect(only(SYS_getpgid, SECCOMP_RET_TRAP | 4242) == 0);
	expect(syscall(SYS_getpgid, 1) == 2);
	say("once\n");
	syscall(SYS_getpgid, 1);
}

static void trap_blocked(void)
{
	sigset_t set;

	handle(0);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	expect(only(SYS_getpgid, SECCOMP_RET_TRAP) == 0);
	syscall(SYS_getpgid, 0);
}

static void trap_ignored(void)
{
	signal(SIGSYS, SIG_IGN);
	expect(only(SYS_getpgid, SECCOMP_RET_TRAP) == 0);
	syscall(SYS_getpgid, 0);
}

static void kill_process(void)
{
	handle(0);
	expect(only(SYS_getpgid, SECCOMP_RET_ERRNO | 1) == 0);
	expect(only(SYS_getpgid, SECCOMP_RET_KILL_PROCESS) == 0);
	expect(only(SYS_getpgid, SECCOMP_RET_KILL_THREAD) == 0);
	syscall(SYS_getpgid, 0);
}

static void kill_lone_thread(void)
{
	handle(0);
	expect(only(SYS_getpgid, SECCOMP_RET_KILL_THREAD) == 0);
	syscall(SYS_getpgid, 0);
}

static void unknown_action(void)
{
	expect(only(SYS_getpgid, 0x12340000) == 0);
	syscall(SYS_getpgid, 0);
}

static void *dies(void *argument)
{
	(void)argument;
	expect(only(SYS_getpgid, SECCOMP_RET_KILL_THREAD) == 0);
	syscall(SYS_getpgid, 0);
	say("not reached\n");
	return NULL;
}

static void kill_one_of_two(void)
{
	pthread_t thread;

	expect(pthread_create(&thread, NULL, dies, NULL) == 0);
	expect(pthread_join(thread, NULL) == 0);
	expect(syscall(SYS_getpgid, 0) >= 0);
	say("the other thread lives\n");
}

static void *asks(void *argument)
{
	(void)argument;
	return syscall(SYS_getpgid, 0) == -1 && errno == 12 ? argument : NULL;
}

static void inherited(void)
{
	pthread_t thread;
	void *seen;
	pid_t pid;

	expect(only(SYS_getpgid, SECCOMP_RET_ERRNO | 12) == 0);
	expect(pthread_create(&thread, NULL, asks, &thread) == 0);
	expect(pthread_join(thread, &seen) == 0 && seen == &thread);
	pid = fork();
	if (pid == 0)
		_exit(asks(&pid) ? 3 : 4);
	expect(WEXITSTATUS(reap(pid)) == 3);
	execl("/proc/self/exe", "seccomp_actions", "after-exec", (char *)NULL);
}

static void without_privilege(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	expect(syscall(SYS_capset, &header, none) == 0);
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	expect(INSTALL(RETURN(SECCOMP_RET_ALLOW)) == -1 && errno == EACCES);
	expect(prctl(PR_GET_SECCOMP) == 0);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	expect(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 && errno == EINVAL);
	expect(INSTALL(RETURN(SECCOMP_RET_ALLOW)) == 0);
	expect(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
}

static void bad_programs(void)
{
	static struct sock_filter many[4097];
	struct sock_fprog far = { 1, (struct sock_filter *)8 };
	uint32_t action = SECCOMP_RET_TRAP, none = 0x12340000;

	for (size_t i = 0; i < 4097; i++)
		many[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(install(many, 0, 0) == -1 && errno == EINVAL);
	expect(install(many, 4097, 0) == -1 && errno == EINVAL);
	expect(install(many, 4096, 0) == 0);
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &far) == -1 && errno == EFAULT);
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT);
	expect(install(many, 1, 0x100) == -1 && errno == EINVAL);
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, many) == -1 && errno == EINVAL);
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL) == -1 && errno == EINVAL);
	expect(syscall(SYS_seccomp, 77, 0, NULL) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_SECCOMP, 9, 0, 0, 0) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == -1 && errno == EINVAL);
	expect(INSTALL(LOAD(NR)) == -1 && errno == EINVAL);
	expect(INSTALL(LOAD(2), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(LOAD(64), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)) == -1 && errno == EINVAL);
	expect(INSTALL(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0)) == -1 && errno == EINVAL);
	expect(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
	expect(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &none) == -1 && errno == EOPNOTSUPP);
	say("bad programs are refused\n");
}

static void by_argument(void)
{
	expect(INSTALL(LOAD(offsetof(struct seccomp_data, arch)),
		       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 8), LOAD(NR),
		       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 6),
		       LOAD(offsetof(struct seccomp_data, args[5]) + 4),
		       BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(offsetof(struct seccomp_data, args[0])),
		       BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		       BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		       BPF_STMT(BPF_RET | BPF_A, 0), RETURN(SECCOMP_RET_ALLOW)) == 0);
	expect(syscall(SYS_getpgid, 30, 0, 0, 0, 0, 4UL << 32) == -1);
	say("errno from the arguments: %d\n", errno);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "after-exec") == 0) {
		expect(asks(argv) && prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
		say("kept over exec\n");
		return 0;
	}
	expect(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_DISABLED);
	attempt("without privilege", without_privilege);
	expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	attempt("bad programs", bad_programs);
	attempt("errors", errors);
	attempt("by argument", by_argument);
	attempt("trap with a handler", traps_with_handler);
	attempt("trap on another stack", trap_on_stack);
	attempt("trap while blocked", trap_blocked);
	attempt("trap while ignored", trap_ignored);
	attempt("kill the process", kill_process);
	attempt("kill the only thread", kill_lone_thread);
	attempt("unknown action", unknown_action);
	attempt("kill one of two threads", kill_one_of_two);
	attempt("inherited", inherited);
	return 0;
}
