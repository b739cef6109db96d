/* RDRAND and RDSEED in every width, with registers that need a prefix; in text of the program and in text that it maps
 * itself. Bytes that only look like them stay what they are. */
#include "guest.h"
#include <cpuid.h>
#include <fcntl.h>
#include <sys/mman.h>

#define TRIES 1000

#define DRAW(name, instruction, type)                                \
	__attribute__((noinline)) static uint64_t name(void)         \
	{                                                            \
		type value = 0;                                      \
		uint8_t carry = 0;                                   \
                                                                     \
		for (int i = 0; i < TRIES && !carry; i++)            \
			__asm__ volatile(instruction "\n\tsetc %1"   \
					 : "=r"(value), "=qm"(carry) \
					 :                           \
					 : "cc");                    \
		expect(carry);                                       \
		return value;                                        \
	}

DRAW(draw_16, "rdrand %w0", uint16_t)
DRAW(draw_32, "rdrand %k0", uint32_t)
DRAW(draw_64, "rdrand %q0", uint64_t)
DRAW(seed_32, "rdseed %k0", uint32_t)
DRAW(seed_64, "rdseed %q0", uint64_t)

__attribute__((noinline)) static uint64_t draw_high(void)
{
	uint64_t value;
	uint8_t carry;

	__asm__ volatile("1: rdrand %%r13\n\tjnc 1b\n\tmov %%r13, %0\n\tsetc %1"
			 : "=r"(value), "=qm"(carry)
			 :
			 : "r13", "cc");
	expect(carry);
	return value;
}

/* The same bytes inside another instruction. */
__attribute__((noinline)) static uint32_t constant(void)
{
	uint32_t value;

	__asm__ volatile("mov $0xf0c70f11, %0\n\tadc $0, %0" : "=r"(value) : : "cc");
	return value | 1;
}

/* Text without addresses: two bytes of prefix and opcode, a retry, a return. Not executable here, so nothing in it was
 * replaced. */
__asm__(".pushsection .rodata\n.balign 4096\n.globl page_of_text\npage_of_text:\n\t1: rdrand %rax\n\tjnc 1b\n\tret\n\t.balign 4096, 0x90\n.popsection\n");
extern const char page_of_text[];

static volatile uint64_t kept;

static void mapped_text(void)
{
	char path[256], file[300];
	uint64_t (*text)(void), a, b;
	int fd;

	scratch_begin(path);
	snprintf(file, sizeof(file), "%s/text", path);
	fd = open(file, O_RDWR | O_CREAT | O_EXCL, 0600);
	expect(fd >= 0 && write(fd, page_of_text, 4096) == 4096);
	text = (uint64_t(*)(void))mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	expect((void *)text != MAP_FAILED);
	a = text();
	b = text();
	say("mapped: %s\n", a != b ? "two numbers" : "the same twice");
	expect(munmap((void *)text, 4096) == 0);
	text = (uint64_t(*)(void))mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	expect((void *)text != MAP_FAILED);
	expect(mprotect((void *)text, 4096, PROT_READ | PROT_EXEC) == 0);
	a = text();
	b = text();
	kept = a; /* in memory that is hashed */
	say("made executable: %s\n", a != b ? "two numbers" : "the same twice");
	expect(munmap((void *)text, 4096) == 0);
	close(fd);
	expect(unlink(file) == 0);
	scratch_end(path);
}

/* With an argument the numbers themselves, without asking whether there are any: native runs have others. */
int main(int argc, char **argv)
{
	unsigned int a, b, c, d, b7;
	uint64_t sum = 0;

	(void)argv;
	if (argc > 1) {
		a = draw_32();
		say("%08x %016lx\n", a, draw_64());
		return 0;
	}
	expect(__get_cpuid(1, &a, &b, &c, &d) && __get_cpuid_count(7, 0, &a, &b7, &a, &d));
	say("constant %x\n", constant());
	if (!(c & bit_RDRND) || !(b7 & bit_RDSEED)) {
		say("no such instructions\n");
		return 0;
	}
	for (int i = 0; i < 20; i++)
		sum += draw_16() ^ draw_32() ^ draw_64() ^ seed_32() ^ seed_64() ^ draw_high();
	say("drawn: %s\n", sum != 0 ? "something" : "nothing");
	mapped_text();
	return 0;
}
