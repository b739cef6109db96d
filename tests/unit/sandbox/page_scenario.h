/*
 * Stopped guests whose memory is known, and the tables that describe it: what test_page.c and test_state.c look at.
 * A guest is a fork of the test that has run one body, which maps and writes. Included behind cmocka.h.
 */
#ifndef SWORN_TESTS_PAGE_SCENARIO_H
#define SWORN_TESTS_PAGE_SCENARIO_H

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../sandbox/state.h"

#define PAGE 4096ULL
#define BASE 0x200000000000ULL
#define ANON_PAGES 64
#define BLOB_AT (BASE + (1ULL << 32))
#define BLOB_BYTES (5 * PAGE + 100)
#define STACK_END (BASE + (3ULL << 32))
#define STACK_PAGES 4
#define FOUND_MAX 512

static struct arena *arena;
static struct arena_blob blob;
static uint8_t blob_digest[DIGEST_BYTES] = { 1, 2, 3 };

typedef void guest_body(void);

static inline uint8_t *at(uint64_t address)
{
	return (uint8_t *)(uintptr_t)address;
}

static inline uint8_t *map_at(uint64_t address, uint64_t length, int prot, int flags)
{
	void *p = mmap(at(address), length, prot, flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(9);
	return p;
}

/* A guest that has run `body` and stands stopped. */
static inline pid_t paged_start(guest_body *body)
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

static inline void paged_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static inline struct mapping anon(uint64_t start_at, uint64_t pages)
{
	return (struct mapping){ .start = start_at,
				 .end = start_at + pages * PAGE,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE };
}

static inline struct mapping blob_mapping(uint64_t pages)
{
	struct mapping mapping = anon(BLOB_AT, pages);

	mapping.backing = BACKING_BLOB;
	memcpy(mapping.digest, blob_digest, DIGEST_BYTES);
	mapping.length = BLOB_BYTES;
	return mapping;
}

static inline struct mapping stack_mapping(void)
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

static inline struct state_input *one(struct one *one, pid_t pid, struct mapping mapping)
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

static inline int note(void *context, uint64_t address, const uint8_t *page)
{
	struct found *found = context;

	assert_true(found->count < FOUND_MAX);
	found->address[found->count] = address;
	found->first[found->count++] = page[0];
	return found->stop_after && found->count == found->stop_after ? 77 : 0;
}

static inline void pages_of(pid_t pid, struct mapping mapping, struct found *found)
{
	struct one input;

	*found = (struct found){ 0 };
	assert_int_equal(page_walk(&one(&input, pid, mapping)->source, note, found), 0);
}

static inline void hash_of(pid_t pid, struct mapping mapping, enum page_hash kind,
			   uint8_t hash[DIGEST_BYTES])
{
	struct one input;

	memset(hash, 0xee, DIGEST_BYTES);
	assert_int_equal(state_hash(one(&input, pid, mapping), kind, NULL, hash), 0);
}

static inline bool same_state(guest_body *left, guest_body *right, struct mapping mapping)
{
	pid_t left_pid = paged_start(left), right_pid = paged_start(right);
	bool same[2];

	for (int kind = 0; kind < 2; kind++) {
		uint8_t hashes[2][DIGEST_BYTES];

		hash_of(left_pid, mapping, (enum page_hash)kind, hashes[0]);
		hash_of(right_pid, mapping, (enum page_hash)kind, hashes[1]);
		same[kind] = memcmp(hashes[0], hashes[1], DIGEST_BYTES) == 0;
	}
	paged_end(left_pid);
	paged_end(right_pid);
	assert_int_equal(same[0], same[1]);
	return same[0];
}

static inline void write_one(void)
{
	map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE)[3 * PAGE] = 7;
}

static inline void map_blob(void)
{
	if (mmap(at(BLOB_AT), 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		 arena_fd(arena), (off_t)blob.offset) == MAP_FAILED)
		_exit(9);
}

static inline void rewrite_blob(void)
{
	volatile uint8_t *p = at(BLOB_AT);

	map_blob();
	for (size_t i = 0; i < 6; i++)
		p[i * PAGE] = p[i * PAGE];
	p[BLOB_BYTES + 5] = 0;
}

static inline void change_blob(void)
{
	rewrite_blob();
	at(BLOB_AT)[2 * PAGE] = 0xaa;
	at(BLOB_AT)[BLOB_BYTES] = 1;
}

static inline volatile uint8_t *map_stack(void)
{
	return map_at(STACK_END - STACK_PAGES * PAGE, STACK_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_GROWSDOWN) +
	       STACK_PAGES * PAGE;
}

static inline void grow_stack(void)
{
	volatile uint8_t *end = map_stack();

	end[-8] = 5;
	for (int64_t page = STACK_PAGES; page < 40; page++)
		end[-page * (int64_t)PAGE] = 0;
}

static inline void fill_grown_stack(void)
{
	grow_stack();
	/* Several areas of the kernel's, one stack. */
	mprotect(at(STACK_END - 20 * PAGE), PAGE, PROT_READ);
	at(STACK_END)[-30 * (int64_t)PAGE] = 6;
}

static inline void fill_all(void)
{
	uint8_t *p = map_at(BASE, ANON_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (size_t i = 0; i < ANON_PAGES; i++)
		p[i * PAGE] = (uint8_t)(i + 1);
	for (size_t i = 5; i < ANON_PAGES; i += 9)
		mprotect(p + i * PAGE, PAGE, PROT_NONE);
}

static inline void fill_every_other(void)
{
	uint8_t *p = map_at(BASE, 800 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);

	madvise(p, 800 * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 800; i += 2)
		p[i * PAGE] = 1;
}

static inline int open_arena(void **state)
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

static inline int close_arena(void **state)
{
	(void)state;
	arena_close(arena);
	return 0;
}

#endif
