#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cpuid.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../sandbox/cpu_model.h"

static const char *const names[] = { "x86-64-v2", "x86-64-v3", "x86-64-v4" };

static const struct cpu_model *model_of(const char *name)
{
	const struct cpu_model *model = cpu_model_find(name);

	assert_non_null(model);
	assert_string_equal(cpu_model_name(model), name);
	return model;
}

static uint32_t word_of(const char *name, uint32_t leaf, uint32_t subleaf, unsigned int word)
{
	uint32_t words[4];

	cpu_model_answer(model_of(name), leaf, subleaf, words);
	return words[word];
}

static void only_three_names_are_models(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		model_of(names[i]);
	assert_null(cpu_model_find("host"));
	assert_null(cpu_model_find("x86-64-v"));
	assert_null(cpu_model_find("x86-64-v33"));
}

static void each_level_offers_its_own_and_no_more(void **state)
{
	(void)state;
	/* SSE4.2 and POPCNT, no AVX, no XSAVE. */
	assert_int_equal(word_of("x86-64-v2", 1, 0, 2), 0x00982201);
	assert_int_equal(word_of("x86-64-v2", 7, 0, 1), 0);
	/* Also FMA, MOVBE, XSAVE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LAHF and LZCNT. */
	assert_int_equal(word_of("x86-64-v3", 1, 0, 2), 0x3cd83201);
	assert_int_equal(word_of("x86-64-v3", 7, 0, 1), 0x128);
	assert_int_equal(word_of("x86-64-v3", 0x80000001, 0, 2), 0x21);
	assert_int_equal(word_of("x86-64-v4", 7, 0, 1), 0xd0030128);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(word_of(names[i], 1, 0, 3), 0x078bfbff);
		/* No RDRAND, no hypervisor; no RDSEED; no RDPID. */
		assert_int_equal(word_of(names[i], 1, 0, 2) & 0xc0000000U, 0);
		assert_int_equal(word_of(names[i], 7, 0, 1) & 1U << 18, 0);
		assert_int_equal(word_of(names[i], 7, 0, 2), 0);
		assert_int_equal(word_of(names[i], 0x40000000, 0, 0), 0);
		assert_int_equal(word_of(names[i], 0x14, 0, 0), 0);
	}
}

static void leaves_without_subleaves_answer_to_all(void **state)
{
	(void)state;
	assert_int_equal(word_of("x86-64-v3", 1, 77, 2), word_of("x86-64-v3", 1, 0, 2));
	assert_int_equal(word_of("x86-64-v3", 7, 1, 1), 0);
	assert_int_equal(word_of("x86-64-v3", 4, 4, 0), 0);
	assert_int_equal(word_of("x86-64-v3", 0xb, 2, 1), 0);
	assert_int_equal(word_of("x86-64-v3", 0xb, 2, 2), 2);
}

static void the_area_of_xsave_is_the_hosts(void **state)
{
	uint32_t low, high, real[4], shown[4];

	(void)state;
	if (cpu_model_missing(model_of("x86-64-v3")))
		skip();
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	__cpuid_count(0xd, 0, real[0], real[1], real[2], real[3]);
	cpu_model_answer(model_of("x86-64-v3"), 0xd, 0, shown);
	assert_int_equal(shown[0], low);
	assert_int_equal(shown[1], real[1]);
	assert_int_equal(shown[3], high);
	for (uint32_t i = 2; i < 32; i++) {
		__cpuid_count(0xd, i, real[0], real[1], real[2], real[3]);
		cpu_model_answer(model_of("x86-64-v3"), 0xd, i, shown);
		assert_int_equal(shown[0], low & 1U << i ? real[0] : 0);
		assert_int_equal(shown[1], low & 1U << i ? real[1] : 0);
	}
	/* No XSAVEOPT, XSAVEC, XGETBV 1 or XSAVES. */
	assert_int_equal(word_of("x86-64-v3", 0xd, 1, 0), 0);
	assert_int_equal(word_of("x86-64-v2", 0xd, 0, 1), 0);
}

static void the_brand_names_the_model(void **state)
{
	uint32_t words[12];

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		cpu_model_answer(model_of("x86-64-v3"), 0x80000002 + i, 0, words + 4 * i);
	assert_string_equal((const char *)words, "Sworn x86-64-v3");
}

static void cpuinfo_and_auxiliary_vector_agree_with_cpuid(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct cpu_model *model = model_of(names[i]);
		const char *text = cpu_model_cpuinfo(model);

		assert_int_equal(cpu_model_auxv(model, AT_HWCAP, 0x12345), word_of(names[i], 1, 0, 3));
		assert_int_equal(cpu_model_auxv(model, AT_HWCAP2, 2), 0);
		assert_int_equal(cpu_model_auxv(model, AT_PAGESZ, 4096), 4096);
		assert_non_null(strstr(text, names[i]));
		assert_true(!!strstr(text, " avx2 ") == (i >= 1));
		assert_true(!!strstr(text, " avx512f ") == (i >= 2));
		assert_null(strstr(text, "rdrand"));
		assert_true(strlen(text) > 4 && !strcmp(text + strlen(text) - 2, "\n\n"));
	}
}

static void a_host_that_lacks_a_feature_is_told_by_its_name(void **state)
{
	(void)state;
	setenv("SWORN_WITHOUT", "avx2", 1);
	assert_null(cpu_model_missing(model_of("x86-64-v2")));
	if (__builtin_cpu_supports("avx"))
		assert_string_equal(cpu_model_missing(model_of("x86-64-v3")), "avx2");
	unsetenv("SWORN_WITHOUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_three_names_are_models),
		cmocka_unit_test(each_level_offers_its_own_and_no_more),
		cmocka_unit_test(leaves_without_subleaves_answer_to_all),
		cmocka_unit_test(the_area_of_xsave_is_the_hosts),
		cmocka_unit_test(the_brand_names_the_model),
		cmocka_unit_test(cpuinfo_and_auxiliary_vector_agree_with_cpuid),
		cmocka_unit_test(a_host_that_lacks_a_feature_is_told_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
