/* SECCOMP_FILTER_FLAG_TSYNC: one thread's filters for all, unless one of them went its own way. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static pthread_barrier_t turn;
static pid_t tid;

static long deny(long nr, int error, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void *other(void *argument)
{
	tid = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&turn);
	pthread_barrier_wait(&turn);
	expect(syscall(SYS_getpgid, 0) == -1);
	say("synchronised: %d, mode %d, no_new_privs %d\n", errno, prctl(PR_GET_SECCOMP),
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	expect(deny(SYS_getsid, 44, 0) == 0);
	pthread_barrier_wait(&turn);
	pthread_barrier_wait(&turn);
	expect(syscall(SYS_getsid, 0) == -1 && errno == 44);
	expect(syscall(SYS_getuid) != -1);
	return argument;
}

int main(void)
{
	pthread_t thread;
	long r;

	pthread_barrier_init(&turn, NULL, 2);
	expect(pthread_create(&thread, NULL, other, NULL) == 0);
	pthread_barrier_wait(&turn);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(deny(SYS_getpgid, 33, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW) == 0);
	pthread_barrier_wait(&turn);
	pthread_barrier_wait(&turn);
	r = deny(SYS_getuid, 55, SECCOMP_FILTER_FLAG_TSYNC);
	say("one thread has its own filter: %s\n", r == tid ? "its number" : "?");
	r = deny(SYS_getuid, 55, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	expect(r == -1);
	say("or: %s\n", errno == ESRCH ? "ESRCH" : "?");
	expect(syscall(SYS_getuid) != -1);
	pthread_barrier_wait(&turn);
	expect(pthread_join(thread, NULL) == 0);
	r = deny(SYS_getuid, 55, SECCOMP_FILTER_FLAG_TSYNC);
	expect(r == 0 && syscall(SYS_getuid) == -1);
	say("alone again: %d\n", errno);
	return 0;
}
