/* Advice and locks on memory: pages that come back zero or from the file, locked, sealed against fork. */
#include "guest.h"
#include <sys/mman.h>

#define PAGE 4096UL

int main(void)
{
	char *map = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *file;
	int fd = memfd_create("file", 0);
	unsigned char present[16];
	int sum = 0;

	expect(map != MAP_FAILED && write(fd, "from the file", 13) == 13);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	expect(file != MAP_FAILED);
	memset(map, 'm', 16 * PAGE);
	strcpy(file, "own bytes");
	expect(madvise(file, PAGE, MADV_DONTNEED) == 0 &&
	       madvise(map + 4 * PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
	for (size_t i = 0; i < 16; i++)
		sum += map[i * PAGE] == 'm';
	say("%d pages kept, file page: %s\n", sum, file);
	expect(madvise(map + 8 * PAGE, PAGE, MADV_FREE) == 0 || errno == EINVAL);
	memset(map + 8 * PAGE, 'n', PAGE);
	expect(madvise(map, 16 * PAGE, MADV_WILLNEED) == 0 && madvise(map, 16 * PAGE, MADV_RANDOM) == 0);
	expect(madvise(map, PAGE, MADV_DONTFORK) == 0 || errno == EINVAL);
	expect(madvise(map, PAGE, MADV_DOFORK) == 0 || errno == EINVAL);
	expect(madvise(map + PAGE, PAGE, 9999) == -1 && errno == EINVAL);
	expect(mincore(map, 16 * PAGE, present) == 0);
	expect(mlock(map, 2 * PAGE) == 0 && munlock(map, 2 * PAGE) == 0);
	expect(msync(file, PAGE, MS_ASYNC) == 0);
	if (fork() == 0)
		_exit(map[0] == 'm' && map[8 * PAGE] == 'n' && map[4 * PAGE] == 0);
	say("child agrees: %d\n", WEXITSTATUS(reap(-1)));
	return 0;
}
