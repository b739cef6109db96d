#include "sample.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "traces/cursor.h"
#include "traces/frame.h"
#include "traces/store.h"

static int check_file(const char *path, int blobs_fd, struct trace_report *report)
{
	struct reader *reader;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(report, 0, sizeof(*report));
	int r = reader_open(fd, blobs_fd, &reader);
	if (r == 0) {
		r = reader_check(reader, report, NULL, NULL);
		reader_close(reader);
	}
	close(fd);
	return r;
}

static struct writer *open_writer(const char *path, int store_fd)
{
	struct writer *writer;
	assert_int_equal(writer_open(path, store_fd, &sample_info, &writer), 0);
	return writer;
}

static void a_trace_is_a_valid_zstd_stream(void **state)
{
	(void)state;
	if (system("command -v zstd >/dev/null") != 0) {
		print_message("no zstd command here\n");
		skip();
	}
	sample_trace("t.sworn", 400);
	assert_int_equal(system("zstd -tq t.sworn"), 0);
}

static void the_file_appears_only_when_it_is_complete(void **state)
{
	struct sample sample = { .seed = 1 };
	struct stat status;
	char *path;
	(void)state;
	struct writer *writer = open_writer("late.sworn", -1);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(stat("late.sworn", &status), -1);
	assert_int_equal(stat("late.sworn.partial", &status), 0);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(stat("late.sworn", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat("late.sworn.partial", &status), -1);
}

static void two_writers_of_one_path_do_not_mix(void **state)
{
	struct sample sample = { .seed = 1 };
	struct trace_report report;
	struct writer *other;
	char *path;
	(void)state;
	struct writer *writer = open_writer("one.sworn", -1);
	assert_int_equal(writer_open("one.sworn", -1, &sample_info, &other), -EBUSY);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(check_file("one.sworn", -1, &report), 0);
}

static void an_abandoned_trace_is_a_valid_prefix(void **state)
{
	struct sample sample = { .seed = 1 };
	struct trace_report report;
	(void)state;
	struct writer *writer = open_writer("gone.sworn", -1);
	sample_write(writer, &sample, 3, false);
	writer_abandon(writer);
	assert_int_equal(check_file("gone.sworn.partial", -1, &report), SWORN_ETRUNCATED);
	assert_int_equal(report.events, 3 * EVENT_END);
	assert_false(report.sealed);
}

static void a_sealed_prefix_is_truncated(void **state)
{
	struct sample sample = { .seed = 1 };
	struct trace_summary summary = sample_summary;
	struct trace_report report;
	char *path;
	(void)state;
	summary.complete = false;
	struct writer *writer = open_writer("early.sworn", -1);
	sample_write(writer, &sample, 3, false);
	assert_int_equal(writer_close(writer, &summary, &path), 0);
	free(path);
	assert_int_equal(check_file("early.sworn", -1, &report), SWORN_ETRUNCATED);
	assert_true(report.sealed);
	assert_int_equal(report.completeness, COMPLETE_PREFIX);
}

static void a_complete_trace_needs_its_end(void **state)
{
	struct sample sample = { .seed = 1 };
	struct event event = { .kind = EVENT_CALL };
	char *path = NULL;
	(void)state;
	struct writer *writer = open_writer("no-end.sworn", -1);
	sample_write(writer, &sample, 1, false);
	assert_int_equal(writer_close(writer, &sample_summary, &path), -EINVAL);
	assert_null(path);
	writer = open_writer("behind.sworn", -1);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_event(writer, &event), -EINVAL);
	writer_abandon(writer);
	writer = open_writer("empty.sworn", -1);
	struct trace_summary summary = { .complete = false };
	assert_int_equal(writer_close(writer, &summary, &path), -ENODATA);
}

static void counts_follow_what_is_written(void **state)
{
	struct sample sample = { .seed = 1 };
	struct stat status;
	char *path;
	(void)state;
	struct writer *writer = open_writer("count.sworn", -1);
	uint64_t before = writer_bytes(writer);
	assert_true(before > 0);
	sample_write(writer, &sample, 2, true);
	assert_int_equal(writer_events(writer), 2 * EVENT_END + 1);
	assert_int_equal(writer_flush(writer), 0);
	for (int i = 0; i < 1000 && writer_bytes(writer) == before; i++)
		usleep(10000);
	assert_true(writer_bytes(writer) > before);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(stat("count.sworn", &status), 0);
}

/* Waits for the worker: the file must grow without any further call. */
static void events_reach_the_disk_within_about_a_second(void **state)
{
	struct sample sample = { .seed = 1 };
	struct trace_report report;
	int i;
	(void)state;
	struct writer *writer = open_writer("slow.sworn", -1);
	uint64_t before = writer_bytes(writer);
	sample_next(&sample, EVENT_CALL);
	assert_int_equal(writer_event(writer, &sample.event), 0);
	for (i = 0; i < 200 && writer_bytes(writer) == before; i++)
		usleep(50000);
	assert_in_range(i, 10, 199);
	assert_int_equal(check_file("slow.sworn.partial", -1, &report), SWORN_ETRUNCATED);
	assert_int_equal(report.events, 1);
	writer_abandon(writer);
}

static void a_killed_writer_leaves_a_valid_prefix(void **state)
{
	struct trace_report report;
	int status;
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		struct sample sample = { .seed = 3 };
		struct writer *writer = open_writer("killed.sworn", -1);
		for (unsigned int i = 0;; i++) {
			sample_next(&sample, (enum event_kind)(i % EVENT_END));
			writer_event(writer, &sample.event);
			if (writer_bytes(writer) > 2000000)
				kill(getpid(), SIGKILL);
		}
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(check_file("killed.sworn.partial", -1, &report), SWORN_ETRUNCATED);
	assert_true(report.events > 1000);
}

static void a_write_error_is_reported(void **state)
{
	struct rlimit before, limit = { 100000, 100000 };
	struct sample sample = { .seed = 3 };
	int r = 0;
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	struct writer *writer = open_writer("full.sworn", -1);
	for (unsigned int i = 0; i < 1000000 && r == 0; i++) {
		sample_next(&sample, (enum event_kind)(i % EVENT_END));
		r = writer_event(writer, &sample.event);
	}
	assert_int_equal(r, -EFBIG);
	assert_int_equal(writer_flush(writer), -EFBIG);
	writer_abandon(writer);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void blobs_of_every_size_come_back(void **state)
{
	static const size_t sizes[] = { 0,
					1,
					FRAME_CHUNK_BYTES - 1,
					FRAME_CHUNK_BYTES,
					FRAME_CHUNK_BYTES + 1,
					5 * FRAME_CHUNK_BYTES + 12345 };
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	uint8_t digests[COUNT][DIGEST_BYTES];
	struct sample sample = { .seed = 11 };
	struct trace_report report;
	struct reader *reader;
	char *path;
	(void)state;
	uint8_t *bytes = malloc(sizes[COUNT - 1]), *found = malloc(sizes[COUNT - 1]);
	sample_bytes(&sample, bytes, sizes[COUNT - 1]);
	struct writer *writer = open_writer("blobs.sworn", -1);
	for (size_t i = 0; i < COUNT; i++) {
		digest_of(bytes, sizes[i], digests[i]);
		assert_false(writer_has_blob(writer, digests[i]));
		assert_int_equal(writer_blob(writer, digests[i], bytes, sizes[i]), 0);
		assert_true(writer_has_blob(writer, digests[i]));
		assert_int_equal(writer_blob(writer, digests[i], bytes, sizes[i]), 0);
	}
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(check_file("blobs.sworn", -1, &report), 0);
	assert_int_equal(report.blobs, COUNT + 1);
	int fd = open("blobs.sworn", O_RDONLY | O_CLOEXEC);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(reader_blob_size(reader, digests[i]), sizes[i]);
		memset(found, 0, sizes[i]);
		assert_int_equal(reader_blob_read(reader, digests[i], found, sizes[i]), 0);
		assert_memory_equal(found, bytes, sizes[i]);
	}
	reader_close(reader);
	close(fd);
	free(bytes);
	free(found);
}

/* Else a block that gets old in the meantime would part the chunks. */
static void events_go_before_a_blob_of_several_chunks(void **state)
{
	enum { LENGTH = 2 * FRAME_CHUNK_BYTES };
	struct sample sample = { .seed = 12 };
	uint8_t digest[DIGEST_BYTES], *bytes = calloc(1, LENGTH);
	char kinds[64] = "", *path;
	struct cursor cursor;
	(void)state;
	assert_non_null(bytes);
	digest_of(bytes, LENGTH, digest);
	struct writer *writer = open_writer("order.sworn", -1);
	sample_write(writer, &sample, 1, false);
	assert_int_equal(writer_blob(writer, digest, bytes, LENGTH), 0);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	free(bytes);
	int fd = open("order.sworn", O_RDONLY | O_CLOEXEC);
	memset(&cursor, 0, sizeof(cursor));
	assert_int_equal(cursor_open(&cursor, fd), 0);
	for (size_t i = 0; i + 1 < sizeof(kinds) && cursor_next(&cursor) > 0; i++)
		kinds[i] = cursor.frame.kind == FRAME_EVENTS ? 'e'
			   : cursor.frame.kind == FRAME_BLOB ? 'b'
							     : '.';
	cursor_release(&cursor);
	close(fd);
	assert_non_null(strstr(kinds, "ebbe"));
}

static void a_blob_under_a_wrong_digest_does_not_pass_the_check(void **state)
{
	struct sample sample = { .seed = 11 };
	uint8_t digest[DIGEST_BYTES] = { 1 };
	struct trace_report report;
	char *path;
	(void)state;
	struct writer *writer = open_writer("wrong.sworn", -1);
	assert_int_equal(writer_blob(writer, digest, "abc", 3), 0);
	sample_write(writer, &sample, 1, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(check_file("wrong.sworn", -1, &report), SWORN_EBLOB);
}

static void an_event_that_names_a_blob_which_is_not_there_is_refused(void **state)
{
	struct mapping mapping = {
		.start = 0x1000, .end = 0x2000, .backing = BACKING_BLOB, .digest = { 9 }
	};
	struct event exec = { .kind = EVENT_EXEC, .mappings = &mapping, .mappings_count = 1 };
	struct event end = { .kind = EVENT_END, .end.units = 1 };
	struct trace_report report;
	char *path;
	(void)state;
	struct writer *writer = open_writer("missing.sworn", -1);
	assert_int_equal(writer_event(writer, &exec), 0);
	assert_int_equal(writer_event(writer, &end), 0);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(check_file("missing.sworn", -1, &report), SWORN_EBLOB);
}

static void an_event_of_the_largest_size_goes_through(void **state)
{
	static struct mapping mappings[EVENT_MAPPINGS_MAX];
	struct event exec = { .kind = EVENT_EXEC,
			      .mappings = mappings,
			      .mappings_count = EVENT_MAPPINGS_MAX };
	struct event end = { .kind = EVENT_END, .end.units = 1 };
	struct trace_report report;
	char *path;
	(void)state;
	for (uint64_t i = 0; i < EVENT_MAPPINGS_MAX; i++)
		mappings[i] = (struct mapping){ .start = i << 13,
						.end = (i << 13) + 4096,
						.path = "/usr/lib/x86_64-linux-gnu/libc.so.6" };
	struct writer *writer = open_writer("large.sworn", -1);
	assert_int_equal(writer_event(writer, &exec), 0);
	assert_int_equal(writer_event(writer, &end), 0);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
	assert_int_equal(check_file("large.sworn", -1, &report), 0);
}

/* The thread of this process that has the worker's name. */
static pid_t worker_thread(void)
{
	char line[64] = "";
	FILE *list = popen("grep -lx sworn-writer /proc/$PPID/task/*/comm | cut -d/ -f5", "r");
	assert_non_null(fgets(line, sizeof(line), list));
	pclose(list);
	return atoi(line);
}

static void the_worker_leaves_the_callers_cpu_alone(void **state)
{
	cpu_set_t before, one, worker;
	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	if (CPU_COUNT(&before) < 2) {
		print_message("only one CPU here\n");
		skip();
	}
	int cpu = 0;
	while (!CPU_ISSET((size_t)cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	struct writer *writer = open_writer("cpu.sworn", -1);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	struct event event = { .kind = EVENT_CALL };
	uint64_t bytes = writer_bytes(writer);
	assert_int_equal(writer_event(writer, &event), 0);
	assert_int_equal(writer_flush(writer), 0);
	for (int i = 0; i < 500 && writer_bytes(writer) == bytes; i++)
		usleep(10000);
	assert_int_equal(sched_getaffinity(worker_thread(), sizeof(worker), &worker), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(CPU_COUNT(&worker), CPU_COUNT(&before) - 1);
	assert_false(CPU_ISSET((size_t)cpu, &worker));
	writer_abandon(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_is_a_valid_zstd_stream),
		cmocka_unit_test(the_file_appears_only_when_it_is_complete),
		cmocka_unit_test(two_writers_of_one_path_do_not_mix),
		cmocka_unit_test(an_abandoned_trace_is_a_valid_prefix),
		cmocka_unit_test(a_sealed_prefix_is_truncated),
		cmocka_unit_test(a_complete_trace_needs_its_end),
		cmocka_unit_test(counts_follow_what_is_written),
		cmocka_unit_test(events_reach_the_disk_within_about_a_second),
		cmocka_unit_test(a_killed_writer_leaves_a_valid_prefix),
		cmocka_unit_test(a_write_error_is_reported),
		cmocka_unit_test(blobs_of_every_size_come_back),
		cmocka_unit_test(events_go_before_a_blob_of_several_chunks),
		cmocka_unit_test(a_blob_under_a_wrong_digest_does_not_pass_the_check),
		cmocka_unit_test(an_event_that_names_a_blob_which_is_not_there_is_refused),
		cmocka_unit_test(an_event_of_the_largest_size_goes_through),
		cmocka_unit_test(the_worker_leaves_the_callers_cpu_alone),
	};
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
