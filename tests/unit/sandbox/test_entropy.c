#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../../sandbox/entropy.h"

#define TEXT_BYTES 400

/* A text of instructions of three bytes with `site` somewhere in the middle, and what follows it. */
static size_t make(uint8_t text[TEXT_BYTES], const char *site, size_t length)
{
	static const uint8_t filler[] = { 0x48, 0x89, 0xc3 }; /* mov %rax, %rbx */
	size_t at = 0;

	while (at < 201) {
		memcpy(text + at, filler, sizeof(filler));
		at += sizeof(filler);
	}
	memcpy(text + at, site, length);
	memset(text + at + length, 0x90, TEXT_BYTES - at - length);
	return at;
}

static void finds_both_instructions_in_every_width(void **state)
{
	static const struct {
		const char *bytes;
		size_t length, opcode;
	} sites[] = {
		{ "\x0f\xc7\xf0\x72\x00", 5, 0 },		  /* rdrand %eax; jc */
		{ "\x0f\xc7\xfa\x0f\x92\xc1", 6, 0 },		  /* rdseed %edx; setc %cl */
		{ "\x48\x0f\xc7\xf0\x73\xfa", 6, 1 },		  /* rdrand %rax; jnc */
		{ "\x66\x0f\xc7\xf1\x73\xfa", 6, 1 },		  /* rdrand %cx; jnc */
		{ "\x49\x0f\xc7\xf5\x4c\x89\xe8\x72\x00", 9, 1 }, /* rdrand %r13; mov; jc */
	};
	uint8_t text[TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		size_t at = make(text, sites[i].bytes, sites[i].length);

		assert_int_equal(entropy_find(text, TEXT_BYTES, 0), at + sites[i].opcode);
		assert_int_equal(entropy_find(text, TEXT_BYTES, at + sites[i].opcode + 1), TEXT_BYTES);
	}
}

static void passes_over_what_only_looks_like_one(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} others[] = {
		{ "\xb8\x0f\xc7\xf0\x00\x72\x00", 7 }, /* mov $0xf0c70f, %eax; jc */
		{ "\xf3\x0f\xc7\xf8\x72\x00", 6 },     /* rdpid %rax; jc */
		{ "\x0f\xc7\xf0\xc3", 4 },	       /* nobody tests the carry flag */
		{ "\x0f\xc7\x33\x72\x00", 5 },	       /* vmptrld (%rbx): memory */
		{ "\x48\xb8\x01\x02\x0f\xc7\xf8\x03\x04\x05\x72\x00", 12 }, /* movabs; jc */
	};
	uint8_t text[TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		make(text, others[i].bytes, others[i].length);
		assert_int_equal(entropy_find(text, TEXT_BYTES, 0), TEXT_BYTES);
	}
	assert_int_equal(entropy_find((const uint8_t *)"\x0f\xc7", 2, 0), 2);
	assert_int_equal(entropy_find(NULL, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_both_instructions_in_every_width),
		cmocka_unit_test(passes_over_what_only_looks_like_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
