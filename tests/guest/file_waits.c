/* Waiting for another process's lease or lock, or for a signal that ends the wait. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals++;
}

/* Opens or cuts the file, which waits until the holder of the lease lets go. */
static int break_lease(int cut)
{
	int fd;

	if (cut) {
		expect(truncate("file", 50) == 0);
		return 5;
	}
	fd = open("file", O_WRONLY);
	expect(fd >= 0 && write(fd, "written", 7) == 7);
	return 4;
}

static void leases(void)
{
	int fd = open("file", O_RDONLY);

	for (int cut = 0; cut < 2; cut++) {
		pid_t child;

		signals = 0;
		if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
			break; /* the file system has none */
		child = fork();
		if (child == 0) {
			close(fd);
			_exit(break_lease(cut));
		}
		while (!signals)
			sleep_ms(1);
		expect(fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && WEXITSTATUS(reap(child)) == 4 + cut);
	}
	expect(close(fd) == 0);
	say("leases were broken\n");
}

static void interrupt(int number)
{
	const struct itimerval soon = { { 0, 5000 }, { 0, 5000 } };
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open("file", O_RDWR), result;

	expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	switch (number) {
	case 0: result = fcntl(fd, F_SETLKW, &lock); break;
	case 1: result = flock(fd, LOCK_EX); break;
	case 2: result = fcntl(fd, F_OFD_SETLKW, &lock); break;
	default: result = open("fifo", O_RDONLY); break;
	}
	expect(result == -1 && errno == EINTR && signals > 0);
	_exit(10 + number);
}

int main(void)
{
	struct sigaction action = { .sa_handler = count };
	struct flock lock = { .l_type = F_WRLCK };
	char path[256];
	int fd;

	scratch_begin(path);
	expect(sigaction(SIGIO, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
	expect(close(creat("file", 0600)) == 0 && mkfifo("fifo", 0600) == 0);
	leases();
	signals = 0;
	fd = open("file", O_RDWR);
	expect(fcntl(fd, F_SETLK, &lock) == 0 && flock(fd, LOCK_EX) == 0);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0)
			interrupt(i);
		say("interrupted: %d\n", WEXITSTATUS(reap(-1)));
	}
	expect(unlink("file") == 0 && unlink("fifo") == 0);
	scratch_end(path);
	return 0;
}
