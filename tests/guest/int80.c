/* A 32-bit call from 64-bit code. Natively it works; Sworn ends the program, which is what its test expects. */
#include "guest.h"

int main(void)
{
	int pid;

	say("before\n");
	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	say("after: %d\n", pid == getpid());
	return 0;
}
