/*
 * What a process has written since its state was hashed last, as its kernel knows it (userfaultfd's asynchronous write
 * protection, PAGEMAP_SCAN; Linux 6.7), and the hashes of all else. Only private anonymous memory is followed: what is
 * unknown or not followed is read. The guest sees nothing of it but the time it takes.
 */
#ifndef SWORN_SANDBOX_DIRTY_H
#define SWORN_SANDBOX_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include "mapping.h"

struct space;
struct thread;

#define KNOWN_HASH_BYTES 16
#define DIRTY_PAGES_MIN 256 /* read by a walk, before following a process is worth its price */
#define DIRTY_FLAGS \
	0x80001 /* the only userfaultfd(2) that guests may call: O_CLOEXEC, UFFD_USER_MODE_ONLY */

/* One page, as it was read last. */
struct known_page {
	uint64_t address;
	uint64_t tag;			/* tag_page(), if tagged */
	uint8_t hash[KNOWN_HASH_BYTES]; /* XXH3-128, canonical, if it counts */
	bool counts, tagged;
};

struct known_list {
	struct known_page *entries; /* ascending; owned */
	size_t count, capacity;
};

/* The kernel joins neighbours that one descriptor follows; the heap has its own, as brk(2) joins it with nobody. */
enum { DIRTY_OTHER, DIRTY_HEAP, DIRTY_FDS };

struct dirty {
	const struct space *space; /* whose part this is */
	int fds[DIRTY_FDS]; /* userfaultfds of the guest's address space; the first is -1 while it is not followed */
	bool refused;
	bool tagged;			/* this walk wants tags */
	bool failed;			/* this walk: what it found cannot be kept */
	uint64_t pages;			/* read by this walk, or the last one */
	struct known_list known, found; /* by the last walk; by this one */
	size_t at;			/* in `known`: this walk came so far */
};

/*
 * For a thread in a stop that stop_inject() allows, at a boundary and with no signal to be delivered: from the
 * second call on, its space is followed if that is worth it and the host can do it (`uffd`). `trap` as for
 * stop_inject(). 0, -ENOMEM or SWORN_EGONE.
 */
int dirty_start(struct thread *thread, bool trap);
void dirty_release(struct dirty *dirty); /* NULL is fine */
/* Whether this process could follow itself: 0 or -errno, -EINVAL from kernels before 6.7. */
int dirty_probe(void);

/* All below do nothing when `dirty` is NULL or does not follow its space. */

/*
 * Mappings between start and end are new or changed: the kernel joins neighbours only while it follows both or none,
 * which the guest could see.
 */
void dirty_cover(struct dirty *dirty, uint64_t start, uint64_t end);
/* Before a call that moves memory: it must find mappings as they are when nobody follows them. */
void dirty_uncover(struct dirty *dirty, uint64_t start, uint64_t end);
/* Somebody may write these pages without the kernel knowing. */
void dirty_forget(struct dirty *dirty, uint64_t start, uint64_t end);

/* For page_walk_known(). A walk goes from begin to end, its addresses ascend; nothing is kept unless it is complete. */
void dirty_begin(struct dirty *dirty, bool tagged);
void dirty_end(struct dirty *dirty, bool complete);
/* Whether the kernel says from here on which pages of this part of a mapping are written. */
bool dirty_follows(const struct dirty *dirty, const struct mapping *mapping, uint64_t start,
		   uint64_t end);
/* The page as the last walk found it, with a tag if this one wants tags; NULL when unknown. Borrowed until dirty_end(). */
const struct known_page *dirty_find(struct dirty *dirty, uint64_t address);
/* Something was found out about the pages that is lost: what this walk knows is of no use for the next. */
void dirty_distrust(struct dirty *dirty);
void dirty_note(struct dirty *dirty, const struct known_page *known);

/* Hash and tag of a page that counts. */
struct known_page known_make(uint64_t address, const uint8_t *page, bool tagged);

#endif
