/*
 * The pages of a process that count as its state, found and read without changing it. Used by the state hash and
 * for the image after exec.
 */
#ifndef SWORN_SANDBOX_PAGE_H
#define SWORN_SANDBOX_PAGE_H

#include <sys/types.h>
#include "arena.h"
#include "dirty.h"
#include "mapping.h"

struct page_source {
	pid_t pid; /* a stopped thread of the process, whose memory is read */
	const struct mapping_table *table;
	const struct arena *arena;	   /* content of the BLOB mappings */
	uint64_t hidden_start, hidden_end; /* never looked at: the call page */
};

typedef int page_taker(void *context, uint64_t address, const uint8_t *page);

/*
 * Calls `each` for every page that counts, ascending. A page counts when it differs from its backing (ANON:
 * zeros; BLOB: its content, zeros behind its end); SHARED pages count unless zero; of a private mapping of an object
 * only what its process has written. A page that cannot be read counts as absent. Pages are found by
 * /proc/pid/pagemap and read by process_vm_readv without populating untouched ones or growing the stack. A
 * non-zero return of `each` ends the walk and is returned.
 *
 * Of a SHARED object of at most PAGE_SHARED_WHOLE_BYTES every page is read, whoever of its users touched it
 * (which allocates its holes); of a larger one only the pages that this process has touched.
 * SWORN_EGONE when the process died, SWORN_EBLOB when a page must be compared with a blob that is
 * not in the arena, SWORN_EHOST when the kernel lacks PAGEMAP_SCAN (before 6.7) and more than 16 TiB are mapped.
 */
#define PAGE_SHARED_WHOLE_BYTES (64ULL << 20)
int page_walk(const struct page_source *source, page_taker *each, void *context);

/* The same pages in the same order, by hash; those that `dirty` knows are not read. After dirty_begin(). */
typedef int known_taker(void *context, const struct known_page *page);
int page_walk_known(const struct page_source *source, struct dirty *dirty, known_taker *each,
		    void *context);

/* A stack whose lowest address is the kernel's business. */
bool page_grows_down(const struct mapping *mapping);

#endif
