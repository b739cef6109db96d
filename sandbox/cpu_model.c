#include "cpu_model.h"

#include <cpuid.h>
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host.h"

#define CPUINFO_BYTES 2048
#define LEAF_FEATURES 1U
#define LEAF_STRUCTURED 7U
#define LEAF_XSAVE 0xdU
#define LEAF_EXTENDED 0x80000001U
#define EXTENDED_MAX 0x80000008U
#define BASIC_MAX 0xdU
#define BIT_OSXSAVE 27
#define BRAND_BYTES 48

enum { EAX, EBX, ECX, EDX };

struct cpu_model {
	const char *name;
	unsigned int level;
	uint32_t family_model;	   /* of leaf 1: one that was sold with just about these features */
	unsigned int model_number; /* the same, as /proc/cpuinfo has it */
};

/* The family is 6 and the vendor's leaves are those of Intel: what knows no such processor asks features only. */
static const struct cpu_model models[] = {
	{ "x86-64-v2", 2, 0x000106a5, 26 },
	{ "x86-64-v3", 3, 0x000306c3, 60 },
	{ "x86-64-v4", 4, 0x00050654, 85 },
};

/* In the order of /proc/cpuinfo. A program uses those marked `used` without the kernel's help, so the host must have
 * them; others only say how the machine is run. */
static const struct feature {
	const char *name;
	uint32_t leaf;
	unsigned int word, bit, level;
	bool used;
} features[] = {
	{ "fpu", LEAF_FEATURES, EDX, 0, 1, true },
	{ "vme", LEAF_FEATURES, EDX, 1, 1, false },
	{ "de", LEAF_FEATURES, EDX, 2, 1, false },
	{ "pse", LEAF_FEATURES, EDX, 3, 1, false },
	{ "tsc", LEAF_FEATURES, EDX, 4, 1, true },
	{ "msr", LEAF_FEATURES, EDX, 5, 1, false },
	{ "pae", LEAF_FEATURES, EDX, 6, 1, false },
	{ "mce", LEAF_FEATURES, EDX, 7, 1, false },
	{ "cx8", LEAF_FEATURES, EDX, 8, 1, true },
	{ "apic", LEAF_FEATURES, EDX, 9, 1, false },
	{ "sep", LEAF_FEATURES, EDX, 11, 1, false },
	{ "mtrr", LEAF_FEATURES, EDX, 12, 1, false },
	{ "pge", LEAF_FEATURES, EDX, 13, 1, false },
	{ "mca", LEAF_FEATURES, EDX, 14, 1, false },
	{ "cmov", LEAF_FEATURES, EDX, 15, 1, true },
	{ "pat", LEAF_FEATURES, EDX, 16, 1, false },
	{ "pse36", LEAF_FEATURES, EDX, 17, 1, false },
	{ "clflush", LEAF_FEATURES, EDX, 19, 1, true },
	{ "mmx", LEAF_FEATURES, EDX, 23, 1, true },
	{ "fxsr", LEAF_FEATURES, EDX, 24, 1, true },
	{ "sse", LEAF_FEATURES, EDX, 25, 1, true },
	{ "sse2", LEAF_FEATURES, EDX, 26, 1, true },
	{ "syscall", LEAF_EXTENDED, EDX, 11, 1, true },
	{ "nx", LEAF_EXTENDED, EDX, 20, 1, false },
	{ "rdtscp", LEAF_EXTENDED, EDX, 27, 1, true },
	{ "lm", LEAF_EXTENDED, EDX, 29, 1, true },
	{ "pni", LEAF_FEATURES, ECX, 0, 2, true },
	{ "ssse3", LEAF_FEATURES, ECX, 9, 2, true },
	{ "fma", LEAF_FEATURES, ECX, 12, 3, true },
	{ "cx16", LEAF_FEATURES, ECX, 13, 2, true },
	{ "sse4_1", LEAF_FEATURES, ECX, 19, 2, true },
	{ "sse4_2", LEAF_FEATURES, ECX, 20, 2, true },
	{ "movbe", LEAF_FEATURES, ECX, 22, 3, true },
	{ "popcnt", LEAF_FEATURES, ECX, 23, 2, true },
	{ "xsave", LEAF_FEATURES, ECX, 26, 3, true },
	{ "avx", LEAF_FEATURES, ECX, 28, 3, true },
	{ "f16c", LEAF_FEATURES, ECX, 29, 3, true },
	{ "lahf_lm", LEAF_EXTENDED, ECX, 0, 2, true },
	{ "abm", LEAF_EXTENDED, ECX, 5, 3, true },
	{ "bmi1", LEAF_STRUCTURED, EBX, 3, 3, true },
	{ "avx2", LEAF_STRUCTURED, EBX, 5, 3, true },
	{ "bmi2", LEAF_STRUCTURED, EBX, 8, 3, true },
	{ "avx512f", LEAF_STRUCTURED, EBX, 16, 4, true },
	{ "avx512dq", LEAF_STRUCTURED, EBX, 17, 4, true },
	{ "avx512cd", LEAF_STRUCTURED, EBX, 28, 4, true },
	{ "avx512bw", LEAF_STRUCTURED, EBX, 30, 4, true },
	{ "avx512vl", LEAF_STRUCTURED, EBX, 31, 4, true },
};
#define FEATURES (sizeof(features) / sizeof(features[0]))

/* What answers leaves without features: leaf, subleaf, registers. One thread of one core; 32 KiB, 256 KiB and 8 MiB
 * of cache in lines of 64 bytes. */
static const uint32_t fixed[][6] = {
	{ 0x1, 0, 0, 0x00010800, 0, 0 }, /* a line of 8 words of CLFLUSH, one logical processor */
	{ 0x2, 0, 0x0000ff01, 0, 0, 0 }, /* caches: see leaf 4 */
	{ 0x4, 0, 0x00000121, 0x01c0003f, 63, 0 },
	{ 0x4, 1, 0x00000122, 0x01c0003f, 63, 0 },
	{ 0x4, 2, 0x00000143, 0x01c0003f, 511, 0 },
	{ 0x4, 3, 0x00000163, 0x03c0003f, 8191, 0 },
	{ 0xb, 0, 0, 1, 0x100, 0 },
	{ 0xb, 1, 0, 1, 0x201, 0 },
	{ 0x80000006, 0, 0, 0, 0x01006040, 0 },
	{ 0x80000007, 0, 0, 0, 0, 0x100 },	/* the time stamp counter never stops */
	{ 0x80000008, 0, 0x00003028, 0, 0, 0 }, /* 40 bits of physical, 48 of virtual address */
};

const struct cpu_model *cpu_model_find(const char *name)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	}
	return NULL;
}

const char *cpu_model_name(const struct cpu_model *model)
{
	return model->name;
}

static bool host_has(const struct feature *feature)
{
	uint32_t word[4] = { 0 };

	if (!strcmp(feature->name, "avx2") && !host_allows(HOST_AVX2))
		return false;
	__get_cpuid_count(feature->leaf, 0, &word[EAX], &word[EBX], &word[ECX], &word[EDX]);
	return word[feature->word] & 1U << feature->bit;
}

const char *cpu_model_missing(const struct cpu_model *model)
{
	uint32_t eax, ebx, ecx = 0, edx;

	for (size_t i = 0; i < FEATURES; i++) {
		if (features[i].used && features[i].level <= model->level && !host_has(&features[i]))
			return features[i].name;
	}
	__get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx);
	return model->level >= 3 && !(ecx & 1U << BIT_OSXSAVE) ? "osxsave" : NULL;
}

static uint32_t feature_word(const struct cpu_model *model, uint32_t leaf, unsigned int word)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < FEATURES; i++) {
		if (features[i].leaf == leaf && features[i].word == word &&
		    features[i].level <= model->level)
			bits |= 1U << features[i].bit;
	}
	if (leaf == LEAF_FEATURES && word == ECX && model->level >= 3)
		bits |= 1U << BIT_OSXSAVE;
	return bits;
}

static void brand(const struct cpu_model *model, char ret[BRAND_BYTES])
{
	memset(ret, 0, BRAND_BYTES);
	snprintf(ret, BRAND_BYTES, "Sworn %s", model->name);
}

/* The components that XCR0 enables, with the host's sizes and places. XSAVEC and its kind, whose output depends on
 * what the processor thinks is in use, are not offered. */
static void answer_xsave(const struct cpu_model *model, uint32_t subleaf, uint32_t ret[4])
{
	uint32_t low, high, word[4];

	if (model->level < 3)
		return;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	__cpuid_count(LEAF_XSAVE, subleaf, word[EAX], word[EBX], word[ECX], word[EDX]);
	if (subleaf == 0) {
		ret[EAX] = low;
		ret[EBX] = ret[ECX] = word[EBX]; /* what XCR0 enables, not what it could */
		ret[EDX] = high;
	} else if (subleaf > 1 && subleaf < 32 && (low & 1U << subleaf)) {
		memcpy(ret, word, sizeof(word));
	}
}

void cpu_model_answer(const struct cpu_model *model, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	bool indexed = leaf == 4 || leaf == LEAF_STRUCTURED || leaf == 0xb || leaf == LEAF_XSAVE;
	char text[BRAND_BYTES];

	memset(ret, 0, 4 * sizeof(ret[0]));
	if (!indexed)
		subleaf = 0;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (fixed[i][0] == leaf && fixed[i][1] == subleaf)
			memcpy(ret, fixed[i] + 2, 4 * sizeof(ret[0]));
	}
	for (unsigned int word = EAX; word <= EDX && subleaf == 0; word++)
		ret[word] |= feature_word(model, leaf, word);
	if (leaf == 0) {
		ret[EAX] = BASIC_MAX;
		memcpy(&ret[EBX], "Genu", 4);
		memcpy(&ret[EDX], "ineI", 4);
		memcpy(&ret[ECX], "ntel", 4);
	} else if (leaf == LEAF_FEATURES) {
		ret[EAX] = model->family_model;
	} else if (leaf == 0xb && subleaf > 1) {
		ret[ECX] = subleaf & 0xff;
	} else if (leaf == LEAF_XSAVE) {
		answer_xsave(model, subleaf, ret);
	} else if (leaf == 0x80000000) {
		ret[EAX] = EXTENDED_MAX;
	} else if (leaf >= 0x80000002 && leaf <= 0x80000004) {
		brand(model, text);
		memcpy(ret, text + (leaf - 0x80000002) * 16, 16);
	}
}

uint64_t cpu_model_auxv(const struct cpu_model *model, uint64_t type, uint64_t value)
{
	if (type == AT_HWCAP)
		return feature_word(model, LEAF_FEATURES, EDX);
	return type == AT_HWCAP2 ? 0 : value;
}

const char *cpu_model_cpuinfo(const struct cpu_model *model)
{
	static char text[CPUINFO_BYTES];
	char name[BRAND_BYTES];
	size_t at;

	brand(model, name);
	at = (size_t)snprintf(
		text, sizeof(text),
		"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
		"model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\nmicrocode\t: 0x1\n"
		"cpu MHz\t\t: 2000.000\ncache size\t: 8192 KB\nphysical id\t: 0\nsiblings\t: 1\n"
		"core id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\ninitial apicid\t: 0\n"
		"fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
		model->model_number, name, model->family_model & 15U, BASIC_MAX);
	for (size_t i = 0; i < FEATURES; i++) {
		if (features[i].level <= model->level)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", features[i].name);
	}
	snprintf(text + at, sizeof(text) - at,
		 " constant_tsc nonstop_tsc cpuid\nbugs\t\t:\nbogomips\t: 4000.00\nclflush size\t: 64\n"
		 "cache_alignment\t: 64\naddress sizes\t: 40 bits physical, 48 bits virtual\n"
		 "power management:\n\n");
	return text;
}
