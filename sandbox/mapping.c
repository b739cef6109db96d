#include "mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../traces/error.h"

#define PAGE_BYTES 4096ULL
#define MAPPING_ENTRIES_MAX \
	(1U << 20) /* of one table; the kernel's own limit is 65530 by default */

static bool is_aligned(uint64_t value)
{
	return value % PAGE_BYTES == 0;
}

static int range_check(uint64_t start, uint64_t end)
{
	return start < end && is_aligned(start) && is_aligned(end) ? 0 : -EINVAL;
}

static int mapping_check(const struct mapping *mapping)
{
	int r = range_check(mapping->start, mapping->end);

	if (r < 0 || mapping->backing == BACKING_ANON)
		return r;
	if (!is_aligned(mapping->offset) ||
	    mapping->offset > UINT64_MAX - (mapping->end - mapping->start))
		return -EINVAL;
	return 0;
}

static bool grows_down(const struct mapping *mapping)
{
	return (mapping->flags & MAP_GROWSDOWN) && mapping->backing == BACKING_ANON;
}

static int path_copy(const char *path, const char **ret)
{
	char *copy = NULL;

	if (path) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

static void path_free(struct mapping *mapping)
{
	free((void *)(uintptr_t)mapping->path);
	mapping->path = NULL;
}

/* Index of the first entry that ends above `address`; the count when none does. */
static size_t first_above(const struct mapping_table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int table_reserve(struct mapping_table *table, size_t extra)
{
	size_t capacity = table->capacity ? table->capacity : 32;
	struct mapping *entries;

	if (table->count + extra <= table->capacity)
		return 0;
	if (table->count + extra > MAPPING_ENTRIES_MAX)
		return SWORN_ELIMIT;
	while (capacity < table->count + extra)
		capacity *= 2;
	entries = realloc(table->entries, capacity * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	table->entries = entries;
	table->capacity = capacity;
	return 0;
}

/* Room for one more must have been reserved. */
static void open_gap(struct mapping_table *table, size_t index)
{
	memmove(&table->entries[index + 1], &table->entries[index],
		(table->count - index) * sizeof(*table->entries));
	table->count++;
}

static void erase(struct mapping_table *table, size_t first, size_t last)
{
	if (first == last)
		return;
	for (size_t i = first; i < last; i++)
		path_free(&table->entries[i]);
	memmove(&table->entries[first], &table->entries[last],
		(table->count - last) * sizeof(*table->entries));
	table->count -= last - first;
}

/* Makes `address` a boundary between entries where it lies inside one. */
static int split_at(struct mapping_table *table, uint64_t address)
{
	size_t i = first_above(table, address);
	const char *path;
	struct mapping *left;
	int r;

	if (i == table->count || table->entries[i].start >= address)
		return 0;
	r = table_reserve(table, 1);
	if (r < 0)
		return r;
	r = path_copy(table->entries[i].path, &path);
	if (r < 0)
		return r;
	open_gap(table, i);
	left = &table->entries[i];
	left[1].path = path;
	left[1].start = address;
	if (left->backing != BACKING_ANON)
		left[1].offset += address - left->start;
	left->end = address;
	return 0;
}

static bool can_merge(const struct mapping *low, const struct mapping *high)
{
	if (low->end != high->start || low->prot != high->prot || low->flags != high->flags ||
	    low->backing != high->backing)
		return false;
	if (low->backing == BACKING_ANON)
		return true;
	return low->object == high->object && low->length == high->length &&
	       low->offset + (low->end - low->start) == high->offset &&
	       memcmp(low->digest, high->digest, DIGEST_BYTES) == 0;
}

/* Equal content from two files: which of them it was must not change how the table merges. */
static bool same_file(const struct mapping *low, const struct mapping *high)
{
	return low->device == high->device && low->inode == high->inode && low->base == high->base;
}

/* Merges what can be merged among the entries whose ranges touch [start, end]. */
static void merge_around(struct mapping_table *table, uint64_t start, uint64_t end)
{
	struct mapping *entries = table->entries;
	size_t first = first_above(table, start ? start - 1 : 0);
	size_t to = first, from = first + 1;

	if (first >= table->count)
		return;
	for (; from < table->count && entries[from].start <= end; from++) {
		if (!can_merge(&entries[to], &entries[from])) {
			entries[++to] = entries[from];
			continue;
		}
		if (!same_file(&entries[to], &entries[from]))
			entries[to].inode = 0;
		entries[to].end = entries[from].end;
		if (!entries[to].path) {
			entries[to].path = entries[from].path;
			entries[from].path = NULL;
		}
		path_free(&entries[from]);
	}
	to++;
	memmove(&entries[to], &entries[from], (table->count - from) * sizeof(*entries));
	table->count -= from - to;
}

/* Splits at both ends of the range; gives the entries inside it. On failure the table is as before. */
static int cut_out(struct mapping_table *table, uint64_t start, uint64_t end, size_t *ret_first,
		   size_t *ret_last)
{
	int r = split_at(table, start);

	if (r == 0)
		r = split_at(table, end);
	if (r < 0) {
		merge_around(table, start, start);
		return r;
	}
	*ret_first = first_above(table, start);
	*ret_last = first_above(table, end - 1);
	if (*ret_last < table->count && table->entries[*ret_last].start < end)
		++*ret_last;
	return 0;
}

void mapping_release(struct mapping_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		path_free(&table->entries[i]);
	free(table->entries);
	*table = (struct mapping_table){ 0 };
}

int mapping_copy(const struct mapping_table *from, struct mapping_table *ret)
{
	struct mapping_table copy = { 0 };
	int r = table_reserve(&copy, from->count);

	for (size_t i = 0; r == 0 && i < from->count; i++) {
		copy.entries[i] = from->entries[i];
		copy.entries[i].path = NULL;
		copy.count++;
		r = path_copy(from->entries[i].path, &copy.entries[i].path);
	}
	if (r < 0) {
		mapping_release(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

/* The entry that holds the whole range, or NULL. A change that would put there what is there already needs
 * no cuts, which move everything behind them. */
static const struct mapping *holder(const struct mapping_table *table, uint64_t start, uint64_t end)
{
	size_t i = first_above(table, start);

	return i < table->count && table->entries[i].start <= start && table->entries[i].end >= end
		       ? &table->entries[i]
		       : NULL;
}

int mapping_insert(struct mapping_table *table, const struct mapping *mapping)
{
	const struct mapping *old = holder(table, mapping->start, mapping->end);
	struct mapping added = *mapping;
	size_t first, last;
	int r = mapping_check(mapping);

	if (r < 0)
		return r;
	if (old && old->backing == BACKING_ANON && added.backing == BACKING_ANON &&
	    old->prot == added.prot && old->flags == added.flags && !added.path)
		return 0;
	if (added.backing == BACKING_ANON) {
		memset(added.digest, 0, sizeof(added.digest));
		added.offset = added.length = added.object = 0;
	}
	r = path_copy(mapping->path, &added.path);
	if (r < 0)
		return r;
	r = table_reserve(table, 3);
	if (r == 0)
		r = cut_out(table, added.start, added.end, &first, &last);
	if (r < 0) {
		path_free(&added);
		return r;
	}
	erase(table, first, last);
	open_gap(table, first);
	table->entries[first] = added;
	merge_around(table, added.start, added.end);
	return 0;
}

int mapping_remove(struct mapping_table *table, uint64_t start, uint64_t end)
{
	size_t first, last;
	int r = range_check(start, end);

	if (r == 0)
		r = cut_out(table, start, end, &first, &last);
	if (r == 0)
		erase(table, first, last);
	return r;
}

/* A call that succeeded on part of a stack's growth area shows that the stack had grown that far. */
static void grow_into(struct mapping_table *table, uint64_t start, uint64_t end)
{
	for (size_t i = first_above(table, start); i < table->count; i++) {
		struct mapping *entry = &table->entries[i];
		uint64_t low = i > 0 && entry[-1].end > start ? entry[-1].end : start;

		if (low >= end)
			return;
		if (grows_down(entry) && low < entry->start)
			entry->start = low;
	}
}

int mapping_protect(struct mapping_table *table, uint64_t start, uint64_t end, uint32_t prot)
{
	const struct mapping *whole;
	size_t first, last;
	int r = range_check(start, end);

	if (r < 0)
		return r;
	whole = holder(table, start, end);
	if (whole && whole->prot == prot)
		return 0;
	grow_into(table, start, end);
	r = cut_out(table, start, end, &first, &last);
	if (r < 0)
		return r;
	for (size_t i = first; i < last; i++)
		table->entries[i].prot = prot;
	merge_around(table, start, end);
	return 0;
}

/* Adds to `pieces` the part of `entry` inside [from, to), or what its backing holds there when it
 * went on, as it will stand at `new_start`. */
static int piece_add(struct mapping_table *pieces, const struct mapping *entry, uint64_t from,
		     uint64_t to, uint64_t new_start)
{
	struct mapping piece = *entry;

	if (entry->backing != BACKING_ANON) {
		if (entry->offset > UINT64_MAX - (from - entry->start))
			return -EINVAL;
		piece.offset += from - entry->start;
	}
	piece.start = new_start;
	piece.end = new_start + (to - from);
	return mapping_insert(pieces, &piece);
}

/* The content of [old, old + old_length) as it will stand at the new place, tail included. */
static int pieces_collect(const struct mapping_table *table, const uint64_t old[2],
			  const uint64_t new_range[2], struct mapping_table *pieces)
{
	uint64_t old_end = old[0] + old[1];
	uint64_t moved_end = old[0] + (old[1] < new_range[1] ? old[1] : new_range[1]);
	const struct mapping *last;
	int r = 0;

	for (size_t i = first_above(table, old[0]); r == 0 && i < table->count; i++) {
		const struct mapping *entry = &table->entries[i];
		uint64_t from = entry->start > old[0] ? entry->start : old[0];
		uint64_t to = entry->end < moved_end ? entry->end : moved_end;

		if (from >= moved_end)
			break;
		r = piece_add(pieces, entry, from, to, new_range[0] + (from - old[0]));
	}
	if (r < 0 || new_range[1] <= old[1])
		return r < 0 || pieces->count > 0 ? r : -EFAULT;
	last = mapping_find(table, old[1] ? old_end - 1 : old_end);
	if (!last || (old[1] == 0 && last->backing != BACKING_SHARED))
		return -EFAULT;
	return piece_add(pieces, last, old_end, old[0] + new_range[1], new_range[0] + old[1]);
}

static int move_check(const uint64_t old[2], const uint64_t new_range[2], bool keep)
{
	bool overlap;

	if (!is_aligned(old[0]) || !is_aligned(old[1]) || !is_aligned(new_range[0]) ||
	    !is_aligned(new_range[1]) || new_range[1] == 0 || old[0] > UINT64_MAX - old[1] ||
	    new_range[0] > UINT64_MAX - new_range[1] || old[0] > UINT64_MAX - new_range[1])
		return -EINVAL;
	overlap = old[0] < new_range[0] + new_range[1] && new_range[0] < old[0] + old[1];
	if (overlap && (keep || old[0] != new_range[0]))
		return -EINVAL;
	return keep && old[1] != new_range[1] ? -EINVAL : 0;
}

/*
 * A length of 0 duplicates a shared mapping (mremap(2)). Moved entries keep the gaps between them, as
 * kernels from 6.17 on do. Out of memory half-way leaves a sound table with part of the change.
 */
int mapping_move(struct mapping_table *table, uint64_t old, uint64_t old_length, uint64_t new_start,
		 uint64_t new_length, bool keep)
{
	const uint64_t old_range[2] = { old, old_length }, new_range[2] = { new_start, new_length };
	struct mapping_table pieces = { 0 };
	int r = move_check(old_range, new_range, keep);

	if (r < 0)
		return r;
	if (old_length)
		grow_into(table, old, old + old_length);
	r = pieces_collect(table, old_range, new_range, &pieces);
	if (r == 0 && !keep && old_length)
		r = mapping_remove(table, old, old + old_length);
	if (r == 0)
		r = mapping_remove(table, new_start, new_start + new_length);
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		r = mapping_insert(table, &pieces.entries[i]);
	mapping_release(&pieces);
	return r;
}

const struct mapping *mapping_find(const struct mapping_table *table, uint64_t address)
{
	size_t i = first_above(table, address);

	if (i == table->count)
		return NULL;
	if (address < table->entries[i].start && !grows_down(&table->entries[i]))
		return NULL;
	return &table->entries[i];
}

bool mapping_free(const struct mapping_table *table, uint64_t start, uint64_t end)
{
	size_t i = first_above(table, start);

	return i == table->count || table->entries[i].start >= end;
}
