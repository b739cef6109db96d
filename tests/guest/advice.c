/* Advice that changes what is there: freed pages, guard pages, memory hidden or wiped in a child, seals. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103
#define NR_MSEAL 462

static sigjmp_buf escape;

static void on_fault(int signal)
{
	siglongjmp(escape, signal);
}

/* The signal that reading `at` raises, 0 for none. */
static int probe(volatile char *at)
{
	int signal = sigsetjmp(escape, 1);

	if (signal == 0)
		(void)*at;
	return signal;
}

static char *pages(size_t count)
{
	char *map = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(map != MAP_FAILED);
	memset(map, 'x', count * PAGE);
	return map;
}

static void freed(void)
{
	char *map = pages(4), *file;
	int fd = memfd_create("file", 0);

	expect(fd >= 0 && ftruncate(fd, PAGE) == 0);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	expect(madvise(map, 4 * PAGE, MADV_FREE) == 0);
	memset(map, 'y', PAGE);
	expect(map[0] == 'y' && (map[PAGE] == 'x' || map[PAGE] == 0));
	expect(madvise(file, PAGE, MADV_FREE) == -1 && errno == EINVAL);
	expect(madvise(map + 1, PAGE, MADV_FREE) == -1 && errno == EINVAL);
	expect(munmap(map + PAGE, PAGE) == 0);
	expect(madvise(map, 4 * PAGE, MADV_FREE) == -1 && errno == ENOMEM);
	expect(madvise(map, 0, MADV_FREE) == 0);
	close(fd);
	say("freed\n");
}

static void guarded(void)
{
	char *map = pages(6);

	if (madvise(map + PAGE, 2 * PAGE, GUARD_INSTALL) < 0)
		return;
	expect(probe(map + PAGE) == SIGSEGV && probe(map + 2 * PAGE) == SIGSEGV);
	expect(probe(map) == 0 && probe(map + 3 * PAGE) == 0);
	expect(write(1, map + PAGE, 1) == -1 && errno == EFAULT);
	if (fork() == 0)
		_exit(probe(map + PAGE));
	expect(WEXITSTATUS(reap(-1)) == SIGSEGV);
	expect(madvise(map + PAGE, 2 * PAGE, GUARD_REMOVE) == 0 && map[PAGE] == 0);
	map[PAGE] = 'z';
	expect(madvise(map + 4 * PAGE, PAGE, GUARD_INSTALL) == 0);
	say("guards went, one stays\n");
}

static void inherited(void)
{
	char *hidden = pages(2), *wiped = pages(2), *partly = pages(3);

	expect(madvise(hidden, 2 * PAGE, MADV_DONTFORK) == 0);
	expect(madvise(wiped, 2 * PAGE, MADV_WIPEONFORK) == 0);
	expect(madvise(partly + PAGE, PAGE, MADV_DONTFORK) == 0);
	if (fork() == 0) {
		expect(probe(hidden) == SIGSEGV && wiped[0] == 0 && wiped[PAGE] == 0);
		expect(partly[0] == 'x' && probe(partly + PAGE) == SIGSEGV && partly[2 * PAGE] == 'x');
		wiped[0] = 'c';
		expect(mmap(partly + PAGE, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == partly + PAGE);
		partly[PAGE] = 'n';
		if (fork() == 0)
			_exit(wiped[0] == 0 && partly[PAGE] == 'n' ? 5 : 6);
		_exit(WEXITSTATUS(reap(-1)));
	}
	say("in the child of the child: %d\n", WEXITSTATUS(reap(-1)));
	expect(madvise(wiped, 2 * PAGE, MADV_KEEPONFORK) == 0 &&
	       madvise(hidden, 2 * PAGE, MADV_DOFORK) == 0);
	if (fork() == 0)
		_exit(hidden[0] == 'x' && wiped[0] == 'x' ? 5 : 6);
	say("after taking it back: %d\n", WEXITSTATUS(reap(-1)));
}

static void sealed(void)
{
	char *map = pages(4);

	if (syscall(NR_MSEAL, map + PAGE, PAGE, 0UL) < 0)
		return;
	expect(mprotect(map + PAGE, PAGE, PROT_READ) == -1 && errno == EPERM);
	expect(munmap(map, 4 * PAGE) == -1 && errno == EPERM && map[3 * PAGE] == 'x');
	expect(mremap(map + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	expect(mmap(map, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED);
	map[PAGE] = 's';
	expect(munmap(map + 2 * PAGE, 2 * PAGE) == 0);
	say("sealed\n");
}

static void ranges(void)
{
	static const int advice[] = { MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLD,
				      MADV_PAGEOUT,	  MADV_HUGEPAGE,       MADV_NOHUGEPAGE,
				      MADV_DONTDUMP,	  MADV_DODUMP,	       MADV_SEQUENTIAL,
				      MADV_MERGEABLE,	  MADV_UNMERGEABLE };
	char *map = pages(8), *locked = pages(2);
	int fd = memfd_create("holes", 0), failed = 0;
	char *shared;

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		failed += madvise(map, 8 * PAGE, advice[i]) != 0 && errno != EINVAL;
	expect(failed == 0 && map[7 * PAGE] == 'x');
	expect(munmap(map + 2 * PAGE, PAGE) == 0);
	expect(madvise(map, 8 * PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM);
	say("around a hole: %d %d %d\n", map[PAGE], map[3 * PAGE], map[7 * PAGE]);
	expect(mlock(locked, PAGE) == 0);
	expect(madvise(locked, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL && locked[0] == 'x');
	expect(madvise(locked, PAGE, MADV_DONTNEED_LOCKED) == 0 && locked[0] == 0);
	expect(ftruncate(fd, 4 * PAGE) == 0);
	shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(shared, 's', 4 * PAGE);
	expect(madvise(shared + PAGE, PAGE, MADV_REMOVE) == 0);
	say("removed: %d %d %d\n", shared[0], shared[PAGE], shared[2 * PAGE]);
	expect(madvise(map, PAGE, MADV_REMOVE) == -1 && errno == EINVAL);
	close(fd);
}

int main(void)
{
	signal(SIGSEGV, on_fault);
	freed();
	guarded();
	inherited();
	sealed();
	ranges();
	return 0;
}
