#include "dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include "../traces/error.h"
#include "host.h"
#include "stop.h"

#define PAGE_BYTES 4096ULL
#define KNOWN_MAX (1U << 24) /* pages: 64 GiB of memory, 640 MiB in the tracer */
#define FORGOTTEN 1ULL	     /* in an address: no page is there */

/* linux/userfaultfd.h, since 6.4 and 6.7: Debian 12's headers lack them. */
#define FEATURE_WP_UNPOPULATED (1ULL << 13)
#define FEATURE_WP_ASYNC (1ULL << 15)

_Static_assert(DIRTY_FLAGS == (O_CLOEXEC | UFFD_USER_MODE_ONLY), "flags that the filters allow");

void dirty_release(struct dirty *dirty)
{
	if (!dirty)
		return;
	for (int i = 0; i < DIRTY_FDS; i++) {
		if (dirty->fds[i] >= 0)
			close(dirty->fds[i]);
	}
	free(dirty->known.entries);
	free(dirty->found.entries);
	free(dirty);
}

static int ask(int fd)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC };

	return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

int dirty_probe(void)
{
	int fd = (int)syscall(SYS_userfaultfd, DIRTY_FLAGS), r;

	if (fd < 0)
		return -errno;
	r = ask(fd);
	close(fd);
	return r;
}

/* Takes a descriptor over from the guest. The fd or -errno. */
static int take_descriptor(pid_t leader, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, leader, 0), fd, r;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	r = fd < 0 ? -errno : ask(fd);
	close(pidfd);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static bool is_followed(const struct dirty *dirty)
{
	return dirty && dirty->fds[0] >= 0;
}

/* A replayed guest keeps its descriptor: it may close none, and can do nothing with it. */
static int follow(struct thread *thread, bool trap, int *ret_fd)
{
	int64_t number, ignored;
	int r = stop_inject(thread, trap, SYS_userfaultfd, (uint64_t[6]){ DIRTY_FLAGS }, &number);

	if (r < 0 || number < 0)
		return r;
	*ret_fd = take_descriptor(thread->process->leader, (int)number);
	if (!trap)
		r = stop_inject(thread, false, SYS_close, (uint64_t[6]){ (uint64_t)number }, &ignored);
	return r;
}

static int begin(struct space *space)
{
	struct dirty *dirty = calloc(1, sizeof(*dirty));

	if (!dirty)
		return -ENOMEM;
	dirty->space = space;
	dirty->fds[DIRTY_OTHER] = dirty->fds[DIRTY_HEAP] = -1;
	dirty->refused = !host_allows(HOST_UFFD);
	space->dirty = dirty;
	return 0;
}

int dirty_start(struct thread *thread, bool trap)
{
	struct dirty *dirty = thread->process->space->dirty;
	int fds[DIRTY_FDS] = { -1, -1 }, r;

	if (!dirty)
		return begin(thread->process->space);
	if (dirty->refused || is_followed(dirty) || dirty->pages < DIRTY_PAGES_MIN)
		return 0;
	r = follow(thread, trap, &fds[0]);
	if (r == 0 && fds[0] >= 0)
		r = follow(thread, trap, &fds[1]);
	if (r == 0 && fds[1] >= 0) {
		memcpy(dirty->fds, fds, sizeof(fds));
		dirty_cover(dirty, 0, UINT64_MAX);
		return 0;
	}
	dirty->refused = true;
	if (fds[0] >= 0)
		close(fds[0]);
	return r;
}

/* A stack's lower end is the kernel's business. */
static bool may_follow(const struct mapping *mapping)
{
	return mapping->backing == BACKING_ANON && (mapping->flags & MAP_PRIVATE) &&
	       !(mapping->flags & MAP_GROWSDOWN);
}

static uint64_t page_up(uint64_t address)
{
	return (address + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* Up to `end`, the part from `start` on that one descriptor is for: its end. */
static uint64_t part(const struct dirty *dirty, uint64_t start, uint64_t end, int *ret_fd)
{
	uint64_t heap = page_up(dirty->space->brk_start), top = page_up(dirty->space->brk);
	bool inside = start >= heap && start < top;

	*ret_fd = dirty->fds[inside ? DIRTY_HEAP : DIRTY_OTHER];
	if (inside)
		return end < top ? end : top;
	return start < heap && end > heap && heap < top ? heap : end;
}

static bool cover(const struct dirty *dirty, uint64_t start, uint64_t end)
{
	bool all = true;

	for (uint64_t next; start < end; start = next) {
		struct uffdio_register request = { .mode = UFFDIO_REGISTER_MODE_WP };
		int fd;

		next = part(dirty, start, end, &fd);
		request.range = (struct uffdio_range){ .start = start, .len = next - start };
		all &= ioctl(fd, UFFDIO_REGISTER, &request) == 0;
	}
	return all;
}

static void uncover(const struct dirty *dirty, uint64_t start, uint64_t end)
{
	for (uint64_t next; start < end; start = next) {
		struct uffdio_range range;
		int fd;

		next = part(dirty, start, end, &fd);
		range = (struct uffdio_range){ .start = start, .len = next - start };
		ioctl(fd, UFFDIO_UNREGISTER, &range);
	}
}

void dirty_cover(struct dirty *dirty, uint64_t start, uint64_t end)
{
	for (size_t i = 0; is_followed(dirty) && i < dirty->space->table.count; i++) {
		const struct mapping *m = &dirty->space->table.entries[i];

		/* What cannot be covered is read. */
		if (m->end > start && m->start < end && may_follow(m))
			cover(dirty, m->start, m->end);
	}
}

void dirty_uncover(struct dirty *dirty, uint64_t start, uint64_t end)
{
	for (size_t i = 0; is_followed(dirty) && i < dirty->space->table.count; i++) {
		const struct mapping *m = &dirty->space->table.entries[i];

		if (m->end <= start || m->start >= end || !may_follow(m))
			continue;
		uncover(dirty, m->start, m->end);
		dirty_forget(dirty, m->start, m->end);
	}
}

/* The first page that was known at `address` or above. */
static size_t lower_bound(const struct known_list *list, uint64_t address)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->entries[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void dirty_forget(struct dirty *dirty, uint64_t start, uint64_t end)
{
	if (!is_followed(dirty))
		return;
	start &= ~(PAGE_BYTES - 1);
	for (size_t i = lower_bound(&dirty->known, start);
	     i < dirty->known.count && dirty->known.entries[i].address < end; i++)
		dirty->known.entries[i].address |= FORGOTTEN;
}

void dirty_begin(struct dirty *dirty, bool tagged)
{
	dirty->tagged = tagged;
	dirty->failed = false;
	dirty->pages = 0;
	dirty->found.count = 0;
	dirty->at = 0;
}

void dirty_end(struct dirty *dirty, bool complete)
{
	struct known_list last = dirty->known;

	dirty->known = dirty->found;
	dirty->found = last;
	if (!complete || dirty->failed)
		dirty->known.count = 0;
}

bool dirty_follows(const struct dirty *dirty, const struct mapping *mapping, uint64_t start, uint64_t end)
{
	return is_followed(dirty) && may_follow(mapping) && cover(dirty, start, end);
}

void dirty_distrust(struct dirty *dirty)
{
	dirty->failed = true;
}

const struct known_page *dirty_find(struct dirty *dirty, uint64_t address)
{
	const struct known_page *known;

	while (dirty->at < dirty->known.count && dirty->known.entries[dirty->at].address < address)
		dirty->at++;
	if (dirty->at == dirty->known.count)
		return NULL;
	known = &dirty->known.entries[dirty->at];
	return known->address == address && (!dirty->tagged || !known->counts || known->tagged)
		       ? known
		       : NULL;
}

void dirty_note(struct dirty *dirty, const struct known_page *known)
{
	struct known_list *list = &dirty->found;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 1024;
		struct known_page *entries = capacity > KNOWN_MAX
						     ? NULL
						     : reallocarray(list->entries, capacity,
								    sizeof(*entries));

		if (!entries) {
			dirty->failed = true;
			return;
		}
		list->entries = entries;
		list->capacity = capacity;
	}
	list->entries[list->count++] = *known;
}

struct known_page known_make(uint64_t address, const uint8_t *page, bool tagged)
{
	struct known_page known = { .address = address, .counts = true, .tagged = tagged };
	XXH128_canonical_t hash;

	_Static_assert(sizeof(hash) == sizeof(known.hash), "XXH3-128");
	XXH128_canonicalFromHash(&hash, XXH3_128bits(page, PAGE_BYTES));
	memcpy(known.hash, hash.digest, sizeof(known.hash));
	if (tagged)
		known.tag = tag_page(page);
	return known;
}
