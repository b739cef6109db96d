/* The state hash of real stopped guests: what counts and what does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "page_scenario.h"

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

static void the_hidden_range_is_left_out_listed_or_not(void **state)
{
	struct mapping_table table = { 0 };
	struct mapping low = anon(BASE, 10), middle = anon(BASE + 10 * PAGE, 4),
		       high = anon(BASE + 14 * PAGE, 50);
	uint8_t listed[DIGEST_BYTES], unlisted[DIGEST_BYTES], shown[DIGEST_BYTES];
	pid_t pid = paged_start(fill_all);
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
	paged_end(pid);
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
	pid_t pid = paged_start(write_one);

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
	paged_end(pid);
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
		pid_t pid = paged_start(bodies[i]);

		hash_of(pid, mappings[i], PAGE_XXH3, hashes[i]);
		paged_end(pid);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_the_content_was_reached_does_not_matter),
		cmocka_unit_test(one_changed_byte_changes_the_hash),
		cmocka_unit_test(content_is_bound_to_its_address),
		cmocka_unit_test(the_hidden_range_is_left_out_listed_or_not),
		cmocka_unit_test(threads_are_hashed_without_what_a_stop_changes),
		cmocka_unit_test(an_excluded_thread_counts_by_its_number_only),
		cmocka_unit_test(mappings_are_hashed_even_when_empty),
		cmocka_unit_test(kernels_without_page_scanning_give_the_same_hash),
		cmocka_unit_test(hosts_without_process_vm_readv_give_the_same_hash),
	};

	return cmocka_run_group_tests_name("state", tests, open_arena, close_arena);
}
