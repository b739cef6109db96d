#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include "traces/report.h"

static void slurp(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void a_report_that_nobody_wants_is_not_written(void **state)
{
	struct report_file file;
	(void)state;
	assert_int_equal(report_open(NULL, &file), 0);
	assert_int_equal(file.fd, -1);
	assert_int_equal(report_write(&file, "x", 1), 0);
}

static void a_place_that_cannot_be_written_is_told_at_once(void **state)
{
	struct report_file file;
	(void)state;
	assert_int_equal(report_open("no/such/directory/report", &file), -ENOENT);
	assert_int_equal(report_open("/dev/full", &file), 0);
	assert_false(file.is_file);
	assert_int_equal(report_write(&file, "x", 1), -ENOSPC);
	close(file.fd);
}

static void a_trace_is_never_overwritten(void **state)
{
	struct report_file file;
	uint64_t before, after;
	uint8_t digest[2][DIGEST_BYTES];
	(void)state;
	sample_trace("kept.sworn", 1);
	int fd = open("kept.sworn", O_RDONLY | O_CLOEXEC);
	assert_int_equal(report_digest(fd, digest[0], &before), 0);
	assert_int_equal(report_open("kept.sworn", &file), -EEXIST);
	assert_int_equal(report_digest(fd, digest[1], &after), 0);
	assert_int_equal(before, after);
	assert_memory_equal(digest[0], digest[1], DIGEST_BYTES);
	close(fd);
}

static void a_later_text_takes_the_place_of_an_earlier_one(void **state)
{
	struct report_file file;
	char text[64];
	(void)state;
	assert_int_equal(report_open("report", &file), 0);
	assert_true(file.is_file);
	assert_int_equal(report_write(&file, "something long", 14), 0);
	assert_int_equal(report_write(&file, "short", 5), 0);
	slurp("report", text, sizeof(text));
	assert_string_equal(text, "short");
	close(file.fd);
	assert_int_equal(report_open("report", &file), 0);
	slurp("report", text, sizeof(text));
	assert_string_equal(text, "");
	close(file.fd);
}

static void digest_and_seal_are_those_that_a_full_check_finds(void **state)
{
	struct trace_report report;
	struct reader *reader;
	uint8_t digest[DIGEST_BYTES], seal[DIGEST_BYTES];
	static uint8_t bytes[1 << 20];
	uint64_t size;
	(void)state;
	sample_trace("t.sworn", 2);
	int fd = open("t.sworn", O_RDWR | O_CLOEXEC);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	assert_int_equal(reader_check(reader, &report, NULL, NULL), 0);
	reader_close(reader);
	assert_int_equal(report_seal(fd, seal), 0);
	assert_memory_equal(seal, report.seal_id, DIGEST_BYTES);
	assert_int_equal(report_digest(fd, digest, &size), 0);
	assert_int_equal(size, report.bytes);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), (ssize_t)size);
	digest_of(bytes, size, seal);
	assert_memory_equal(digest, seal, DIGEST_BYTES);
	assert_int_equal(ftruncate(fd, (off_t)size - 1), 0);
	assert_int_equal(report_seal(fd, seal), SWORN_ETRUNCATED);
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_int_equal(report_seal(fd, seal), SWORN_ETRUNCATED);
	close(fd);
}

static void an_empty_report_has_every_key(void **state)
{
	static const char *const keys[] = {
		"schema",  "kind",     "tool",	      "trace",	    "tenant",	 "argv",
		"seed",	   "recorded", "events",      "units",	    "exit",	 "state_hash",
		"outputs", "requires", "assumptions", "domain",	    "isolation", "usage",
		"verdict", "code",     "checked",     "divergence",
	};
	struct report report = { .kind = "replay", .verdict = "no trace", .code = 4 };
	char *text, key[32];
	size_t length;
	(void)state;
	assert_int_equal(report_format(&report, &text, &length), 0);
	assert_int_equal(length, strlen(text));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(key, sizeof(key), "\"%s\":", keys[i]);
		assert_non_null(strstr(text, key));
	}
	assert_null(strstr(text, "\"status\":"));
	assert_non_null(strstr(text, "\"exit\":null"));
	assert_string_equal(text + length - 3, "l}\n");
	free(text);
}

static void a_signal_and_a_divergence_are_told(void **state)
{
	static const char *const previous[] = { "1 a", "2 b", NULL };
	struct report_divergence divergence = {
		.unit = 2, .thread = 3, .event = 44, .call = "read", .previous = previous
	};
	struct report report = {
		.kind = "replay", .status = "ok", .ended = true, .exit = 11, .divergence = &divergence
	};
	char *text;
	size_t length;
	(void)state;
	assert_int_equal(report_format(&report, &text, &length), 0);
	assert_non_null(strstr(text, "\"status\":\"ok\""));
	assert_non_null(strstr(text, "\"exit\":{\"code\":null,\"signal\":11}"));
	assert_non_null(
		strstr(text, "\"unit\":2,\"thread\":3,\"event\":44,\"call\":\"read\",\"where\":null"));
	assert_non_null(strstr(text, "\"previous\":[\"1 a\",\"2 b\"],\"backtrace\":[]"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_that_nobody_wants_is_not_written),
		cmocka_unit_test(a_place_that_cannot_be_written_is_told_at_once),
		cmocka_unit_test(a_trace_is_never_overwritten),
		cmocka_unit_test(a_later_text_takes_the_place_of_an_earlier_one),
		cmocka_unit_test(digest_and_seal_are_those_that_a_full_check_finds),
		cmocka_unit_test(an_empty_report_has_every_key),
		cmocka_unit_test(a_signal_and_a_divergence_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
