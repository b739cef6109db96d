/* A pseudo-terminal: modes, size, line editing, the interrupt character, a shell-like session on it. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static int session(const char *name)
{
	struct termios modes;
	struct winsize size;
	char line[64];
	int fd;

	expect(setsid() > 0);
	fd = open(name, O_RDWR);
	expect(fd >= 0 && tcgetpgrp(fd) == getpgrp() && isatty(fd));
	expect(ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 77);
	expect(tcgetattr(fd, &modes) == 0 && (modes.c_lflag & ICANON));
	modes.c_lflag &= ~(tcflag_t)ECHO;
	expect(tcsetattr(fd, TCSANOW, &modes) == 0 && write(fd, "ready\n", 6) == 6);
	line[read(fd, line, sizeof(line) - 1)] = '\0';
	expect(strcmp(line, "typed\n") == 0 && write(fd, "again\n", 6) == 6);
	return read(fd, line, 1) == -1;
}

int main(void)
{
	struct winsize size = { 33, 77, 0, 0 };
	int master = posix_openpt(O_RDWR | O_NOCTTY), status;
	char name[64], line[64] = "";
	pid_t pid;

	if (master < 0) {
		say("no terminals here\n");
		return 0;
	}
	expect(grantpt(master) == 0 && unlockpt(master) == 0);
	expect(ptsname_r(master, name, sizeof(name)) == 0 && ioctl(master, TIOCSWINSZ, &size) == 0);
	pid = fork();
	if (pid == 0)
		_exit(session(name));
	expect(read(master, line, sizeof(line)) == 7 && memcmp(line, "ready\r\n", 7) == 0);
	expect(write(master, "typedd\x7f\n", 8) == 8);
	expect(read(master, line, sizeof(line)) == 7 && memcmp(line, "again\r\n", 7) == 0);
	expect(write(master, "\x03", 1) == 1);
	status = reap(pid);
	say("session ended by signal %d\n", WTERMSIG(status));
	return 0;
}
