/* The mapping table against a model that knows every page by itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../../sandbox/mapping.h"

#define PAGE 4096ULL
#define BASE 0x10000000ULL
#define PAGES 192

struct model_page {
	bool mapped;
	uint32_t prot, flags;
	enum backing backing;
	uint8_t content;
	uint64_t object, length, offset;
};

struct model {
	struct model_page pages[PAGES];
};

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 16) % below);
}

static struct mapping anon(uint64_t page, uint64_t end_page, uint32_t prot)
{
	return (struct mapping){ .start = BASE + page * PAGE,
				 .end = BASE + end_page * PAGE,
				 .prot = prot,
				 .flags = MAP_PRIVATE };
}

static struct mapping blob(uint64_t page, uint64_t end_page, uint8_t content, uint64_t offset_page)
{
	struct mapping mapping = anon(page, end_page, PROT_READ);

	mapping.backing = BACKING_BLOB;
	memset(mapping.digest, content, DIGEST_BYTES);
	mapping.offset = offset_page * PAGE;
	mapping.length = 100 * PAGE;
	return mapping;
}

static struct mapping stack(uint64_t page, uint64_t end_page)
{
	struct mapping mapping = anon(page, end_page, PROT_READ | PROT_WRITE);

	mapping.flags |= MAP_GROWSDOWN;
	return mapping;
}

static bool page_continues(const struct model_page *low, const struct model_page *high)
{
	if (!low->mapped || !high->mapped || low->prot != high->prot || low->flags != high->flags ||
	    low->backing != high->backing)
		return false;
	return low->backing == BACKING_ANON ||
	       (low->object == high->object && low->content == high->content &&
		low->length == high->length && low->offset + PAGE == high->offset);
}

static void check_entry(const struct mapping *entry, const struct model *model)
{
	assert_true(entry->start >= BASE && entry->end <= BASE + PAGES * PAGE);
	assert_true(entry->start < entry->end);
	for (uint64_t at = entry->start; at < entry->end; at += PAGE) {
		const struct model_page *page = &model->pages[(at - BASE) / PAGE];

		assert_true(page->mapped);
		assert_int_equal(page->prot, entry->prot);
		assert_int_equal(page->flags, entry->flags);
		assert_int_equal(page->backing, entry->backing);
		assert_int_equal(page->object, entry->object);
		assert_int_equal(page->length, entry->length);
		assert_int_equal(page->content, entry->digest[7]);
		if (entry->backing != BACKING_ANON)
			assert_int_equal(page->offset, entry->offset + (at - entry->start));
		else
			assert_int_equal(entry->offset, 0);
	}
}

static void check_table(const struct mapping_table *table, const struct model *model)
{
	uint64_t mapped = 0, modelled = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct mapping *entry = &table->entries[i];

		check_entry(entry, model);
		mapped += (entry->end - entry->start) / PAGE;
		if (i > 0 && entry[-1].end == entry->start) {
			size_t page = (entry->start - BASE) / PAGE;

			assert_false(page_continues(&model->pages[page - 1], &model->pages[page]));
		}
		assert_true(i == 0 || entry[-1].end <= entry->start);
	}
	for (size_t page = 0; page < PAGES; page++) {
		uint64_t at = BASE + page * PAGE;
		const struct mapping *found = mapping_find(table, at + 5);

		modelled += model->pages[page].mapped;
		assert_int_equal(found != NULL, model->pages[page].mapped);
		assert_int_equal(mapping_free(table, at, at + PAGE), !model->pages[page].mapped);
	}
	assert_int_equal(mapped, modelled);
}

static void random_insert(struct mapping_table *table, struct model *model)
{
	uint64_t first = draw(PAGES - 1), count = 1 + draw(12);
	uint64_t end = first + count > PAGES ? PAGES : first + count;
	struct mapping mapping = anon(first, end, draw(4));
	static const char *const paths[] = { NULL, "/lib/a", "/lib/b" };

	mapping.path = paths[draw(3)];
	mapping.backing = (enum backing)draw(3);
	mapping.flags = mapping.backing == BACKING_SHARED ? MAP_SHARED : MAP_PRIVATE;
	if (mapping.backing != BACKING_ANON) {
		memset(mapping.digest, 1 + (int)draw(2), DIGEST_BYTES);
		/* Half of them lie so that equal neighbours continue each other. */
		mapping.offset = (draw(2) ? first + 7 : draw(64)) * PAGE;
		mapping.length = (300 + draw(2)) * PAGE - 5;
	}
	if (mapping.backing == BACKING_SHARED)
		mapping.object = 1 + draw(2);
	assert_int_equal(mapping_insert(table, &mapping), 0);
	for (uint64_t page = first; page < end; page++)
		model->pages[page] = (struct model_page){ .mapped = true,
							  .prot = mapping.prot,
							  .flags = mapping.flags,
							  .backing = mapping.backing,
							  .content = mapping.digest[7],
							  .object = mapping.object,
							  .length = mapping.length,
							  .offset = mapping.offset +
								    (page - first) * PAGE };
	if (mapping.backing == BACKING_ANON)
		for (uint64_t page = first; page < end; page++)
			model->pages[page].offset = 0;
}

static void random_remove(struct mapping_table *table, struct model *model)
{
	uint64_t first = draw(PAGES - 1), count = 1 + draw(10);
	uint64_t end = first + count > PAGES ? PAGES : first + count;

	assert_int_equal(mapping_remove(table, BASE + first * PAGE, BASE + end * PAGE), 0);
	memset(&model->pages[first], 0, (end - first) * sizeof(model->pages[0]));
}

static void random_protect(struct mapping_table *table, struct model *model)
{
	uint64_t first = draw(PAGES - 1), count = 1 + draw(20);
	uint64_t end = first + count > PAGES ? PAGES : first + count;
	uint32_t prot = draw(4);

	assert_int_equal(mapping_protect(table, BASE + first * PAGE, BASE + end * PAGE, prot), 0);
	for (uint64_t page = first; page < end; page++)
		if (model->pages[page].mapped)
			model->pages[page].prot = prot;
}

static void model_move(struct model *model, const uint64_t old[2], const uint64_t to[2], bool keep)
{
	struct model before = *model;
	struct model_page tail = old[1] ? before.pages[old[0] + old[1] - 1] : before.pages[old[0]];

	if (old[1] == 0)
		tail.offset -= PAGE;
	for (uint64_t i = 0; i < old[1] && !keep; i++)
		memset(&model->pages[old[0] + i], 0, sizeof(tail));
	for (uint64_t i = 0; i < to[1]; i++) {
		if (i < old[1]) {
			model->pages[to[0] + i] = before.pages[old[0] + i];
			continue;
		}
		if (tail.backing != BACKING_ANON)
			tail.offset += PAGE;
		model->pages[to[0] + i] = tail;
	}
}

/* What mremap(2) refuses, and so does the table. */
static bool model_move_allowed(const struct model *model, const uint64_t old[2],
			       const uint64_t to[2], bool keep)
{
	bool overlap = old[0] < to[0] + to[1] && to[0] < old[0] + old[1], any = false;
	const struct model_page *last = &model->pages[old[1] ? old[0] + old[1] - 1 : old[0]];

	if ((overlap && (keep || old[0] != to[0])) || (keep && old[1] != to[1]))
		return false;
	for (uint64_t i = 0; i < old[1] && i < to[1]; i++)
		any = any || model->pages[old[0] + i].mapped;
	if (to[1] > old[1])
		return last->mapped && (old[1] > 0 || last->backing == BACKING_SHARED);
	return any;
}

static bool random_move(struct mapping_table *table, struct model *model)
{
	uint64_t old[2] = { draw(PAGES - 8), draw(8) };
	uint64_t to[2] = { draw(2) ? old[0] : draw(PAGES - 12), 1 + draw(12) };
	bool keep = draw(4) == 0;
	int r;

	if (keep)
		to[1] = old[1] ? old[1] : 1;
	if (to[0] + to[1] > PAGES || old[0] + to[1] > PAGES)
		return false;
	r = mapping_move(table, BASE + old[0] * PAGE, old[1] * PAGE, BASE + to[0] * PAGE,
			 to[1] * PAGE, keep);
	assert_int_equal(r == 0, model_move_allowed(model, old, to, keep));
	if (r == 0)
		model_move(model, old, to, keep);
	return r == 0;
}

static void agrees_with_a_model_of_single_pages(void **state)
{
	struct mapping_table table = { 0 }, copy;
	struct model model = { 0 };
	size_t moves = 0;

	(void)state;
	random_state = 0x9e3779b97f4a7c15;
	for (int i = 0; i < 12000; i++) {
		uint32_t kind = draw(10);

		if (kind < 4)
			random_insert(&table, &model);
		else if (kind < 6)
			random_remove(&table, &model);
		else if (kind < 8)
			random_protect(&table, &model);
		else
			moves += random_move(&table, &model);
		check_table(&table, &model);
	}
	assert_true(moves > 500);
	assert_int_equal(mapping_copy(&table, &copy), 0);
	mapping_release(&table);
	assert_int_equal(table.count, 0);
	check_table(&copy, &model);
	mapping_release(&copy);
}

static void merges_equal_neighbours_and_splits_them_again(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping low = anon(0, 4, PROT_READ), high = anon(4, 8, PROT_READ);

	(void)state;
	low.path = "[heap]";
	assert_int_equal(mapping_insert(&table, &low), 0);
	assert_int_equal(mapping_insert(&table, &high), 0);
	assert_int_equal(table.count, 1);
	assert_string_equal(table.entries[0].path, "[heap]");
	assert_int_equal(mapping_protect(&table, BASE + 2 * PAGE, BASE + 3 * PAGE, PROT_NONE), 0);
	assert_int_equal(table.count, 3);
	assert_string_equal(table.entries[2].path, "[heap]");
	assert_int_equal(mapping_protect(&table, BASE + 2 * PAGE, BASE + 3 * PAGE, PROT_READ), 0);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.entries[0].end, BASE + 8 * PAGE);
	mapping_release(&table);
}

static void merges_file_content_only_where_it_continues(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping low = blob(0, 4, 1, 10), gap = blob(4, 6, 1, 15), next = blob(4, 6, 1, 14);

	(void)state;
	assert_int_equal(mapping_insert(&table, &low), 0);
	assert_int_equal(mapping_insert(&table, &gap), 0);
	assert_int_equal(table.count, 2);
	assert_int_equal(mapping_insert(&table, &next), 0);
	assert_int_equal(table.count, 1);
	assert_int_equal(mapping_remove(&table, BASE, BASE + PAGE), 0);
	assert_int_equal(table.entries[0].offset, 11 * PAGE);
	mapping_release(&table);
}

static void anonymous_mappings_have_no_offset_or_digest(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping odd = blob(0, 1, 3, 9);

	(void)state;
	odd.backing = BACKING_ANON;
	odd.object = 4;
	assert_int_equal(mapping_insert(&table, &odd), 0);
	assert_int_equal(table.entries[0].offset, 0);
	assert_int_equal(table.entries[0].length, 0);
	assert_int_equal(table.entries[0].object, 0);
	assert_int_equal(table.entries[0].digest[0], 0);
	mapping_release(&table);
}

static void finds_the_stack_below_its_start_down_to_the_entry_before(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping below = anon(0, 2, PROT_READ), top = stack(50, 60);

	(void)state;
	assert_int_equal(mapping_insert(&table, &below), 0);
	assert_int_equal(mapping_insert(&table, &top), 0);
	assert_ptr_equal(mapping_find(&table, BASE + PAGE), &table.entries[0]);
	assert_ptr_equal(mapping_find(&table, BASE + 2 * PAGE), &table.entries[1]);
	assert_ptr_equal(mapping_find(&table, BASE + 60 * PAGE - 1), &table.entries[1]);
	assert_null(mapping_find(&table, BASE + 60 * PAGE));
	assert_null(mapping_find(&table, BASE - 1));
	assert_true(mapping_free(&table, BASE + 2 * PAGE, BASE + 50 * PAGE));
	assert_false(mapping_free(&table, BASE + 2 * PAGE, BASE + 50 * PAGE + 1));
	mapping_release(&table);
}

static void protecting_grown_stack_pages_extends_the_stack(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping top = stack(50, 60);

	(void)state;
	assert_int_equal(mapping_insert(&table, &top), 0);
	assert_int_equal(mapping_protect(&table, BASE + 40 * PAGE, BASE + 41 * PAGE, PROT_NONE), 0);
	assert_int_equal(table.count, 2);
	assert_int_equal(table.entries[0].start, BASE + 40 * PAGE);
	assert_int_equal(table.entries[0].end, BASE + 41 * PAGE);
	assert_int_equal(table.entries[0].prot, PROT_NONE);
	assert_int_equal(table.entries[1].start, BASE + 41 * PAGE);
	assert_int_equal(table.entries[1].prot, PROT_READ | PROT_WRITE);
	assert_int_equal(mapping_remove(&table, BASE + 30 * PAGE, BASE + 35 * PAGE), 0);
	assert_int_equal(table.count, 2);
	mapping_release(&table);
}

static void refuses_ranges_that_are_empty_odd_or_wrap(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping bad = anon(4, 4, 0), wraps = blob(0, 4, 1, 0);

	(void)state;
	assert_int_equal(mapping_insert(&table, &bad), -EINVAL);
	bad = anon(5, 4, 0);
	assert_int_equal(mapping_insert(&table, &bad), -EINVAL);
	bad = anon(0, 4, 0);
	bad.end++;
	assert_int_equal(mapping_insert(&table, &bad), -EINVAL);
	wraps.offset = 0ULL - 2 * PAGE;
	assert_int_equal(mapping_insert(&table, &wraps), -EINVAL);
	assert_int_equal(mapping_remove(&table, BASE + 1, BASE + PAGE), -EINVAL);
	assert_int_equal(mapping_protect(&table, BASE + PAGE, BASE, 0), -EINVAL);
	assert_int_equal(mapping_move(&table, 0ULL - PAGE, 2 * PAGE, BASE, PAGE, false), -EINVAL);
	assert_int_equal(mapping_move(&table, 0ULL - 2 * PAGE, 3 * PAGE, BASE, PAGE, false), -EINVAL);
	assert_int_equal(mapping_move(&table, BASE, PAGE, BASE + PAGE, PAGE, false), -EFAULT);
	assert_int_equal(table.count, 0);
	mapping_release(&table);
}

static void growing_a_move_past_the_largest_offset_is_refused(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping high = blob(0, 2, 1, 0);

	(void)state;
	high.offset = 0ULL - 3 * PAGE;
	assert_int_equal(mapping_insert(&table, &high), 0);
	assert_int_equal(mapping_move(&table, BASE, 2 * PAGE, BASE + 50 * PAGE, 9 * PAGE, false),
			 -EINVAL);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.entries[0].start, BASE);
	mapping_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_model_of_single_pages),
		cmocka_unit_test(merges_equal_neighbours_and_splits_them_again),
		cmocka_unit_test(merges_file_content_only_where_it_continues),
		cmocka_unit_test(anonymous_mappings_have_no_offset_or_digest),
		cmocka_unit_test(finds_the_stack_below_its_start_down_to_the_entry_before),
		cmocka_unit_test(protecting_grown_stack_pages_extends_the_stack),
		cmocka_unit_test(refuses_ranges_that_are_empty_odd_or_wrap),
		cmocka_unit_test(growing_a_move_past_the_largest_offset_is_refused),
	};

	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
