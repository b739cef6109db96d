#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../traces/error.h"

#define PAGE_BYTES 4096ULL
#define KERNEL_HALF (1ULL << 63)
#define BATCH_PAGES 32
#define BATCH_SLOTS 512
#define SCAN_REGIONS 64
#define ENTRIES_PER_READ 1024
#define PAGEMAP_BYTES_MAX (1ULL << 44) /* address space read without PAGEMAP_SCAN, per call */

/* linux/fs.h, since 6.7: Debian 12's headers lack it. */
struct scan_region {
	uint64_t start, end, categories;
};
struct scan_request {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
		category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan_request)
#define SCAN_WRITTEN (1ULL << 1)
#define SCAN_FILE (1ULL << 2)
#define SCAN_PRESENT (1ULL << 3)
#define SCAN_SWAPPED (1ULL << 4)
#define SCAN_ZERO (1ULL << 5)
#define SCAN_PROTECT (1ULL << 0)  /* flags: what is found is no longer `written`, */
#define SCAN_FOLLOWED (1ULL << 1) /* and fails where the kernel does not follow that */

/* The same, since 6.11. */
struct area_query {
	uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name_address, build_id_address;
};
#define AREA_IOCTL _IOWR('f', 17, struct area_query)

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_PRESENT (1ULL << 63)
#define ENTRY_SWAPPED (1ULL << 62)
#define ENTRY_FILE (1ULL << 61)

struct slot {
	uint64_t address;
	const struct mapping *mapping;
	const struct known_page *known; /* not to be read at all */
	uint8_t *bytes;
	bool forced; /* to be read by /proc/PID/mem */
	bool readable;
	bool followed;
};

struct walk {
	const struct page_source *input;
	page_taker *each;
	known_taker *each_known; /* instead of `each` */
	struct dirty *dirty;	 /* with each_known */
	void *context;
	int pagemap_fd, mem_fd;
	bool scan_missing;     /* the kernel has no PAGEMAP_SCAN */
	bool read_missing;     /* process_vm_readv is not allowed here */
	uint64_t pagemap_left; /* of PAGEMAP_BYTES_MAX */
	size_t count, pages_count;
	struct slot slots[BATCH_SLOTS];
	uint8_t pages[BATCH_PAGES][PAGE_BYTES];
};

bool page_grows_down(const struct mapping *mapping)
{
	return (mapping->flags & MAP_GROWSDOWN) && mapping->backing == BACKING_ANON;
}

/* A private mapping of an object shows it: only what its process has written itself is state of its own. */
static bool is_shared(const struct mapping *mapping)
{
	return mapping->backing == BACKING_SHARED && (mapping->flags & MAP_SHARED);
}

static int proc_open(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? SWORN_EGONE : -errno;
	return fd;
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* 1 when the page differs from its backing. */
static int page_counts(const struct walk *walk, const struct slot *slot, const uint8_t *page)
{
	const struct mapping *mapping = slot->mapping;
	struct arena_blob blob;
	uint64_t offset, padded;

	if (mapping->backing != BACKING_BLOB)
		return !is_zero(page);
	if (!walk->input->arena || !arena_find(walk->input->arena, mapping->digest, &blob))
		return SWORN_EBLOB;
	offset = mapping->offset + (slot->address - mapping->start);
	padded = (blob.length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	if (offset >= padded)
		return !is_zero(page);
	return memcmp(page, blob.bytes + offset, PAGE_BYTES) != 0;
}

/* Reads the forced slots from `first` on that follow each other; gives the index behind what was tried. */
static int read_forced(struct walk *walk, size_t first, size_t *ret_next)
{
	size_t last = first + 1, done = 0;
	ssize_t n;

	if (walk->mem_fd < 0) {
		int fd = proc_open(walk->input->pid, "mem");

		if (fd < 0)
			return fd;
		walk->mem_fd = fd;
	}
	while (last < walk->count && walk->slots[last].forced &&
	       walk->slots[last].address == walk->slots[last - 1].address + PAGE_BYTES)
		last++;
	n = pread(walk->mem_fd, walk->slots[first].bytes, (last - first) * PAGE_BYTES,
		  (off_t)walk->slots[first].address);
	if (n > 0)
		done = (size_t)n / PAGE_BYTES;
	for (size_t i = first; i < first + done; i++)
		walk->slots[i].readable = true;
	*ret_next = first + done + (done < last - first);
	return 0;
}

/* Of the slots that were tried, in order and but for those known: the first `done` pages came. Gives the one at which
 * it ended; /proc/PID/mem is for that, which also reads what the guest itself may not. */
static size_t mark(struct walk *walk, size_t first, size_t last, size_t done)
{
	size_t stop = last;

	for (size_t i = first; i < last; i++) {
		struct slot *slot = &walk->slots[i];

		if (slot->known)
			continue;
		if (done > 0) {
			slot->readable = true;
			done--;
			continue;
		}
		slot->forced = walk->read_missing || stop == last;
		if (stop == last)
			stop = i;
	}
	return stop;
}

/* The same for slots that process_vm_readv may read. */
static int read_plain(struct walk *walk, size_t first, size_t *ret_next)
{
	struct iovec local = { .iov_base = walk->slots[first].bytes }, remote[BATCH_PAGES];
	uint64_t expected = 0;
	size_t last = first, runs = 0;
	ssize_t n;

	for (; last < walk->count && !walk->slots[last].forced; last++) {
		uint64_t address = walk->slots[last].address;

		if (walk->slots[last].known)
			continue;
		if (runs > 0 && address == expected)
			remote[runs - 1].iov_len += PAGE_BYTES;
		else
			remote[runs++] = (struct iovec){ (void *)(uintptr_t)address, PAGE_BYTES };
		local.iov_len += PAGE_BYTES;
		expected = address + PAGE_BYTES;
	}
	n = process_vm_readv(walk->input->pid, &local, 1, remote, runs, 0);
	if (n < 0 && errno == ESRCH)
		return SWORN_EGONE;
	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0 && errno != EFAULT)
		walk->read_missing = true;
	*ret_next = mark(walk, first, last, n > 0 ? (size_t)n / PAGE_BYTES : 0);
	return 0;
}

/* Hands a page on that was read or is known. */
static int take(struct walk *walk, const struct slot *slot)
{
	struct known_page known = { .address = slot->address };
	int counts;

	if (slot->known) {
		dirty_note(walk->dirty, slot->known);
		return slot->known->counts ? walk->each_known(walk->context, slot->known) : 0;
	}
	counts = page_counts(walk, slot, slot->bytes);
	if (counts < 0)
		return counts;
	if (!walk->each_known)
		return counts ? walk->each(walk->context, slot->address, slot->bytes) : 0;
	if (counts)
		known = known_make(slot->address, slot->bytes, walk->dirty->tagged);
	if (slot->followed)
		dirty_note(walk->dirty, &known);
	return counts ? walk->each_known(walk->context, &known) : 0;
}

static int batch_flush(struct walk *walk)
{
	int r = 0;

	for (size_t i = 0; i < walk->count;) {
		if (walk->slots[i].known) {
			i++;
			continue;
		}
		r = walk->slots[i].forced ? read_forced(walk, i, &i) : read_plain(walk, i, &i);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; r == 0 && i < walk->count; i++) {
		if (walk->slots[i].readable || walk->slots[i].known)
			r = take(walk, &walk->slots[i]);
	}
	walk->count = walk->pages_count = 0;
	return r;
}

/* Pages of a mapping that the kernel follows, if it does: those not written since need no reading when they are known. */
struct found_pages {
	const struct mapping *mapping;
	uint64_t start, end;
	bool followed, written;
};

static int batch_add(struct walk *walk, const struct found_pages *found)
{
	bool forced = walk->read_missing || !(found->mapping->prot & (PROT_READ | PROT_WRITE));

	for (uint64_t at = found->start; at < found->end; at += PAGE_BYTES) {
		struct slot slot = { .address = at, .mapping = found->mapping, .followed = found->followed };
		int r = 0;

		if (walk->count == BATCH_SLOTS || walk->pages_count == BATCH_PAGES)
			r = batch_flush(walk);
		if (r != 0)
			return r;
		if (found->followed && !found->written)
			slot.known = dirty_find(walk->dirty, at);
		if (!slot.known) {
			slot.forced = forced;
			slot.bytes = walk->pages[walk->pages_count++];
			if (walk->dirty)
				walk->dirty->pages++;
		}
		walk->slots[walk->count++] = slot;
	}
	return 0;
}

/* One range by PAGEMAP_SCAN, which skips holes of any size. -ENOTTY where the kernel lacks it. */
static int range_scan(struct walk *walk, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	bool followed = dirty_follows(walk->dirty, mapping, start, end);
	struct scan_region regions[SCAN_REGIONS];
	uint64_t unwanted = is_shared(mapping)		       ? 0
			    : mapping->backing == BACKING_ANON ? SCAN_ZERO
							       : SCAN_FILE | SCAN_ZERO;
	struct scan_request request = {
		.size = sizeof(request),
		.flags = followed ? SCAN_PROTECT | SCAN_FOLLOWED : 0,
		.end = end,
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = SCAN_REGIONS,
		.category_inverted = unwanted,
		.category_mask = unwanted,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | (followed ? SCAN_WRITTEN : 0),
	};

	while (start < end) {
		int n, r = 0;

		request.start = start;
		n = ioctl(walk->pagemap_fd, SCAN_IOCTL, &request);
		if (n < 0 && errno == EINTR)
			continue;
		/* It may have protected some pages already, which were not read. */
		if (n < 0 && followed) {
			dirty_distrust(walk->dirty);
			followed = false;
			request.flags = 0;
			continue;
		}
		if (n < 0)
			return errno == EINVAL ? -ENOTTY : -errno;
		for (int i = 0; r == 0 && i < n; i++) {
			const struct found_pages found = { mapping, regions[i].start,
							   regions[i].end, followed,
							   regions[i].categories & SCAN_WRITTEN };

			r = batch_add(walk, &found);
		}
		if (r != 0)
			return r;
		if (request.walk_end <= start)
			return -EIO;
		start = request.walk_end;
	}
	return 0;
}

/* One range by reading its page map, 8 bytes a page. */
static int range_read(struct walk *walk, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	uint64_t entries[ENTRIES_PER_READ];

	if (end - start > walk->pagemap_left)
		return SWORN_EHOST;
	walk->pagemap_left -= end - start;
	while (start < end) {
		uint64_t wanted = (end - start) / PAGE_BYTES;
		ssize_t n;

		wanted = wanted < ENTRIES_PER_READ ? wanted : ENTRIES_PER_READ;
		n = pread(walk->pagemap_fd, entries, wanted * 8, (off_t)(start / PAGE_BYTES * 8));
		if (n < 8)
			return n < 0 ? -errno : SWORN_EGONE;
		for (size_t i = 0; i < (size_t)n / 8; i++, start += PAGE_BYTES) {
			int r;

			if (!(entries[i] & (ENTRY_PRESENT | ENTRY_SWAPPED)) ||
			    (mapping->backing != BACKING_ANON && !is_shared(mapping) &&
			     (entries[i] & ENTRY_FILE)))
				continue;
			r = batch_add(walk, &(struct found_pages){ .mapping = mapping,
								   .start = start,
								   .end = start + PAGE_BYTES });
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static int range_walk(struct walk *walk, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	int r;

	if (start >= KERNEL_HALF)
		return 0;
	if (is_shared(mapping)) {
		uint64_t padded = (mapping->length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
		uint64_t skipped = mapping->offset + (start - mapping->start);

		if (skipped >= padded)
			return 0;
		if (end - start > padded - skipped)
			end = start + (padded - skipped);
		if (mapping->length <= PAGE_SHARED_WHOLE_BYTES)
			return batch_add(walk, &(struct found_pages){ .mapping = mapping,
								      .start = start,
								      .end = end });
	}
	if (!walk->scan_missing) {
		r = range_scan(walk, mapping, start, end);
		if (r != -ENOTTY)
			return r;
		walk->scan_missing = true;
	}
	return range_read(walk, mapping, start, end);
}

/* Lowest address that the kernel's areas reach without a gap below `address`, by asking for each. */
static int lowest_query(int maps_fd, uint64_t address, uint64_t floor, uint64_t *ret_lowest)
{
	while (address > floor) {
		struct area_query query = { .size = sizeof(query), .address = address - 1 };

		if (ioctl(maps_fd, AREA_IOCTL, &query) < 0) {
			if (errno == ENOENT)
				break;
			return errno == EINVAL || errno == ENOTTY ? -ENOTTY : -errno;
		}
		address = query.start;
	}
	*ret_lowest = address > floor ? address : floor;
	return 0;
}

/* The same by reading the whole list. */
static int lowest_read(int *maps_fd, uint64_t address, uint64_t floor, uint64_t *ret_lowest)
{
	FILE *maps = fdopen(*maps_fd, "re");
	uint64_t lowest = 0, previous_end = 0, found = address;
	char line[512];

	if (!maps)
		return -errno;
	*maps_fd = -1;
	while (fgets(line, sizeof(line), maps)) {
		char *rest;
		uint64_t start = strtoull(line, &rest, 16), end;

		/* The rest of a line longer than the buffer has no range at its start. */
		if (*rest != '-' || rest == line)
			continue;
		end = strtoull(rest + 1, NULL, 16);
		if (start != previous_end)
			lowest = start;
		previous_end = end;
		if (end >= address) {
			found = start < address ? lowest : address;
			break;
		}
	}
	fclose(maps);
	*ret_lowest = found > floor ? found : floor;
	return 0;
}

/* Where the stack that the table has at `address` really begins: it may have grown. */
static int stack_lowest(const struct walk *walk, uint64_t address, uint64_t floor, uint64_t *ret_lowest)
{
	int r, fd;

	if (address <= floor)
		return 0;
	fd = proc_open(walk->input->pid, "maps");
	if (fd < 0)
		return fd;
	r = lowest_query(fd, address, floor, ret_lowest);
	if (r == -ENOTTY)
		r = lowest_read(&fd, address, floor, ret_lowest);
	if (fd >= 0)
		close(fd);
	return r;
}

static int mapping_walk(struct walk *walk, size_t index)
{
	const struct page_source *input = walk->input;
	const struct mapping *mapping = &input->table->entries[index];
	uint64_t start = mapping->start, end = mapping->end;
	uint64_t hidden_start = input->hidden_start, hidden_end = input->hidden_end;
	int r = 0;

	if (page_grows_down(mapping))
		r = stack_lowest(walk, start, index > 0 ? mapping[-1].end : 0, &start);
	if (r < 0)
		return r;
	if (hidden_start >= hidden_end || hidden_end <= start || hidden_start >= end)
		return range_walk(walk, mapping, start, end);
	if (start < hidden_start)
		r = range_walk(walk, mapping, start, hidden_start);
	if (r == 0 && hidden_end < end)
		r = range_walk(walk, mapping, hidden_end, end);
	return r;
}

static int walk_all(struct walk *walk)
{
	const struct page_source *input = walk->input;
	int r = 0;

	walk->mem_fd = -1;
	walk->scan_missing = walk->read_missing = false;
	walk->pagemap_left = PAGEMAP_BYTES_MAX;
	walk->count = walk->pages_count = 0;
	walk->pagemap_fd = proc_open(input->pid, "pagemap");
	if (walk->pagemap_fd < 0)
		return walk->pagemap_fd;
	for (size_t i = 0; r == 0 && i < input->table->count; i++)
		r = mapping_walk(walk, i);
	if (r == 0)
		r = batch_flush(walk);
	close(walk->pagemap_fd);
	if (walk->mem_fd >= 0)
		close(walk->mem_fd);
	return r;
}

int page_walk(const struct page_source *input, page_taker *each, void *context)
{
	struct walk walk;

	walk.input = input;
	walk.each = each;
	walk.each_known = NULL;
	walk.dirty = NULL;
	walk.context = context;
	return walk_all(&walk);
}

int page_walk_known(const struct page_source *input, struct dirty *dirty, known_taker *each, void *context)
{
	struct walk walk;
	int r;

	walk.input = input;
	walk.each = NULL;
	walk.each_known = each;
	walk.dirty = dirty;
	walk.context = context;
	r = walk_all(&walk);
	dirty_end(dirty, r == 0);
	return r;
}
