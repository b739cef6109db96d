/* A private file mapping, and one through a read-only descriptor, while the file changes under them: by calls, by
 * stores through another mapping, longer and shorter. Pages that the process has written stay its own. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/openat2.h>
#include <setjmp.h>

#define PAGE 4096UL
#define PAGES 6

static sigjmp_buf back;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* The byte at `address`, or '!' where there is no file behind it. */
static char peek(const char *address)
{
	char value = '!';

	if (sigsetjmp(back, 1) == 0)
		value = *(volatile const char *)address;
	return value ? value : '0';
}

static void show(const char *what, const char *map)
{
	say("%s:", what);
	for (unsigned int i = 0; i < PAGES; i++)
		say(" %c%c", peek(map + i * PAGE), peek(map + i * PAGE + 100));
	say("\n");
}

static void fill(int fd)
{
	char page[PAGE];

	expect(ftruncate(fd, 0) == 0);
	for (unsigned int i = 0; i < 4; i++) {
		memset(page, (int)('a' + i), sizeof(page));
		expect(pwrite(fd, page, sizeof(page), (off_t)(i * PAGE)) == (ssize_t)sizeof(page));
	}
}

static char *map(int fd, int prot, int flags)
{
	char *address = mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);

	expect(address != MAP_FAILED);
	return address;
}

static void by_calls(const char *directory)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), readable = open("file", O_RDONLY);
	struct open_how how = { .flags = O_WRONLY | O_TRUNC };
	char *own, *seen, path[300];

	fill(fd);
	own = map(readable, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	seen = map(readable, PROT_READ, MAP_SHARED);
	own[PAGE] = 'X'; /* from now on the process's own page */
	expect(pwrite(fd, "12", 2, (off_t)PAGE + 100) == 2);
	expect(pwrite(fd, "34", 2, (off_t)(2 * PAGE) - 1) == 2);
	show("private", own);
	show("read-only", seen);
	if (fork() == 0) {
		own[2 * PAGE] = 'Y';
		expect(pwrite(fd, "5", 1, 0) == 1);
		show("child", own);
		_exit(0);
	}
	expect(reap(-1) == 0);
	show("parent", own);
	expect(lseek(fd, 0, SEEK_END) == (off_t)(4 * PAGE) && write(fd, "tail", 4) == 4);
	show("longer", own);
	expect(ftruncate(fd, (off_t)PAGE + 50) == 0);
	show("shorter", own);
	expect(ftruncate(fd, (off_t)(5 * PAGE)) == 0);
	show("longer again", own);
	own[3 * PAGE] = 'Z';
	expect(truncate("file", (off_t)(3 * PAGE)) == 0);
	show("truncate", own);
	snprintf(path, sizeof(path), "%s/../%s/file", directory, strrchr(directory, '/') + 1);
	expect(truncate(path, 10) == 0);
	show("by path", seen);
	close(open("file", O_WRONLY | O_TRUNC));
	show("O_TRUNC", own);
	expect(write(creat("file", 0600), "creat", 5) == 5);
	show("creat", own);
	close((int)syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how)));
	show("openat2", seen);
	expect(munmap(own, PAGES * PAGE) == 0 && munmap(seen, PAGES * PAGE) == 0);
	close(fd);
	close(readable);
}

static void by_stores(void)
{
	int fd = open("other", O_RDWR | O_CREAT, 0600);
	char *early, *late, *shared;

	fill(fd);
	early = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	early[0] = 'E';
	shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	late = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	late[PAGE] = 'L';
	shared[0] = shared[PAGE] = shared[2 * PAGE + 100] = 'S';
	show("early", early);
	show("late", late);
	if (fork() == 0) {
		shared[3 * PAGE] = 'C';
		_exit(0);
	}
	expect(reap(-1) == 0);
	show("early", early);
	show("late", late);
	expect(munmap(shared, PAGES * PAGE) == 0);
	expect(pwrite(fd, "W", 1, (off_t)(3 * PAGE) + 100) == 1);
	show("early", early);
	show("late", late);
	close(fd);
}

int main(void)
{
	char path[256];

	signal(SIGBUS, on_bus);
	scratch_begin(path);
	by_calls(path);
	by_stores();
	unlink("file");
	unlink("other");
	scratch_end(path);
	return 0;
}
