/*
 * Tags: what a report needs to say where two states differ. A short hash of each page that counts, by ascending
 * address, and before them of the parts of the state that are no pages, whose addresses are below the first page. The
 * recorder writes them with each checkpoint, the replayer compares. Pure code.
 */
#ifndef SWORN_SANDBOX_TAG_H
#define SWORN_SANDBOX_TAG_H

#include <stddef.h>
#include <stdint.h>

enum state_part { TAG_SIGNALS = 1, TAG_MAPPINGS = 2, TAG_THREADS = 3 /* and on, in order */ };

#define TAG_BLOCKS 8U
#define TAG_BLOCK_BYTES 512U

struct page_tag {
	uint64_t address, tag;
};
struct page_tags {
	struct page_tag *entries; /* owned */
	size_t count, capacity;
};

/* Of one page: 32 bits for the whole in the upper half, below them 4 of each of its TAG_BLOCKS, the first lowest. */
uint64_t tag_page(const uint8_t *page);
/* 0 or -ENOMEM. Addresses must ascend. */
int tags_add(struct page_tags *tags, uint64_t address, uint64_t tag);
void tags_release(struct page_tags *tags);

/* Number of tags, and of runs of neighbours, when one covers 2^shift pages. */
size_t tags_count(const struct page_tags *tags, unsigned int shift);
size_t tags_runs(const struct page_tags *tags, unsigned int shift);
/* The address of the tag behind this one, where there is no gap. */
uint64_t tags_after(uint64_t address, unsigned int shift);
/* One tag for each 2^shift pages instead of one each; parts stay as they are. */
void tags_fold(struct page_tags *tags, unsigned int shift);

#endif
