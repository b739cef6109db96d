#include "tests/unit/traces/sample.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "verify/call.h"

static struct out out;
static const struct call_options options = { .strings = 32 };

static int begin(void **state)
{
	(void)state;
	return out_init(&out, -1, false);
}

static int end(void **state)
{
	(void)state;
	out_close(&out);
	return 0;
}

static void assert_told(const struct event *event, const char *text)
{
	call_put(&out, event, &options);
	out_text(&out, " = ");
	call_put_result(&out, event);
	out_char(&out, '\0');
	assert_string_equal(out.bytes, text);
	out.used = 0;
}

static void flags_have_names_and_a_mode_is_shown_where_it_counts(void **state)
{
	struct payload path = { 1, DIRECTION_IN, 0x1000, 5, (const uint8_t *)"/a\nb" };
	struct event event = { .kind = EVENT_CALL,
			       .nr = SYS_openat,
			       .result = -ENOENT,
			       .payloads = &path,
			       .payloads_count = 1,
			       .args = { (uint64_t)AT_FDCWD, 0x1000, O_WRONLY | O_CREAT | O_CLOEXEC,
					 0640 } };
	(void)state;
	assert_told(&event,
		    "openat(AT_FDCWD, \"/a\\nb\", O_WRONLY|O_CREAT|O_CLOEXEC, 0640) = -1 ENOENT");
	event.args[2] = O_RDONLY | 1U << 30;
	event.result = 3;
	assert_told(&event, "openat(AT_FDCWD, \"/a\\nb\", O_RDONLY|0x40000000) = 3");
}

static void bytes_are_cut_by_the_result_and_by_what_is_shown(void **state)
{
	struct payload bytes = { 1, DIRECTION_OUT, 0x1000, 40,
				 (const uint8_t *)"0123456789012345678901234567890123456789" };
	struct event event = { .kind = EVENT_CALL,
			       .nr = SYS_read,
			       .result = 4,
			       .payloads = &bytes,
			       .payloads_count = 1,
			       .args = { 3, 0x1000, 100 } };
	(void)state;
	assert_told(&event, "read(3, \"0123\", 100) = 4");
	event.result = 40;
	assert_told(&event, "read(3, \"01234567890123456789012345678901\"..., 100) = 40");
	event.result = -EBADF;
	assert_told(&event, "read(3, 0x1000, 100) = -1 EBADF");
}

static void an_address_is_told(void **state)
{
	struct payload address = { 1, DIRECTION_IN, 0x1000, 7, (const uint8_t *)"\x01\0\0name" };
	struct event event = { .kind = EVENT_CALL,
			       .nr = SYS_connect,
			       .payloads = &address,
			       .payloads_count = 1,
			       .args = { 3, 0x1000, 7 } };
	(void)state;
	assert_told(&event, "connect(3, {sa_family=AF_UNIX, sun_path=@\"name\"}, 7) = 0");
}

static void an_unknown_call_is_told_by_its_number(void **state)
{
	struct event event = { .kind = EVENT_CALL, .nr = 9999, .result = -ENOSYS, .args = { 1 } };
	(void)state;
	assert_told(&event, "syscall_9999(0x1, 0x0, 0x0, 0x0, 0x0, 0x0) = -1 ENOSYS");
}

/* Whatever a trace holds: one line of printable ASCII, and nothing is read that is not there. */
static void events_without_sense_do_no_harm(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 7, 8, 16, 20, 56, 64, 144, 256, 390 };
	struct sample sample = { .seed = 5 };
	(void)state;
	for (unsigned int i = 0; i < 60000; i++) {
		struct event *event = &sample.event;
		struct payload payloads[6];
		size_t count = i % 7;
		sample_next(&sample, EVENT_CALL);
		event->nr = i % 470;
		event->result = (int64_t)(sample_random(&sample) % 300) - 100;
		for (size_t n = 0; n < count; n++) {
			size_t length = lengths[sample_random(&sample) % 12];
			uint8_t *bytes = malloc(length ? length : 1);
			assert_non_null(bytes);
			for (size_t k = 0; k < length; k++)
				bytes[k] = (uint8_t)(sample_random(&sample) % 3
							     ? sample_random(&sample) % 4
							     : sample_random(&sample));
			payloads[n] = (struct payload){ (uint8_t)(n % 6),
							(uint8_t)(1 + sample_random(&sample) % 2),
							event->args[n % 6], length, bytes };
		}
		event->payloads = payloads;
		event->payloads_count = count;
		call_put(&out, event, &options);
		call_put_result(&out, event);
		for (size_t k = 0; k < out.used; k++)
			assert_true(out.bytes[k] >= 0x20 && out.bytes[k] < 0x7f);
		out.used = 0;
		for (size_t n = 0; n < count; n++)
			free((void *)(uintptr_t)payloads[n].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flags_have_names_and_a_mode_is_shown_where_it_counts,
						begin, end),
		cmocka_unit_test_setup_teardown(bytes_are_cut_by_the_result_and_by_what_is_shown,
						begin, end),
		cmocka_unit_test_setup_teardown(an_address_is_told, begin, end),
		cmocka_unit_test_setup_teardown(an_unknown_call_is_told_by_its_number, begin, end),
		cmocka_unit_test_setup_teardown(events_without_sense_do_no_harm, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
