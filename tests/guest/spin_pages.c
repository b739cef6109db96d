/* Two threads of a process with much memory wait for each other by spinning, and write a few pages in between. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "guest.h"

#define PAGE 4096UL
#define PAGES 1500UL
#define ROUNDS 12

static atomic_int turn;
static unsigned char *memory;

static void *other(void *context)
{
	for (size_t i = 0; i < ROUNDS; i++) {
		while (atomic_load(&turn) != 1)
			;
		memory[(100 + i) * PAGE + 5] += memory[i * PAGE];
		atomic_store(&turn, 0);
	}
	return context;
}

int main(void)
{
	pthread_t thread;

	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(memory != MAP_FAILED);
	for (size_t i = 0; i < PAGES; i++)
		memset(memory + i * PAGE, (int)(i % 250 + 1), PAGE);
	expect(pthread_create(&thread, NULL, other, NULL) == 0);
	for (size_t i = 0; i < ROUNDS; i++) {
		memory[i * PAGE]++;
		if (i == ROUNDS / 2)
			expect(madvise(memory + 1000 * PAGE, 300 * PAGE, MADV_DONTNEED) == 0);
		atomic_store(&turn, 1);
		while (atomic_load(&turn) != 0)
			;
	}
	expect(pthread_join(thread, NULL) == 0);
	say("%016lx\n", (unsigned long)fingerprint(memory, PAGES * PAGE));
	return 0;
}
