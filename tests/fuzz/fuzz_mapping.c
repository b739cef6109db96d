/*
 * The mapping table under any sequence of changes, as a hostile trace could ask for them: it stays sorted,
 * disjoint and merged. Each step is one byte of what, three of where, three of how long and two of content.
 */
#include "fuzz.h"
#include "sandbox/mapping.h"

#define STEP 9
#define PAGE 4096

static uint64_t pages(const uint8_t *bytes)
{
	uint64_t count = bytes[0] | (uint64_t)bytes[1] << 8;

	return (bytes[2] & 0x80 ? (UINT64_C(1) << 51) - count : count) * PAGE;
}

static int change(struct mapping_table *table, const uint8_t *step)
{
	uint64_t start = pages(step + 1), end = start + pages(step + 4);
	struct mapping mapping = { .start = start, .end = end, .prot = step[7] & 7u, .flags = 2 };

	if (end <= start)
		return 0;
	mapping.backing = (enum backing)(step[8] % 3);
	mapping.offset = mapping.backing == BACKING_ANON ? 0 : start;
	mapping.object = mapping.backing == BACKING_SHARED ? 1u + step[7] % 2 : 0;
	switch (step[0] % 4) {
	case 0: return mapping_insert(table, &mapping);
	case 1: return mapping_remove(table, start, end);
	case 2: return mapping_protect(table, start, end, mapping.prot);
	default:
		return mapping_move(table, start, end - start, pages(step + 5), end - start,
				    step[8] & 4);
	}
}

static void require_order(const struct mapping_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct mapping *entry = &table->entries[i];

		fuzz_require(entry->start < entry->end);
		fuzz_require(i == 0 || table->entries[i - 1].end <= entry->start);
		fuzz_require(mapping_find(table, entry->start) == entry);
		fuzz_require(!mapping_free(table, entry->start, entry->end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct mapping_table table = { 0 }, copy = { 0 };

	for (size_t at = 0; at + STEP <= length && at < 200 * STEP; at += STEP) {
		change(&table, bytes + at);
		require_order(&table);
	}
	fuzz_require(mapping_copy(&table, &copy) == 0 && copy.count == table.count);
	mapping_release(&table);
	mapping_release(&copy);
	return 0;
}
