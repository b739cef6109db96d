/*
 * The state hash of one process at a checkpoint: its threads' registers, its mapping table, its memory by
 * page, its signal dispositions and masks. Record and replay call the same function, so equal
 * state gives equal hashes and nothing else is compared. Reading must not change the guest.
 */
#ifndef SWORN_SANDBOX_STATE_H
#define SWORN_SANDBOX_STATE_H

#include <sys/types.h>
#include "arena.h"
#include "mapping.h"

enum page_hash { PAGE_XXH3 = 0, PAGE_SHA256 = 1 };

struct state_thread {
	uint32_t thread;
	const struct registers *registers; /* NULL: excluded (killed at an unknown point) */
	const uint8_t *vector;		   /* canonical form */
	size_t vector_length;
	uint64_t signal_mask;
};

struct state_input {
	pid_t pid; /* a stopped thread of the process, whose memory is read */
	const struct mapping_table *table; /* NULL: memory is not hashed (a vfork child borrows it) */
	const struct arena *arena;	   /* content of the BLOB mappings */
	const struct state_thread *threads; /* ascending by number */
	size_t threads_count;
	const void *signals; /* canonical bytes of dispositions (signal.h) */
	size_t signals_length;
	uint64_t brk;
	uint64_t hidden_start, hidden_end; /* never hashed: the call page */
};

/*
 * Hashes. A page counts when it differs from its backing (ANON: zeros; BLOB: its content, zeros behind
 * its end); SHARED pages count unless zero. A page that cannot be read counts as absent. Pages are found by
 * /proc/pid/pagemap and read by process_vm_readv without populating untouched ones or growing the stack.
 * PAGE_XXH3 gives 16 bytes and 16 zeros, PAGE_SHA256 32 bytes.
 *
 * Of a SHARED object of at most STATE_SHARED_WHOLE_BYTES every page is read, whoever of its users touched it
 * (which allocates its holes); of a larger one only the pages that this process has touched.
 * SWORN_EGONE when the process died, SWORN_EBLOB when a page must be compared with a blob that is
 * not in the arena, SWORN_EHOST when the kernel lacks PAGEMAP_SCAN (before 6.7) and more than 16 TiB are mapped.
 */
#define STATE_SHARED_WHOLE_BYTES (64ULL << 20)
int state_hash(const struct state_input *input, enum page_hash pages, uint8_t ret_hash[DIGEST_BYTES]);

/* For reports: calls `each` for every page that counts, ascending. A non-zero return of it ends the
 * walk and is returned. Nothing when `table` is NULL. */
int state_pages(const struct state_input *input,
		int (*each)(void *context, uint64_t address, const uint8_t *page), void *context);

/* Pages of the process that differ from their BLOB backing or are non-zero ANON, outside [hidden):
 * the same enumeration as state_pages(); used to capture the image after exec. */

#endif
