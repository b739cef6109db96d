/*
 * The state hash of one process at a checkpoint: its threads' registers, its mapping table, its memory by
 * page, its signal dispositions and masks. Record and replay call the same function, so equal
 * state gives equal hashes and nothing else is compared. Reading must not change the guest.
 */
#ifndef SWORN_SANDBOX_STATE_H
#define SWORN_SANDBOX_STATE_H

#include "page.h"
#include "tag.h"

enum page_hash { PAGE_XXH3 = 0, PAGE_SHA256 = 1 };

struct state_thread {
	uint32_t thread;
	const struct registers *registers; /* NULL: excluded (killed at an unknown point) */
	const uint8_t *vector;		   /* canonical form */
	size_t vector_length;
	uint64_t signal_mask;
};

struct state_input {
	struct page_source source;
	bool with_memory; /* false: memory and mappings are left out (a vfork child borrows them) */
	const struct state_thread *threads; /* ascending by number */
	size_t threads_count;
	const void *signals; /* canonical bytes of dispositions (signal.h) */
	size_t signals_length;
	uint64_t brk;
	struct dirty *dirty; /* for PAGE_XXH3: what is known of the pages; NULL: all are read */
};

/*
 * Hashes, with pages as page_walk() gives them. PAGE_XXH3 gives 16 bytes and 16 zeros, PAGE_SHA256 32 bytes.
 * Appends to `tags` unless NULL. The errors of page_walk(), -ENOMEM.
 */
int state_hash(const struct state_input *input, enum page_hash pages, struct page_tags *tags,
	       uint8_t ret_hash[DIGEST_BYTES]);

#endif
