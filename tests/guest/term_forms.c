/*
 * Terminals once more: the older and the newer form of their modes, locks, hang-ups and signals from the
 * other side; what a serial line and the machine's own screens tell, where it has them.
 */
#include "guest.h"
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define SPEED 12345

/* The kernel's struct termio; the header that has it clashes with the one that has termios2. */
struct old_modes {
	unsigned short in, out, control, local;
	unsigned char line, keys[8];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static void open_pair(int *master, int *slave)
{
	int unlocked = 0;

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	expect(*master >= 0 && ioctl(*master, TIOCSPTLCK, &unlocked) == 0);
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	expect(*slave >= 0);
}

static void modes(int slave)
{
	struct old_modes old = { 0 };
	struct termios2 new;

	expect(ioctl(slave, TCGETA, &old) == 0 && (old.local & ICANON));
	old.local = (unsigned short)(old.local & ~ICANON);
	expect(ioctl(slave, TCSETA, &old) == 0 && ioctl(slave, TCSETAW, &old) == 0);
	expect(ioctl(slave, TCSETAF, &old) == 0 && ioctl(slave, TCGETS2, &new) == 0);
	say("canonical: %d\n", (new.c_lflag &ICANON) != 0);
	new.c_cflag = (new.c_cflag & ~(tcflag_t)CBAUD) | BOTHER;
	new.c_ispeed = new.c_ospeed = SPEED;
	new.c_lflag |= ICANON;
	expect(ioctl(slave, TCSETS2, &new) == 0 && ioctl(slave, TCSETSW2, &new) == 0);
	expect(ioctl(slave, TCSETSF2, &new) == 0);
	memset(&new, 0, sizeof(new));
	expect(ioctl(slave, TCGETS2, &new) == 0);
	say("speed: %u\n", new.c_ospeed);
	expect(ioctl(slave, TCSBRKP, 1) == 0);
}

static void attributes(int master, int slave)
{
	struct termios locks;
	int value = 0, device = 0;

	expect(ioctl(slave, TIOCSETD, &value) == 0 && ioctl(slave, TIOCGETD, &value) == 0 && value == 0);
	value = 1;
	expect(ioctl(slave, TIOCSSOFTCAR, &value) == 0);
	value = 0;
	expect(ioctl(slave, TIOCGSOFTCAR, &value) == 0);
	say("carrier taken for granted: %d\n", value);
	expect(ioctl(master, TIOCGDEV, &device) == 0 && device != 0);
	memset(&locks, 0xcc, sizeof(locks));
	expect(ioctl(slave, TIOCGLCKTRMIOS, &locks) == 0 && locks.c_lflag == 0);
	locks.c_lflag = ECHO;
	if (ioctl(slave, TIOCSLCKTRMIOS, &locks) == 0) {
		struct termios now;

		expect(ioctl(slave, TCGETS, &now) == 0);
		now.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
		expect(ioctl(slave, TCSETS, &now) == 0 && ioctl(slave, TCGETS, &now) == 0);
		say("locked: echo %d, signals %d\n", (now.c_lflag & ECHO) != 0,
		    (now.c_lflag & ISIG) != 0);
	} else {
		expect(errno == EPERM);
	}
}

/* The other side sends the session a signal; then the line is taken away. */
static int session(int master, int slave)
{
	char byte;

	expect(setsid() == getpid() && ioctl(slave, TIOCSCTTY, 0) == 0);
	expect(signal(SIGINT, on_signal) != SIG_ERR && signal(SIGHUP, on_signal) != SIG_ERR);
	expect(signal(SIGCONT, on_signal) != SIG_ERR);
	expect(ioctl(master, TIOCSIG, SIGINT) == 0);
	while (interrupted != SIGINT)
		sleep_ms(1);
	say("interrupted\n");
	if (ioctl(slave, TIOCVHANGUP) == 0) {
		while (interrupted == SIGINT)
			sleep_ms(1);
		expect(read(slave, &byte, 1) == 0 && write(slave, "x", 1) == -1 && errno == EIO);
		say("the line is gone\n");
	}
	return 6;
}

/* Once in a session with a terminal, the call takes that from it too. */
static int hang_up(int slave)
{
	expect(setsid() == getpid() && ioctl(slave, TIOCSCTTY, 0) == 0);
	expect(signal(SIGHUP, SIG_IGN) != SIG_ERR);
	if (vhangup() < 0)
		return errno == EPERM ? 0 : 1;
	return write(slave, "x", 1) == -1 && errno == EIO ? 0 : 2;
}

/* Changes nothing: no line is raised or lowered, and whoever is at the other end sees no break. */
static void serial(void)
{
	int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK), lines = 0, none = 0;

	if (fd < 0)
		return;
	if (ioctl(fd, TIOCMGET, &lines) == 0) {
		expect(ioctl(fd, TIOCMBIS, &none) == 0 && ioctl(fd, TIOCMBIC, &none) == 0);
		expect(ioctl(fd, TIOCMSET, &lines) == 0 && ioctl(fd, TIOCCBRK) == 0);
	}
	close(fd);
}

static void screens(void)
{
	int fd = open("/dev/tty0", O_RDONLY | O_NOCTTY | O_NONBLOCK), value;
	struct vt_stat state;
	char type = 0;

	if (fd < 0)
		return;
	if (ioctl(fd, KDGKBTYPE, &type) == 0) {
		expect(type == KB_101 && ioctl(fd, KDGETMODE, &value) == 0);
		expect(ioctl(fd, KDGKBMODE, &value) == 0 && ioctl(fd, VT_GETSTATE, &state) == 0);
		expect(state.v_active > 0 && ioctl(fd, VT_OPENQRY, &value) == 0);
	}
	close(fd);
}

/* What is written to the console comes here, unless somebody else has it already. */
static void console(int master, int slave)
{
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK);
	char got[8] = "";

	if (fd < 0)
		return;
	if (ioctl(slave, TIOCCONS) == 0) {
		expect(write(fd, "to me", 5) == 5 && read(master, got, sizeof(got)) == 5);
		expect(memcmp(got, "to me", 5) == 0 && ioctl(fd, TIOCCONS) == 0);
	} else {
		expect(errno == EPERM || errno == EBUSY);
	}
	close(fd);
}

int main(void)
{
	int master, slave;
	pid_t pid;

	open_pair(&master, &slave);
	modes(slave);
	attributes(master, slave);
	console(master, slave);
	serial();
	screens();
	pid = fork();
	if (pid == 0)
		_exit(session(master, slave));
	say("session: %#x\n", reap(pid));
	close(master);
	close(slave);
	open_pair(&master, &slave);
	pid = fork();
	if (pid == 0)
		_exit(hang_up(slave));
	say("hung up: %#x\n", reap(pid));
	return 0;
}
