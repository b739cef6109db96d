/* A computation that stores its flags, loads them again and enters calls, while a thread that shares its memory waits: who
 * looks at it step by step leaves nothing behind in the flags. */
#include "guest.h"
#include <pthread.h>
#include <sys/syscall.h>

#define ROUNDS 15000
#define TRAP_FLAG 0x100ULL

static uint64_t sums[2];

static uint64_t call(void)
{
	uint64_t result = SYS_getppid, flags;

	__asm__ volatile("syscall\n\tmov %%r11, %1"
			 : "+a"(result), "=r"(flags)
			 :
			 : "rcx", "r11", "memory");
	return flags;
}

static void *work(void *number)
{
	uint64_t sum = 1, stored;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 1500; i++) {
			__asm__ volatile("pushf\n\tpop %0" : "=r"(stored));
			expect(!(stored & TRAP_FLAG));
			__asm__ volatile("pushf\n\tpopf" : : : "cc", "memory");
			sum = sum * 31 + (uint64_t)i;
		}
		expect(!(call() & TRAP_FLAG));
	}
	sums[(intptr_t)number] = sum;
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	for (intptr_t i = 0; i < 2; i++)
		expect(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	for (int i = 0; i < 2; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	say("%s\n", sums[0] == sums[1] ? "the same sums" : "different sums");
	return 0;
}
