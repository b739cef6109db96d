/* munmap and mprotect in the middle of mappings; which pages a system call may then read and write. */
#include "guest.h"
#include <sys/mman.h>

#define PAGE 4096UL
#define PAGES 24

static int ends[2];

static void show(const char *what, char *area)
{
	char line[PAGES + 1] = "", byte;

	for (size_t i = 0; i < PAGES; i++) {
		int readable = write(ends[1], area + i * PAGE, 1) == 1;

		line[i] = readable ? 'r' : '-';
		expect(readable || errno == EFAULT);
		if (!readable)
			expect(write(ends[1], "x", 1) == 1);
		if (read(ends[0], area + i * PAGE, 1) == 1)
			line[i] = 'w';
		else
			expect(errno == EFAULT && read(ends[0], &byte, 1) >= 0);
	}
	say("%-10s %s\n", what, line);
}

int main(void)
{
	char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	expect(area != MAP_FAILED && pipe2(ends, 04000) == 0);
	show("whole", area);
	expect(munmap(area + 3 * PAGE, PAGE) == 0 && munmap(area + 7 * PAGE, 3 * PAGE) == 0);
	show("holes", area);
	expect(mprotect(area + 12 * PAGE, 6 * PAGE, PROT_READ) == 0);
	expect(mprotect(area + 14 * PAGE, 2 * PAGE, PROT_NONE) == 0);
	show("protected", area);
	expect(munmap(area + 2 * PAGE, 11 * PAGE) == 0);
	show("across", area);
	expect(mprotect(area + 10 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE) == -1);
	say("over a hole: %s\n", errno == ENOMEM ? "ENOMEM" : "other");
	expect(mmap(area + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area + 4 * PAGE);
	show("refilled", area);
	expect(mprotect(area + 13 * PAGE, 5 * PAGE, PROT_READ | PROT_WRITE) == 0);
	show("joined", area);
	expect(munmap(area, PAGES * PAGE) == 0);
	show("gone", area);
	expect(mmap(area + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED);
	expect(errno == EINVAL && munmap(area + 1, PAGE) == -1 && errno == EINVAL);
	return 0;
}
