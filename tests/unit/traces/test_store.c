#include "sample.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include "traces/store.h"

static int blobs_of(int store)
{
	int blobs = store_blobs(store);
	assert_true(blobs >= 0);
	return blobs;
}

/* Records one thin trace; *ret_path is what writer_close() gave. */
static void record_thin(int store, uint64_t seed, char **ret_path)
{
	struct sample sample = { .seed = seed };
	struct writer *writer;
	assert_int_equal(writer_open(NULL, store, &sample_info, &writer), 0);
	sample_write(writer, &sample, 2, true);
	assert_int_equal(writer_close(writer, &sample_summary, ret_path), 0);
}

static int check(int store, const char *name, char **ret_name)
{
	struct trace_report report;
	struct reader *reader;
	int blobs = blobs_of(store);
	int fd = store_trace(store, name, ret_name);
	if (fd < 0)
		return fd;
	int r = reader_open(fd, blobs, &reader);
	if (r == 0)
		r = reader_check(reader, &report, NULL, NULL);
	if (r == 0)
		assert_int_equal(report.blobs, 1);
	reader_close(reader);
	close(fd);
	close(blobs);
	return r;
}

static void a_store_is_made_private_and_found_again(void **state)
{
	struct stat status;
	(void)state;
	assert_int_equal(store_find("deep/er/store"), -ENOENT);
	int store = store_open("deep/er/store");
	assert_true(store >= 0);
	assert_int_equal(fstat(store, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(fcntl(store, F_GETFD), FD_CLOEXEC);
	close(blobs_of(store));
	assert_int_equal(stat("deep/er/store/traces", &status), 0);
	assert_int_equal(stat("deep/er/store/oci-layout", &status), 0);
	close(store);
	store = store_open("deep/er/store");
	assert_true(store >= 0);
	close(store);
	store = store_find("deep/er/store");
	assert_true(store >= 0);
	close(store);
}

static void the_default_store_follows_the_environment(void **state)
{
	char home[PATH_MAX], path[PATH_MAX + 64];
	struct stat status;
	(void)state;
	assert_non_null(getcwd(home, sizeof(home)));
	snprintf(path, sizeof(path), "%s/data", home);
	setenv("HOME", home, 1);
	setenv("XDG_DATA_HOME", path, 1);
	close(store_open(NULL));
	assert_int_equal(stat("data/sworn/store/traces", &status), 0);
	unsetenv("XDG_DATA_HOME");
	close(store_open(NULL));
	assert_int_equal(stat(".local/share/sworn/store/traces", &status), 0);
	setenv("HOME", "relative", 1);
	assert_int_equal(store_open(NULL), -ENOENT);
}

static void a_thin_trace_is_found_by_latest_name_and_path(void **state)
{
	char *path, *name, *base;
	struct stat status;
	(void)state;
	int store = store_open("thin");
	assert_int_equal(check(store, "@latest", &name), SWORN_ENOTRACE);
	record_thin(store, 1, &path);
	assert_int_equal(stat(path, &status), 0);
	base = strrchr(path, '/') + 1;
	assert_int_equal(check(store, NULL, &name), 0);
	assert_int_equal(name[0], '@');
	assert_string_equal(name + 1, base);
	char *again;
	assert_int_equal(check(store, name, &again), 0);
	free(again);
	name[strlen(name) - strlen(".sworn")] = '\0';
	assert_int_equal(check(store, name, &again), 0);
	free(again);
	free(name);
	assert_int_equal(check(store, path, &name), 0);
	assert_string_equal(name, path);
	free(name);
	free(path);
	close(store);
}

static void latest_moves_on_and_blobs_are_shared(void **state)
{
	char *first, *second, *name;
	(void)state;
	int store = store_open("two");
	record_thin(store, 1, &first);
	record_thin(store, 2, &second);
	assert_string_not_equal(first, second);
	assert_int_equal(check(store, "@latest", &name), 0);
	assert_string_equal(name + 1, strrchr(second, '/') + 1);
	free(name);
	assert_int_equal(check(store, first, &name), 0);
	free(name);
	assert_int_equal(system("test $(ls two/blobs/sha256 | wc -l) = 1"), 0);
	free(first);
	free(second);
	close(store);
}

static void names_that_leave_the_store_are_refused(void **state)
{
	static const char *const names[] = { "@",    "@../x",	 "@.hidden",
					     "@a/b", "@nothing", "@/etc/passwd" };
	char *name;
	(void)state;
	int store = store_open("names");
	assert_int_equal(system("cd names && mkdir traces/a && touch x.sworn traces/.hidden.sworn "
				"traces/a/b.sworn traces/.sworn"),
			 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(store_trace(store, names[i], &name), SWORN_ENOTRACE);
	assert_int_equal(store_trace(store, "no/such/file", &name), -ENOENT);
	close(store);
}

static void blobs_of_a_store_are_checked(void **state)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES], path[PATH_MAX], buffer[64], *trace, *name;
	struct reader *reader;
	(void)state;
	int store = store_open("bad");
	record_thin(store, 1, &trace);
	free(trace);
	digest_of(sample_content, strlen(sample_content), digest);
	digest_hex(digest, hex);
	snprintf(path, sizeof(path), "bad/blobs/sha256/%s", hex);

	int blobs = blobs_of(store), fd = store_trace(store, NULL, &name);
	free(name);
	assert_int_equal(reader_open(fd, blobs, &reader), 0);
	assert_int_equal(reader_blob_size(reader, digest), strlen(sample_content));
	assert_int_equal(reader_blob_read(reader, digest, buffer, strlen(sample_content)), 0);
	assert_memory_equal(buffer, sample_content, strlen(sample_content));

	int blob = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(blob, "X", 1, 3), 1);
	assert_int_equal(check(store, NULL, &name), SWORN_EBLOB);
	free(name);
	assert_int_equal(reader_blob_read(reader, digest, buffer, strlen(sample_content)), SWORN_EBLOB);
	assert_int_equal(ftruncate(blob, 5), 0);
	close(blob);
	assert_int_equal(check(store, NULL, &name), SWORN_EBLOB);
	free(name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(store, NULL, &name), SWORN_EBLOB);
	free(name);
	reader_close(reader);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	assert_int_equal(reader_blob_size(reader, digest), SWORN_EBLOB);
	reader_close(reader);
	close(fd);
	close(blobs);
	close(store);
}

static void a_blob_under_a_wrong_digest_never_enters_the_store(void **state)
{
	uint8_t digest[DIGEST_BYTES] = { 7 };
	struct sample sample = { .seed = 1 };
	struct writer *writer;
	char *path = NULL;
	(void)state;
	int store = store_open("wrong");
	assert_int_equal(writer_open(NULL, store, &sample_info, &writer), 0);
	assert_int_equal(writer_blob(writer, digest, "abc", 3), 0);
	sample_next(&sample, EVENT_CALL);
	while (writer_event(writer, &sample.event) == 0)
		usleep(1000);
	assert_int_equal(writer_close(writer, &sample_summary, &path), SWORN_EBLOB);
	assert_null(path);
	assert_int_equal(system("test -z \"$(ls -A wrong/blobs/sha256)\""), 0);
	assert_int_equal(system("test ! -e wrong/latest"), 0);
	close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_is_made_private_and_found_again),
		cmocka_unit_test(the_default_store_follows_the_environment),
		cmocka_unit_test(a_thin_trace_is_found_by_latest_name_and_path),
		cmocka_unit_test(latest_moves_on_and_blobs_are_shared),
		cmocka_unit_test(names_that_leave_the_store_are_refused),
		cmocka_unit_test(blobs_of_a_store_are_checked),
		cmocka_unit_test(a_blob_under_a_wrong_digest_never_enters_the_store),
	};
	return cmocka_run_group_tests(tests, sample_directory, sample_directory_remove);
}
