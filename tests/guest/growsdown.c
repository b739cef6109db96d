/* A MAP_GROWSDOWN area grows under the program's writes and under the kernel's. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096L

int main(void)
{
	char *room = mmap(NULL, 8UL << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *top;
	int ends[2];
	long sum = 0;

	expect(room != MAP_FAILED && munmap(room, 8UL << 20) == 0 && pipe(ends) == 0);
	top = mmap(room + (6L << 20), (size_t)PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	expect(top == room + (6L << 20));
	for (volatile long i = 0; i < 64; i++)
		top[-i * PAGE] = (char)i;
	expect(write(ends[1], "kernel", 6) == 6);
	expect(read(ends[0], top - 70 * PAGE, 6) == 6);
	for (long i = 0; i < 64; i++)
		sum += top[-i * PAGE];
	say("sum %ld, below: %.6s, between %d\n", sum, top - 70 * PAGE, top[-66 * PAGE]);
	return 0;
}
