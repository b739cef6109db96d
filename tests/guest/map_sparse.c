/* Reservations far larger than the machine, touched here and there; huge shared memory; locks and residence. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#define PAGE 4096UL
#define GIB (1UL << 30)
#define RW (PROT_READ | PROT_WRITE)

static char *reserve(size_t length, int prot)
{
	char *map = mmap(NULL, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	expect(map != MAP_FAILED);
	return map;
}

/* As a garbage-collected heap does: reserve, commit pieces, give some back, move the frontier. */
static void heap(void)
{
	char *heap = reserve(4096 * GIB, PROT_NONE);
	size_t sum = 0;

	for (size_t i = 0; i < 32; i++) {
		char *arena = heap + i * 64 * GIB + i * PAGE;

		expect(mprotect(arena, 64 * PAGE, RW) == 0);
		arena[i * PAGE] = (char)i;
		if (i % 3 == 0)
			expect(madvise(arena, 64 * PAGE, MADV_DONTNEED) == 0);
		if (i % 4 == 1)
			expect(mmap(arena, 64 * PAGE, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
				    0) == arena);
		else
			sum += (size_t)arena[i * PAGE];
	}
	say("heap sum %zu\n", sum);
	expect(munmap(heap + 1024 * GIB, 1024 * GIB) == 0);
	expect(mprotect(heap, 1024 * GIB, PROT_NONE) == 0);
}

static void shared(void)
{
	int fd = memfd_create("large", 0);
	char *map, *again;
	size_t sum = 0;

	expect(fd >= 0 && ftruncate(fd, (off_t)(2 * GIB)) == 0);
	map = mmap(NULL, 2 * GIB, RW, MAP_SHARED, fd, 0);
	again = mmap(NULL, GIB, RW, MAP_SHARED, fd, (off_t)GIB);
	expect(map != MAP_FAILED && again != MAP_FAILED);
	for (size_t at = 0; at < 2 * GIB; at += GIB / 8)
		map[at] = (char)(at / (GIB / 8) + 1);
	if (fork() == 0) {
		again[0]++;
		_exit(0);
	}
	expect(reap(-1) == 0);
	for (size_t at = 0; at < 2 * GIB; at += GIB / 8)
		sum += (size_t)map[at];
	expect(pwrite(fd, "at the end", 10, (off_t)(2 * GIB - 10)) == 10);
	say("shared sum %zu, %.10s\n", sum, again + GIB - 10);
	close(fd);
}

/* Mapped private first: what is written later reaches the pages that are still the file's. */
static void late(void)
{
	int fd = memfd_create("late", 0), nothing = memfd_create("nothing", 0);
	char *map, *empty;

	expect(ftruncate(fd, 48L << 20) == 0 && ftruncate(nothing, 48L << 20) == 0);
	expect(pwrite(fd, "early", 5, 20L << 20) == 5);
	map = mmap(NULL, 48L << 20, RW, MAP_PRIVATE, fd, 0);
	empty = mmap(NULL, 48L << 20, PROT_READ, MAP_SHARED, nothing, 0);
	expect(map != MAP_FAILED && empty != MAP_FAILED);
	strcpy(map + (30L << 20), "own");
	expect(pwrite(fd, "file", 4, 30L << 20) == 4 && pwrite(fd, "later", 5, 40L << 20) == 5);
	expect(pwrite(nothing, "something", 9, 10L << 20) == 9);
	say("%s, %s, %s, %s\n", map + (20L << 20), map + (30L << 20), map + (40L << 20),
	    empty + (10L << 20));
	close(fd);
	close(nothing);
}

static void pages(void)
{
	char *map = reserve(64 * PAGE, RW);
	unsigned char present[64];
	int count = 0;

	for (size_t i = 0; i < 64; i += 2)
		map[i * PAGE] = 1;
	expect(mincore(map, 64 * PAGE, present) == 0);
	for (size_t i = 0; i < 64; i += 2)
		count += present[i] & 1;
	say("present %d\n", count);
	expect(mincore(map + 1, PAGE, present) == -1 && errno == EINVAL);
	expect(mlock(map, 16 * PAGE) == 0 && mlock2(map + 16 * PAGE, PAGE, MLOCK_ONFAULT) == 0);
	expect(munlock(map, 17 * PAGE) == 0);
	expect(mlockall(MCL_CURRENT | MCL_ONFAULT) == 0 || errno == ENOMEM || errno == EPERM);
	expect(munlockall() == 0);
	expect(msync(map, 64 * PAGE, MS_SYNC | MS_INVALIDATE) == 0);
	expect(msync(map, PAGE, MS_SYNC | MS_ASYNC) == -1 && errno == EINVAL);
	expect(munmap(map + 8 * PAGE, PAGE) == 0);
	expect(msync(map, 64 * PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
	expect(mlock(map, 64 * PAGE) == -1 && mincore(map, 64 * PAGE, present) == -1);
	expect(munlock(map, 64 * PAGE) == -1 && errno == ENOMEM);
}

/* Large pages by name, which few hosts keep ready: refused, or what they should be. */
static void large_by_name(void)
{
	size_t length = 2UL << 20;
	char *map = mmap(NULL, length, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd = memfd_create("large", MFD_HUGETLB),
	    id = shmget(IPC_PRIVATE, length, SHM_HUGETLB | 0600);

	if (map != MAP_FAILED)
		expect(map[length - 1] == 0 && munmap(map, length) == 0);
	if (fd >= 0)
		expect(ftruncate(fd, (off_t)length) == 0 && close(fd) == 0);
	if (id >= 0)
		expect(shmctl(id, IPC_RMID, NULL) == 0);
	expect(memfd_create("all", ~0U) == -1 && errno == EINVAL);
	say("by name\n");
}

/* Large pages, if the host gives any: content and splits must not depend on them. */
static void large_pages(void)
{
	size_t length = 8UL << 20, step = 2UL << 20;
	char *map = reserve(length + step, RW), *large;

	large = (char *)(((uintptr_t)map + step - 1) & ~(step - 1));
	(void)madvise(large, length, MADV_HUGEPAGE);
	memset(large, 7, length);
	expect(mprotect(large + step + PAGE, PAGE, PROT_READ) == 0);
	expect(madvise(large + 2 * step + PAGE, 3 * PAGE, MADV_DONTNEED) == 0);
	expect(munmap(large + 3 * step + 5 * PAGE, PAGE) == 0);
	(void)madvise(large, step, 25 /* MADV_COLLAPSE */);
	say("large %d %d %d\n", large[step + PAGE], large[2 * step + PAGE], large[3 * step]);
}

int main(void)
{
	heap();
	shared();
	late();
	pages();
	large_by_name();
	large_pages();
	return 0;
}
