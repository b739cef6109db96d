/* The state hash of real stopped guests: what counts, what does not, and what reading may not change. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../sandbox/state.h"
#include "../../../traces/error.h"

#define PAGE 4096ULL
#define BASE 0x200000000000ULL
#define ANON_PAGES 64
#define BLOB_AT (BASE + (1ULL << 32))
#define BLOB_BYTES (5 * PAGE + 100)
#define SHARED_AT (BASE + (2ULL << 32))
#define SHARED_PAGES 20
#define STACK_END (BASE + (3ULL << 32))
#define STACK_PAGES 4
#define SPARSE_AT 0x300000000000ULL
#define TIB (1ULL << 40)
#define FOUND_MAX 512

static struct arena *arena;
static struct arena_blob blob;
static uint8_t blob_digest[DIGEST_BYTES] = { 1, 2, 3 };
static int shared_fd;

typedef void guest_body(void);

static uint8_t *at(uint64_t address)
{
	return (uint8_t *)(uintptr_t)address;
}

static uint8_t *map_at(uint64_t address, uint64_t length, int prot, int flags)
{
	void *p = mmap(at(address), length, prot, flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(9);
	return p;
}

/* A guest that has run `body` and stands stopped. */
static pid_t start(guest_body *body)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		body();
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void finish(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static struct mapping anon(uint64_t start_at, uint64_t pages)
{
	return (struct mapping){ .start = start_at,
				 .end = start_at + pages * PAGE,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE };
}

static struct mapping blob_mapping(uint64_t pages)
{
	struct mapping mapping = anon(BLOB_AT, pages);

	mapping.backing = BACKING_BLOB;
	memcpy(mapping.digest, blob_digest, DIGEST_BYTES);
	mapping.length = BLOB_BYTES;
	return mapping;
}

static struct mapping shared_mapping(void)
{
	struct mapping mapping = anon(SHARED_AT, SHARED_PAGES);

	mapping.flags = MAP_SHARED;
	mapping.backing = BACKING_SHARED;
	mapping.object = 1;
	mapping.length = SHARED_PAGES * PAGE;
	return mapping;
}

static struct mapping stack_mapping(void)
{
	struct mapping mapping = anon(STACK_END - STACK_PAGES * PAGE, STACK_PAGES);

	mapping.flags |= MAP_GROWSDOWN;
	return mapping;
}

/* One mapping is enough for most tests: a table of it and of an unrelated one before it. */
struct one {
	struct mapping entries[2];
	struct mapping_table table;
	struct state_input input;
};

static struct state_input *one(struct one *one, pid_t pid, struct mapping mapping)
{
	one->entries[0] = anon(BASE - 4 * PAGE, 1);
	one->entries[1] = mapping;
	one->table = (struct mapping_table){ one->entries, 2, 2 };
	one->input = (struct state_input){ .source = { .pid = pid, .table = &one->table, .arena = arena },
					   .with_memory = true };
	return &one->input;
}

struct found {
	size_t count;
	uint64_t address[FOUND_MAX];
	uint8_t first[FOUND_MAX]; /* byte of each page */
	size_t stop_after;
};

static int note(void *context, uint64_t address, const uint8_t *page)
{
	struct found *found = context;

	assert_true(found->count < FOUND_MAX);
	found->address[found->count] = address;
	found->first[found->count++] = page[0];
	return found->stop_after && found->count == found->stop_after ? 77 : 0;
}

static void pages_of(pid_t pid, struct mapping mapping, struct found *found)
{
	struct one input;

	*found = (struct found){ 0 };
	assert_int_equal(page_walk(&one(&input, pid, mapping)->source, note, found), 0);
}

static void hash_of(pid_t pid, struct mapping mapping, enum page_hash kind, uint8_t hash[DIGEST_BYTES])
{
	struct one input;

	memset(hash, 0xee, DIGEST_BYTES);
	assert_int_equal(state_hash(one(&input, pid, mapping), kind, NULL, hash), 0);
}

static bool same_state(guest_body *left, guest_body *right, struct mapping mapping)
{
	pid_t left_pid = start(left), right_pid = start(right);
	bool same[2];

	for (int kind = 0; kind < 2; kind++) {
		uint8_t hashes[2][DIGEST_BYTES];

		hash_of(left_pid, mapping, (enum page_hash)kind, hashes[0]);
		hash_of(right_pid, mapping, (enum page_hash)kind, hashes[1]);
		same[kind] = memcmp(hashes[0], hashes[1], DIGEST_BYTES) == 0;
	}
	finish(left_pid);
	finish(right_pid);
	assert_int_equal(same[0], same[1]);
	return same[0];
}

static void write_one(void)
{
	map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE)[3 * PAGE] = 7;
}

static void read_all_and_write_zeros(void)
{
	volatile uint8_t *p = map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (size_t i = 0; i < ANON_PAGES / 2; i++)
		(void)p[i * PAGE];
	for (size_t i = 10; i < ANON_PAGES; i++)
		p[i * PAGE] = 0;
	p[3 * PAGE] = 7;
}

static void write_another_byte(void)
{
	write_one();
	at(BASE)[4 * PAGE - 1] = 1;
}

static void write_another_page(void)
{
	map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE)[4 * PAGE] = 7;
}

static void how_the_content_was_reached_does_not_matter(void **state)
{
	(void)state;
	assert_true(same_state(write_one, read_all_and_write_zeros, anon(BASE, ANON_PAGES)));
}

static void one_changed_byte_changes_the_hash(void **state)
{
	(void)state;
	assert_false(same_state(write_one, write_another_byte, anon(BASE, ANON_PAGES)));
}

static void content_is_bound_to_its_address(void **state)
{
	(void)state;
	assert_false(same_state(write_one, write_another_page, anon(BASE, ANON_PAGES)));
}

static void map_blob(void)
{
	if (mmap(at(BLOB_AT), 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		 arena_fd(arena), (off_t)blob.offset) == MAP_FAILED)
		_exit(9);
}

static void rewrite_blob(void)
{
	volatile uint8_t *p = at(BLOB_AT);

	map_blob();
	for (size_t i = 0; i < 6; i++)
		p[i * PAGE] = p[i * PAGE];
	p[BLOB_BYTES + 5] = 0;
}

static void change_blob(void)
{
	rewrite_blob();
	at(BLOB_AT)[2 * PAGE] = 0xaa;
	at(BLOB_AT)[BLOB_BYTES] = 1;
}

static void a_copied_file_page_that_is_equal_does_not_count(void **state)
{
	struct found found;
	pid_t pid;

	(void)state;
	assert_true(same_state(map_blob, rewrite_blob, blob_mapping(9)));
	assert_false(same_state(map_blob, change_blob, blob_mapping(9)));
	pid = start(change_blob);
	pages_of(pid, blob_mapping(9), &found);
	finish(pid);
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
	pid_t pid = start(rewrite_blob), clean = start(read_blob);

	(void)state;
	mapping.digest[0]++;
	assert_int_equal(page_walk(&one(&input, pid, mapping)->source, note, &found), SWORN_EBLOB);
	assert_int_equal(state_hash(&input.input, PAGE_XXH3, NULL, hash), SWORN_EBLOB);
	assert_int_equal(hash[0], 0x55);
	assert_int_equal(page_walk(&one(&input, clean, mapping)->source, note, &found), 0);
	finish(pid);
	finish(clean);
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
	pid_t pid = start(hide_a_page);

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
	finish(pid);
}

static volatile uint8_t *map_stack(void)
{
	return map_at(STACK_END - STACK_PAGES * PAGE, STACK_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_GROWSDOWN) +
	       STACK_PAGES * PAGE;
}

static void use_stack(void)
{
	map_stack()[-8] = 5;
}

static void grow_stack(void)
{
	volatile uint8_t *end = map_stack();

	end[-8] = 5;
	for (int64_t page = STACK_PAGES; page < 40; page++)
		end[-page * (int64_t)PAGE] = 0;
}

static void fill_grown_stack(void)
{
	grow_stack();
	/* Several areas of the kernel's, one stack. */
	mprotect(at(STACK_END - 20 * PAGE), PAGE, PROT_READ);
	at(STACK_END)[-30 * (int64_t)PAGE] = 6;
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
	pid = start(fill_grown_stack);
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
	finish(pid);
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
	pid_t pid = start(write_one);

	(void)state;
	before = resident_pages(pid);
	pages_of(pid, anon(BASE, ANON_PAGES), &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(resident_pages(pid), before);
	assert_int_equal(before, 1);
	finish(pid);
}

static void map_sparse(void)
{
	uint8_t *p = map_at(SPARSE_AT, TIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);

	madvise(p, TIB, MADV_NOHUGEPAGE);
	p[0] = 1;
	p[TIB / 2] = 2;
	p[TIB - PAGE] = 3;
}

static void a_terabyte_with_three_pages_is_hashed_in_under_a_second(void **state)
{
	struct timespec before, after;
	struct found found;
	pid_t pid = start(map_sparse);
	double seconds;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	pages_of(pid, anon(SPARSE_AT, TIB / PAGE), &found);
	clock_gettime(CLOCK_MONOTONIC, &after);
	finish(pid);
	seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	assert_int_equal(found.count, 3);
	assert_int_equal(found.address[1], SPARSE_AT + TIB / 2);
	assert_int_equal(found.address[2], SPARSE_AT + TIB - PAGE);
	assert_int_equal(found.first[2], 3);
	assert_true(seconds < 1);
}

static void fill_all(void)
{
	uint8_t *p = map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (size_t i = 0; i < ANON_PAGES; i++)
		p[i * PAGE] = (uint8_t)(i + 1);
	for (size_t i = 5; i < ANON_PAGES; i += 9)
		mprotect(p + i * PAGE, PAGE, PROT_NONE);
}

static void every_page_comes_once_and_ascending(void **state)
{
	struct found found;
	pid_t pid = start(fill_all);

	(void)state;
	pages_of(pid, anon(BASE, ANON_PAGES), &found);
	assert_int_equal(found.count, ANON_PAGES);
	for (size_t i = 0; i < ANON_PAGES; i++) {
		assert_int_equal(found.address[i], BASE + i * PAGE);
		assert_int_equal(found.first[i], i + 1);
	}
	finish(pid);
}

static void fill_every_other(void)
{
	uint8_t *p = map_at(BASE, 800 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);

	madvise(p, 800 * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 800; i += 2)
		p[i * PAGE] = 1;
}

static void scattered_pages_are_all_found(void **state)
{
	struct found found;
	pid_t pid = start(fill_every_other);

	(void)state;
	pages_of(pid, anon(BASE, 800), &found);
	assert_int_equal(found.count, 400);
	assert_int_equal(found.address[399], BASE + 798 * PAGE);
	finish(pid);
}

static void the_callers_answer_ends_the_walk(void **state)
{
	struct found found = { .stop_after = 3 };
	struct one input;
	pid_t pid = start(fill_all);

	(void)state;
	assert_int_equal(page_walk(&one(&input, pid, anon(BASE, ANON_PAGES))->source, note, &found), 77);
	assert_int_equal(found.count, 3);
	finish(pid);
}

static void the_hidden_range_is_left_out_listed_or_not(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping low = anon(BASE, 10), middle = anon(BASE + 10 * PAGE, 4),
		       high = anon(BASE + 14 * PAGE, 50);
	uint8_t listed[DIGEST_BYTES], unlisted[DIGEST_BYTES], shown[DIGEST_BYTES];
	pid_t pid = start(fill_all);
	struct state_input input = { .source = { .pid = pid, .table = &table, .arena = arena },
				     .with_memory = true };
	struct found found = { 0 };

	(void)state;
	assert_int_equal(mapping_insert(&table, &low), 0);
	assert_int_equal(mapping_insert(&table, &high), 0);
	input.source.hidden_start = middle.start;
	input.source.hidden_end = middle.end;
	assert_int_equal(state_hash(&input, PAGE_XXH3, NULL, unlisted), 0);
	assert_int_equal(mapping_insert(&table, &middle), 0);
	assert_int_equal(table.count, 1);
	assert_int_equal(state_hash(&input, PAGE_XXH3, NULL, listed), 0);
	assert_memory_equal(listed, unlisted, DIGEST_BYTES);
	assert_int_equal(page_walk(&input.source, note, &found), 0);
	assert_int_equal(found.count, ANON_PAGES - 4);
	assert_int_equal(found.address[10], BASE + 14 * PAGE);
	input.source.hidden_end = 0;
	assert_int_equal(state_hash(&input, PAGE_XXH3, NULL, shown), 0);
	assert_memory_not_equal(shown, listed, DIGEST_BYTES);
	mapping_release(&table);
	finish(pid);
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
	pid = start(map_shared);
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
	finish(pid);
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
	pid = start(map_shared_with_a_hole);
	for (int i = 0; i < 2; i++) {
		pages_of(pid, mapping, &found);
		assert_int_equal(found.count, 1);
		assert_int_equal(found.address[0], SHARED_AT + 11 * PAGE);
		mapping.prot = PROT_NONE; /* read by another way */
	}
	finish(pid);
	close(shared_fd);
}

static void hash_thread(struct state_thread thread, uint64_t brk, const char *signals,
			uint8_t hash[DIGEST_BYTES])
{
	struct state_input input = { .threads = &thread,
				     .threads_count = 1,
				     .signals = signals,
				     .signals_length = strlen(signals),
				     .brk = brk };

	assert_int_equal(state_hash(&input, PAGE_XXH3, NULL, hash), 0);
}

static void threads_are_hashed_without_what_a_stop_changes(void **state)
{
	struct registers registers = { .rax = 1, .orig_rax = 2, .eflags = 0x246 }, other = registers;
	struct state_thread thread = { .thread = 1, .registers = &registers, .signal_mask = 4 };
	uint8_t base[DIGEST_BYTES], hash[DIGEST_BYTES], zeros[16] = { 0 };

	(void)state;
	hash_thread(thread, 10, "sig", base);
	assert_memory_equal(base + 16, zeros, 16);
	assert_memory_not_equal(base, zeros, 16);
	other.orig_rax = 99;
	other.eflags |= 0x10100;
	thread.registers = &other;
	hash_thread(thread, 10, "sig", hash);
	assert_memory_equal(hash, base, DIGEST_BYTES);
	other.eflags ^= 1;
	hash_thread(thread, 10, "sig", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	thread.registers = &registers;
	registers.fs_base = 3;
	hash_thread(thread, 10, "sig", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	registers.fs_base = 0;
	hash_thread(thread, 11, "sig", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	hash_thread(thread, 10, "sih", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	thread.signal_mask = 5;
	hash_thread(thread, 10, "sig", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	thread.signal_mask = 4;
	thread.vector = (const uint8_t *)"v";
	thread.vector_length = 1;
	hash_thread(thread, 10, "sig", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	thread.vector = (const uint8_t *)"w";
	hash_thread(thread, 10, "sig", base);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
}

static void an_excluded_thread_counts_by_its_number_only(void **state)
{
	struct state_thread thread = { .thread = 1, .signal_mask = 4 };
	uint8_t base[DIGEST_BYTES], hash[DIGEST_BYTES];

	(void)state;
	hash_thread(thread, 10, "", base);
	thread.signal_mask = 5;
	hash_thread(thread, 10, "", hash);
	assert_memory_equal(hash, base, DIGEST_BYTES);
	thread.thread = 2;
	hash_thread(thread, 10, "", hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
}

static void mappings_are_hashed_even_when_empty(void **state)
{
	uint8_t base[DIGEST_BYTES], hash[DIGEST_BYTES];
	struct mapping mapping = anon(BASE, ANON_PAGES);
	pid_t pid = start(write_one);

	(void)state;
	hash_of(pid, mapping, PAGE_SHA256, base);
	mapping.prot = PROT_READ;
	hash_of(pid, mapping, PAGE_SHA256, hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	mapping = anon(BASE, ANON_PAGES - 1);
	hash_of(pid, mapping, PAGE_SHA256, hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	mapping = anon(BASE, ANON_PAGES);
	mapping.path = "[heap]";
	hash_of(pid, mapping, PAGE_SHA256, hash);
	assert_memory_equal(hash, base, DIGEST_BYTES);
	mapping.digest[31] = 1;
	hash_of(pid, mapping, PAGE_SHA256, hash);
	assert_memory_not_equal(hash, base, DIGEST_BYTES);
	finish(pid);
}

static void a_process_that_is_gone_is_reported_as_gone(void **state)
{
	struct found found = { 0 };
	struct one input;
	pid_t pid = start(write_one);

	(void)state;
	finish(pid);
	assert_int_equal(page_walk(&one(&input, pid, anon(BASE, 1))->source, note, &found), SWORN_EGONE);
}

/* From here on the call fails, whatever its second argument or only with this one. */
static void deny(uint32_t nr, bool any, uint32_t second_argument, uint32_t error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, any ? 2 : 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second_argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

#define PAGEMAP_SCAN_REQUEST 0xc0606610U
#define PROCMAP_QUERY_REQUEST 0xc0686611U

static guest_body *const bodies[] = { fill_every_other, change_blob, fill_grown_stack, fill_all };

static void hash_bodies(uint8_t hashes[4][DIGEST_BYTES])
{
	const struct mapping mappings[] = { anon(BASE, 2000), blob_mapping(9), stack_mapping(),
					    anon(BASE, ANON_PAGES) };

	for (size_t i = 0; i < 4; i++) {
		pid_t pid = start(bodies[i]);

		hash_of(pid, mappings[i], PAGE_XXH3, hashes[i]);
		finish(pid);
	}
}

static void check_older_kernel(bool without_scan, bool without_read)
{
	uint8_t expected[4][DIGEST_BYTES];
	size_t size = sizeof(expected);
	uint8_t(*found)[DIGEST_BYTES] = mmap(NULL, size, PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	assert_true(found != MAP_FAILED);
	hash_bodies(expected);
	pid = fork();
	if (pid == 0) {
		if (without_scan) {
			deny(SYS_ioctl, false, PAGEMAP_SCAN_REQUEST, ENOTTY);
			deny(SYS_ioctl, false, PROCMAP_QUERY_REQUEST, ENOTTY);
		}
		if (without_read)
			deny(SYS_process_vm_readv, true, 0, EPERM);
		hash_bodies(found);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < 4; i++)
		assert_memory_equal(found[i], expected[i], DIGEST_BYTES);
	munmap(found, size);
}

static void kernels_without_page_scanning_give_the_same_hash(void **state)
{
	(void)state;
	check_older_kernel(true, false);
}

static void hosts_without_process_vm_readv_give_the_same_hash(void **state)
{
	(void)state;
	check_older_kernel(false, true);
}

static int open_arena(void **state)
{
	uint8_t *buffer;

	(void)state;
	if (arena_open(&arena) || arena_reserve(arena, 3 * PAGE, &buffer) ||
	    arena_commit(arena, (const uint8_t[DIGEST_BYTES]){ 9 }, &blob) ||
	    arena_reserve(arena, BLOB_BYTES, &buffer))
		return -1;
	for (size_t i = 0; i < BLOB_BYTES; i++)
		buffer[i] = (uint8_t)(i % 251 + 1);
	return arena_commit(arena, blob_digest, &blob);
}

static int close_arena(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_the_content_was_reached_does_not_matter),
		cmocka_unit_test(one_changed_byte_changes_the_hash),
		cmocka_unit_test(content_is_bound_to_its_address),
		cmocka_unit_test(a_copied_file_page_that_is_equal_does_not_count),
		cmocka_unit_test(a_page_that_cannot_be_compared_is_an_error),
		cmocka_unit_test(pages_the_guest_may_not_read_count),
		cmocka_unit_test(growth_of_the_stack_does_not_matter_but_its_content_does),
		cmocka_unit_test(reading_populates_nothing),
		cmocka_unit_test(a_terabyte_with_three_pages_is_hashed_in_under_a_second),
		cmocka_unit_test(every_page_comes_once_and_ascending),
		cmocka_unit_test(scattered_pages_are_all_found),
		cmocka_unit_test(the_callers_answer_ends_the_walk),
		cmocka_unit_test(the_hidden_range_is_left_out_listed_or_not),
		cmocka_unit_test(shared_pages_count_whoever_touched_them),
		cmocka_unit_test(an_unreadable_page_does_not_hide_those_behind_it),
		cmocka_unit_test(threads_are_hashed_without_what_a_stop_changes),
		cmocka_unit_test(an_excluded_thread_counts_by_its_number_only),
		cmocka_unit_test(mappings_are_hashed_even_when_empty),
		cmocka_unit_test(a_process_that_is_gone_is_reported_as_gone),
		cmocka_unit_test(kernels_without_page_scanning_give_the_same_hash),
		cmocka_unit_test(hosts_without_process_vm_readv_give_the_same_hash),
	};

	return cmocka_run_group_tests_name("state", tests, open_arena, close_arena);
}
