/* waitid by every kind of name, peeking without taking, stops and continues; pid descriptors; kcmp. */
#include "guest.h"
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define BY_DESCRIPTOR ((idtype_t)3)

static siginfo_t wait_for(idtype_t type, id_t id, int options)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	expect(waitid(type, id, &info, options) == 0);
	return info;
}

static void by_name(void)
{
	siginfo_t info;
	struct rusage usage;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		_exit(3);
	}
	info = wait_for(P_PID, (id_t)pid, WEXITED | WNOWAIT);
	expect(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_uid == getuid());
	info = wait_for(P_PGID, (id_t)pid, WEXITED | WNOWAIT);
	expect(info.si_pid == pid);
	memset(&usage, 1, sizeof(usage));
	expect(syscall(SYS_waitid, P_ALL, 0, &info, WEXITED, &usage) == 0);
	expect(info.si_pid == pid && usage.ru_utime.tv_sec < 10);
	say("exited: %d\n", info.si_status);
	expect(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD);
	expect(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
	expect(waitpid(-1, NULL, 1 << 20) == -1 && errno == EINVAL);
	pid = fork();
	if (pid == 0)
		abort();
	info = wait_for(P_ALL, 0, WEXITED);
	say("ended by signal %d, code %d\n", info.si_status,
	    info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
}

static void stops(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	info = wait_for(P_PID, (id_t)pid, WEXITED | WSTOPPED | WCONTINUED | WNOHANG);
	expect(info.si_pid == 0);
	kill(pid, SIGSTOP);
	info = wait_for(P_PID, (id_t)pid, WSTOPPED | WNOWAIT);
	expect(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
	info = wait_for(P_PID, (id_t)pid, WSTOPPED);
	say("stopped by %d\n", info.si_status);
	kill(pid, SIGCONT);
	info = wait_for(P_PID, (id_t)pid, WCONTINUED);
	say("continued: %d\n", info.si_code == CLD_CONTINUED && info.si_status == SIGCONT);
	kill(pid, SIGKILL);
	info = wait_for(P_PID, (id_t)pid, WEXITED);
	say("killed: %d\n", info.si_code == CLD_KILLED && info.si_status == SIGKILL);
}

static void descriptors(void)
{
	struct pollfd ready = { .events = POLLIN };
	siginfo_t info;
	int hold[2], own, copy;
	pid_t pid;
	char byte;

	expect(pipe(hold) == 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 1 ? 8 : 9);
	}
	ready.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	expect(ready.fd >= 0 && poll(&ready, 1, 0) == 0);
	expect(syscall(SYS_pidfd_open, pid, 1u << 30) == -1 && errno == EINVAL);
	expect(syscall(SYS_pidfd_open, -1, 0) == -1 && errno == EINVAL);
	expect(waitid(BY_DESCRIPTOR, (id_t)ready.fd, &info, WEXITED | WNOHANG) == 0);
	own = (int)syscall(SYS_pidfd_open, getpid(), 0);
	copy = (int)syscall(SYS_pidfd_getfd, own, hold[1], 0);
	expect(own >= 0 && copy >= 0 && copy != hold[1]);
	expect(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, hold[1], copy) == 0);
	expect(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, hold[0], copy) > 0);
	expect(syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) > 0);
	expect(write(copy, "x", 1) == 1 && poll(&ready, 1, -1) == 1 && ready.revents == POLLIN);
	info = wait_for(BY_DESCRIPTOR, (id_t)ready.fd, WEXITED);
	say("by descriptor: %d\n", info.si_status);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	own = (int)syscall(SYS_pidfd_open, pid, 0);
	expect(syscall(SYS_pidfd_send_signal, own, SIGTERM, NULL, 0) == 0);
	info = wait_for(BY_DESCRIPTOR, (id_t)own, WEXITED);
	say("signalled by descriptor: %d\n", info.si_status);
}

static void groups(void)
{
	pid_t leader = fork(), member;
	int status;

	if (leader == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(leader, leader);
	member = fork();
	if (member == 0) {
		expect(setpgid(0, leader) == 0);
		for (;;)
			pause();
	}
	expect(setpgid(member, leader) == 0 && getpgid(member) == leader && getsid(member) == getsid(0));
	expect(kill(-leader, SIGUSR2) == 0);
	expect(waitpid(-leader, &status, 0) > 0 && WTERMSIG(status) == SIGUSR2);
	expect(waitpid(-leader, &status, 0) > 0 && WTERMSIG(status) == SIGUSR2);
	expect(waitpid(-leader, &status, 0) == -1 && errno == ECHILD);
	expect(setpgid(0, 999999) == -1 && setpgid(999999, 0) == -1 && errno == ESRCH);
	say("a group ended\n");
}

int main(void)
{
	by_name();
	stops();
	descriptors();
	groups();
	return 0;
}
