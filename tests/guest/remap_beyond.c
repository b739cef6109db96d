/* mremap of file mappings that reach behind the file's end: moved, grown, cut, from their middle. */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096UL

static sigjmp_buf back;

static void on_bus(int signal)
{
	siglongjmp(back, signal);
}

static void look(const char *what, const volatile char *at, unsigned int pages)
{
	say("%s:", what);
	for (unsigned int i = 0; i < pages; i++) {
		int signal = sigsetjmp(back, 1);

		if (signal)
			say(" -");
		else
			say(" %d", at[i * PAGE]);
	}
	say("\n");
}

static char *map(char *at, unsigned int pages, int fd, int how)
{
	char *p = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, how, fd, 0);

	expect(p != MAP_FAILED);
	return p;
}

static char *remap(char *p, unsigned int old, unsigned int pages, int how)
{
	char *q = mremap(p, old * PAGE, pages * PAGE, how);

	expect(q != MAP_FAILED);
	return q;
}

/* Three pages of content, and two behind them. */
static void forms(int fd, int how)
{
	char *p = map(NULL, 5, fd, how), *q;

	map(p, 1, fd, how | MAP_FIXED);
	p[PAGE] = 7;
	look("mapped", p, 5);
	p = remap(p, 5, 9, MREMAP_MAYMOVE);
	look("grown", p, 9);
	p = remap(p, 9, 4, 0);
	look("cut", p, 4);
	q = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(q != MAP_FAILED);
	map(q, 6, fd, how | MAP_FIXED);
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	expect(q != MAP_FAILED);
	look("moved onto another", q, 6);
	p = mremap(q + PAGE, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 8 * PAGE);
	expect(p == q + 8 * PAGE);
	look("its middle", p, 3);
	p = remap(p, 3, 1, MREMAP_MAYMOVE);
	look("one page", p, 1);
	q = mremap(q + 4 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 12 * PAGE);
	expect(q != MAP_FAILED);
	look("all behind the end", q, 2);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_bus };
	int fd = memfd_create("three pages", 0);

	expect(fd >= 0 && ftruncate(fd, 3 * PAGE - 100) == 0);
	for (int i = 0; i < 3; i++)
		expect(pwrite(fd, &(char){ (char)(i + 1) }, 1, i * (off_t)PAGE) == 1);
	sigaction(SIGBUS, &action, NULL);
	say("private\n");
	forms(fd, MAP_PRIVATE);
	say("shared\n");
	forms(fd, MAP_SHARED);
	return 0;
}
