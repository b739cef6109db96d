/* A shared file mapping, write(2) to the same file, a second mapping, a changed length. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096UL

int main(void)
{
	char path[256], *first, *second, text[8] = "";
	int fd;

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && ftruncate(fd, (off_t)(4 * PAGE)) == 0);
	first = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	second = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)PAGE);
	expect(first != MAP_FAILED && second != MAP_FAILED);
	strcpy(first + PAGE, "stored");
	say("second mapping: %s\n", second);
	expect(pwrite(fd, "WRIT", 4, (off_t)PAGE + 2) == 4);
	say("after pwrite: %s, %s\n", first + PAGE, second);
	expect(pwrite(fd, "qq", 2, (off_t)PAGE) == 2);
	say("shared: %.6s\n", first + PAGE);
	second[PAGE] = 'z';
	expect(msync(second, 2 * PAGE, MS_SYNC) == 0);
	expect(pread(fd, text, 2, (off_t)(2 * PAGE)) == 2);
	say("read back: %s\n", text);
	expect(ftruncate(fd, (off_t)PAGE) == 0 && ftruncate(fd, (off_t)(4 * PAGE)) == 0);
	say("after ftruncate: %d %d\n", first[PAGE], second[PAGE]);
	if (fork() == 0) {
		first[3 * PAGE] = 'k';
		_exit(0);
	}
	expect(reap(-1) == 0);
	say("from the child: %c\n", second[2 * PAGE - 1] == 0 ? first[3 * PAGE] : '?');
	expect(munmap(first, 4 * PAGE) == 0 && munmap(second, 2 * PAGE) == 0);
	expect(unlink("file") == 0);
	scratch_end(path);
	return 0;
}
