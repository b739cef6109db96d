/* The stack grows: recursion through 6 MiB, then one alloca of 3 MiB touched from below. */
#include "guest.h"
#include <alloca.h>

static unsigned int down(int depth)
{
	volatile unsigned char frame[4000];

	frame[0] = (unsigned char)depth;
	frame[3999] = (unsigned char)(depth >> 8);
	if (depth == 0)
		return 0;
	return down(depth - 1) + frame[0] + frame[3999];
}

__attribute__((noinline)) static unsigned int leap(size_t bytes)
{
	volatile unsigned char *low = alloca(bytes);
	unsigned int sum = 0;

	low[0] = 5;
	low[bytes / 2] = 6;
	for (size_t i = 0; i < bytes; i += 4096)
		sum += low[i] == 5;
	return sum > 0;
}

int main(void)
{
	say("recursion %u\n", down(1500));
	say("leap %u\n", leap(3 << 20));
	if (fork() == 0)
		_exit((int)(down(1400) & 0x3f));
	say("child %u %u\n", (unsigned int)WEXITSTATUS(reap(-1)), down(1400) & 0x3f);
	return 0;
}
