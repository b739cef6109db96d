/* Every command of fcntl, and the requests of ioctl that any descriptor takes. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static volatile sig_atomic_t signalled, signal_fd;

static void note(int number, siginfo_t *info, void *context)
{
	(void)context;
	signalled = number;
	signal_fd = info->si_fd;
}

static void descriptors(int fd)
{
	int copy = fcntl(fd, F_DUPFD, 60), closing = fcntl(fd, F_DUPFD_CLOEXEC, 60);
	int on = 1, off = 0;
	long bytes = 0;

	expect(copy == 60 && closing == 61 && fcntl(copy, F_GETFD) == 0 && fcntl(closing, F_GETFD) == 1);
	expect(fcntl(copy, F_SETFD, FD_CLOEXEC) == 0 && fcntl(copy, F_GETFD) == FD_CLOEXEC);
	expect(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
	expect((fcntl(copy, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
	expect(fcntl(fd, F_DUPFD_QUERY, copy) == 1 || errno == EINVAL); /* since 6.10 */
	expect(fcntl(fd, F_CREATED_QUERY) == 1 || errno == EINVAL);	/* since 6.12 */
	expect(ioctl(copy, FIONCLEX) == 0 && fcntl(copy, F_GETFD) == 0);
	expect(ioctl(copy, FIOCLEX) == 0 && fcntl(copy, F_GETFD) == FD_CLOEXEC);
	expect(ioctl(fd, FIONBIO, &off) == 0 && !(fcntl(copy, F_GETFL) & O_NONBLOCK));
	expect(ioctl(fd, FIONREAD, &on) == 0 && ioctl(fd, FIOQSIZE, &bytes) == 0);
	say("size %ld, ahead %d\n", bytes, on);
	expect(close(copy) == 0 && close(closing) == 0 && fcntl(copy, F_GETFD) == -1 && errno == EBADF);
}

static void locks(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };
	struct flock query = lock;
	int other = open("file", O_RDWR);

	expect(fcntl(fd, F_SETLK, &lock) == 0);
	if (fork() == 0) {
		query.l_start = 15;
		expect(fcntl(fd, F_GETLK, &query) == 0 && query.l_type == F_WRLCK &&
		       query.l_start == 10 && query.l_pid == getppid());
		expect(fcntl(fd, F_SETLK, &lock) == -1 && (errno == EAGAIN || errno == EACCES));
		expect(fcntl(fd, F_SETLKW, &lock) == 0);
		_exit(7);
	}
	sleep_ms(20);
	lock.l_type = F_UNLCK;
	expect(fcntl(fd, F_SETLKW, &lock) == 0 && WEXITSTATUS(reap(-1)) == 7);
	lock.l_type = F_WRLCK;
	lock.l_pid = 0;
	expect(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	query = lock;
	expect(fcntl(other, F_OFD_GETLK, &query) == 0 && query.l_type == F_WRLCK && query.l_pid == -1);
	expect(fcntl(other, F_OFD_SETLK, &lock) == -1 && errno == EAGAIN);
	if (fork() == 0) {
		sleep_ms(20);
		lock.l_type = F_UNLCK;
		expect(fcntl(fd, F_OFD_SETLK, &lock) == 0);
		_exit(8);
	}
	expect(fcntl(other, F_OFD_SETLKW, &lock) == 0 && WEXITSTATUS(reap(-1)) == 8);
	expect(close(other) == 0);
	say("locks were had\n");
}

static void owners(int ends[2])
{
	struct f_owner_ex owner = { F_OWNER_PID, getpid() }, got = { 0 };
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	unsigned int uids[2] = { 77, 77 };
	int on = 1;

	expect(sigaction(SIGUSR2, &action, NULL) == 0);
	expect(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_GETOWN) == getpid());
	expect(syscall(SYS_fcntl, ends[0], F_GETOWN) == getpid());
	expect(fcntl(ends[0], F_SETOWN_EX, &owner) == 0 && fcntl(ends[0], F_GETOWN_EX, &got) == 0);
	expect(got.type == F_OWNER_PID && got.pid == getpid());
	if (fcntl(ends[0], F_GETOWNER_UIDS, uids) == 0)
		expect(uids[0] == getuid() && uids[1] == geteuid());
	else
		expect(errno == EINVAL);
	expect(fcntl(ends[0], F_SETSIG, SIGUSR2) == 0 && fcntl(ends[0], F_GETSIG) == SIGUSR2);
	expect(ioctl(ends[0], FIOASYNC, &on) == 0 && write(ends[1], "!", 1) == 1);
	while (!signalled)
		sleep_ms(1);
	expect(signalled == SIGUSR2 && signal_fd == ends[0]);
	on = 0;
	expect(ioctl(ends[0], FIOASYNC, &on) == 0);
	say("signal for input\n");
}

static void leases(void)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	int fd = open("leased", O_RDONLY | O_CREAT, 0600), dir = open(".", O_RDONLY | O_DIRECTORY);

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
		expect(fcntl(fd, F_GETLEASE) == F_RDLCK);
		signalled = 0;
		expect(fcntl(fd, F_SETSIG, SIGUSR1) == 0);
		if (fork() == 0) {
			expect(open("leased", O_WRONLY | O_NONBLOCK) == -1 && errno == EWOULDBLOCK);
			_exit(9);
		}
		expect(WEXITSTATUS(reap(-1)) == 9);
		while (!signalled)
			sleep_ms(1);
		expect(signalled == SIGUSR1 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	} else {
		expect(errno == EINVAL || errno == EACCES); /* the file system has none */
	}
	signalled = 0;
	expect(fcntl(dir, F_SETSIG, SIGUSR1) == 0 && fcntl(dir, F_NOTIFY, DN_CREATE | DN_DELETE) == 0);
	expect(unlink("leased") == 0);
	while (!signalled)
		sleep_ms(1);
	expect(signal_fd == dir && close(dir) == 0 && close(fd) == 0);
	say("told of a lease and of a directory\n");
}

static void others(int ends[2])
{
	int sealed = memfd_create("sealed", MFD_ALLOW_SEALING), fd = open("file", O_RDWR);
	uint64_t hint = 3, got = 0;

	expect(fcntl(ends[1], F_SETPIPE_SZ, 8192) == 8192 && fcntl(ends[0], F_GETPIPE_SZ) == 8192);
	expect(ftruncate(sealed, 100) == 0 &&
	       fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0);
	expect(fcntl(sealed, F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SEAL));
	expect(ftruncate(sealed, 200) == -1 && errno == EPERM);
	expect(fcntl(fd, F_SET_RW_HINT, &hint) == 0 && fcntl(fd, F_GET_RW_HINT, &got) == 0 && got == 3);
	if (fcntl(fd, F_SET_FILE_RW_HINT, &hint) == 0) /* not since 5.17 */
		expect(fcntl(fd, F_GET_FILE_RW_HINT, &got) == 0);
	expect(fcntl(fd, 9999) == -1 && errno == EINVAL && close(fd) == 0);
	say("sizes, seals, hints\n");
}

int main(void)
{
	char path[256];
	int fd, ends[2];

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && write(fd, "0123456789", 10) == 10 && pipe(ends) == 0);
	descriptors(fd);
	locks(fd);
	owners(ends);
	leases();
	others(ends);
	expect(unlink("file") == 0);
	scratch_end(path);
	return 0;
}
