/*
 * The mapping table: Sworn's own model of one address space, kept merged and normalised, never re-read
 * from /proc as truth. Record and replay change it by the same functions, so both hash the same table.
 * Pure code.
 */
#ifndef SWORN_SANDBOX_MAPPING_H
#define SWORN_SANDBOX_MAPPING_H

#include "../traces/event.h"

struct mapping_table {
	struct mapping *entries; /* sorted, disjoint, neighbours that could be one are one; paths owned */
	size_t count, capacity;
};

void mapping_release(struct mapping_table *table);
/* Deep copy for fork. */
int mapping_copy(const struct mapping_table *from, struct mapping_table *ret);

/* Adds a mapping, replacing whatever it overlaps (MAP_FIXED semantics), then merges neighbours:
 * equal prot, flags, backing; ANON always; BLOB and SHARED when same digest/object and contiguous offset. */
int mapping_insert(struct mapping_table *table, const struct mapping *mapping);
int mapping_remove(struct mapping_table *table, uint64_t start, uint64_t end);
int mapping_protect(struct mapping_table *table, uint64_t start, uint64_t end, uint32_t prot);
/* mremap: moves or resizes [old, old+old_length) to [new, new+new_length); `keep` = MREMAP_DONTUNMAP.
 * The tail beyond old_length continues the last mapping's backing. */
int mapping_move(struct mapping_table *table, uint64_t old, uint64_t old_length, uint64_t new_start,
		 uint64_t new_length, bool keep);
/* The entry that holds `address`, or NULL; with GROWSDOWN also the stack when address lies in the
 * growth area below it (above the end of the entry before). Borrowed until the next change. */
const struct mapping *mapping_find(const struct mapping_table *table, uint64_t address);
/* True when nothing in the table overlaps [start, end). */
bool mapping_free(const struct mapping_table *table, uint64_t start, uint64_t end);

#endif
