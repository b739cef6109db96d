/* Mapping a file opens nothing: leases hold, watchers hear nothing, positions stay, seals are free to be set. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>

#define PAGE 4096UL

static volatile sig_atomic_t signals;

static void count(int number)
{
	(void)number;
	signals++;
}

static void map_both(int fd)
{
	char *own = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	expect(own != MAP_FAILED && shared != MAP_FAILED && own[0] == 'h');
	expect(pwrite(fd, "J", 1, 0) == 1 && shared[0] == 'J');
	shared[0] = 'h';
	say("%.5s %.5s\n", own, shared);
	expect(munmap(own, PAGE) == 0 && munmap(shared, PAGE) == 0);
}

static void leased(int fd)
{
	expect(signal(SIGIO, count) != SIG_ERR);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		expect(errno == EAGAIN || errno == EINVAL || errno == EACCES);
	expect(lseek(fd, 3, SEEK_SET) == 3);
	map_both(fd);
	expect(signals == 0 && lseek(fd, 0, SEEK_CUR) == 3 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
}

static void watched(int fd)
{
	int watch = inotify_init1(IN_NONBLOCK);
	char events[512];

	expect(inotify_add_watch(watch, "file", IN_OPEN | IN_CLOSE | IN_ATTRIB) > 0);
	map_both(fd);
	expect(read(watch, events, sizeof(events)) == -1 && errno == EAGAIN && close(watch) == 0);
}

static void sealed(void)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	char *map;

	expect(ftruncate(fd, (off_t)PAGE) == 0 && pwrite(fd, "h", 1, 0) == 1);
	map_both(fd);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EBUSY);
	expect(munmap(map, PAGE) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	expect(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
	       errno == EPERM);
	expect(close(fd) == 0);
}

int main(void)
{
	char path[256];
	int fd;

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && write(fd, "hello", 5) == 5);
	leased(fd);
	watched(fd);
	sealed();
	expect(close(fd) == 0 && unlink("file") == 0);
	scratch_end(path);
	return 0;
}
