#include "sample.h"

#include <errno.h>
#include <sys/stat.h>

struct file {
	uint8_t *bytes;
	size_t length;
};

static struct file slurp(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	struct file file = { malloc((size_t)status.st_size), (size_t)status.st_size };
	assert_non_null(file.bytes);
	assert_int_equal(read(fd, file.bytes, file.length), file.length);
	close(fd);
	return file;
}

/* reader_open() and reader_check() over these bytes; the report is zeros when open failed. */
static int check_bytes(const uint8_t *bytes, size_t length, struct trace_report *report)
{
	struct reader *reader;
	int fd = memfd_create("trace", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	memset(report, 0, sizeof(*report));
	int r = reader_open(fd, -1, &reader);
	if (r == 0) {
		r = reader_check(reader, report, NULL, NULL);
		assert_int_equal(reader_summary(reader) != NULL, r == 0);
		reader_close(reader);
	}
	close(fd);
	return r;
}

static struct reader *open_trace(const char *path, int *ret_fd)
{
	struct reader *reader;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(reader_open(*ret_fd, -1, &reader), 0);
	return reader;
}

static void reader_gives_back_every_field_of_every_event(void **state)
{
	struct sample sample = { .seed = 42 };
	struct event event;
	uint32_t units = 0;
	int fd;
	(void)state;
	sample_trace("t.sworn", 400);
	struct reader *reader = open_trace("t.sworn", &fd);
	for (unsigned int i = 0; i < 400 * EVENT_END; i++) {
		sample_next(&sample, (enum event_kind)(i % EVENT_END));
		units += sample.event.kind == EVENT_EXEC;
		assert_int_equal(trace_next(reader, &event), 1);
		assert_int_equal(event.number, i);
		assert_same_event(&sample.event, &event);
	}
	sample_next(&sample, EVENT_END);
	sample.event.end.units = units;
	assert_int_equal(trace_next(reader, &event), 1);
	assert_same_event(&sample.event, &event);
	assert_int_equal(trace_next(reader, &event), 0);
	assert_int_equal(trace_next(reader, &event), 0);
	reader_close(reader);
	close(fd);
}

static int count_event(void *context, const struct event *event)
{
	uint64_t *count = context;
	assert_int_equal(event->number, *count);
	++*count;
	return 0;
}

static int stop_at_three(void *context, const struct event *event)
{
	(void)context;
	return event->number == 3 ? 77 : 0;
}

static void check_reports_what_the_trace_holds(void **state)
{
	struct trace_report report;
	uint64_t count = 0;
	int fd;
	(void)state;
	sample_trace("t.sworn", 400);
	struct reader *reader = open_trace("t.sworn", &fd);
	assert_null(reader_summary(reader));
	assert_int_equal(reader_check(reader, &report, count_event, &count), 0);
	assert_int_equal(count, 400 * EVENT_END + 1);
	assert_int_equal(report.events, count);
	assert_int_equal(report.units, 400);
	assert_int_equal(report.blobs, 1);
	assert_int_equal(report.blob_bytes, strlen(sample_content));
	assert_true(report.sealed);
	assert_false(report.is_signed);
	assert_int_equal(report.completeness, COMPLETE_YES);
	assert_true(report.links >= 5);
	assert_int_equal(report.frames, 2 * report.links + 2);
	const struct trace_summary *summary = reader_summary(reader);
	assert_true(summary->requires_pmu);
	assert_string_equal(summary->requires_cpu, "x86-64-v3");
	assert_string_equal(summary->assumptions[1], "second");
	assert_null(summary->assumptions[2]);
	assert_null(summary->exclusions[0]);
	assert_string_equal(summary->isolation, sample_summary.isolation);
	assert_int_equal(reader_check(reader, &report, stop_at_three, NULL), 77);
	reader_close(reader);
	close(fd);
}

static void reader_gives_back_the_info(void **state)
{
	int fd;
	(void)state;
	sample_trace("t.sworn", 1);
	struct reader *reader = open_trace("t.sworn", &fd);
	const struct trace_info *info = reader_info(reader);
	assert_string_equal(info->seed, sample_info.seed);
	for (size_t i = 0; sample_argv[i]; i++)
		assert_string_equal(info->argv[i], sample_argv[i]);
	assert_null(info->argv[3]);
	assert_string_equal(info->directory, sample_info.directory);
	assert_true(info->clock_virtual);
	assert_false(info->schedule_seeded);
	assert_int_equal(info->epoch_ns, sample_info.epoch_ns);
	assert_int_equal(info->started_utc_ns, sample_info.started_utc_ns);
	assert_int_equal(info->xcr0, 7);
	assert_string_equal(info->host, "host");
	assert_string_equal(info->cpu, "a cpu");
	reader_close(reader);
	close(fd);
}

static void any_flipped_byte_is_refused(void **state)
{
	struct trace_report report;
	(void)state;
	sample_trace("t.sworn", 2);
	struct file file = slurp("t.sworn");
	assert_int_equal(check_bytes(file.bytes, file.length, &report), 0);
	for (size_t i = 0; i < file.length; i++) {
		uint8_t before = file.bytes[i];
		file.bytes[i] ^= (uint8_t)(1u << (i % 8));
		int r = check_bytes(file.bytes, file.length, &report);
		if (r >= 0)
			fail_msg("byte %zu was flipped and the check said %d", i, r);
		/* The seal at the end shows that nothing is missing. */
		if (r == SWORN_ETRUNCATED && report.bytes && i < file.length - 1000)
			fail_msg("byte %zu was flipped and the check said truncated", i);
		file.bytes[i] = before;
	}
	free(file.bytes);
}

/* Offset behind the `n`th skippable frame. */
static size_t end_of_frame(const struct file *file, unsigned int n)
{
	size_t offset = 0;
	for (; n > 0; n--) {
		uint32_t length;
		memcpy(&length, file->bytes + offset + 4, sizeof(length));
		offset += 8 + length;
	}
	return offset;
}

static void a_file_cut_anywhere_is_truncated(void **state)
{
	struct trace_report report;
	(void)state;
	sample_trace("t.sworn", 2);
	struct file file = slurp("t.sworn");
	size_t opened = end_of_frame(&file, 3);
	for (size_t length = 0; length < file.length; length++) {
		int r = check_bytes(file.bytes, length, &report);
		if (r >= 0 || (length >= opened && r != SWORN_ETRUNCATED))
			fail_msg("cut at byte %zu of %zu the check said %d: %s", length,
				 file.length, r, report.reason);
		assert_false(report.sealed);
	}
	free(file.bytes);
}

static void bytes_behind_the_seal_are_refused(void **state)
{
	struct trace_report report;
	(void)state;
	sample_trace("t.sworn", 1);
	struct file file = slurp("t.sworn");
	uint8_t *longer = calloc(1, file.length * 2);
	memcpy(longer, file.bytes, file.length);
	assert_int_equal(check_bytes(longer, file.length + 1, &report), SWORN_EFORMAT);
	memcpy(longer + file.length, file.bytes, file.length);
	assert_int_equal(check_bytes(longer, 2 * file.length, &report), SWORN_EFORMAT);
	free(longer);
	free(file.bytes);
}

/* Frame and LINK pairs behind HEADER: where each begins; the last entry is where the SEAL does. */
static size_t find_pairs(const struct file *file, size_t *ret_offsets, size_t max)
{
	struct trace_report report;
	size_t count = 0;
	/* A cut behind a LINK reports that many links, so the pairs are found by cutting. */
	uint64_t links = 0;
	ret_offsets[count++] = end_of_frame(file, 1);
	for (size_t length = end_of_frame(file, 3); length < file->length; length++) {
		check_bytes(file->bytes, length, &report);
		if (report.links > links) {
			links = report.links;
			assert_true(count < max);
			ret_offsets[count++] = length;
		}
	}
	return count;
}

static void dropped_doubled_and_swapped_frames_are_refused(void **state)
{
	struct trace_report report;
	size_t at[32];
	(void)state;
	sample_trace("t.sworn", 2);
	struct file file = slurp("t.sworn");
	size_t count = find_pairs(&file, at, 32);
	assert_int_equal(count, 6); /* INFO, BLOB, EVENTS, SUMMARY, INDEX, and the seal */
	uint8_t *edited = malloc(2 * file.length);
	for (size_t i = 0; i + 1 < count; i++) {
		size_t length = at[i + 1] - at[i];
		memcpy(edited, file.bytes, at[i]);
		memcpy(edited + at[i], file.bytes + at[i + 1], file.length - at[i + 1]);
		assert_true(check_bytes(edited, file.length - length, &report) < 0);
		memcpy(edited, file.bytes, at[i + 1]);
		memcpy(edited + at[i + 1], file.bytes + at[i], file.length - at[i]);
		assert_true(check_bytes(edited, file.length + length, &report) < 0);
		if (i + 2 >= count)
			continue;
		size_t next = at[i + 2] - at[i + 1];
		memcpy(edited, file.bytes, file.length);
		memcpy(edited + at[i], file.bytes + at[i + 1], next);
		memcpy(edited + at[i] + next, file.bytes + at[i], length);
		assert_true(check_bytes(edited, file.length, &report) < 0);
	}
	free(edited);
	free(file.bytes);
}

static void frames_of_another_trace_are_refused(void **state)
{
	struct trace_report report;
	size_t at[32], other_at[32];
	(void)state;
	sample_trace("t.sworn", 2);
	sample_trace("u.sworn", 2);
	struct file file = slurp("t.sworn"), other = slurp("u.sworn");
	size_t count = find_pairs(&file, at, 32);
	assert_int_equal(find_pairs(&other, other_at, 32), count);
	uint8_t *edited = malloc(file.length + other.length);
	for (size_t i = 0; i < count; i++) {
		memcpy(edited, file.bytes, at[i]);
		memcpy(edited + at[i], other.bytes + other_at[i], other.length - other_at[i]);
		int r = check_bytes(edited, at[i] + other.length - other_at[i], &report);
		assert_true(r < 0);
	}
	free(edited);
	free(file.bytes);
	free(other.bytes);
}

static void trace_next_fails_at_the_end_of_a_prefix(void **state)
{
	struct reader *reader;
	struct event event;
	size_t at[32];
	int r, events = 0;
	(void)state;
	sample_trace("t.sworn", 2);
	struct file file = slurp("t.sworn");
	size_t count = find_pairs(&file, at, 32);
	int fd = open("cut.sworn", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, file.bytes, at[count - 1]), at[count - 1]);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	while ((r = trace_next(reader, &event)) > 0)
		events++;
	assert_int_equal(events, 2 * EVENT_END + 1);
	assert_int_equal(r, SWORN_ETRUNCATED);
	assert_int_equal(trace_next(reader, &event), SWORN_ETRUNCATED);
	reader_close(reader);
	close(fd);
	free(file.bytes);
}

static void what_is_not_a_trace_is_a_format_error(void **state)
{
	struct trace_report report;
	struct reader *reader;
	(void)state;
	uint8_t zeros[4096] = { 0 };
	assert_int_equal(check_bytes(zeros, sizeof(zeros), &report), SWORN_EFORMAT);
	assert_int_equal(check_bytes((const uint8_t *)"#!/bin/sh\necho", 14, &report), SWORN_EFORMAT);
	assert_true(reader_open(-1, -1, &reader) < 0);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(reader_open(fd, -1, &reader), SWORN_EFORMAT);
	close(fd);
}

static void a_blob_is_read_back_and_checked(void **state)
{
	uint8_t digest[DIGEST_BYTES];
	char buffer[sizeof(sample_content)] = { 0 };
	int fd;
	(void)state;
	sample_trace("t.sworn", 1);
	digest_of(sample_content, strlen(sample_content), digest);
	struct reader *reader = open_trace("t.sworn", &fd);
	assert_int_equal(reader_blob_size(reader, digest), strlen(sample_content));
	assert_int_equal(reader_blob_read(reader, digest, buffer, strlen(sample_content)), 0);
	assert_string_equal(buffer, sample_content);
	assert_int_equal(reader_blob_read(reader, digest, buffer, 3), -EINVAL);
	digest[0] ^= 1;
	assert_int_equal(reader_blob_size(reader, digest), SWORN_EBLOB);
	assert_int_equal(reader_blob_read(reader, digest, buffer, 3), SWORN_EBLOB);
	reader_close(reader);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_gives_back_every_field_of_every_event),
		cmocka_unit_test(check_reports_what_the_trace_holds),
		cmocka_unit_test(reader_gives_back_the_info),
		cmocka_unit_test(any_flipped_byte_is_refused),
		cmocka_unit_test(a_file_cut_anywhere_is_truncated),
		cmocka_unit_test(bytes_behind_the_seal_are_refused),
		cmocka_unit_test(dropped_doubled_and_swapped_frames_are_refused),
		cmocka_unit_test(frames_of_another_trace_are_refused),
		cmocka_unit_test(trace_next_fails_at_the_end_of_a_prefix),
		cmocka_unit_test(what_is_not_a_trace_is_a_format_error),
		cmocka_unit_test(a_blob_is_read_back_and_checked),
	};
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
