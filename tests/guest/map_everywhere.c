/*
 * Mappings at fixed addresses all over the lower half of the address space, taken away and protected again: where
 * something of the host's lies in the way the answer may be ENOMEM, and the program goes on.
 */
#include "guest.h"
#include <sys/mman.h>
#include <sys/syscall.h>

#define STEP 0x1000000UL
#define LAST 0x80000000UL

static void one(char *at)
{
	char *got = mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0);

	if (got == MAP_FAILED) {
		expect(errno == ENOMEM);
		expect(mprotect(at, 4096, PROT_READ) == -1 && errno == ENOMEM);
		expect(munmap(at, 4096) == -1 && errno == ENOMEM);
		return;
	}
	expect(got == at);
	*got = 1;
	expect(mprotect(at, 4096, PROT_NONE) == 0);
	expect(madvise(at, 4096, MADV_DONTNEED) == 0);
	expect(munmap(at, 4096) == 0);
}

int main(void)
{
	char *from = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;
	unsigned int count = 0;

	expect(from != MAP_FAILED);
	for (unsigned long at = STEP; at <= LAST; at += STEP) {
		one((char *)at); /* NOLINT(performance-no-int-to-ptr) */
		expect(syscall(SYS_getpid) == getpid());
		count++;
	}
	for (unsigned long at = STEP; at <= LAST; at += STEP) {
		moved = mremap(from, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)at);
		if (moved == MAP_FAILED)
			expect(errno == ENOMEM);
		else
			from = moved;
	}
	expect(*from == 0);
	say("%u addresses\n", count);
	return 0;
}
