/* How children end, as wait4, waitid and the usage they report tell it. */
#include "guest.h"
#include <signal.h>
#include <sys/resource.h>

static void child(int kind)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGINT,  SIGHUP,
				       SIGQUIT, SIGUSR1, SIGALRM, SIGXCPU };

	if (kind < 8)
		raise(signals[kind]);
	if (kind == 8)
		abort();
	if (kind == 9)
		__builtin_trap();
	if (kind == 10)
		*nowhere() = 1;
	exit(kind);
}

int main(void)
{
	struct rlimit none = { 0, 0 };
	struct rusage usage;
	siginfo_t info;
	int status;
	pid_t pid;

	setrlimit(RLIMIT_CORE, &none);
	for (int kind = 0; kind < 13; kind++) {
		pid = fork();
		if (pid == 0)
			child(kind);
		if (kind % 2) {
			info.si_pid = 0;
			expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
			expect(info.si_pid == pid && info.si_signo == SIGCHLD);
			say("%d: code %d, status %d; ", kind, info.si_code, info.si_status);
		}
		memset(&usage, 0xff, sizeof(usage));
		expect(wait4(pid, &status, 0, &usage) == pid && usage.ru_maxrss >= 0);
		say("%d: %#x\n", kind, status);
	}
	expect(wait4(-1, &status, 0, NULL) == -1 && errno == ECHILD);
	expect(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == -1 && errno == ECHILD);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	info.si_pid = 1;
	expect(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
	expect(waitpid(pid, &status, WNOHANG) == 0);
	kill(pid, SIGTERM);
	say("last: %#x\n", reap(pid));
	return 0;
}
