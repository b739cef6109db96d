#include "sample.h"

#include "traces/archive.h"
#include "traces/blob.h"
#include "traces/info.h"

/*
 * A forger can compute every hash anew, as long as traces are not signed. Each test writes a trace
 * that is right in all but one respect; `forge` is called at each step and may bend the archive.
 */
enum step { STEP_EVENTS, STEP_SUMMARY, STEP_SEAL };

struct forgery {
	void (*bend)(struct archive *archive, enum step step);
	uint64_t events;      /* what the block's link says; 0: the truth */
	const uint8_t *extra; /* bytes behind the block's records */
	size_t extra_length;
	const uint8_t *state; /* what the seal says; NULL: the truth */
	uint32_t units;	      /* what END says */
	uint64_t blob_size;   /* what the blob's head says; 0: no blob */
};

static void bend(const struct forgery *forgery, struct archive *archive, enum step step)
{
	if (forgery->bend)
		forgery->bend(archive, step);
}

static size_t records(const struct forgery *forgery, uint8_t *bytes, size_t capacity,
		      uint8_t outputs[DIGEST_BYTES])
{
	struct event call = { .kind = EVENT_CALL, .thread = 1, .nr = 39 };
	struct event end = { .kind = EVENT_END, .end.state = { 1 }, .end.units = forgery->units };
	struct cbor_out out = { .bytes = bytes, .capacity = capacity };
	assert_int_equal(record_encode(&call, &out), 0);
	assert_int_equal(record_encode(&end, &out), 0);
	assert_int_equal(record_outputs(&end, outputs), 0);
	if (forgery->extra_length)
		memcpy(bytes + out.length, forgery->extra, forgery->extra_length);
	return out.length + forgery->extra_length;
}

static void write_blob(struct archive *archive, uint64_t size)
{
	struct blob blob = { .size = size };
	uint8_t digest[DIGEST_BYTES];
	digest_of("abc", 3, digest);
	blob_name(digest, blob.name);
	assert_int_equal(archive_blob(archive, &blob, 0, (const uint8_t *)"abc", 3), 0);
}

/* Writes the trace and gives the verdict of a check. */
static int check_forged(const struct forgery *forgery, struct trace_report *report)
{
	static const uint8_t id[ARCHIVE_ID_BYTES] = { 5 };
	static const uint8_t state[DIGEST_BYTES] = { 1 };
	uint8_t bytes[4096], outputs[DIGEST_BYTES];
	struct archive archive;
	struct reader *reader = NULL;
	int fd = memfd_create("forged", MFD_CLOEXEC);
	assert_int_equal(archive_begin(&archive, fd, &sample_info, id, NULL), 0);
	if (forgery->blob_size)
		write_blob(&archive, forgery->blob_size);
	bend(forgery, &archive, STEP_EVENTS);
	size_t length = records(forgery, bytes, sizeof(bytes), outputs);
	uint64_t events = forgery->events ? forgery->events : 2;
	assert_int_equal(archive_events(&archive, bytes, length, events), 0);
	bend(forgery, &archive, STEP_SUMMARY);
	struct archive_end end = { .state = forgery->state ? forgery->state : state, .outputs = outputs };
	bend(forgery, &archive, STEP_SEAL);
	assert_int_equal(archive_finish(&archive, &sample_summary, &end), 0);
	archive_release(&archive);
	memset(report, 0, sizeof(*report));
	int r = reader_open(fd, -1, &reader);
	if (r == 0)
		r = reader_check(reader, report, NULL, NULL);
	reader_close(reader);
	close(fd);
	return r;
}

static void a_trace_without_a_forgery_is_ok(void **state)
{
	struct trace_report report;
	(void)state;
	assert_int_equal(check_forged(&(struct forgery){ 0 }, &report), 0);
	assert_int_equal(check_forged(&(struct forgery){ .blob_size = 3 }, &report), 0);
}

static void other_prev(struct archive *archive, enum step step)
{
	if (step == STEP_EVENTS)
		archive->chain.last[5] ^= 1;
}

static void other_seq(struct archive *archive, enum step step)
{
	if (step == STEP_EVENTS)
		archive->chain.links++;
}

static void other_first_event(struct archive *archive, enum step step)
{
	if (step == STEP_EVENTS)
		archive->chain.events++;
}

static void other_merkle_leaf(struct archive *archive, enum step step)
{
	if (step == STEP_EVENTS)
		archive->chain.merkle.subtrees[0][0] ^= 1;
}

static void other_header(struct archive *archive, enum step step)
{
	if (step == STEP_EVENTS)
		archive->chain.header[0] ^= 1;
}

static void other_index(struct archive *archive, enum step step)
{
	if (step == STEP_SUMMARY)
		archive->index.blocks[0].offset++;
}

static void unlisted_blob(struct archive *archive, enum step step)
{
	if (step == STEP_SUMMARY)
		archive->index.blobs_count = 0;
}

static void listed_blob_that_nobody_has(struct archive *archive, enum step step)
{
	struct blob blob = { .name = { 1 }, .size = 3 };
	if (step == STEP_SUMMARY)
		index_add_stored(&archive->index, &blob);
}

static void other_end_offset(struct archive *archive, enum step step)
{
	if (step == STEP_SEAL)
		atomic_fetch_add(&archive->bytes, 1);
}

static void refused(struct forgery forgery, int error, const char *reason)
{
	struct trace_report report;
	int r = check_forged(&forgery, &report);
	if (r != error || !strstr(report.reason, reason))
		fail_msg("expected %d (%s), got %d: %s", error, reason, r, report.reason);
}

static void links_that_do_not_continue_the_chain_are_refused(void **state)
{
	(void)state;
	refused((struct forgery){ .bend = other_prev }, SWORN_EINTEGRITY, "continue the chain");
	refused((struct forgery){ .bend = other_seq }, SWORN_EINTEGRITY, "continue the chain");
	refused((struct forgery){ .bend = other_first_event }, SWORN_EINTEGRITY, "continue the chain");
}

static void seals_of_another_trace_are_refused(void **state)
{
	static const uint8_t other[DIGEST_BYTES] = { 2 };
	(void)state;
	refused((struct forgery){ .bend = other_merkle_leaf }, SWORN_EINTEGRITY, "Merkle root");
	refused((struct forgery){ .bend = other_header }, SWORN_EINTEGRITY, "another header");
	refused((struct forgery){ .bend = other_end_offset }, SWORN_EINTEGRITY, "another end");
	refused((struct forgery){ .state = other }, SWORN_EINTEGRITY, "another state");
}

static void an_index_that_does_not_match_is_refused(void **state)
{
	(void)state;
	refused((struct forgery){ .bend = other_index }, SWORN_EINTEGRITY, "INDEX");
	refused((struct forgery){ .bend = unlisted_blob, .blob_size = 3 }, SWORN_EINTEGRITY, "INDEX");
	refused((struct forgery){ .bend = listed_blob_that_nobody_has }, SWORN_EBLOB, "store");
}

static void blocks_that_do_not_hold_their_events_are_refused(void **state)
{
	static const uint8_t record[] = { 0xa0 }, junk[] = { 0xff };
	(void)state;
	refused((struct forgery){ .events = 1 }, SWORN_EFORMAT, "more than its events");
	refused((struct forgery){ .events = 3 }, SWORN_EFORMAT, "record is malformed");
	refused((struct forgery){ .events = 100000 }, SWORN_EINTEGRITY, "counts do not match");
	refused((struct forgery){ .extra = junk, .extra_length = 1 }, SWORN_EFORMAT, "more than its");
	refused((struct forgery){ .extra = record, .extra_length = 1, .events = 3 }, SWORN_EFORMAT,
		"record is malformed");
}

static void an_end_that_counts_other_units_is_refused(void **state)
{
	(void)state;
	refused((struct forgery){ .units = 1 }, SWORN_EINTEGRITY, "other units");
}

static void blobs_of_a_wrong_length_are_refused(void **state)
{
	(void)state;
	refused((struct forgery){ .blob_size = 4 }, SWORN_EFORMAT, "wrong length");
	refused((struct forgery){ .blob_size = BLOB_BYTES_MAX + 1 }, SWORN_ELIMIT, "malformed");
}

/* Appends a skippable frame and a LINK made by hand, as far as the chain goes in order. */
static void append_by_hand(struct archive *archive, enum frame_kind kind, uint64_t linked_kind,
			   const struct buffer *content)
{
	uint8_t bytes[LINK_BYTES_MAX], head[FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct buffer frame = { 0 };
	frame_head(kind, content->length, head);
	assert_int_equal(buffer_append(&frame, head, sizeof(head)), 0);
	assert_int_equal(buffer_append(&frame, content->bytes, content->length), 0);
	struct link link = { .seq = archive->chain.links,
			     .kind = linked_kind,
			     .stored_length = frame.length,
			     .raw_length = content->length };
	digest_of(frame.bytes, frame.length, link.stored_hash);
	memcpy(link.prev, archive->chain.last, DIGEST_BYTES);
	link_encode(&link, &out);
	frame_head(FRAME_LINK, out.length, head);
	assert_int_equal(buffer_append(&frame, head, sizeof(head)), 0);
	assert_int_equal(buffer_append(&frame, bytes, out.length), 0);
	assert_int_equal(write_all(archive->fd, frame.bytes, frame.length), 0);
	chain_append(&archive->chain, &link, bytes, out.length);
	buffer_release(&frame);
}

/* HEADER and INFO by hand; `private_digest` is what the header says of INFO. */
static int open_by_hand(const uint8_t private_digest[DIGEST_BYTES], uint64_t linked_kind)
{
	uint8_t bytes[SEAL_BYTES_MAX + FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes + FRAME_HEAD_BYTES, .capacity = SEAL_BYTES_MAX };
	struct header header = { .started = 1 };
	struct archive archive = { .fd = memfd_create("by hand", MFD_CLOEXEC) };
	struct buffer info = { 0 };
	struct reader *reader = NULL;
	memcpy(header.private_digest, private_digest, DIGEST_BYTES);
	header_encode(&header, NULL, &out);
	frame_head(FRAME_HEADER, out.length, bytes);
	assert_int_equal(write_all(archive.fd, bytes, FRAME_HEAD_BYTES + out.length), 0);
	chain_begin(&archive.chain, bytes, FRAME_HEAD_BYTES + out.length);
	assert_int_equal(info_encode(&sample_info, &info), 0);
	append_by_hand(&archive, FRAME_INFO, linked_kind, &info);
	buffer_release(&info);
	int r = reader_open(archive.fd, -1, &reader);
	reader_close(reader);
	close(archive.fd);
	return r;
}

static void an_info_that_the_header_does_not_name_is_refused(void **state)
{
	uint8_t head[FRAME_HEAD_BYTES], digest[DIGEST_BYTES], private_digest[DIGEST_BYTES];
	struct buffer info = { 0 }, frame = { 0 };
	(void)state;
	assert_int_equal(info_encode(&sample_info, &info), 0);
	frame_head(FRAME_INFO, info.length, head);
	assert_int_equal(buffer_append(&frame, head, sizeof(head)), 0);
	assert_int_equal(buffer_append(&frame, info.bytes, info.length), 0);
	digest_of(frame.bytes, frame.length, digest);
	chain_commit("private", digest, sizeof(digest), private_digest);
	buffer_release(&info);
	buffer_release(&frame);
	assert_int_equal(open_by_hand(private_digest, FRAME_INFO), 0);
	assert_int_equal(open_by_hand(private_digest, FRAME_INDEX), SWORN_EINTEGRITY);
	private_digest[0] ^= 1;
	assert_int_equal(open_by_hand(private_digest, FRAME_INFO), SWORN_EINTEGRITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_without_a_forgery_is_ok),
		cmocka_unit_test(links_that_do_not_continue_the_chain_are_refused),
		cmocka_unit_test(seals_of_another_trace_are_refused),
		cmocka_unit_test(an_index_that_does_not_match_is_refused),
		cmocka_unit_test(blocks_that_do_not_hold_their_events_are_refused),
		cmocka_unit_test(an_end_that_counts_other_units_is_refused),
		cmocka_unit_test(blobs_of_a_wrong_length_are_refused),
		cmocka_unit_test(an_info_that_the_header_does_not_name_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
