/*
 * What tests of domains need to know and to pretend about namespaces: whether this host gives them
 * to a user, and a host that refuses some kinds. Used by tests of sandbox/ only.
 */
#ifndef SWORN_TESTS_REFUSE_H
#define SWORN_TESTS_REFUSE_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From now on no clone() and unshare() of this process gives any of the CLONE_NEW* kinds. */
static inline int refuse_namespaces(unsigned long kinds)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)kinds, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* 0 when this host gives namespaces to the user, else the errno of its refusal. */
static inline int refused_to(uid_t uid)
{
	unsigned long kinds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		if (uid && !geteuid() && setresuid(uid, uid, uid))
			_exit(errno);
		_exit(syscall(SYS_unshare, kinds | (geteuid() ? CLONE_NEWUSER : 0)) ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

#endif
