/* Everything a program may ask of a terminal: modes old and new, sizes, packets, queues, peers, faked input. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t resized;

static void on_resize(int number)
{
	(void)number;
	resized++;
}

static void modes(int master, int slave)
{
	struct termios was, now;
	int value;

	expect(tcgetattr(slave, &was) == 0);
	now = was;
	cfmakeraw(&now);
	expect(cfsetspeed(&now, B9600) == 0 && tcsetattr(slave, TCSADRAIN, &now) == 0);
	expect(tcgetattr(master, &now) == 0 && !(now.c_lflag & ICANON) && cfgetospeed(&now) == B9600);
	expect(tcsetattr(slave, TCSAFLUSH, &was) == 0 && tcgetattr(slave, &now) == 0 &&
	       (now.c_lflag & ICANON));
	expect(tcsendbreak(slave, 0) == 0 && tcdrain(slave) == 0 && tcflush(slave, TCIOFLUSH) == 0);
	expect(tcflow(slave, TCOOFF) == 0 && tcflow(slave, TCOON) == 0);
	expect(ioctl(slave, TIOCEXCL) == 0 && ioctl(slave, TIOCGEXCL, &value) == 0 && value == 1);
	expect(ioctl(slave, TIOCNXCL) == 0 && ioctl(slave, TIOCGETD, &value) == 0 && value == 0);
	expect(ioctl(slave, TIOCGSOFTCAR, &value) == 0 && ioctl(slave, TIOCMGET, &value) == -1);
	expect(ioctl(slave, TIOCOUTQ, &value) == 0 && value == 0);
	expect(ioctl(master, TIOCGPTN, &value) == 0 && value >= 0);
	say("modes\n");
}

static void sizes(int master, int slave)
{
	struct winsize size = { 11, 22, 33, 44 }, seen;

	expect(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &seen) == 0);
	expect(memcmp(&size, &seen, sizeof(size)) == 0 && ioctl(1000, TIOCGWINSZ, &seen) == -1 &&
	       errno == EBADF);
	say("size %d by %d\n", seen.ws_row, seen.ws_col);
}

static void packets(int master, int slave)
{
	char got[64];
	int on = 1, waiting = -1;
	struct pollfd typed = { slave, POLLIN, 0 };

	expect(ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, TIOCGPKT, &on) == 0 && on == 1);
	expect(write(slave, "text", 4) == 4 && read(master, got, sizeof(got)) == 5);
	expect(got[0] == TIOCPKT_DATA && memcmp(got + 1, "text", 4) == 0);
	expect(tcflush(slave, TCIFLUSH) == 0 && read(master, got, sizeof(got)) == 1);
	say("packet %#x\n", got[0]);
	on = 0;
	expect(ioctl(master, TIOCPKT, &on) == 0);
	expect(write(master, "line\n", 5) == 5 && poll(&typed, 1, -1) == 1);
	expect(ioctl(slave, FIONREAD, &waiting) == 0);
	say("waiting %d\n", waiting);
	expect(read(slave, got, sizeof(got)) == 5 && read(master, got, sizeof(got)) == 6); /* echo */
}

static void peer(int master)
{
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), locked = 1;

	expect(fd >= 0 && isatty(fd) && close(fd) == 0);
	expect(ioctl(master, TIOCSPTLCK, &locked) == 0 && ioctl(master, TIOCGPTLCK, &locked) == 0 &&
	       locked == 1);
	locked = 0;
	expect(ioctl(master, TIOCSPTLCK, &locked) == 0);
	say("peer\n");
}

static int leader(int slave)
{
	struct winsize size = { 1, 2, 0, 0 };
	char got[8];

	expect(setsid() == getpid() && ioctl(slave, TIOCSCTTY, 0) == 0);
	expect(tcgetpgrp(slave) == getpid() && tcgetsid(slave) == getpid());
	signal(SIGWINCH, on_resize);
	expect(ioctl(slave, TIOCSWINSZ, &size) == 0 && resized == 1);
	signal(SIGHUP, SIG_IGN);
	if (ioctl(slave, TIOCSTI, "z") == 0 && ioctl(slave, TIOCSTI, "\n") == 0)
		expect(read(slave, got, sizeof(got)) == 2 && got[0] == 'z');
	expect(ioctl(slave, TIOCNOTTY) == 0 && open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
	return 17;
}

int main(void)
{
	struct pollfd hangup = { .events = POLLIN };
	int master, slave;
	char byte;
	pid_t pid;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
		say("no terminals here\n");
		return 0;
	}
	modes(master, slave);
	sizes(master, slave);
	packets(master, slave);
	peer(master);
	pid = fork();
	if (pid == 0)
		_exit(leader(slave));
	say("session leader: %d\n", WEXITSTATUS(reap(pid)));
	close(slave);
	hangup.fd = master;
	expect(poll(&hangup, 1, 1000) == 1 && (hangup.revents & POLLHUP));
	while (read(master, &byte, 1) == 1)
		;
	expect(errno == EIO);
	say("hung up\n");
	return 0;
}
