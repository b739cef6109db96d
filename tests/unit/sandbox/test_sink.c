#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/sha.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../../sandbox/descriptor.h"
#include "../../../sandbox/sink.h"
#include "../../../traces/error.h"

/* The test is its own guest: its memory and descriptors are those of the calls it pretends to make. */
static struct guests guests;
static struct thread *self;

static int set_up(void **state)
{
	(void)state;
	guests = (struct guests){ 0 };
	self = guest_first(&guests, getpid(), (uint32_t)getpid());
	return self ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	guests_release(&guests);
	return 0;
}

/* The thread stands where a call with these arguments came back. */
static void call(uint32_t nr, uint64_t fd, const void *bytes, uint64_t count)
{
	self->registers = (struct registers){
		.orig_rax = nr,
		.rdi = fd,
		.rsi = (uint64_t)(uintptr_t)bytes,
		.rdx = count,
	};
	assert_int_equal(guest_enter_call(self), 0);
	fd_cache_forget(self->process->fds);
}

static struct sink report_of(struct sinks *sinks, uint32_t number)
{
	const struct sink *reports;
	size_t count;

	assert_int_equal(sinks_report(sinks, &reports, &count), 0);
	assert_true(number <= count);
	assert_int_equal(reports[number - 1].number, number);
	return reports[number - 1];
}

static size_t count_of(struct sinks *sinks)
{
	const struct sink *reports;
	size_t count;

	assert_int_equal(sinks_report(sinks, &reports, &count), 0);
	return count;
}

static void assert_holds(struct sinks *sinks, uint32_t number, const char *text)
{
	struct sink sink = report_of(sinks, number);
	uint8_t digest[DIGEST_BYTES];

	SHA256((const uint8_t *)text, strlen(text), digest);
	assert_int_equal(sink.bytes, strlen(text));
	assert_memory_equal(sink.digest, digest, DIGEST_BYTES);
}

static void stdout_and_stderr_are_there_from_the_start(void **state)
{
	struct sinks *sinks = sinks_new();

	(void)state;
	assert_int_equal(count_of(sinks), 2);
	assert_int_equal(report_of(sinks, 1).kind, SINK_STDOUT);
	assert_int_equal(report_of(sinks, 2).kind, SINK_STDERR);
	assert_holds(sinks, 1, "");
	assert_holds(sinks, 2, "");
	sinks_release(sinks);
	sinks_release(NULL);
}

static void bytes_of_several_calls_make_one_digest(void **state)
{
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_write, 1, "hello ", 6);
	assert_int_equal(sink_update(sinks, 1, self, 6, NULL), 0);
	assert_holds(sinks, 1, "hello ");
	call(SYS_write, 2, "other", 5);
	assert_int_equal(sink_update(sinks, 2, self, 5, NULL), 0);
	call(SYS_write, 1, "world", 5);
	assert_int_equal(sink_update(sinks, 1, self, 5, NULL), 0);
	assert_holds(sinks, 1, "hello world");
	assert_holds(sinks, 2, "other");
	sinks_release(sinks);
}

static void only_what_the_result_says_was_sent_counts(void **state)
{
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_write, 1, "partial", 7);
	assert_int_equal(sink_update(sinks, 1, self, 4, NULL), 0);
	assert_int_equal(sink_update(sinks, 1, self, 0, NULL), 0);
	assert_int_equal(sink_update(sinks, 1, self, -11, NULL), 0);
	assert_holds(sinks, 1, "part");
	sinks_release(sinks);
}

static void a_vector_counts_its_buffers_in_order_and_not_itself(void **state)
{
	struct iovec parts[3] = { { (char *)"one ", 4 }, { NULL, 0 }, { (char *)"two three", 9 } };
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_writev, 1, parts, 3);
	assert_int_equal(sink_update(sinks, 1, self, 7, NULL), 0);
	assert_holds(sinks, 1, "one two");
	sinks_release(sinks);
}

static void a_message_counts_its_data_and_not_its_header(void **state)
{
	struct iovec parts[2] = { { (char *)"mess", 4 }, { (char *)"age", 3 } };
	char name[] = "name", control[24] = "control";
	struct msghdr header = {
		.msg_name = name,
		.msg_namelen = sizeof(name),
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_sendmsg, 1, &header, 0);
	assert_int_equal(sink_update(sinks, 1, self, 7, NULL), 0);
	assert_holds(sinks, 1, "message");
	sinks_release(sinks);
}

/* A stream takes the last message in part, and the kernel stores how many of its bytes. */
static void messages_count_what_was_sent_of_each(void **state)
{
	struct iovec parts[4] = { { (char *)"fi", 2 },
				  { (char *)"rst", 3 },
				  { (char *)" second", 7 },
				  { (char *)"third", 5 } };
	struct mmsghdr headers[3] = {
		{ .msg_hdr = { .msg_iov = parts, .msg_iovlen = 2 }, .msg_len = 5 },
		{ .msg_hdr = { .msg_iov = &parts[2], .msg_iovlen = 1 }, .msg_len = 4 },
		{ .msg_hdr = { .msg_iov = &parts[3], .msg_iovlen = 1 }, .msg_len = 5 },
	};
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_sendmmsg, 1, headers, 3);
	assert_int_equal(sink_update(sinks, 1, self, 2, NULL), 0);
	assert_holds(sinks, 1, "first sec");
	assert_int_equal(sink_update(sinks, 1, self, 0, NULL), 0);
	assert_holds(sinks, 1, "first sec");
	sinks_release(sinks);
}

static char copied[64];
static size_t copied_length;

static void copy(uint32_t number, const void *bytes, size_t length)
{
	assert_int_equal(number, 2);
	assert_true(length <= sizeof(copied) - copied_length);
	memcpy(copied + copied_length, bytes, length);
	copied_length += length;
}

static void the_bytes_are_shown_to_whoever_asks(void **state)
{
	struct iovec parts[2] = { { (char *)"see", 3 }, { (char *)"n!", 2 } };
	struct sinks *sinks = sinks_new();

	(void)state;
	copied_length = 0;
	call(SYS_writev, 2, parts, 2);
	assert_int_equal(sink_update(sinks, 2, self, 5, copy), 0);
	assert_int_equal(copied_length, 5);
	assert_memory_equal(copied, "seen!", 5);
	sinks_release(sinks);
}

static void more_than_one_chunk_is_read_whole(void **state)
{
	static char text[3 * 65536 + 18];
	size_t length = sizeof(text) - 1;
	struct sinks *sinks = sinks_new();

	(void)state;
	for (size_t i = 0; i < length; i++)
		text[i] = (char)('a' + i % 23);
	call(SYS_write, 1, text, length);
	assert_int_equal(sink_update(sinks, 1, self, (int64_t)length, NULL), 0);
	assert_holds(sinks, 1, text);
	sinks_release(sinks);
}

/* A trace names the numbers: they come one after the other, and not without end. */
static void a_number_that_cannot_be_is_refused(void **state)
{
	struct sinks *sinks = sinks_new();

	(void)state;
	call(SYS_write, 1, "x", 1);
	assert_int_equal(sink_update(sinks, 0, self, 1, NULL), SWORN_EFORMAT);
	assert_int_equal(sink_update(sinks, 1000, self, 1, NULL), SWORN_EFORMAT);
	assert_int_equal(sink_update(sinks, EVENT_SINKS_MAX + 1, self, 1, NULL), SWORN_EFORMAT);
	assert_int_equal(count_of(sinks), 2);
	assert_int_equal(sink_update(sinks, 3, self, 1, NULL), 0);
	assert_holds(sinks, 3, "x");
	sinks_release(sinks);
}

static void a_call_without_a_row_counts_nowhere(void **state)
{
	struct sinks *sinks = sinks_new();

	(void)state;
	call(100000, 1, "x", 1);
	assert_int_equal(sink_update(sinks, 1, self, 1, NULL), SWORN_EFORMAT);
	assert_holds(sinks, 1, "");
	sinks_release(sinks);
}

static uint32_t number_of(struct sinks *sinks, int fd)
{
	call(SYS_write, (uint64_t)fd, "", 0);
	return sink_number(sinks, self);
}

static void files_and_sockets_get_numbers_in_order_of_use(void **state)
{
	struct sinks *sinks = sinks_new();
	int first = memfd_create("first", MFD_CLOEXEC), second = memfd_create("second", MFD_CLOEXEC);
	int pair[2], again = dup(first);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(number_of(sinks, second), 3);
	assert_int_equal(number_of(sinks, first), 4);
	assert_int_equal(number_of(sinks, pair[0]), 5);
	assert_int_equal(number_of(sinks, second), 3);
	assert_int_equal(number_of(sinks, again), 4);
	assert_int_equal(report_of(sinks, 3).kind, SINK_FILE);
	assert_int_equal(report_of(sinks, 5).kind, SINK_SOCKET);
	assert_int_equal(count_of(sinks), 5);
	close(first);
	close(second);
	close(again);
	close(pair[0]);
	close(pair[1]);
	sinks_release(sinks);
}

static void pipes_devices_and_closed_descriptors_have_no_sink(void **state)
{
	struct sinks *sinks = sinks_new();
	int ends[2], closed;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(number_of(sinks, ends[1]), 0);
	close(ends[0]);
	close(ends[1]);
	closed = ends[1];
	assert_int_equal(number_of(sinks, closed), 0);
	assert_int_equal(count_of(sinks), 2);
	sinks_release(sinks);
}

static void standard_output_is_told_by_what_it_is_and_not_by_its_number(void **state)
{
	struct sinks *sinks = sinks_new();
	int kept = dup(1), ends[2], copy_of_it;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], 1), 1);
	sinks_bind_standard(sinks);
	copy_of_it = dup(1);
	uint32_t number = number_of(sinks, copy_of_it);
	dup2(kept, 1);
	assert_int_equal(number, 1);
	assert_int_equal(number_of(sinks, ends[1]), 1);
	close(copy_of_it);
	close(kept);
	close(ends[0]);
	close(ends[1]);
	sinks_release(sinks);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stdout_and_stderr_are_there_from_the_start),
		TEST(bytes_of_several_calls_make_one_digest),
		TEST(only_what_the_result_says_was_sent_counts),
		TEST(a_vector_counts_its_buffers_in_order_and_not_itself),
		TEST(a_message_counts_its_data_and_not_its_header),
		TEST(messages_count_what_was_sent_of_each),
		TEST(the_bytes_are_shown_to_whoever_asks),
		TEST(more_than_one_chunk_is_read_whole),
		TEST(a_number_that_cannot_be_is_refused),
		TEST(a_call_without_a_row_counts_nowhere),
		TEST(files_and_sockets_get_numbers_in_order_of_use),
		TEST(pipes_devices_and_closed_descriptors_have_no_sink),
		TEST(standard_output_is_told_by_what_it_is_and_not_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
