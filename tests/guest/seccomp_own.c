/* The program's own seccomp filter: an errno, a trap with a handler, a kill. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static volatile sig_atomic_t trapped, code;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	trapped = info->si_syscall;
	code = info->si_code;
}

#define ON(nr, action) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)

int main(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SYS_getpgid, SECCOMP_RET_ERRNO | 77),
		ON(SYS_getsid, SECCOMP_RET_TRAP | 5),
		ON(SYS_setpgid, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(program) / sizeof(program[0]), program };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	pid_t pid;
	int status;

	sigaction(SIGSYS, &action, NULL);
	pid = fork();
	if (pid == 0) {
		expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
		expect(getpgid(0) == -1 && errno == 77);
		say("errno: %d\n", errno);
		getsid(0);
		say("trap: call %d, code %d\n", (int)trapped, (int)code);
		setpgid(0, 0);
		_exit(0);
	}
	status = reap(pid);
	say("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}
