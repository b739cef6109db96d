#include "sample.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "traces/catalog.h"
#include "traces/import.h"
#include "traces/rewrite.h"
#include "traces/store.h"
#include "traces/stream.h"

/* A trace that is open and checked. */
struct opened {
	int fd, blobs;
	struct reader *reader;
	struct trace_report report;
	int checked;
};

static struct opened open_checked(int store, const char *name)
{
	struct opened opened = { .blobs = store < 0 ? -1 : store_blobs(store) };
	char *found;
	opened.fd = store_trace(store, name, &found);
	assert_true(opened.fd >= 0);
	free(found);
	assert_int_equal(reader_open(opened.fd, opened.blobs, &opened.reader), 0);
	opened.checked = reader_check(opened.reader, &opened.report, NULL, NULL);
	return opened;
}

static void close_opened(struct opened *opened)
{
	reader_close(opened->reader);
	close(opened->fd);
	if (opened->blobs >= 0)
		close(opened->blobs);
}

static int rewritten(const struct opened *from, const char *path, int store, struct rewritten *ret)
{
	struct rewrite rewrite = { .source = from->reader,
				   .report = &from->report,
				   .source_fd = from->fd,
				   .blobs_fd = from->blobs,
				   .path = path,
				   .store_fd = store };
	return rewrite_trace(&rewrite, ret);
}

static void record_thin(int store, uint64_t seed)
{
	struct sample sample = { .seed = seed };
	struct writer *writer;
	char *path;
	assert_int_equal(writer_open(NULL, store, &sample_info, &writer), 0);
	sample_write(writer, &sample, 2, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	free(path);
}

static void a_packed_trace_unpacks_to_the_same_events(void **state)
{
	struct rewritten made;
	(void)state;
	int store = store_open("store"), other = store_open("other");
	record_thin(store, 1);
	struct opened thin = open_checked(store, "@latest");
	assert_int_equal(thin.checked, 0);
	assert_int_equal(rewritten(&thin, "packed.sworn", -1, &made), 0);
	assert_string_equal(made.path, "packed.sworn");
	free(made.path);
	struct opened packed = open_checked(-1, "packed.sworn");
	assert_int_equal(packed.checked, 0);
	assert_true(packed.report.is_derived);
	assert_memory_equal(packed.report.derived, thin.report.seal_id, DIGEST_BYTES);
	assert_memory_equal(packed.report.state, thin.report.state, DIGEST_BYTES);
	assert_memory_not_equal(packed.report.archive, thin.report.archive, sizeof(thin.report.archive));
	assert_int_equal(packed.report.events, thin.report.events);
	assert_int_equal(reader_found(packed.reader)->index.stored_count, 0);
	assert_int_equal(rewritten(&packed, NULL, other, &made), 0);
	assert_int_equal(made.report.events, thin.report.events);
	assert_memory_equal(made.report.derived, packed.report.seal_id, DIGEST_BYTES);
	assert_memory_equal(made.report.outputs, thin.report.outputs, DIGEST_BYTES);
	free(made.path);
	close_opened(&thin);
	close_opened(&packed);
	close(store);
	close(other);
}

static void a_cut_trace_becomes_a_prefix_at_every_length(void **state)
{
	struct rewritten made;
	struct stat status;
	unsigned int prefixes = 0;
	(void)state;
	struct sample sample = { .seed = 42 };
	struct writer *writer;
	assert_int_equal(writer_open("whole.sworn", -1, &sample_info, &writer), 0);
	for (int i = 0; i < 6; i++) {
		sample_write(writer, &sample, 1, false);
		assert_int_equal(writer_flush(writer), 0);
	}
	writer_abandon(writer);
	assert_int_equal(stat("whole.sworn.partial", &status), 0);
	for (off_t length = status.st_size - 1; length > 0; length -= status.st_size / 40) {
		assert_int_equal(system("cp whole.sworn.partial cut.sworn"), 0);
		assert_int_equal(truncate("cut.sworn", length), 0);
		int fd = open("cut.sworn", O_RDONLY | O_CLOEXEC);
		struct opened cut = { .fd = fd, .blobs = -1 };
		if (reader_open(fd, -1, &cut.reader) == 0) {
			cut.checked = reader_check(cut.reader, &cut.report, NULL, NULL);
			assert_int_equal(cut.checked, SWORN_ETRUNCATED);
		}
		if (cut.report.events) {
			assert_int_equal(rewritten(&cut, "fixed.sworn", -1, &made), 0);
			assert_int_equal(made.report.events, cut.report.events);
			assert_int_equal(made.report.completeness, COMPLETE_PREFIX);
			assert_true(made.report.is_derived && made.report.sealed);
			free(made.path);
			prefixes++;
		}
		close_opened(&cut);
	}
	assert_true(prefixes > 3 && prefixes < 40);
	assert_int_not_equal(stat("fixed.sworn.new", &status), 0);
}

static void a_blob_with_other_bytes_is_not_copied(void **state)
{
	struct rewritten made;
	struct stat status;
	(void)state;
	int store = store_open("bad");
	record_thin(store, 1);
	struct opened thin = open_checked(store, "@latest");
	assert_int_equal(
		system("printf X | dd conv=notrunc status=none of=$(echo bad/blobs/sha256/*)"), 0);
	assert_int_equal(rewritten(&thin, "out.sworn", -1, &made), SWORN_EBLOB);
	assert_int_equal(system("rm bad/blobs/sha256/*"), 0);
	assert_int_equal(rewritten(&thin, "out.sworn", -1, &made), SWORN_EBLOB);
	assert_int_not_equal(stat("out.sworn", &status), 0);
	assert_int_not_equal(stat("out.sworn.new", &status), 0);
	close_opened(&thin);
	close(store);
}

static void an_import_keeps_every_byte_and_one_id_one_trace(void **state)
{
	struct rewritten made;
	(void)state;
	int store = store_open("from"), to = store_open("to");
	record_thin(store, 1);
	struct opened thin = open_checked(store, "@latest");
	struct import import = { .source = thin.reader,
				 .report = &thin.report,
				 .source_fd = thin.fd,
				 .blobs_fd = thin.blobs,
				 .store_fd = to };
	assert_int_equal(import_trace(&import), 1);
	assert_int_equal(import_trace(&import), 0);
	assert_int_equal(
		system("cmp from/traces/*.sworn to/traces/*.sworn && test $(ls to/blobs/sha256 | wc -l) = 1"),
		0);
	assert_int_equal(rewritten(&thin, "other.sworn", -1, &made), 0);
	free(made.path);
	assert_int_equal(system("cp other.sworn to/traces/$(basename from/traces/*.sworn)"), 0);
	assert_int_equal(import_trace(&import), SWORN_EREFUSED);
	assert_int_equal(
		system("test $(ls to/traces | wc -l) = 1 && cmp other.sworn to/traces/*.sworn"), 0);
	close_opened(&thin);
	close(store);
	close(to);
}

static void blobs_go_only_when_nobody_adds_and_nobody_needs_them(void **state)
{
	struct blob_table needed = { 0 };
	struct catalog catalog;
	struct sweep sweep;
	const char *file = NULL;
	(void)state;
	int store = store_open("sweep");
	record_thin(store, 1);
	int adding = store_lock(store, false), second = store_lock(store, false);
	assert_true(adding >= 0 && second >= 0);
	assert_int_equal(store_lock(store, true), -EBUSY);
	close(adding);
	close(second);
	int alone = store_lock(store, true);
	assert_true(alone >= 0);
	assert_int_equal(catalog_read(store, &catalog), 0);
	assert_int_equal(catalog.count, 1);
	assert_int_equal(catalog.entries[0].state, CATALOG_SEALED);
	assert_true(catalog.entries[0].latest);
	assert_int_equal(catalog_needed(store, &catalog, &needed, &file), 0);
	assert_int_equal(catalog_sweep(store, &needed, false, &sweep), 0);
	assert_int_equal(sweep.blobs, 0);
	catalog.entries[0].leaving = true;
	blob_table_release(&needed);
	assert_int_equal(catalog_needed(store, &catalog, &needed, &file), 0);
	assert_int_equal(catalog_sweep(store, &needed, true, &sweep), 0);
	assert_int_equal(sweep.blobs, 1);
	catalog.entries[0].leaving = false;
	assert_int_equal(
		system("printf X | dd conv=notrunc status=none bs=1 seek=700 of=$(echo sweep/traces/*)"),
		0);
	assert_int_equal(catalog_needed(store, &catalog, &needed, &file), SWORN_EFORMAT);
	assert_string_equal(file, catalog.entries[0].file);
	catalog_release(&catalog);
	blob_table_release(&needed);
	close(alone);
	close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_trace_unpacks_to_the_same_events),
		cmocka_unit_test(a_cut_trace_becomes_a_prefix_at_every_length),
		cmocka_unit_test(a_blob_with_other_bytes_is_not_copied),
		cmocka_unit_test(an_import_keeps_every_byte_and_one_id_one_trace),
		cmocka_unit_test(blobs_go_only_when_nobody_adds_and_nobody_needs_them),
	};
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
