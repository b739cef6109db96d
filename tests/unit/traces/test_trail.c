#include "sample.h"

#include <sys/stat.h>

#include "traces/report.h"
#include "traces/seal.h"
#include "traces/statement.h"
#include "traces/trail.h"

/* Trailers behind the seal of a trace: what they may be, and what they leave as it was. */

struct content {
	uint8_t bytes[FRAME_TRAILER_MAX];
	size_t length;
};

static struct key attester(uint8_t number)
{
	struct key key;
	uint8_t seed[KEY_BYTES] = { number };
	assert_int_equal(key_from_seed(KEY_ATTESTER, seed, &key), 0);
	return key;
}

static struct content make(struct statement statement, const struct key *key)
{
	struct content content;
	uint8_t bytes[STATEMENT_BYTES_MAX];
	struct cbor_out envelope = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct cbor_out out = { .bytes = content.bytes, .capacity = sizeof(content.bytes) };
	statement_encode(&statement, key, &envelope);
	assert_false(envelope.full);
	trailer_encode(bytes, envelope.length, key->public_key, &out);
	assert_false(out.full);
	content.length = out.length;
	return content;
}

static struct statement attestation(void)
{
	return (struct statement){ .kind = STATEMENT_ATTESTATION,
				   .at = 1700000000,
				   .outcome = ATTESTED_DIVERGED,
				   .seal_id = { 1 },
				   .state = { 2 },
				   .events_checked = 3,
				   .events = UINT64_MAX,
				   .units_checked = 5,
				   .units = 6,
				   .engine = { 7 },
				   .machine = { 8 },
				   .challenge = { 9 } };
}

static void a_statement_says_what_it_was_made_of(void **state)
{
	struct key key = attester(1), other = attester(2);
	struct statement said = attestation();
	struct trailer trailer, again;
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct content content = make(said, &key);
		assert_int_equal(trailer_decode(content.bytes, content.length, &trailer), 0);
		assert_memory_equal(trailer.public_key, key.public_key, KEY_BYTES);
		assert_memory_equal(trailer.statement.kid, key.id, DIGEST_BYTES);
		memcpy(said.kid, key.id, DIGEST_BYTES);
		again.statement = said;
		assert_true(trailer_is_same(&trailer, &again));
		content = make(said, &other);
		assert_int_equal(trailer_decode(content.bytes, content.length, &again), 0);
		assert_false(trailer_is_same(&trailer, &again));
		said = (struct statement){ .kind = STATEMENT_SIGNATURE, .seal_id = { 1 }, .at = 4 };
	}
	key_erase(&key);
	key_erase(&other);
}

static void no_bit_of_a_trailer_can_change(void **state)
{
	struct key key = attester(1);
	struct content content = make(attestation(), &key);
	struct trailer trailer;
	(void)state;
	for (size_t bit = 0; bit < 8 * content.length; bit++) {
		content.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(trailer_decode(content.bytes, content.length, &trailer) < 0);
		content.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t length = 0; length < content.length; length++)
		assert_int_equal(trailer_decode(content.bytes, length, &trailer), SWORN_EFORMAT);
	key_erase(&key);
}

static void who_may_not_attest_cannot_sign_a_trailer(void **state)
{
	struct trailer trailer;
	struct key key;
	uint8_t seed[KEY_BYTES] = { 1 };
	(void)state;
	assert_int_equal(key_from_seed(KEY_RECORDER, seed, &key), 0);
	struct content content = make(attestation(), &key);
	assert_int_equal(trailer_decode(content.bytes, content.length, &trailer), SWORN_EINTEGRITY);
	struct content unsigned_content = { .length = 0 };
	uint8_t bytes[STATEMENT_BYTES_MAX];
	struct statement said = attestation();
	struct cbor_out envelope = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct cbor_out out = { .bytes = unsigned_content.bytes, .capacity = FRAME_TRAILER_MAX };
	statement_encode(&said, NULL, &envelope);
	trailer_encode(bytes, envelope.length, key.public_key, &out);
	assert_int_equal(trailer_decode(out.bytes, out.length, &trailer), SWORN_EFORMAT);
	key_erase(&key);
}

/* A trace in memory and what is put behind it. */
struct trace {
	uint8_t *bytes;
	size_t length, capacity;
	struct trace_report report;
};

static int check(struct trace *trace, size_t *ret_trailers)
{
	struct reader *reader;
	int fd = memfd_create("trace", MFD_CLOEXEC);
	assert_int_equal(write(fd, trace->bytes, trace->length), trace->length);
	memset(&trace->report, 0, sizeof(trace->report));
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	int r = reader_check(reader, &trace->report, NULL, NULL);
	reader_trailers(reader, ret_trailers);
	reader_close(reader);
	struct manifest manifest;
	uint8_t id[DIGEST_BYTES];
	if (r == 0)
		assert_int_equal(report_manifest(fd, &manifest, id), 0);
	if (r == 0)
		assert_memory_equal(id, trace->report.seal_id, DIGEST_BYTES);
	close(fd);
	return r;
}

static struct trace open_trace(void)
{
	struct trace trace = { .capacity = 1 << 22 };
	size_t count;
	sample_trace("t.sworn", 20);
	int fd = open("t.sworn", O_RDONLY | O_CLOEXEC);
	trace.bytes = malloc(trace.capacity);
	trace.length = (size_t)read(fd, trace.bytes, trace.capacity);
	close(fd);
	assert_int_equal(check(&trace, &count), 0);
	assert_int_equal(count, 0);
	return trace;
}

static void put(struct trace *trace, const struct content *content)
{
	frame_head(FRAME_TRAILER, content->length, trace->bytes + trace->length);
	memcpy(trace->bytes + trace->length + FRAME_HEAD_BYTES, content->bytes, content->length);
	trace->length += FRAME_HEAD_BYTES + content->length;
}

static struct content signature(const struct trace *trace, uint8_t number)
{
	struct statement said = { .kind = STATEMENT_SIGNATURE, .at = number };
	struct key key = attester(number);
	memcpy(said.seal_id, trace->report.seal_id, DIGEST_BYTES);
	struct content content = make(said, &key);
	key_erase(&key);
	return content;
}

static void refused(struct trace *trace, int error, const char *reason)
{
	size_t count;
	int r = check(trace, &count);
	if (r != error || !strstr(trace->report.reason, reason))
		fail_msg("expected %d (%s), got %d: %s", error, reason, r, trace->report.reason);
	assert_false(trace->report.sealed);
}

static void a_trace_may_have_trailers_and_nothing_else(void **state)
{
	struct trace trace = open_trace();
	struct content first = signature(&trace, 1), second = signature(&trace, 2);
	size_t sealed = trace.length, count;
	uint8_t id[DIGEST_BYTES];
	(void)state;
	memcpy(id, trace.report.seal_id, DIGEST_BYTES);
	put(&trace, &first);
	put(&trace, &second);
	assert_int_equal(check(&trace, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(trace.report.sealed_bytes, sealed);
	assert_memory_equal(trace.report.seal_id, id, DIGEST_BYTES);
	size_t whole = trace.length;
	for (size_t cut = sealed + 1; cut < whole; cut++) {
		trace.length = cut;
		if (cut != sealed + FRAME_HEAD_BYTES + first.length)
			refused(&trace, SWORN_EFORMAT, "behind the seal");
	}
	trace.length = whole;
	for (size_t at = sealed; at < whole; at += 1 + at % 7) {
		trace.bytes[at] ^= 1;
		assert_true(check(&trace, &count) < 0);
		assert_false(trace.report.sealed);
		trace.bytes[at] ^= 1;
	}
	put(&trace, &first);
	refused(&trace, SWORN_EFORMAT, "is there twice");
	trace.length = whole;
	frame_head(FRAME_INFO, 0, trace.bytes + trace.length);
	trace.length += FRAME_HEAD_BYTES;
	refused(&trace, SWORN_EFORMAT, "bytes behind the seal");
	free(trace.bytes);
}

static void a_trailer_of_another_trace_is_refused(void **state)
{
	struct trace trace = open_trace();
	struct key key = attester(1);
	struct content content = make(attestation(), &key);
	(void)state;
	put(&trace, &content);
	refused(&trace, SWORN_EINTEGRITY, "of another trace");
	key_erase(&key);
	free(trace.bytes);
}

static void there_is_an_end_to_trailers(void **state)
{
	struct trace trace = open_trace();
	size_t count, sealed = trace.length;
	(void)state;
	for (uint8_t i = 0; i < FRAME_TRAILERS_MAX; i++) {
		struct content content = signature(&trace, (uint8_t)(i + 1));
		put(&trace, &content);
	}
	assert_int_equal(check(&trace, &count), 0);
	assert_int_equal(count, FRAME_TRAILERS_MAX);
	/* A length that runs past the end is damage where a seal, and all this, is at the end. */
	trace.bytes[5] ^= 0x08;
	assert_true(trace.length > sealed);
	int fd = memfd_create("trace", MFD_CLOEXEC);
	assert_int_equal(write(fd, trace.bytes, trace.length), trace.length);
	struct frame_source source = { fd, trace.length };
	assert_true(frame_seal_at_end(&source));
	source.size--;
	assert_false(frame_seal_at_end(&source));
	close(fd);
	trace.bytes[5] ^= 0x08;
	struct content content = signature(&trace, 200);
	put(&trace, &content);
	refused(&trace, SWORN_ELIMIT, "more trailers");
	free(trace.bytes);
}

static int append(const char *path, uint8_t number)
{
	struct trace_report report;
	struct reader *reader;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	assert_int_equal(reader_check(reader, &report, NULL, NULL), 0);
	reader_close(reader);
	struct trace trace = { .report = report };
	struct content content = signature(&trace, number);
	struct trail trail = { .fd = fd,
			       .blobs_fd = -1,
			       .report = &report,
			       .trailer = content.bytes,
			       .length = content.length };
	int r = trail_append(&trail);
	/* Whoever had the old file open no longer has the one of that name. */
	assert_int_equal(trail_is_current(fd), r < 0);
	close(fd);
	return r;
}

static void a_trailer_is_added_in_one_step(void **state)
{
	struct stat status;
	char path[] = "signed.sworn";
	(void)state;
	sample_trace(path, 20);
	assert_int_equal(chmod(path, 0440), 0);
	assert_int_equal(append(path, 1), 0);
	assert_int_equal(append(path, 2), 0);
	assert_int_equal(append(path, 2), SWORN_EFORMAT);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0440);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_statement_says_what_it_was_made_of),
		cmocka_unit_test(no_bit_of_a_trailer_can_change),
		cmocka_unit_test(who_may_not_attest_cannot_sign_a_trailer),
		cmocka_unit_test(a_trace_may_have_trailers_and_nothing_else),
		cmocka_unit_test(a_trailer_of_another_trace_is_refused),
		cmocka_unit_test(there_is_an_end_to_trailers),
		cmocka_unit_test(a_trailer_is_added_in_one_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
