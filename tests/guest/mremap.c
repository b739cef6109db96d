/* mremap: growing in place and elsewhere, shrinking, to a fixed place, of a shared mapping, of a hole. */
#include "guest.h"
#include <sys/mman.h>

#define PAGE 4096UL

static void *anonymous(size_t pages, int flags)
{
	char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	expect(map != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		map[i * PAGE] = (char)(i + 1);
	return map;
}

static void show(const char *what, const char *map, size_t pages)
{
	say("%s:", what);
	for (size_t i = 0; i < pages; i++)
		say(" %d", map[i * PAGE]);
	say("\n");
}

int main(void)
{
	char *area = anonymous(32, MAP_PRIVATE), *shared = anonymous(4, MAP_SHARED), *moved, *twice;

	expect(munmap(area + 4 * PAGE, 28 * PAGE) == 0);
	moved = mremap(area, 4 * PAGE, 6 * PAGE, 0);
	say("in place: %d\n", moved == area);
	show("grown", area, 6);
	area = mremap(area, 6 * PAGE, 2 * PAGE, 0);
	show("shrunk", area, 2);
	moved = mmap(area + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(moved != MAP_FAILED);
	expect(mremap(area, 2 * PAGE, 4 * PAGE, 0) == MAP_FAILED);
	say("no room: %s\n", errno == ENOMEM ? "ENOMEM" : "other");
	moved = mremap(area, 2 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
	expect(moved != MAP_FAILED && moved != area);
	show("moved", moved, 3);
	twice = anonymous(3, MAP_PRIVATE);
	expect(mremap(moved, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, twice) == twice);
	show("fixed", twice, 3);
	shared = mremap(shared, 4 * PAGE, 3 * PAGE, 0);
	twice = mremap(shared, 0, 3 * PAGE, MREMAP_MAYMOVE);
	expect(twice != MAP_FAILED && twice != shared);
	twice[PAGE] = 77;
	show("second mapping of the same object", shared, 3);
	if (fork() == 0) {
		shared = mremap(shared, 3 * PAGE, 2 * PAGE, 0);
		shared[0] = 66;
		_exit(0);
	}
	expect(reap(-1) == 0);
	show("after the child", twice, 3);
	return 0;
}
