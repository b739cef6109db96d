/* The walk against a small made-up memory. */
#include "../../../traces/extent.h"
#include "../../../traces/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <cmocka.h>

#define BASE 0x10000u
#define BYTES 0x20000u

static uint8_t memory[BYTES];
static struct range_list entry, after;

static size_t fake_read(void *context, uint64_t address, void *buffer, size_t length)
{
	(void)context;
	if (address < BASE || address >= BASE + BYTES)
		return 0;
	if (length > BASE + BYTES - address)
		length = BASE + BYTES - address;
	memcpy(buffer, memory + (address - BASE), length);
	return length;
}

static void put(uint64_t address, uint64_t value, size_t bytes)
{
	memcpy(memory + (address - BASE), &value, bytes);
}

static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	return 0;
}

static int release(void **state)
{
	(void)state;
	range_list_release(&entry);
	range_list_release(&after);
	assert_null(entry.ranges);
	return 0;
}

static int enter(uint32_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t args[6] = { a, b, c, d };

	return extent_entry(syscall_resolve(nr, args), args, fake_read, NULL, &entry);
}

static void leave(int64_t result)
{
	const uint64_t args[6] = { 0 };

	assert_int_equal(extent_exit(syscall_row(0), args, result, &entry, fake_read, NULL, &after), 0);
}

static void expect(const struct range_list *list, size_t i, uint8_t direction, uint64_t address,
		   uint64_t length)
{
	assert_true(i < list->count);
	assert_int_equal(list->ranges[i].direction, direction);
	assert_int_equal(list->ranges[i].address, address);
	assert_int_equal(list->ranges[i].length, length);
}

static void a_result_cuts_the_buffer(void **state)
{
	(void)state;
	assert_int_equal(enter(SYS_read, 3, BASE, 100, 0), 0);
	assert_int_equal(entry.count, 1);
	expect(&entry, 0, DIRECTION_OUT, BASE, 100);
	assert_int_equal(entry.ranges[0].arg, 1);
	leave(40);
	expect(&after, 0, DIRECTION_OUT, BASE, 40);
	leave(5000);
	expect(&after, 0, DIRECTION_OUT, BASE, 100);
	leave(0);
	assert_int_equal(after.count, 0);
}

static void a_result_counts_units(void **state)
{
	(void)state;
	enter(SYS_epoll_wait, 3, BASE, 10, 0);
	expect(&entry, 0, DIRECTION_OUT, BASE, 120);
	leave(3);
	expect(&after, 0, DIRECTION_OUT, BASE, 36);
	enter(SYS_getgroups, 0, BASE, 0, 0);
	assert_int_equal(entry.count, 0);
}

static void a_count_argument_scales(void **state)
{
	(void)state;
	enter(SYS_poll, BASE, 3, 0, 0);
	assert_int_equal(entry.count, 2);
	expect(&entry, 0, DIRECTION_IN, BASE, 24);
	expect(&entry, 1, DIRECTION_OUT, BASE, 24);
	leave(1);
	assert_int_equal(after.count, 1);
	expect(&after, 0, DIRECTION_OUT, BASE, 24);
}

static void hostile_counts_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(enter(SYS_read, 3, BASE, UINT64_MAX, 0), 0);
	expect(&entry, 0, DIRECTION_OUT, BASE, EXTENT_LENGTH_MAX);
	assert_int_equal(enter(SYS_read, 3, UINT64_MAX - 3, 100, 0), 0);
	expect(&entry, 0, DIRECTION_OUT, UINT64_MAX - 3, 4);
	assert_int_equal(enter(SYS_semop, 3, BASE, UINT64_MAX / 2, 0), 0);
	expect(&entry, 0, DIRECTION_IN, BASE, EXTENT_LENGTH_MAX);
	enter(SYS_poll, BASE, 0xffffffff, 0, 0);
	assert_int_equal(entry.count, 0);
	enter(SYS_connect, 3, BASE, (uint64_t)-1, 0);
	assert_int_equal(entry.count, 0);
}

static void null_pointers_give_nothing(void **state)
{
	(void)state;
	enter(SYS_read, 3, 0, 100, 0);
	assert_int_equal(entry.count, 0);
	enter(SYS_nanosleep, BASE, 0, 0, 0);
	assert_int_equal(entry.count, 1);
	enter(SYS_readv, 3, 0, 2, 0);
	assert_int_equal(entry.count, 0);
	enter(SYS_accept, 3, BASE, 0, 0);
	assert_int_equal(entry.count, 0);
}

static void a_length_behind_a_pointer_is_read_before_and_after(void **state)
{
	(void)state;
	put(BASE + 64, 16, 4);
	enter(SYS_getsockname, 3, BASE, BASE + 64, 0);
	assert_int_equal(entry.count, 3);
	expect(&entry, 0, DIRECTION_OUT, BASE, 16);
	expect(&entry, 1, DIRECTION_IN, BASE + 64, 4);
	expect(&entry, 2, DIRECTION_OUT, BASE + 64, 4);
	put(BASE + 64, 10, 4);
	leave(0);
	assert_int_equal(after.count, 2);
	expect(&after, 0, DIRECTION_OUT, BASE, 10);
	put(BASE + 64, 110, 4);
	leave(0);
	expect(&after, 0, DIRECTION_OUT, BASE, 16);
	put(BASE + 64, 0xffffffff, 4);
	enter(SYS_getsockname, 3, BASE, BASE + 64, 0);
	assert_int_equal(entry.count, 2);
}

static void strings_end_at_their_nul_or_where_memory_ends(void **state)
{
	(void)state;
	memcpy(memory + 8, "name", 5);
	enter(SYS_unlink, BASE + 8, 0, 0, 0);
	expect(&entry, 0, DIRECTION_IN, BASE + 8, 5);
	memset(memory, 'x', sizeof(memory));
	enter(SYS_unlink, BASE, 0, 0, 0);
	expect(&entry, 0, DIRECTION_IN, BASE, PATH_BYTES_MAX);
	enter(SYS_unlink, BASE + BYTES - 7, 0, 0, 0);
	expect(&entry, 0, DIRECTION_IN, BASE + BYTES - 7, 7);
	enter(SYS_unlink, 1, 0, 0, 0);
	assert_int_equal(entry.count, 0);
}

static void a_string_vector_gives_itself_and_its_strings(void **state)
{
	(void)state;
	memcpy(memory, "/bin/a", 7);
	memcpy(memory + 100, "a\0bc", 5);
	memcpy(memory + 200, "def", 4);
	put(BASE + 0x400, BASE + 100, 8);
	put(BASE + 0x408, BASE + 102, 8);
	put(BASE + 0x410, BASE + 200, 8);
	enter(SYS_execve, BASE, BASE + 0x400, 0, 0);
	assert_int_equal(entry.count, 4);
	expect(&entry, 0, DIRECTION_IN, BASE, 7);
	expect(&entry, 1, DIRECTION_IN, BASE + 0x400, 32);
	expect(&entry, 2, DIRECTION_IN, BASE + 100, 5);
	expect(&entry, 3, DIRECTION_IN, BASE + 200, 4);
}

static void an_endless_string_vector_is_bounded(void **state)
{
	(void)state;
	for (uint32_t at = 0x1000; at < BYTES; at += 8)
		put(BASE + at, BASE + at % 0x800, 8);
	put(BASE + BYTES - 8, 0, 8);
	for (uint32_t at = 0; at < 0x800; at += 8)
		put(BASE + at, 'x', 8);
	assert_int_equal(enter(SYS_execve, BASE, BASE + 0x1000, 0, 0), 0);
	assert_int_equal(entry.count, 2 + EXTENT_STRINGS_MAX);
}

static void put_iovec(uint64_t at, uint64_t address, uint64_t length)
{
	put(at, address, 8);
	put(at + 8, length, 8);
}

static void an_iovec_is_filled_in_order(void **state)
{
	(void)state;
	put_iovec(BASE, BASE + 0x100, 10);
	put_iovec(BASE + 16, 0, 0);
	put_iovec(BASE + 32, BASE + 0x200, 20);
	enter(SYS_readv, 3, BASE, 3, 0);
	assert_int_equal(entry.count, 3);
	expect(&entry, 0, DIRECTION_IN, BASE, 48);
	expect(&entry, 1, DIRECTION_OUT, BASE + 0x100, 10);
	expect(&entry, 2, DIRECTION_OUT, BASE + 0x200, 20);
	leave(15);
	assert_int_equal(after.count, 2);
	expect(&after, 0, DIRECTION_OUT, BASE + 0x100, 10);
	expect(&after, 1, DIRECTION_OUT, BASE + 0x200, 5);
	leave(10);
	assert_int_equal(after.count, 1);
}

static void a_written_iovec_is_input_and_marked_as_data(void **state)
{
	(void)state;
	put_iovec(BASE, BASE + 0x100, 10);
	enter(SYS_writev, 1, BASE, 1, 0);
	assert_int_equal(entry.count, 2);
	expect(&entry, 1, DIRECTION_IN, BASE + 0x100, 10);
	assert_int_equal(entry.ranges[0].trim, TRIM_NONE);
	assert_int_equal(entry.ranges[1].trim, TRIM_STREAM);
	leave(10);
	assert_int_equal(after.count, 0);
}

static void hostile_iovecs_are_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1025; i++)
		put_iovec(BASE + i * 16, BASE + 0x8000, 1);
	assert_int_equal(enter(SYS_readv, 3, BASE, 1024, 0), 0);
	assert_int_equal(entry.count, 1025);
	enter(SYS_readv, 3, BASE, 1025, 0);
	assert_int_equal(entry.count, 0);
	enter(SYS_readv, 3, BASE, UINT64_MAX, 0);
	assert_int_equal(entry.count, 0);
	put_iovec(BASE, BASE + 0x100, UINT64_MAX);
	enter(SYS_readv, 3, BASE, 2, 0);
	assert_int_equal(entry.count, 1);
	enter(SYS_readv, 3, BASE + BYTES - 24, 2, 0);
	assert_true(entry.count >= 1);
}

static void put_message(uint64_t at, uint32_t namelen, uint64_t iov, uint64_t control)
{
	put(at, BASE + 0x1000, 8);
	put(at + 8, namelen, 4);
	put(at + 16, iov, 8);
	put(at + 24, 1, 8);
	put(at + 32, BASE + 0x2000, 8);
	put(at + 40, control, 8);
}

static void a_received_message_is_cut_by_what_the_kernel_stored(void **state)
{
	(void)state;
	put_message(BASE, 28, BASE + 0x100, 64);
	put_iovec(BASE + 0x100, BASE + 0x3000, 500);
	enter(SYS_recvmsg, 3, BASE, 0, 0);
	assert_int_equal(entry.count, 6);
	expect(&entry, 0, DIRECTION_IN, BASE, 56);
	expect(&entry, 1, DIRECTION_OUT, BASE, 56);
	expect(&entry, 2, DIRECTION_OUT, BASE + 0x1000, 28);
	expect(&entry, 3, DIRECTION_OUT, BASE + 0x2000, 64);
	expect(&entry, 4, DIRECTION_IN, BASE + 0x100, 16);
	expect(&entry, 5, DIRECTION_OUT, BASE + 0x3000, 500);
	put(BASE + 8, 16, 4);
	put(BASE + 40, 24, 8);
	leave(123);
	assert_int_equal(after.count, 4);
	expect(&after, 0, DIRECTION_OUT, BASE, 56);
	expect(&after, 1, DIRECTION_OUT, BASE + 0x1000, 16);
	expect(&after, 2, DIRECTION_OUT, BASE + 0x2000, 24);
	expect(&after, 3, DIRECTION_OUT, BASE + 0x3000, 123);
}

static void a_sent_message_is_all_input(void **state)
{
	(void)state;
	put_message(BASE, 0x80000000, BASE + 0x100, 64);
	put_iovec(BASE + 0x100, BASE + 0x3000, 500);
	enter(SYS_sendmsg, 3, BASE, 0, 0);
	assert_int_equal(entry.count, 4);
	for (size_t i = 0; i < entry.count; i++)
		assert_int_equal(entry.ranges[i].direction, DIRECTION_IN);
	expect(&entry, 1, DIRECTION_IN, BASE + 0x2000, 64);
	expect(&entry, 3, DIRECTION_IN, BASE + 0x3000, 500);
	assert_int_equal(entry.ranges[3].trim, TRIM_STREAM);
}

static void a_message_vector_counts_what_arrived(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		put_message(BASE + i * 64, 28, BASE + 0x100 + i * 16, 0);
		put_iovec(BASE + 0x100 + i * 16, BASE + 0x3000 + i * 0x100, 100);
	}
	enter(SYS_recvmmsg, 3, BASE, 3, 0);
	expect(&entry, 0, DIRECTION_IN, BASE, 192);
	expect(&entry, 1, DIRECTION_OUT, BASE, 192);
	for (uint32_t i = 0; i < 3; i++) {
		put(BASE + i * 64 + 8, 0, 4);
		put(BASE + i * 64 + 56, 10 + i, 4);
	}
	leave(2);
	assert_int_equal(after.count, 3);
	expect(&after, 0, DIRECTION_OUT, BASE, 128);
	expect(&after, 1, DIRECTION_OUT, BASE + 0x3000, 10);
	expect(&after, 2, DIRECTION_OUT, BASE + 0x3100, 11);
	enter(SYS_sendmmsg, 3, BASE, 3, 0);
	leave(1);
	assert_int_equal(after.count, 1);
	expect(&after, 0, DIRECTION_OUT, BASE, 64);
}

static void a_program_is_read_to_its_last_instruction(void **state)
{
	(void)state;
	put(BASE, 0xabcd0003, 4);
	put(BASE + 8, BASE + 0x100, 8);
	enter(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_FILTER, BASE);
	assert_int_equal(entry.count, 2);
	expect(&entry, 0, DIRECTION_IN, BASE, 16);
	expect(&entry, 1, DIRECTION_IN, BASE + 0x100, 24);
}

static void too_many_ranges_are_an_error(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1024; i++)
		put_message(BASE + i * 64, 28, BASE + 0x100, 64);
	put_iovec(BASE + 0x100, BASE + 0x3000, 1);
	assert_int_equal(enter(SYS_recvmmsg, 3, BASE, 1024, 0), 0);
	assert_int_equal(entry.count, 2 + 1024 * 4);
	for (uint32_t i = 0; i < 1024; i++)
		put(BASE + i * 64 + 24, 200, 8);
	assert_int_equal(enter(SYS_recvmmsg, 3, BASE, 0x7fffffff, 0), SWORN_ELIMIT);
	assert_int_equal(entry.count, EXTENT_RANGES_MAX);
}

static void bit_sets_and_page_vectors_round_up(void **state)
{
	(void)state;
	enter(SYS_select, 65, BASE, 0, 0);
	assert_int_equal(entry.count, 2);
	expect(&entry, 0, DIRECTION_IN, BASE, 16);
	expect(&entry, 1, DIRECTION_OUT, BASE, 16);
	enter(SYS_select, 64, BASE, 0, 0);
	expect(&entry, 0, DIRECTION_IN, BASE, 8);
	enter(SYS_select, (uint64_t)-1, BASE, 0, 0);
	assert_int_equal(entry.count, 0);
	enter(SYS_mincore, BASE, 4097, BASE, 0);
	expect(&entry, 0, DIRECTION_OUT, BASE, 2);
	enter(SYS_mincore, BASE, UINT64_MAX, BASE, 0);
	assert_int_equal(entry.count, 1);
}

static void a_message_queue_buffer_holds_its_type_too(void **state)
{
	(void)state;
	enter(SYS_msgsnd, 1, BASE, 5, 0);
	expect(&entry, 0, DIRECTION_IN, BASE, 13);
	enter(SYS_msgrcv, 1, BASE, 50, 0);
	expect(&entry, 0, DIRECTION_OUT, BASE, 58);
	leave(7);
	expect(&after, 0, DIRECTION_OUT, BASE, 15);
	leave(0);
	expect(&after, 0, DIRECTION_OUT, BASE, 8);
	enter(SYS_msgrcv, 1, BASE, UINT64_MAX, 0);
	expect(&entry, 0, DIRECTION_OUT, BASE, EXTENT_LENGTH_MAX);
}

static void the_sixth_argument_of_pselect_is_a_span(void **state)
{
	const uint64_t args[6] = { 0, 0, 0, 0, 0, BASE };

	(void)state;
	put(BASE, BASE + 0x100, 8);
	put(BASE + 8, 8, 8);
	assert_int_equal(extent_entry(syscall_row(SYS_pselect6), args, fake_read, NULL, &entry), 0);
	assert_int_equal(entry.count, 2);
	expect(&entry, 0, DIRECTION_IN, BASE, 16);
	expect(&entry, 1, DIRECTION_IN, BASE + 0x100, 8);
}

static void a_list_of_interfaces_is_cut_by_its_length(void **state)
{
	(void)state;
	put(BASE, 400, 4);
	put(BASE + 8, BASE + 0x100, 8);
	enter(SYS_ioctl, 3, 0x8912, BASE, 0);
	assert_int_equal(entry.count, 3);
	expect(&entry, 2, DIRECTION_OUT, BASE + 0x100, 400);
	put(BASE, 80, 4);
	leave(0);
	assert_int_equal(after.count, 2);
	expect(&after, 0, DIRECTION_OUT, BASE, 16);
	expect(&after, 1, DIRECTION_OUT, BASE + 0x100, 80);
}

static void failing_calls_keep_what_they_may_have_written(void **state)
{
	(void)state;
	enter(SYS_read, 3, BASE, 5000, 0);
	leave(-EFAULT);
	expect(&after, 0, DIRECTION_OUT, BASE, 5000);
	leave(-EINTR);
	expect(&after, 0, DIRECTION_OUT, BASE, 5000);
	leave(-EAGAIN);
	assert_int_equal(after.count, 0);
	enter(SYS_read, 3, BASE, 1024, 0);
	leave(-EAGAIN);
	expect(&after, 0, DIRECTION_OUT, BASE, 1024);
	leave(-4096);
	expect(&after, 0, DIRECTION_OUT, BASE, 1024);
}

static void payloads_are_allowed_only_inside_output(void **state)
{
	(void)state;
	enter(SYS_read, 3, BASE, 100, 0);
	assert_true(extent_allows(&entry, 1, BASE, 100));
	assert_true(extent_allows(&entry, 1, BASE + 99, 1));
	assert_false(extent_allows(&entry, 1, BASE + 99, 2));
	assert_false(extent_allows(&entry, 1, BASE - 1, 2));
	assert_false(extent_allows(&entry, 0, BASE, 1));
	assert_false(extent_allows(&entry, 1, BASE + 1, UINT64_MAX));
	enter(SYS_write, 1, BASE, 100, 0);
	assert_false(extent_allows(&entry, 1, BASE, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_result_cuts_the_buffer, setup),
		cmocka_unit_test_setup(a_result_counts_units, setup),
		cmocka_unit_test_setup(a_count_argument_scales, setup),
		cmocka_unit_test_setup(hostile_counts_are_bounded, setup),
		cmocka_unit_test_setup(null_pointers_give_nothing, setup),
		cmocka_unit_test_setup(a_length_behind_a_pointer_is_read_before_and_after, setup),
		cmocka_unit_test_setup(strings_end_at_their_nul_or_where_memory_ends, setup),
		cmocka_unit_test_setup(a_string_vector_gives_itself_and_its_strings, setup),
		cmocka_unit_test_setup(an_endless_string_vector_is_bounded, setup),
		cmocka_unit_test_setup(an_iovec_is_filled_in_order, setup),
		cmocka_unit_test_setup(a_written_iovec_is_input_and_marked_as_data, setup),
		cmocka_unit_test_setup(hostile_iovecs_are_bounded, setup),
		cmocka_unit_test_setup(a_received_message_is_cut_by_what_the_kernel_stored, setup),
		cmocka_unit_test_setup(a_sent_message_is_all_input, setup),
		cmocka_unit_test_setup(a_message_vector_counts_what_arrived, setup),
		cmocka_unit_test_setup(a_program_is_read_to_its_last_instruction, setup),
		cmocka_unit_test_setup(too_many_ranges_are_an_error, setup),
		cmocka_unit_test_setup(bit_sets_and_page_vectors_round_up, setup),
		cmocka_unit_test_setup(a_message_queue_buffer_holds_its_type_too, setup),
		cmocka_unit_test_setup(the_sixth_argument_of_pselect_is_a_span, setup),
		cmocka_unit_test_setup(a_list_of_interfaces_is_cut_by_its_length, setup),
		cmocka_unit_test_setup(failing_calls_keep_what_they_may_have_written, setup),
		cmocka_unit_test_setup(payloads_are_allowed_only_inside_output, setup),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
