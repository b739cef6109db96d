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
#define SCAN_FILE (1ULL << 2)
#define SCAN_PRESENT (1ULL << 3)
#define SCAN_SWAPPED (1ULL << 4)
#define SCAN_ZERO (1ULL << 5)

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
	bool forced; /* to be read by /proc/PID/mem */
	bool readable;
};

struct walk {
	const struct page_source *input;
	page_taker *each;
	void *context;
	int pagemap_fd, mem_fd;
	bool scan_missing;     /* the kernel has no PAGEMAP_SCAN */
	bool read_missing;     /* process_vm_readv is not allowed here */
	uint64_t pagemap_left; /* of PAGEMAP_BYTES_MAX */
	size_t count;
	struct slot slots[BATCH_PAGES];
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
	n = pread(walk->mem_fd, walk->pages[first], (last - first) * PAGE_BYTES,
		  (off_t)walk->slots[first].address);
	if (n > 0)
		done = (size_t)n / PAGE_BYTES;
	for (size_t i = first; i < first + done; i++)
		walk->slots[i].readable = true;
	*ret_next = first + done + (done < last - first);
	return 0;
}

/* The same for slots that process_vm_readv may read; the one it stops at is left to /proc/PID/mem,
 * which also reads what the guest itself may not. */
static int read_plain(struct walk *walk, size_t first, size_t *ret_next)
{
	struct iovec local = { .iov_base = walk->pages[first] }, remote[BATCH_PAGES];
	size_t last = first, runs = 0, done = 0;
	ssize_t n;

	for (; last < walk->count && !walk->slots[last].forced; last++) {
		uint64_t address = walk->slots[last].address;

		if (last > first && address == walk->slots[last - 1].address + PAGE_BYTES)
			remote[runs - 1].iov_len += PAGE_BYTES;
		else
			remote[runs++] = (struct iovec){ (void *)(uintptr_t)address, PAGE_BYTES };
	}
	local.iov_len = (last - first) * PAGE_BYTES;
	n = process_vm_readv(walk->input->pid, &local, 1, remote, runs, 0);
	if (n < 0 && errno == ESRCH)
		return SWORN_EGONE;
	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0 && errno != EFAULT)
		walk->read_missing = true;
	if (n > 0)
		done = (size_t)n / PAGE_BYTES;
	for (size_t i = first; i < first + done; i++)
		walk->slots[i].readable = true;
	for (size_t i = first + done; i < last; i++)
		walk->slots[i].forced = walk->read_missing || i == first + done;
	*ret_next = first + done;
	return 0;
}

static int batch_flush(struct walk *walk)
{
	int r;

	for (size_t i = 0; i < walk->count;) {
		r = walk->slots[i].forced ? read_forced(walk, i, &i) : read_plain(walk, i, &i);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < walk->count; i++) {
		const struct slot *slot = &walk->slots[i];

		if (!slot->readable)
			continue;
		r = page_counts(walk, slot, walk->pages[i]);
		if (r > 0)
			r = walk->each(walk->context, slot->address, walk->pages[i]);
		if (r != 0)
			return r;
	}
	walk->count = 0;
	return 0;
}

static int batch_add(struct walk *walk, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	bool forced = walk->read_missing || !(mapping->prot & (PROT_READ | PROT_WRITE));

	for (; start < end; start += PAGE_BYTES) {
		int r = walk->count == BATCH_PAGES ? batch_flush(walk) : 0;

		if (r != 0)
			return r;
		walk->slots[walk->count++] = (struct slot){ start, mapping, forced, false };
	}
	return 0;
}

/* One range by PAGEMAP_SCAN, which skips holes of any size. -ENOTTY where the kernel lacks it. */
static int range_scan(struct walk *walk, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	struct scan_region regions[SCAN_REGIONS];
	uint64_t unwanted = is_shared(mapping)		       ? 0
			    : mapping->backing == BACKING_ANON ? SCAN_ZERO
							       : SCAN_FILE | SCAN_ZERO;
	struct scan_request request = {
		.size = sizeof(request),
		.end = end,
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = SCAN_REGIONS,
		.category_inverted = unwanted,
		.category_mask = unwanted,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT,
	};

	while (start < end) {
		int n, r = 0;

		request.start = start;
		n = ioctl(walk->pagemap_fd, SCAN_IOCTL, &request);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EINVAL ? -ENOTTY : -errno;
		for (int i = 0; r == 0 && i < n; i++)
			r = batch_add(walk, mapping, regions[i].start, regions[i].end);
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
			r = batch_add(walk, mapping, start, start + PAGE_BYTES);
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
			return batch_add(walk, mapping, start, end);
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

int page_walk(const struct page_source *input, page_taker *each, void *context)
{
	struct walk walk;
	int r = 0;

	walk.input = input;
	walk.each = each;
	walk.context = context;
	walk.mem_fd = -1;
	walk.scan_missing = walk.read_missing = false;
	walk.pagemap_left = PAGEMAP_BYTES_MAX;
	walk.count = 0;
	walk.pagemap_fd = proc_open(input->pid, "pagemap");
	if (walk.pagemap_fd < 0)
		return walk.pagemap_fd;
	for (size_t i = 0; r == 0 && i < input->table->count; i++)
		r = mapping_walk(&walk, i);
	if (r == 0)
		r = batch_flush(&walk);
	close(walk.pagemap_fd);
	if (walk.mem_fd >= 0)
		close(walk.mem_fd);
	return r;
}
