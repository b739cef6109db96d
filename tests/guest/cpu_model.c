/* What the processor says of itself agrees: CPUID, XGETBV, the auxiliary vector, /proc/cpuinfo, and what XSAVE does. */
#include "guest.h"
#include <cpuid.h>
#include <elf.h>

#define AREA_BYTES 16384
#define FILLER 0xa5
#define OSXSAVE (1U << 27)
#define AVX (1U << 28)

struct leaf {
	unsigned int a, b, c, d;
};

static struct leaf ask(unsigned int leaf, unsigned int subleaf)
{
	struct leaf answer;

	__cpuid_count(leaf, subleaf, answer.a, answer.b, answer.c, answer.d);
	return answer;
}

static const struct {
	const char *name;
	unsigned int leaf, word, bit;
} features[] = {
	{ "ssse3", 1, 2, 9 },	{ "fma", 1, 2, 12 },	     { "sse4_2", 1, 2, 20 },
	{ "movbe", 1, 2, 22 },	{ "popcnt", 1, 2, 23 },	     { "aes", 1, 2, 25 },
	{ "avx", 1, 2, 28 },	{ "f16c", 1, 2, 29 },	     { "rdrand", 1, 2, 30 },
	{ "bmi1", 7, 1, 3 },	{ "avx2", 7, 1, 5 },	     { "bmi2", 7, 1, 8 },
	{ "rdseed", 7, 1, 18 }, { "avx512f", 7, 1, 16 },     { "avx512vl", 7, 1, 31 },
	{ "rdpid", 7, 2, 22 },	{ "abm", 0x80000001, 2, 5 },
};

static void features_agree(const char *flags)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		struct leaf answer = ask(features[i].leaf, 0);
		unsigned int words[4] = { answer.a, answer.b, answer.c, answer.d };
		int offered = words[features[i].word] >> features[i].bit & 1;
		char word[32];

		snprintf(word, sizeof(word), " %s ", features[i].name);
		say("%s%d ", word + 1, offered);
		expect(!flags || !!strstr(flags, word) == offered);
	}
	say("\n");
}

/* The line of that name, its newline made a space; NULL without one. */
static const char *line_of(const char *text, const char *name, char *line, size_t size)
{
	const char *at = strstr(text, name);

	if (!at || !(at = strchr(at, ':')))
		return NULL;
	snprintf(line, size, "%.*s ", (int)strcspn(at + 1, "\n"), at + 1);
	return line;
}

/* Of the kernel's own vector, behind the environment: the C library changes some of what getauxval(3) gives. */
static uint64_t auxv(uint64_t type)
{
	const uint64_t *at = (const uint64_t *)environ;

	while (*at++)
		;
	while (*at && *at != type)
		at += 2;
	return at[1];
}

/* The same, as the kernel's file has it. */
static uint64_t proc_auxv(uint64_t type)
{
	uint64_t pairs[64][2] = { 0 };
	FILE *file = fopen("/proc/self/auxv", "r");
	size_t count = file ? fread(pairs, sizeof(pairs[0]), 64, file) : 0;

	expect(file);
	fclose(file);
	for (size_t i = 0; i < count; i++) {
		if (pairs[i][0] == type)
			return pairs[i][1];
	}
	return 0;
}

static void processor(void)
{
	static char text[16384], line[8192];
	unsigned int brand[13] = { 0 };
	const char *own = (const char *)brand;
	struct leaf first = ask(1, 0);
	const char *name;
	FILE *file = fopen("/proc/cpuinfo", "r");

	for (unsigned int i = 0; i < 3; i++) {
		struct leaf part = ask(0x80000002 + i, 0);

		memcpy(brand + 4 * i, &part, sizeof(part));
	}
	own += strspn(own, " ");
	say("%s, signature %x\n", own, first.a);
	expect(auxv(AT_HWCAP) == first.d);
	expect(strcmp((const char *)auxv(AT_PLATFORM), "x86_64") == 0);
	expect(file && fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	name = line_of(text, "\nmodel name", line, sizeof(line));
	/* A recording of a named processor need not have made this file up, too. */
	if (!name || strncmp(name + 1, own, strlen(own)) != 0) {
		features_agree(NULL);
	} else {
		expect(proc_auxv(AT_HWCAP) == first.d && proc_auxv(AT_HWCAP2) == auxv(AT_HWCAP2));
		expect(proc_auxv(AT_ENTRY) == auxv(AT_ENTRY));
		features_agree(line_of(text, "\nflags", line, sizeof(line)));
	}
}

/* All components that XCR0 enables fit into what leaf 0xd says, and the one of AVX is where it says. */
static void vector_area(void)
{
	static uint8_t area[AREA_BYTES] __attribute__((aligned(64)));
	static uint8_t pattern[16] = "sixteen bytes...";
	struct leaf all = ask(0xd, 0), avx = ask(0xd, 2);
	unsigned int low, high;

	if (!(ask(1, 0).c & OSXSAVE) || !(ask(1, 0).c & AVX)) {
		expect(!(ask(1, 0).c & AVX) && !(ask(7, 0).b & 1U << 5));
		say("no AVX\n");
		return;
	}
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	say("enabled %x, area of %u bytes, AVX %u at %u\n", low, all.b, avx.a, avx.b);
	expect((all.a & low) == low && high == all.d);
	expect(all.b <= AREA_BYTES && avx.a == 256);
	memset(area, FILLER, sizeof(area));
	memset(area + 512, 0, 64);
	__asm__ volatile("vmovdqu %1, %%xmm7; vinserti128 $1, %1, %%ymm7, %%ymm7; xsave %0"
			 : "+m"(area)
			 : "m"(pattern), "a"(-1), "d"(-1)
			 : "xmm7");
	expect(memcmp(area + avx.b + 7 * 16, pattern, 16) == 0);
	for (size_t i = all.b; i < AREA_BYTES; i++)
		expect(area[i] == FILLER);
}

int main(void)
{
	struct leaf last = ask(0, 0), caches = ask(4, 0);
	char vendor[13] = { 0 };

	memcpy(vendor, &last.b, 4);
	memcpy(vendor + 4, &last.d, 4);
	memcpy(vendor + 8, &last.c, 4);
	say("%s, leaves to %x and %x, caches %x\n", vendor, last.a, ask(0x80000000, 0).a, caches.a);
	processor();
	vector_area();
	return 0;
}
