/* Job control on a terminal: a background reader and writer stop, come to the foreground and go on; orphaned groups. */
#include "guest.h"
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static int reader(void)
{
	char line[16];
	ssize_t n = read(0, line, sizeof(line));

	return n == 3 ? line[0] : 1;
}

static int writer(void)
{
	return write(1, "out", 3) == 3 ? 5 : 6;
}

static pid_t job(int (*what)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		_exit(what());
	}
	setpgid(pid, pid);
	return pid;
}

static int blocked_writer(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return tcsetpgrp(0, getpgrp()) == 0 ? 7 : 8;
}

static int ignoring_reader(void)
{
	char byte;

	signal(SIGTTIN, SIG_IGN);
	return read(0, &byte, 1) == -1 && errno == EIO ? 9 : 10;
}

static int shell(int report)
{
	struct termios modes;
	int status;
	pid_t pid;

	signal(SIGTTOU, SIG_IGN);
	expect(tcgetattr(0, &modes) == 0);
	modes.c_lflag = (modes.c_lflag | TOSTOP) & ~(tcflag_t)ECHO;
	expect(tcsetattr(0, TCSANOW, &modes) == 0);
	pid = job(reader);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	dprintf(report, "reader stopped by %d\n", WSTOPSIG(status));
	expect(tcsetpgrp(0, pid) == 0 && kill(-pid, SIGCONT) == 0);
	dprintf(report, "type\n");
	dprintf(report, "reader: %d\n", WEXITSTATUS(reap(pid)));
	expect(tcsetpgrp(0, getpgrp()) == 0);
	pid = job(writer);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	dprintf(report, "writer stopped by %d\n", WSTOPSIG(status));
	expect(tcsetpgrp(0, pid) == 0 && kill(-pid, SIGCONT) == 0);
	dprintf(report, "writer: %d\n", WEXITSTATUS(reap(pid)));
	expect(tcsetpgrp(0, getpgrp()) == 0);
	dprintf(report, "blocked: %d\n", WEXITSTATUS(reap(job(blocked_writer))));
	expect(tcsetpgrp(0, getpgrp()) == 0);
	dprintf(report, "ignoring: %d\n", WEXITSTATUS(reap(job(ignoring_reader))));
	pid = job(reader);
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	return 33; /* the stopped group becomes an orphan: SIGHUP and SIGCONT */
}

int main(void)
{
	int master, up[2], status;
	char line[512];
	ssize_t n;
	pid_t pid;

	expect(pipe(up) == 0);
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid < 0) {
		say("no terminals here\n");
		return 0;
	}
	if (pid == 0) {
		close(up[0]);
		_exit(shell(up[1]));
	}
	close(up[1]);
	for (char *at = line;;) {
		n = read(up[0], at, sizeof(line) - (size_t)(at - line) - 1);
		if (n <= 0)
			break;
		at[n] = '\0';
		if (strstr(at, "type"))
			expect(write(master, "ab\n", 3) == 3);
		at += n;
	}
	say("%s", line);
	status = reap(pid);
	say("shell: %d\n", WEXITSTATUS(status));
	return 0;
}
