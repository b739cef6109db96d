/* Advice that takes effect up to the mapping at which it fails: locked pages, memory that cannot be wiped. */
#include "guest.h"
#include <sys/mman.h>

#define PAGE 4096UL

static char *pages(size_t count)
{
	char *map = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(map != MAP_FAILED);
	memset(map, 'x', count * PAGE);
	return map;
}

static void look(const char *what, const char *map, size_t count)
{
	say("%s:", what);
	for (size_t i = 0; i < count; i++)
		say(" %d", map[i * PAGE]);
	say("\n");
}

static void locked_after(size_t free_pages)
{
	char *map = pages(8);
	int fd = memfd_create("file", 0);

	expect(fd >= 0 && pwrite(fd, "f", 1, 0) == 1 && ftruncate(fd, PAGE) == 0);
	expect(mmap(map + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
	       MAP_FAILED);
	map[PAGE] = 'y';
	expect(mlock(map + free_pages * PAGE, PAGE) == 0);
	expect(madvise(map, 8 * PAGE, MADV_DONTNEED) == -1 && errno == EINVAL);
	look("dropped before the lock", map, 8);
	expect(munlock(map, 8 * PAGE) == 0 && madvise(map, 8 * PAGE, MADV_DONTNEED) == 0);
	look("dropped", map, 8);
	expect(madvise(map + 1, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL);
	close(fd);
}

static void wiped_before(size_t shared_page)
{
	char *map = pages(4);

	expect(mmap(map + shared_page * PAGE, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	expect(madvise(map, 4 * PAGE, MADV_WIPEONFORK) == -1 && errno == EINVAL);
	if (fork() == 0) {
		look("the child has", map, 4);
		_exit(0);
	}
	expect(reap(-1) == 0);
}

int main(void)
{
	locked_after(0);
	locked_after(3);
	locked_after(7);
	wiped_before(0);
	wiped_before(2);
	return 0;
}
