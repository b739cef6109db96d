/* The two arenas: content once per digest, and shared objects in regions of their own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../sandbox/arena.h"
#include "../../../traces/error.h"

#define PAGE 4096ULL
#define TIB (1ULL << 40)

static void digest_of(uint32_t number, uint8_t digest[DIGEST_BYTES])
{
	memset(digest, 0, DIGEST_BYTES);
	memcpy(digest, &number, sizeof(number));
	/* Spread, but some share a slot of a small table. */
	digest[0] = (uint8_t)(number * 37);
	memcpy(digest + 9, &number, sizeof(number));
}

static struct arena_blob add(struct arena *arena, uint32_t number, uint64_t length)
{
	uint8_t digest[DIGEST_BYTES], *buffer;
	struct arena_blob blob;

	digest_of(number, digest);
	assert_int_equal(arena_reserve(arena, length, &buffer), 0);
	memset(buffer, (int)(number & 0xff), length);
	assert_int_equal(arena_commit(arena, digest, &blob), 0);
	return blob;
}

static void content_is_found_by_its_digest_and_padded_with_zeros(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	uint8_t digest[DIGEST_BYTES];

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	digest_of(0, digest);
	assert_int_equal(arena_find(arena, digest, &blob), 0);
	for (uint32_t i = 1; i <= 300; i++)
		add(arena, i, i * 37);
	for (uint32_t i = 1; i <= 300; i++) {
		uint64_t padded = (i * 37 + PAGE - 1) / PAGE * PAGE;

		digest_of(i, digest);
		assert_int_equal(arena_find(arena, digest, &blob), 1);
		assert_int_equal(blob.length, i * 37);
		assert_int_equal(blob.offset % PAGE, 0);
		for (uint64_t at = 0; at < padded; at++)
			assert_int_equal(blob.bytes[at], at < blob.length ? i & 0xff : 0);
	}
	digest_of(301, digest);
	assert_int_equal(arena_find(arena, digest, &blob), 0);
	arena_close(arena);
}

static void the_descriptor_for_guests_shows_the_bytes_and_refuses_writes(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	int fd;
	uint8_t *page;

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	fd = arena_fd(arena);
	add(arena, 1, 5000);
	blob = add(arena, 2, 3000);
	assert_int_equal(arena_fd(arena), fd);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(write(fd, "x", 1) < 0);
	assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)blob.offset);
	assert_true(page != MAP_FAILED);
	assert_memory_equal(page, blob.bytes, PAGE);
	munmap(page, PAGE);
	arena_close(arena);
}

static void a_committed_blob_cannot_be_written_in_this_process(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	blob = add(arena, 1, 100);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uint8_t *)(uintptr_t)blob.bytes = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	arena_close(arena);
}

static void bytes_written_behind_the_length_do_not_survive(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	uint8_t digest[DIGEST_BYTES], *buffer;

	(void)state;
	digest_of(5, digest);
	assert_int_equal(arena_open(&arena), 0);
	assert_int_equal(arena_reserve(arena, 10, &buffer), 0);
	memset(buffer, 0xee, 20);
	assert_int_equal(arena_commit(arena, digest, &blob), 0);
	assert_int_equal(blob.bytes[9], 0xee);
	assert_int_equal(blob.bytes[10], 0);
	arena_close(arena);
}

static void empty_content_has_a_digest_and_no_bytes(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	uint8_t digest[DIGEST_BYTES];

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	blob = add(arena, 1, 0);
	assert_null(blob.bytes);
	add(arena, 2, 10);
	digest_of(1, digest);
	assert_int_equal(arena_find(arena, digest, &blob), 1);
	assert_int_equal(blob.length, 0);
	arena_close(arena);
}

static void the_same_digest_twice_keeps_the_first_copy(void **state)
{
	struct arena *arena;
	struct arena_blob first, second, third;

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	first = add(arena, 1, 10);
	second = add(arena, 1, 10);
	third = add(arena, 2, 10);
	assert_ptr_equal(first.bytes, second.bytes);
	assert_int_equal(first.offset, second.offset);
	assert_int_equal(third.offset, first.offset + PAGE);
	arena_close(arena);
}

static void an_abandoned_reservation_leaves_nothing_behind(void **state)
{
	struct arena *arena;
	struct arena_blob blob;
	uint8_t digest[DIGEST_BYTES], *buffer;

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	digest_of(1, digest);
	assert_int_equal(arena_commit(arena, digest, &blob), -EINVAL);
	assert_int_equal(arena_reserve(arena, PAGE * 4, &buffer), 0);
	memset(buffer, 0xee, PAGE * 4);
	assert_int_equal(arena_reserve(arena, PAGE * 2, &buffer), 0);
	assert_int_equal(arena_commit(arena, digest, &blob), 0);
	assert_int_equal(blob.length, PAGE * 2);
	for (size_t i = 0; i < PAGE * 2; i++)
		assert_int_equal(blob.bytes[i], 0);
	assert_int_equal(arena_reserve(arena, UINT64_MAX, &buffer), SWORN_ELIMIT);
	arena_close(arena);
}

static void pages_beyond_the_arena_fault(void **state)
{
	struct arena *arena;
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(arena_open(&arena), 0);
	add(arena, 1, 100);
	child = fork();
	if (child == 0) {
		uint8_t *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, arena_fd(arena),
				     (off_t)ARENA_BEYOND);

		signal(SIGBUS, SIG_DFL);
		_exit(page == MAP_FAILED ? 2 : *(volatile uint8_t *)page);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	arena_close(arena);
}

static void refuse_memfd_create(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(3);
}

/* Exit status: 0 when an arena in an ordinary file behaves as one in memory. */
static int use_file_arena(void)
{
	struct arena *arena;
	struct arena_blob blob;
	uint8_t digest[DIGEST_BYTES] = { 1 }, *buffer, *page;
	struct stat info;

	refuse_memfd_create();
	if (arena_open(&arena) || arena_reserve(arena, 5000, &buffer))
		return 4;
	memset(buffer, 7, 5000);
	if (arena_commit(arena, digest, &blob) || fstat(arena_fd(arena), &info) || info.st_nlink != 0)
		return 5;
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, arena_fd(arena),
		    (off_t)blob.offset);
	if (page == MAP_FAILED || page[4999] != 7 || page[5000] != 0)
		return 6;
	if ((fcntl(arena_fd(arena), F_GETFL) & O_ACCMODE) != O_RDONLY)
		return 7;
	arena_close(arena);
	return 0;
}

static void without_memfd_an_unlinked_file_serves(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(use_file_arena());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void objects_have_regions_of_their_own(void **state)
{
	struct object_arena *arena;
	uint64_t first, second, third, offset, length;
	uint8_t byte;

	(void)state;
	assert_int_equal(object_arena_open(&arena), 0);
	assert_int_equal(object_create(arena, 9, (const uint8_t *)"nine", 4, &first), 0);
	assert_int_equal(object_create(arena, 2, (const uint8_t *)"two", 3, &second), 0);
	assert_int_equal(object_create(arena, 5, NULL, 3 * TIB / 4, &third), 0);
	assert_true(second >= first + TIB || first >= second + TIB);
	assert_true(third >= second + TIB);
	assert_int_equal(object_find(arena, 9, &offset, &length), 1);
	assert_int_equal(offset, first);
	assert_int_equal(length, 4);
	assert_int_equal(object_find(arena, 2, &offset, &length), 1);
	assert_int_equal(offset, second);
	assert_int_equal(object_find(arena, 3, &offset, &length), 0);
	assert_int_equal(pread(object_arena_fd(arena), &byte, 1, (off_t)second + 2), 1);
	assert_int_equal(byte, 'o');
	assert_int_equal(pread(object_arena_fd(arena), &byte, 1, (off_t)(third + 3 * TIB / 4 - 1)), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(fcntl(object_arena_fd(arena), F_GETFL) & O_ACCMODE, O_RDWR);
	object_arena_close(arena);
}

static void object_numbers_and_sizes_are_checked(void **state)
{
	struct object_arena *arena;
	uint64_t offset;

	(void)state;
	assert_int_equal(object_arena_open(&arena), 0);
	assert_int_equal(object_create(arena, 0, NULL, 1, &offset), -EINVAL);
	assert_int_equal(object_create(arena, 1, NULL, TIB + 1, &offset), SWORN_ELIMIT);
	assert_int_equal(object_create(arena, 1, NULL, 10, &offset), 0);
	assert_int_equal(object_create(arena, 1, NULL, 10, &offset), -EEXIST);
	assert_int_equal(object_write(arena, 1, 8, "abc", 3), SWORN_EREFUSED);
	assert_int_equal(object_write(arena, 1, UINT64_MAX, "abc", 3), SWORN_EREFUSED);
	assert_int_equal(object_write(arena, 7, 0, "abc", 3), -ENOENT);
	assert_int_equal(object_resize(arena, 7, 0), -ENOENT);
	assert_int_equal(object_resize(arena, 1, TIB + 1), SWORN_ELIMIT);
	object_arena_close(arena);
}

static void a_shortened_object_forgets_what_was_cut_off(void **state)
{
	struct object_arena *arena;
	uint64_t offset, length;
	uint8_t bytes[3];

	(void)state;
	assert_int_equal(object_arena_open(&arena), 0);
	assert_int_equal(object_create(arena, 1, NULL, 2 * PAGE, &offset), 0);
	assert_int_equal(object_write(arena, 1, 99, "abc", 3), 0);
	assert_int_equal(object_write(arena, 1, PAGE + 5, "def", 3), 0);
	assert_int_equal(object_resize(arena, 1, 100), 0);
	assert_int_equal(object_resize(arena, 1, 5 * PAGE), 0);
	assert_int_equal(object_find(arena, 1, &offset, &length), 1);
	assert_int_equal(length, 5 * PAGE);
	assert_int_equal(pread(object_arena_fd(arena), bytes, 3, (off_t)offset + 99), 3);
	assert_memory_equal(bytes, "a\0\0", 3);
	assert_int_equal(pread(object_arena_fd(arena), bytes, 3, (off_t)(offset + PAGE + 5)), 3);
	assert_memory_equal(bytes, "\0\0\0", 3);
	assert_int_equal(pread(object_arena_fd(arena), bytes, 3, (off_t)(offset + 5 * PAGE - 3)), 3);
	object_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_found_by_its_digest_and_padded_with_zeros),
		cmocka_unit_test(the_descriptor_for_guests_shows_the_bytes_and_refuses_writes),
		cmocka_unit_test(a_committed_blob_cannot_be_written_in_this_process),
		cmocka_unit_test(bytes_written_behind_the_length_do_not_survive),
		cmocka_unit_test(empty_content_has_a_digest_and_no_bytes),
		cmocka_unit_test(the_same_digest_twice_keeps_the_first_copy),
		cmocka_unit_test(an_abandoned_reservation_leaves_nothing_behind),
		cmocka_unit_test(pages_beyond_the_arena_fault),
		cmocka_unit_test(without_memfd_an_unlinked_file_serves),
		cmocka_unit_test(objects_have_regions_of_their_own),
		cmocka_unit_test(object_numbers_and_sizes_are_checked),
		cmocka_unit_test(a_shortened_object_forgets_what_was_cut_off),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
