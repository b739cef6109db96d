/* Which pages of real stopped guests count as their state, and what reading may not change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../traces/error.h"
#include "page_scenario.h"

#define SHARED_AT (BASE + (2ULL << 32))
#define SHARED_PAGES 20
#define SPARSE_AT 0x300000000000ULL
#define TIB (1ULL << 40)

static int shared_fd;

static struct mapping shared_mapping(void)
{
	struct mapping mapping = anon(SHARED_AT, SHARED_PAGES);

	mapping.flags = MAP_SHARED;
	mapping.backing = BACKING_SHARED;
	mapping.object = 1;
	mapping.length = SHARED_PAGES * PAGE;
	return mapping;
}

static void a_copied_file_page_that_is_equal_does_not_count(void **state)
{
	struct found found;
	pid_t pid;

	(void)state;
	assert_true(same_state(map_blob, rewrite_blob, blob_mapping(9)));
	assert_false(same_state(map_blob, change_blob, blob_mapping(9)));
	pid = paged_start(change_blob);
	pages_of(pid, blob_mapping(9), &found);
	paged_end(pid);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.address[0], BLOB_AT + 2 * PAGE);
	assert_int_equal(found.first[0], 0xaa);
	assert_int_equal(found.address[1], BLOB_AT + 5 * PAGE);
}

static void read_blob(void)
{
	map_blob();
	for (size_t i = 0; i < 6; i++)
		(void)*(volatile uint8_t *)at(BLOB_AT + i * PAGE);
}

static void a_page_that_cannot_be_compared_is_an_error(void **state)
{
	struct found found = { 0 };
	struct mapping mapping = blob_mapping(9);
	struct one input;
	uint8_t hash[DIGEST_BYTES] = { 0x55 };
	pid_t pid = paged_start(rewrite_blob), clean = paged_start(read_blob);

	(void)state;
	mapping.digest[0]++;
	assert_int_equal(page_walk(&one(&input, pid, mapping)->source, note, &found), SWORN_EBLOB);
	assert_int_equal(state_hash(&input.input, PAGE_XXH3, NULL, hash), SWORN_EBLOB);
	assert_int_equal(hash[0], 0x55);
	assert_int_equal(page_walk(&one(&input, clean, mapping)->source, note, &found), 0);
	paged_end(pid);
	paged_end(clean);
}

static void hide_a_page(void)
{
	write_one();
	at(BASE)[9 * PAGE] = 9;
	mprotect(at(BASE), 12 * PAGE, PROT_NONE);
}

static void pages_the_guest_may_not_read_count(void **state)
{
	struct found found;
	struct mapping mapping = anon(BASE, ANON_PAGES);
	pid_t pid = paged_start(hide_a_page);

	(void)state;
	for (int i = 0; i < 2; i++) {
		pages_of(pid, mapping, &found);
		assert_int_equal(found.count, 2);
		assert_int_equal(found.address[0], BASE + 3 * PAGE);
		assert_int_equal(found.first[0], 7);
		assert_int_equal(found.address[1], BASE + 9 * PAGE);
		assert_int_equal(found.first[1], 9);
		mapping.prot = PROT_NONE; /* the table knows it, or has been merged wrongly: both work */
	}
	paged_end(pid);
}

static void use_stack(void)
{
	map_stack()[-8] = 5;
}

/* Where the area that ends at `end` starts, by /proc/PID/maps. */
static uint64_t area_start(pid_t pid, uint64_t end)
{
	char path[64], line[512];
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		char *rest;
		uint64_t start_at = strtoull(line, &rest, 16);

		if (strtoull(rest + 1, NULL, 16) == end)
			found = start_at;
	}
	fclose(maps);
	return found;
}

static void growth_of_the_stack_does_not_matter_but_its_content_does(void **state)
{
	uint8_t hashes[2][DIGEST_BYTES];
	struct mapping longer = stack_mapping();
	struct found found;
	uint64_t before;
	pid_t pid;

	(void)state;
	assert_true(same_state(use_stack, grow_stack, stack_mapping()));
	assert_false(same_state(use_stack, fill_grown_stack, stack_mapping()));
	pid = paged_start(fill_grown_stack);
	before = area_start(pid, STACK_END - 20 * PAGE);
	assert_true(before > 0 && before <= STACK_END - 39 * PAGE);
	pages_of(pid, stack_mapping(), &found);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.address[0], STACK_END - 30 * PAGE);
	assert_int_equal(found.first[0], 6);
	assert_int_equal(found.address[1], STACK_END - PAGE);
	assert_int_equal(area_start(pid, STACK_END - 20 * PAGE), before);
	hash_of(pid, stack_mapping(), PAGE_XXH3, hashes[0]);
	longer.start -= 10 * PAGE;
	hash_of(pid, longer, PAGE_XXH3, hashes[1]);
	assert_memory_equal(hashes[0], hashes[1], DIGEST_BYTES);
	paged_end(pid);
}

static uint64_t resident_pages(pid_t pid)
{
	uint64_t entries[ANON_PAGES], present = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, entries, sizeof(entries), (off_t)(BASE / PAGE * 8)), sizeof(entries));
	close(fd);
	for (size_t i = 0; i < ANON_PAGES; i++)
		present += entries[i] >> 63;
	return present;
}

static void reading_populates_nothing(void **state)
{
	struct found found;
	uint64_t before;
	pid_t pid = paged_start(write_one);

	(void)state;
	before = resident_pages(pid);
	pages_of(pid, anon(BASE, ANON_PAGES), &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(resident_pages(pid), before);
	assert_int_equal(before, 1);
	paged_end(pid);
}

static void map_sparse(void)
{
	uint8_t *p = map_at(SPARSE_AT, TIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);

	madvise(p, TIB, MADV_NOHUGEPAGE);
	p[0] = 1;
	p[TIB / 2] = 2;
	p[TIB - PAGE] = 3;
}

static void a_terabyte_gives_its_three_pages(void **state)
{
	struct found found;
	pid_t pid = paged_start(map_sparse);

	(void)state;
	pages_of(pid, anon(SPARSE_AT, TIB / PAGE), &found);
	paged_end(pid);
	assert_int_equal(found.count, 3);
	assert_int_equal(found.address[1], SPARSE_AT + TIB / 2);
	assert_int_equal(found.address[2], SPARSE_AT + TIB - PAGE);
	assert_int_equal(found.first[2], 3);
}

static void every_page_comes_once_and_ascending(void **state)
{
	struct found found;
	pid_t pid = paged_start(fill_all);

	(void)state;
	pages_of(pid, anon(BASE, ANON_PAGES), &found);
	assert_int_equal(found.count, ANON_PAGES);
	for (size_t i = 0; i < ANON_PAGES; i++) {
		assert_int_equal(found.address[i], BASE + i * PAGE);
		assert_int_equal(found.first[i], i + 1);
	}
	paged_end(pid);
}

static void scattered_pages_are_all_found(void **state)
{
	struct found found;
	pid_t pid = paged_start(fill_every_other);

	(void)state;
	pages_of(pid, anon(BASE, 800), &found);
	assert_int_equal(found.count, 400);
	assert_int_equal(found.address[399], BASE + 798 * PAGE);
	paged_end(pid);
}

static void the_callers_answer_ends_the_walk(void **state)
{
	struct found found = { .stop_after = 3 };
	struct one input;
	pid_t pid = paged_start(fill_all);

	(void)state;
	assert_int_equal(page_walk(&one(&input, pid, anon(BASE, ANON_PAGES))->source, note, &found), 77);
	assert_int_equal(found.count, 3);
	paged_end(pid);
}

static void map_shared(void)
{
	if (mmap(at(SHARED_AT), SHARED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 shared_fd, 0) == MAP_FAILED)
		_exit(9);
}

static void write_shared(void)
{
	map_shared();
	at(SHARED_AT)[11 * PAGE] = 42;
}

static void shared_pages_count_whoever_touched_them(void **state)
{
	struct mapping shorter = shared_mapping();
	struct found found;
	pid_t pid;

	(void)state;
	shared_fd = memfd_create("shared", MFD_CLOEXEC);
	assert_int_equal(ftruncate(shared_fd, SHARED_PAGES * PAGE), 0);
	assert_true(same_state(map_shared, write_shared, shared_mapping()));
	pid = paged_start(map_shared);
	pages_of(pid, shared_mapping(), &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.address[0], SHARED_AT + 11 * PAGE);
	assert_int_equal(found.first[0], 42);
	shorter.length = 11 * PAGE;
	pages_of(pid, shorter, &found);
	assert_int_equal(found.count, 0);
	/* Behind the object's end nothing can be read, whatever the table says of its length. */
	assert_int_equal(ftruncate(shared_fd, 11 * PAGE), 0);
	pages_of(pid, shared_mapping(), &found);
	assert_int_equal(found.count, 0);
	paged_end(pid);
	close(shared_fd);
}

static void map_shared_with_a_hole(void)
{
	write_shared();
	munmap(at(SHARED_AT + 5 * PAGE), PAGE);
}

static void an_unreadable_page_does_not_hide_those_behind_it(void **state)
{
	struct mapping mapping = shared_mapping();
	struct found found;
	pid_t pid;

	(void)state;
	shared_fd = memfd_create("shared", MFD_CLOEXEC);
	assert_int_equal(ftruncate(shared_fd, SHARED_PAGES * PAGE), 0);
	pid = paged_start(map_shared_with_a_hole);
	for (int i = 0; i < 2; i++) {
		pages_of(pid, mapping, &found);
		assert_int_equal(found.count, 1);
		assert_int_equal(found.address[0], SHARED_AT + 11 * PAGE);
		mapping.prot = PROT_NONE; /* read by another way */
	}
	paged_end(pid);
	close(shared_fd);
}

static void a_process_that_is_gone_is_reported_as_gone(void **state)
{
	struct found found = { 0 };
	struct one input;
	pid_t pid = paged_start(write_one);

	(void)state;
	paged_end(pid);
	assert_int_equal(page_walk(&one(&input, pid, anon(BASE, 1))->source, note, &found), SWORN_EGONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copied_file_page_that_is_equal_does_not_count),
		cmocka_unit_test(a_page_that_cannot_be_compared_is_an_error),
		cmocka_unit_test(pages_the_guest_may_not_read_count),
		cmocka_unit_test(growth_of_the_stack_does_not_matter_but_its_content_does),
		cmocka_unit_test(reading_populates_nothing),
		cmocka_unit_test(a_terabyte_gives_its_three_pages),
		cmocka_unit_test(every_page_comes_once_and_ascending),
		cmocka_unit_test(scattered_pages_are_all_found),
		cmocka_unit_test(the_callers_answer_ends_the_walk),
		cmocka_unit_test(shared_pages_count_whoever_touched_them),
		cmocka_unit_test(an_unreadable_page_does_not_hide_those_behind_it),
		cmocka_unit_test(a_process_that_is_gone_is_reported_as_gone),
	};

	return cmocka_run_group_tests_name("page", tests, open_arena, close_arena);
}
