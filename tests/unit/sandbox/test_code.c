#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "../../../sandbox/code.h"

#define SITES_MAX 8

static size_t find(const char *bytes, size_t length, size_t entry, uint32_t sites[SITES_MAX])
{
	return code_find((const uint8_t *)bytes, length, entry, sites, SITES_MAX);
}

static void follows_both_ways_of_a_branch(void **state)
{
	/* test; js 1f; cpuid; ret; 1: rdrand %rax; ret */
	static const char code[] = "\x85\xff\x78\x03\x0f\xa2\xc3\x48\x0f\xc7\xf0\xc3";
	uint32_t sites[SITES_MAX];

	(void)state;
	assert_int_equal(find(code, 12, 0, sites), 2);
	assert_int_equal(sites[0], 4);
	assert_int_equal(sites[1], 8);
	/* The last on the way counts, from wherever one comes. */
	assert_int_equal(find(code, 12, 7, sites), 1);
	assert_int_equal(sites[0], 8);
}

static void follows_calls_and_jumps_back(void **state)
{
	/* 1: cpuid; ret; entry: call 1b; jmp entry */
	static const char code[] = "\x0f\xa2\xc3\xe8\xf8\xff\xff\xff\xeb\xf9";
	uint32_t sites[SITES_MAX];

	(void)state;
	assert_int_equal(find(code, 10, 3, sites), 1);
	assert_int_equal(sites[0], 0);
}

static void what_nothing_leads_to_is_left_alone(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} codes[] = {
		{ "\xc3\x0f\xa2", 3 },		       /* behind a return */
		{ "\xeb\x02\x0f\xa2\xc3", 5 },	       /* jumped over */
		{ "\xff\xe0\x0f\xa2", 4 },	       /* behind a jump to somewhere */
		{ "\xb8\x0f\xa2\x00\x00\xc3", 6 },     /* a constant */
		{ "\x0f\x0b\x0f\xa2", 4 },	       /* behind ud2 */
		{ "\xe9\xff\xff\xff\x7f\x0f\xa2", 7 }, /* a jump out of it */
		{ "\x06\x0f\xa2", 3 },		       /* no instruction */
		{ "\x0f", 1 },			       /* half of one */
	};
	uint32_t sites[SITES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(find(codes[i].bytes, codes[i].length, 0, sites), 0);
}

static void more_than_asked_for_are_not_told(void **state)
{
	char code[64];
	uint32_t sites[SITES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(code); i += 2)
		memcpy(code + i, "\x0f\xa2", 2);
	assert_int_equal(find(code, sizeof(code), 0, sites), SITES_MAX);
}

static void lengths_are_those_of_instructions(void **state)
{
	(void)state;
	assert_int_equal(code_length((const uint8_t *)"\x48\x0f\xc7\xf0\xc3", 5), 4);
	assert_int_equal(code_length((const uint8_t *)"\x06", 1), 0);
	assert_int_equal(code_length((const uint8_t *)"\x0f", 1), 0);
	assert_int_equal(code_length((const uint8_t *)"", 0), 0);
}

static void windows_end_with_their_mapping(void **state)
{
	struct space space = { 0 };
	struct process process = { .space = &space };
	struct thread thread = { .process = &process };
	struct mapping code = {
		.start = 0x18000, .end = 0x42000, .prot = PROT_READ | PROT_EXEC, .flags = MAP_PRIVATE
	};
	struct mapping data = { .start = 0x50000, .end = 0x60000, .prot = PROT_READ, .flags = MAP_PRIVATE };
	struct code_window window;

	(void)state;
	assert_int_equal(mapping_insert(&space.table, &code), 0);
	assert_int_equal(mapping_insert(&space.table, &data), 0);
	assert_true(code_window(&thread, 0x19000, &window));
	assert_int_equal(window.start, 0x18000);
	assert_int_equal(window.end, 0x20000);
	assert_true(code_window(&thread, 0x2ffff, &window));
	assert_int_equal(window.start, 0x20000);
	assert_int_equal(window.end, 0x30000);
	assert_true(code_window(&thread, 0x40000, &window));
	assert_int_equal(window.end, 0x42000);
	assert_false(code_window(&thread, 0x50000, &window));
	assert_false(code_window(&thread, 0x48000, &window));
	mapping_release(&space.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_both_ways_of_a_branch),
		cmocka_unit_test(follows_calls_and_jumps_back),
		cmocka_unit_test(what_nothing_leads_to_is_left_alone),
		cmocka_unit_test(more_than_asked_for_are_not_told),
		cmocka_unit_test(lengths_are_those_of_instructions),
		cmocka_unit_test(windows_end_with_their_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
