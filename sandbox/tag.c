#include "tag.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "../traces/array.h"

#define PAGE_BYTES 4096ULL

uint64_t tag_page(const uint8_t *page)
{
	uint64_t tag = XXH3_64bits(page, PAGE_BYTES) << 32;

	for (unsigned int i = 0; i < TAG_BLOCKS; i++)
		tag |= (XXH3_64bits(page + i * TAG_BLOCK_BYTES, TAG_BLOCK_BYTES) & 15) << (4 * i);
	return tag;
}

int tags_add(struct page_tags *tags, uint64_t address, uint64_t tag)
{
	struct page_tag *grown = array_grow(tags->entries, tags->count, &tags->capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	tags->entries = grown;
	tags->entries[tags->count++] = (struct page_tag){ address, tag };
	return 0;
}

void tags_release(struct page_tags *tags)
{
	free(tags->entries);
	*tags = (struct page_tags){ 0 };
}

static uint64_t group_of(uint64_t address, unsigned int shift)
{
	return address < PAGE_BYTES ? address : address & ~((PAGE_BYTES << shift) - 1);
}

uint64_t tags_after(uint64_t group, unsigned int shift)
{
	return group < PAGE_BYTES ? group + 1 : group + (PAGE_BYTES << shift);
}

size_t tags_runs(const struct page_tags *tags, unsigned int shift)
{
	uint64_t expected = 0, previous = UINT64_MAX;
	size_t runs = 0;

	for (size_t i = 0; i < tags->count; i++) {
		uint64_t group = group_of(tags->entries[i].address, shift);

		if (group == previous)
			continue;
		runs += i == 0 || group != expected;
		expected = tags_after(group, shift);
		previous = group;
	}
	return runs;
}

size_t tags_count(const struct page_tags *tags, unsigned int shift)
{
	size_t count = 0;

	for (size_t i = 0; i < tags->count; i++)
		count += i == 0 || group_of(tags->entries[i].address, shift) !=
					   group_of(tags->entries[i - 1].address, shift);
	return count;
}

void tags_fold(struct page_tags *tags, unsigned int shift)
{
	size_t to = 0;

	for (size_t i = 0; shift > 0 && i < tags->count; i++) {
		const struct page_tag *from = &tags->entries[i];
		uint64_t group = group_of(from->address, shift);
		uint64_t words[3] = { 0, from->address, from->tag };

		if (to > 0 && tags->entries[to - 1].address == group && group >= PAGE_BYTES) {
			words[0] = tags->entries[to - 1].tag;
			to--;
		} else if (group < PAGE_BYTES) {
			tags->entries[to++] = *from;
			continue;
		}
		tags->entries[to++] = (struct page_tag){ group, XXH3_64bits(words, sizeof(words)) };
	}
	if (shift > 0)
		tags->count = to;
}
