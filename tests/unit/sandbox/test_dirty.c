#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../../../sandbox/domain.h"
#include "traced_child.h"

#define PAGE 4096UL
#define CODE 0x20000000UL
#define AREA 0x30000000UL
#define ELSEWHERE 0x40000000UL
#define PAGES 600UL

static const uint8_t store_code[] = { 0x89, 0x37, 0xcc }; /* mov %esi,(%rdi); int3 */

static int64_t inject(struct traced *traced, uint32_t nr, const uint64_t args[6])
{
	int64_t result = 0x7777;

	assert_int_equal(stop_inject(traced->thread, true, nr, args, &result), 0);
	return result;
}

static struct space *space_of(struct traced *traced)
{
	return traced->thread->process->space;
}

/* Maps memory in guest and model, as a recorder or replayer does. */
static void map(struct traced *traced, uint64_t start, uint64_t pages, uint32_t prot)
{
	struct mapping mapping = {
		.start = start, .end = start + pages * PAGE, .prot = prot, .flags = MAP_PRIVATE
	};
	const uint64_t args[6] = { start,	 pages * PAGE,
				   prot,	 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				   (uint64_t)-1, 0 };

	assert_int_equal(inject(traced, SYS_mmap, args), start);
	assert_int_equal(mapping_insert(&space_of(traced)->table, &mapping), 0);
	dirty_cover(space_of(traced)->dirty, start, mapping.end);
}

static void put(struct traced *traced, uint64_t page, uint32_t value)
{
	assert_int_equal(guest_write(traced->thread, AREA + page * PAGE, &value, sizeof(value)), 0);
}

/* The same by an instruction of the guest. */
static void store(struct traced *traced, uint64_t page, uint32_t value)
{
	struct registers *registers = &traced->thread->registers, saved = *registers;

	registers->rip = CODE;
	registers->rdi = AREA + page * PAGE;
	registers->rsi = value;
	assert_int_equal(stop_set_registers(traced->thread), 0);
	assert_int_equal(stop_signal(traced_next(traced, PTRACE_CONT)), SIGTRAP);
	*registers = saved;
	assert_int_equal(stop_set_registers(traced->thread), 0);
}

/* A guest that has written each page of an area. */
static void begin(struct traced *traced)
{
	pid_t tid;

	*traced = (struct traced){ 0 };
	assert_int_equal(stub_start(-1, -1, 8 << 20, &tid), 0);
	traced->thread = guest_first(&traced->guests, tid, 2);
	assert_non_null(traced->thread);
	traced->thread->stand = STAND_BOUNDARY;
	assert_int_equal(stop_get_registers(traced->thread), 0);
	map(traced, CODE, 1, PROT_READ | PROT_WRITE | PROT_EXEC);
	assert_int_equal(guest_write(traced->thread, CODE, store_code, sizeof(store_code)), 0);
	map(traced, AREA, PAGES, PROT_READ | PROT_WRITE);
	for (uint32_t i = 0; i < PAGES; i++)
		put(traced, i, i + 1);
}

static void hash_into(struct traced *traced, bool tagged, uint8_t hash[DIGEST_BYTES],
		      struct page_tags *tags)
{
	const struct state_request request = { PAGE_XXH3, true, tagged ? tags : NULL };

	assert_int_equal(guest_state(&traced->guests, traced->thread, &request, hash), 0);
}

/* Hashes and says how many pages that took; everything read must give the same hash and tags. */
static uint64_t hash_pages(struct traced *traced, bool tagged)
{
	struct dirty *dirty = space_of(traced)->dirty;
	uint8_t hash[DIGEST_BYTES], expected[DIGEST_BYTES];
	struct page_tags tags = { 0 }, expected_tags = { 0 };

	hash_into(traced, tagged, hash, &tags);
	space_of(traced)->dirty = NULL;
	hash_into(traced, tagged, expected, &expected_tags);
	space_of(traced)->dirty = dirty;
	assert_memory_equal(hash, expected, DIGEST_BYTES);
	assert_int_equal(tags.count, expected_tags.count);
	if (tags.count > 0)
		assert_memory_equal(tags.entries, expected_tags.entries,
				    tags.count * sizeof(struct page_tag));
	tags_release(&tags);
	tags_release(&expected_tags);
	return dirty->pages;
}

/* The same, followed from now on. */
static void begin_followed(struct traced *traced)
{
	begin(traced);
	assert_int_equal(dirty_start(traced->thread, true), 0);
	assert_int_equal(hash_pages(traced, false), PAGES + 1);
	assert_int_equal(dirty_start(traced->thread, true), 0);
	assert_true(space_of(traced)->dirty->fds[0] >= 0);
	assert_int_equal(hash_pages(traced, false), PAGES + 1);
	assert_int_equal(hash_pages(traced, false), 0);
}

static void only_written_pages_are_read_again(void **state)
{
	struct traced traced;

	(void)state;
	begin_followed(&traced);
	put(&traced, 5, 77);
	assert_int_equal(hash_pages(&traced, false), 1);
	store(&traced, 6, 78);
	store(&traced, 7, 79);
	store(&traced, 599, 80);
	assert_int_equal(hash_pages(&traced, false), 3);
	/* One that no longer counts, and back. */
	put(&traced, 9, 0);
	assert_int_equal(hash_pages(&traced, false), 1);
	assert_int_equal(hash_pages(&traced, false), 0);
	put(&traced, 9, 10);
	assert_int_equal(hash_pages(&traced, false), 1);
	traced_end(&traced);
}

static void a_tag_that_is_missing_takes_reading_once(void **state)
{
	struct traced traced;

	(void)state;
	begin_followed(&traced);
	assert_int_equal(hash_pages(&traced, true), PAGES + 1);
	assert_int_equal(hash_pages(&traced, true), 0);
	assert_int_equal(hash_pages(&traced, false), 0);
	put(&traced, 3, 1);
	assert_int_equal(hash_pages(&traced, false), 1);
	assert_int_equal(hash_pages(&traced, true), 1);
	traced_end(&traced);
}

static void changed_mappings_are_noticed(void **state)
{
	struct mapping_table *table;
	struct traced traced;

	(void)state;
	begin_followed(&traced);
	table = &space_of(&traced)->table;
	assert_int_equal(inject(&traced, SYS_madvise,
				(uint64_t[6]){ AREA + 10 * PAGE, 5 * PAGE, MADV_DONTNEED }),
			 0);
	assert_int_equal(hash_pages(&traced, false), 0);
	store(&traced, 12, 5);
	assert_int_equal(hash_pages(&traced, false), 1);
	map(&traced, AREA + 20 * PAGE, 5, PROT_READ | PROT_WRITE);
	store(&traced, 22, 23);
	assert_int_equal(hash_pages(&traced, false), 1);
	assert_int_equal(inject(&traced, SYS_mprotect,
				(uint64_t[6]){ AREA + 30 * PAGE, 9 * PAGE, PROT_READ }),
			 0);
	assert_int_equal(mapping_protect(table, AREA + 30 * PAGE, AREA + 39 * PAGE, PROT_READ), 0);
	assert_int_equal(hash_pages(&traced, false), 0);
	put(&traced, 31, 5);
	assert_int_equal(hash_pages(&traced, false), 1);
	traced_end(&traced);
}

/* A call of the guest, as both sides carry it out. */
static void remap(struct traced *traced, uint64_t from, uint64_t pages, uint64_t to)
{
	const uint64_t args[6] = { from, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to };

	memcpy(traced->thread->call.args, args, sizeof(args));
	dirty_uncover(space_of(traced)->dirty, from, from + pages * PAGE);
	assert_int_equal(inject(traced, SYS_mremap, args), to);
	assert_int_equal(guest_mremap(traced->thread, to), 0);
}

static void moved_pages_are_not_taken_for_those_known_at_their_place(void **state)
{
	struct traced traced;

	(void)state;
	begin_followed(&traced);
	remap(&traced, AREA + 100 * PAGE, 50, AREA + 200 * PAGE);
	assert_true(hash_pages(&traced, false) >= 50);
	assert_int_equal(hash_pages(&traced, false), 0);
	remap(&traced, AREA + 300 * PAGE, 50, ELSEWHERE);
	hash_pages(&traced, false);
	store(&traced, 210, 1);
	assert_int_equal(hash_pages(&traced, false), 1);
	traced_end(&traced);
}

/* How many areas the kernel shows between the two addresses. */
static int areas(pid_t tid, uint64_t start, uint64_t end)
{
	char path[64], line[512];
	unsigned long from, to;
	int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from < end && to > start)
			count++;
	}
	fclose(file);
	return count;
}

static void what_is_mapped_next_to_followed_memory_joins_it(void **state)
{
	struct traced traced;
	uint64_t end = AREA + (PAGES + 50) * PAGE;
	pid_t tid;

	(void)state;
	begin_followed(&traced);
	tid = traced.thread->tid;
	map(&traced, AREA + PAGES * PAGE, 50, PROT_READ | PROT_WRITE);
	assert_int_equal(areas(tid, AREA, end), 1);
	assert_int_equal(hash_pages(&traced, false), 0);
	store(&traced, PAGES + 3, 1);
	assert_int_equal(hash_pages(&traced, false), 1);
	dirty_uncover(space_of(&traced)->dirty, AREA, AREA + PAGE);
	assert_int_equal(areas(tid, AREA, end), 1);
	assert_int_equal(hash_pages(&traced, false), PAGES + 1);
	traced_end(&traced);
}

static void forgotten_pages_and_those_of_calls_in_flight_are_read(void **state)
{
	struct traced traced;
	struct thread *thread;

	(void)state;
	begin_followed(&traced);
	thread = traced.thread;
	dirty_forget(space_of(&traced)->dirty, AREA + 8 * PAGE + 5, AREA + 10 * PAGE + 1);
	assert_int_equal(hash_pages(&traced, false), 3);
	assert_int_equal(hash_pages(&traced, false), 0);
	/* read(0, AREA + 4 pages, 8192) */
	thread->registers.orig_rax = SYS_read;
	thread->registers.rdi = 0;
	thread->registers.rsi = AREA + 4 * PAGE;
	thread->registers.rdx = 2 * PAGE;
	assert_int_equal(guest_enter_call(thread), 0);
	hash_pages(&traced, false);
	assert_int_equal(hash_pages(&traced, false), 2);
	thread->stand = STAND_BOUNDARY;
	assert_int_equal(hash_pages(&traced, false), 2);
	assert_int_equal(hash_pages(&traced, false), 0);
	traced_end(&traced);
}

static void a_walk_that_fails_leaves_nothing_known(void **state)
{
	struct traced traced;
	struct dirty *dirty;

	(void)state;
	begin_followed(&traced);
	dirty = space_of(&traced)->dirty;
	dirty_begin(dirty, false);
	dirty_note(dirty, &(struct known_page){ .address = AREA });
	dirty_end(dirty, false);
	assert_int_equal(hash_pages(&traced, false), PAGES + 1);
	dirty_begin(dirty, false);
	dirty_distrust(dirty);
	dirty_end(dirty, true);
	assert_int_equal(hash_pages(&traced, false), PAGES + 1);
	assert_int_equal(hash_pages(&traced, false), 0);
	traced_end(&traced);
}

/* The kernel does not follow this space, whatever the model says. */
static void a_space_that_the_kernel_does_not_follow_is_read(void **state)
{
	struct traced traced, other;

	(void)state;
	begin(&traced);
	begin_followed(&other);
	put(&traced, 50, 3);
	space_of(&traced)->dirty = space_of(&other)->dirty;
	space_of(&other)->dirty = NULL;
	for (int i = 0; i < 3; i++)
		assert_int_equal(hash_pages(&traced, false), PAGES + 1);
	traced_end(&traced);
	traced_end(&other);
}

static void without_a_descriptor_everything_is_read(void **state)
{
	const struct rlimit none = { 0, 0 };
	struct traced traced;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&traced);
		if (i == 0)
			assert_int_equal(prlimit(traced.thread->tid, RLIMIT_NOFILE, &none, NULL), 0);
		else
			assert_int_equal(setenv("SWORN_WITHOUT", "uffd", 1), 0);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(dirty_start(traced.thread, true), 0);
			assert_int_equal(hash_pages(&traced, false), PAGES + 1);
		}
		assert_true(space_of(&traced)->dirty->refused && space_of(&traced)->dirty->fds[0] < 0);
		traced_end(&traced);
	}
	unsetenv("SWORN_WITHOUT");
}

static void a_small_process_is_not_followed(void **state)
{
	struct traced traced;

	(void)state;
	begin(&traced);
	assert_int_equal(inject(&traced, SYS_madvise,
				(uint64_t[6]){ AREA, (PAGES - 100) * PAGE, MADV_DONTNEED }),
			 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dirty_start(traced.thread, true), 0);
		assert_int_equal(hash_pages(&traced, false), 101);
	}
	assert_int_equal(space_of(&traced)->dirty->fds[0], -1);
	traced_end(&traced);
}

static void a_process_that_died_is_gone(void **state)
{
	struct traced traced;
	const struct state_request request = { PAGE_XXH3, true, NULL };
	uint8_t hash[DIGEST_BYTES];

	(void)state;
	begin_followed(&traced);
	launch_discard(traced.thread->tid);
	traced.thread->stand = STAND_ENTRY; /* no vector state */
	assert_true(guest_state(&traced.guests, traced.thread, &request, hash) < 0);
	assert_int_equal(space_of(&traced)->dirty->known.count, 0);
	guests_release(&traced.guests);
	begin(&traced);
	assert_int_equal(dirty_start(traced.thread, true), 0);
	hash_pages(&traced, false);
	launch_discard(traced.thread->tid);
	assert_int_equal(dirty_start(traced.thread, true), SWORN_EGONE);
	guests_release(&traced.guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_written_pages_are_read_again),
		cmocka_unit_test(a_tag_that_is_missing_takes_reading_once),
		cmocka_unit_test(changed_mappings_are_noticed),
		cmocka_unit_test(moved_pages_are_not_taken_for_those_known_at_their_place),
		cmocka_unit_test(what_is_mapped_next_to_followed_memory_joins_it),
		cmocka_unit_test(forgotten_pages_and_those_of_calls_in_flight_are_read),
		cmocka_unit_test(a_walk_that_fails_leaves_nothing_known),
		cmocka_unit_test(a_space_that_the_kernel_does_not_follow_is_read),
		cmocka_unit_test(without_a_descriptor_everything_is_read),
		cmocka_unit_test(a_small_process_is_not_followed),
		cmocka_unit_test(a_process_that_died_is_gone),
	};
	int r = dirty_probe();

	if (r < 0) {
		fprintf(stderr, "skipped: written pages cannot be known on this host (%s)\n",
			strerror(-r));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
