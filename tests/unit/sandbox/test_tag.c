#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/tag.h"

#define PAGE 4096ULL

static void fill(struct page_tags *tags, const uint64_t *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(tags_add(tags, addresses[i], 100 + i), 0);
}

static void a_changed_byte_changes_the_page_and_its_block(void **state)
{
	uint8_t page[PAGE] = { 0 };
	unsigned int found = 0;

	(void)state;
	for (unsigned int i = 0; i < TAG_BLOCKS; i++) {
		uint64_t before = tag_page(page), changed;

		page[i * TAG_BLOCK_BYTES + 77] = (uint8_t)(i + 1);
		changed = before ^ tag_page(page);
		assert_true(changed >> 32 != 0);
		assert_int_equal((uint32_t)changed & ~(15U << (4 * i)), 0);
		found += (uint32_t)changed != 0;
	}
	assert_true(found >= TAG_BLOCKS / 2); /* 4 bits: one of sixteen changes is not seen */
}

static void runs_end_at_gaps_and_fold_together(void **state)
{
	const uint64_t addresses[] = { 1, 2, 3, 8 * PAGE, 9 * PAGE, 10 * PAGE, 12 * PAGE, 40 * PAGE };
	struct page_tags tags = { 0 };

	(void)state;
	fill(&tags, addresses, 8);
	assert_int_equal(tags_runs(&tags, 0), 4);
	assert_int_equal(tags_count(&tags, 0), 8);
	assert_int_equal(tags_runs(&tags, 1), 3); /* 8-9, 10-11, 12-13 follow each other */
	assert_int_equal(tags_count(&tags, 1), 7);
	assert_int_equal(tags_count(&tags, 6), 4);
	tags_fold(&tags, 2);
	assert_int_equal(tags.count, 6);
	assert_int_equal(tags.entries[0].tag, 100); /* parts stay */
	assert_int_equal(tags.entries[3].address, 8 * PAGE);
	assert_int_equal(tags.entries[4].address, 12 * PAGE);
	assert_int_equal(tags.entries[5].address, 40 * PAGE);
	assert_int_equal(tags_after(tags.entries[3].address, 2), tags.entries[4].address);
	tags_release(&tags);
	assert_int_equal(tags_runs(&tags, 0), 0);
}

static void a_folded_tag_depends_on_every_page_in_it(void **state)
{
	const uint64_t addresses[] = { 8 * PAGE, 9 * PAGE, 11 * PAGE };
	uint64_t whole = 0;

	(void)state;
	for (unsigned int changed = 0; changed < 4; changed++) {
		struct page_tags tags = { 0 };

		fill(&tags, addresses, 3);
		if (changed < 3)
			tags.entries[changed].tag ^= 1;
		tags_fold(&tags, 2);
		assert_int_equal(tags.count, 1);
		assert_int_not_equal(tags.entries[0].tag, whole);
		whole = tags.entries[0].tag;
		tags_release(&tags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_byte_changes_the_page_and_its_block),
		cmocka_unit_test(runs_end_at_gaps_and_fold_together),
		cmocka_unit_test(a_folded_tag_depends_on_every_page_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
