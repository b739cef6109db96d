#include "sample.h"

#include <sys/syscall.h>
#include "traces/describe.h"

static char text[DESCRIPTION_BYTES];

static const char *described(const struct event *event)
{
	describe_event(event, text, sizeof(text));
	return text;
}

static void a_call_shows_descriptors_strings_and_its_result(void **state)
{
	struct payload path = { 1, DIRECTION_IN, 0x5000, 10, (const uint8_t *)"/etc/group" };
	struct event event = {
		.number = 7,
		.kind = EVENT_CALL,
		.thread = 2,
		.nr = SYS_openat,
		.args = { 0xffffff9c, 0x5000, 0x80000 },
		.result = 3,
		.payloads = &path,
		.payloads_count = 1,
	};
	(void)state;
	assert_string_equal(described(&event),
			    "7 thread 2 openat(AT_FDCWD, \"/etc/group\", 0x80000, 0) = 3");
	event.result = -2;
	assert_string_equal(described(&event),
			    "7 thread 2 openat(AT_FDCWD, \"/etc/group\", 0x80000, 0) = -1 ENOENT");
	event.payloads_count = 0;
	assert_string_equal(described(&event),
			    "7 thread 2 openat(AT_FDCWD, 0x5000, 0x80000, 0) = -1 ENOENT");
}

static void long_and_binary_bytes_are_quoted_and_cut(void **state)
{
	uint8_t bytes[64];
	struct payload data = { 1, DIRECTION_IN, 0x6000, sizeof(bytes), bytes };
	struct event event = {
		.kind = EVENT_CALL,
		.thread = 1,
		.nr = SYS_write,
		.args = { 1, 0x6000, 64 },
		.result = 64,
		.payloads = &data,
		.payloads_count = 1,
	};
	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "\n\t\"\\\x1b\xff", 6);
	assert_string_equal(
		described(&event),
		"0 thread 1 write(1, \"\\n\\t\\\"\\\\\\x1b\\xffxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 64) = 64");
}

static void a_line_that_does_not_fit_ends_in_dots(void **state)
{
	struct event event = { .kind = EVENT_CALL, .thread = 1, .nr = SYS_write, .args = { 1, 0x6000, 64 } };
	char small[24];
	(void)state;
	describe_event(&event, small, sizeof(small));
	assert_string_equal(small, "0 thread 1 write(1, ...");
}

static void a_request_has_its_name(void **state)
{
	struct event event = {
		.kind = EVENT_CALL, .thread = 1, .nr = SYS_fcntl, .args = { 5, 1 }, .result = 1
	};
	(void)state;
	assert_string_equal(described(&event), "0 thread 1 fcntl(5, F_GETFD) = 1");
	event.args[1] = 0x7777;
	assert_non_null(strstr(described(&event), "fcntl(5, 30583, 0)"));
}

static void vectors_show_what_they_lead_to(void **state)
{
	struct payload payloads[] = {
		{ 1, DIRECTION_IN, 0x7000, 16, (const uint8_t *)"0123456789abcdef" },
		{ 1, DIRECTION_IN, 0x9000, 2, (const uint8_t *)"hi" },
	};
	struct event event = {
		.kind = EVENT_CALL,
		.thread = 1,
		.nr = SYS_writev,
		.args = { 1, 0x7000, 1 },
		.result = 2,
		.payloads = payloads,
		.payloads_count = 2,
	};
	(void)state;
	assert_string_equal(described(&event), "0 thread 1 writev(1, [\"hi\", ...], 1) = 2");
}

static void addresses_signals_and_unknown_calls_read_well(void **state)
{
	struct event event = { .kind = EVENT_CALL, .thread = 1, .nr = SYS_brk, .result = 0x555555559000 };
	(void)state;
	assert_string_equal(described(&event), "0 thread 1 brk(NULL) = 0x555555559000");
	event = (struct event){ .kind = EVENT_CALL, .thread = 1, .nr = SYS_kill, .args = { 42, 11 } };
	assert_string_equal(described(&event), "0 thread 1 kill(42, SIGSEGV) = 0");
	event = (struct event){ .kind = EVENT_REFUSED, .thread = 1, .nr = 4000, .result = -38 };
	assert_string_equal(described(&event),
			    "0 thread 1 call 4000(0x0, 0x0, 0x0) = -1 ENOSYS (refused)");
	event = (struct event){ .kind = EVENT_CALL, .thread = 1, .nr = SYS_read, .flags = CALL_RESTARTED };
	assert_string_equal(described(&event), "0 thread 1 read(0, NULL, 0) is restarted");
}

static void every_kind_has_words(void **state)
{
	(void)state;
	for (unsigned int kind = EVENT_CALL; kind <= EVENT_END; kind++) {
		struct event event = { .kind = (enum event_kind)kind, .number = 12345 };
		describe_event(&event, text, sizeof(text));
		assert_int_equal(strncmp(text, "12345 ", 6), 0);
		assert_true(strlen(text) > 8);
	}
}

static void exits_and_paths_are_told_in_printable_words(void **state)
{
	struct event event = { .kind = EVENT_EXIT, .thread = 3, .exit = { EXIT_CALL, true, 0x0700 } };
	(void)state;
	assert_string_equal(described(&event), "0 thread 3 ends with its process: status 7");
	event.exit.status = 9;
	assert_string_equal(described(&event), "0 thread 3 ends with its process: killed by SIGKILL");
	event = (struct event){ .kind = EVENT_EXEC,
				.thread = 1,
				.exec = { .unit = 2, .path = "/bin/a\x1b[1m" } };
	assert_string_equal(described(&event), "0 thread 1 exec: unit 2 starts /bin/a?[1m");
}

static void what_is_kept_reads_as_the_event_did(void **state)
{
	uint8_t bytes[4096];
	struct payload data = { 1, DIRECTION_OUT, 0x6000, sizeof(bytes), bytes };
	struct event event = {
		.kind = EVENT_CALL,
		.thread = 1,
		.nr = SYS_read,
		.args = { 3, 0x6000, 4096 },
		.result = 4096,
		.payloads = &data,
		.payloads_count = 1,
	};
	struct past_event past;
	char before[DESCRIPTION_BYTES];
	(void)state;
	memset(bytes, 'k', sizeof(bytes));
	describe_event(&event, before, sizeof(before));
	describe_keep(&event, &past);
	memset(bytes, 'z', sizeof(bytes));
	assert_string_equal(described(&past.event), before);
	assert_non_null(strstr(before, "kkkk"));
	event = (struct event){ .kind = EVENT_EXEC,
				.thread = 1,
				.exec = { .unit = 1, .path = (char *)bytes } };
	strcpy((char *)bytes, "/bin/true");
	describe_keep(&event, &past);
	strcpy((char *)bytes, "/other");
	assert_string_equal(described(&past.event), "0 thread 1 exec: unit 1 starts /bin/true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_shows_descriptors_strings_and_its_result),
		cmocka_unit_test(long_and_binary_bytes_are_quoted_and_cut),
		cmocka_unit_test(a_line_that_does_not_fit_ends_in_dots),
		cmocka_unit_test(a_request_has_its_name),
		cmocka_unit_test(vectors_show_what_they_lead_to),
		cmocka_unit_test(addresses_signals_and_unknown_calls_read_well),
		cmocka_unit_test(every_kind_has_words),
		cmocka_unit_test(exits_and_paths_are_told_in_printable_words),
		cmocka_unit_test(what_is_kept_reads_as_the_event_did),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
