/*
 * Statements, TRAILER frames, and what stands behind the seal of a trace: whatever is accepted was signed, encodes to the same bytes, and leaves
 * the trace as it was.
 */
#include "fuzz.h"
#include "traces/archive.h"
#include "traces/record.h"
#include "traces/statement.h"

static const uint8_t seed[KEY_BYTES] = { 1 };

/* A sealed trace of one event, made once; what is fuzzed is put behind it. */
struct sealed {
	int fd;
	uint64_t length;
	uint8_t id[DIGEST_BYTES];
};

static const struct sealed *sealed_trace(void)
{
	static struct sealed sealed;
	static const uint8_t id[ARCHIVE_ID_BYTES] = { 1 };
	static const char *const argv[] = { "/bin/true", NULL };
	const struct trace_info info = { .table_version = 1, .seed = "7", .argv = argv, .directory = "/" };
	const struct trace_summary summary = { .isolation = "none", .complete = true };
	struct event event = { .kind = EVENT_END, .end.state = { 1 } };
	uint8_t bytes[256], outputs[DIGEST_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct archive_end end = { .state = event.end.state, .outputs = outputs, .ended = 1 };
	struct archive archive;
	struct reader *reader;
	struct trace_report report;

	if (sealed.length)
		return &sealed;
	sealed.fd = memfd_create("sealed", MFD_CLOEXEC);
	fuzz_require(archive_begin(&archive, sealed.fd, &info, id, NULL) == 0);
	fuzz_require(record_encode(&event, &out) == 0 && record_outputs(&event, outputs) == 0);
	fuzz_require(archive_events(&archive, bytes, out.length, 1) == 0);
	fuzz_require(archive_finish(&archive, &summary, &end) == 0);
	archive_release(&archive);
	fuzz_require(reader_open(sealed.fd, -1, &reader) == 0);
	fuzz_require(reader_check(reader, &report, NULL, NULL) == 0);
	reader_close(reader);
	memcpy(sealed.id, report.seal_id, DIGEST_BYTES);
	sealed.length = report.bytes;
	return &sealed;
}

static bool behind_the_seal(const uint8_t *bytes, size_t length)
{
	const struct sealed *sealed = sealed_trace();
	struct trace_report report;
	struct reader *reader;
	size_t count;

	fuzz_require(ftruncate(sealed->fd, (off_t)sealed->length) == 0);
	fuzz_require(pwrite(sealed->fd, bytes, length, (off_t)sealed->length) == (ssize_t)length);
	fuzz_require(reader_open(sealed->fd, -1, &reader) == 0);
	int r = reader_check(reader, &report, NULL, NULL);
	reader_trailers(reader, &count);
	fuzz_require(r == 0 ? report.sealed_bytes == sealed->length &&
				      count <= FRAME_TRAILERS_MAX && (count > 0) == (length > 0) &&
				      report.events == 1 && digest_equal(report.seal_id, sealed->id)
			    : r < 0 && !report.sealed);
	reader_close(reader);
	return r == 0;
}

/* Signed anew, a statement that was accepted has the same bytes. */
static void same(const struct statement *statement, const struct key *key, const uint8_t *bytes,
		 size_t length)
{
	uint8_t again[STATEMENT_BYTES_MAX];
	struct cbor_out out = { .bytes = again, .capacity = sizeof(again) };

	statement_encode(statement, key, &out);
	fuzz_require(!out.full && out.length == length && memcmp(again, bytes, length) == 0);
}

/* A TRAILER with the statement, behind the seal; whether it is accepted there. */
static bool carried(const uint8_t *envelope, size_t length, const struct key *key)
{
	uint8_t content[FRAME_HEAD_BYTES + COSE_PAYLOAD_MAX + 2 * COSE_OVERHEAD_MAX];
	struct cbor_out out = { .bytes = content + FRAME_HEAD_BYTES,
				.capacity = sizeof(content) - FRAME_HEAD_BYTES };
	struct trailer trailer;

	trailer_encode(envelope, length, key->public_key, &out);
	fuzz_require(!out.full);
	if (trailer_decode(out.bytes, out.length, &trailer) == 0)
		fuzz_require(trailer_is_same(&trailer, &trailer));
	frame_head(FRAME_TRAILER, out.length, content);
	return behind_the_seal(content, FRAME_HEAD_BYTES + out.length);
}

/* The bytes as the payload of a statement, with a signature that is right; and the same statement about the trace that is there. */
static void signed_payload(const uint8_t *bytes, size_t length, const char *type)
{
	uint8_t envelope[COSE_PAYLOAD_MAX + COSE_OVERHEAD_MAX], *copy = malloc(length + 1);
	struct cbor_out payload = { .bytes = copy, .length = length, .capacity = length };
	struct cbor_out out = { .bytes = envelope, .capacity = sizeof(envelope) };
	struct statement statement;
	struct key key;

	fuzz_require(copy && key_from_seed(KEY_ATTESTER, seed, &key) == 0);
	memcpy(copy, bytes, length);
	envelope_encode(&out, type, &payload, &key);
	fuzz_require(!out.full);
	bool is_statement = statement_decode(envelope, out.length, &statement) == 0;
	fuzz_require(carried(envelope, out.length, &key) ==
		     (is_statement && digest_equal(statement.seal_id, sealed_trace()->id)));
	if (is_statement) {
		same(&statement, &key, envelope, out.length);
		fuzz_require(statement_check(envelope, out.length, key.public_key) == 0);
		memcpy(statement.seal_id, sealed_trace()->id, DIGEST_BYTES);
		out.length = 0;
		statement_encode(&statement, &key, &out);
		fuzz_require(carried(envelope, out.length, &key));
	}
	key_erase(&key);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct statement statement;
	struct trailer trailer;
	struct key key;

	fuzz_require(key_from_seed(KEY_ATTESTER, seed, &key) == 0);
	if (statement_decode(bytes, length, &statement) == 0 &&
	    statement_check(bytes, length, key.public_key) == 0)
		same(&statement, &key, bytes, length);
	trailer_decode(bytes, length, &trailer);
	key_erase(&key);
	behind_the_seal(bytes, length);
	if (length <= COSE_PAYLOAD_MAX) {
		signed_payload(bytes, length, STATEMENT_TYPE_SIGNATURE);
		signed_payload(bytes, length, STATEMENT_TYPE_ATTESTATION);
	}
	return 0;
}
