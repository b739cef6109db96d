/* Code made at run time: written, protected, run, changed, also in writable and executable memory. */
#include "guest.h"
#include <sys/mman.h>

static void emit(unsigned char *at, int value)
{
	at[0] = 0xb8; /* mov eax, value; ret */
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static int run(void *at)
{
	int (*function)(void);

	memcpy(&function, &at, sizeof(function));
	return function();
}

int main(void)
{
	unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	int sum = 0;

	expect(code != MAP_FAILED);
	for (int i = 0; i < 5; i++) {
		emit(code + 4090, 100 + i); /* across a page boundary */
		expect(mprotect(code, 8192, PROT_READ | PROT_EXEC) == 0);
		sum = sum * 3 + run(code + 4090);
		expect(mprotect(code, 8192, PROT_READ | PROT_WRITE) == 0);
	}
	say("written and protected: %d\n", sum);
	expect(mprotect(code, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	for (int i = 0; i < 1000; i++) {
		emit(code + (i % 50) * 16, i);
		sum ^= run(code + (i % 50) * 16) * 7;
	}
	say("rewritten in place: %d\n", sum);
	if (fork() == 0) {
		emit(code, 77);
		_exit(run(code));
	}
	say("child %d, own %d\n", WEXITSTATUS(reap(-1)), run(code));
	return 0;
}
