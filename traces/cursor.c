#include "cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array.h"
#include "blob.h"
#include "digest.h"
#include "error.h"

int cursor_fail(struct cursor *cursor, int error, const char *text)
{
	snprintf(cursor->reason, sizeof(cursor->reason),
		 "%s (frame %" PRIu64 " at byte %" PRIu64 ")", text, cursor->frames, cursor->offset);
	return error;
}

/* A frame could not be read: says why, and tells a damaged length from a file that just ends. */
static int fail_read(struct cursor *cursor, int error)
{
	switch (error) {
	case SWORN_ETRUNCATED:
		if (frame_seal_at_end(&cursor->source))
			return cursor_fail(cursor, SWORN_EINTEGRITY,
					   "a frame is longer than the file, which has a seal at its end");
		snprintf(cursor->reason, sizeof(cursor->reason),
			 "the file ends at byte %" PRIu64 " without a seal; %" PRIu64
			 " links and %" PRIu64 " events are whole",
			 cursor->source.size, cursor->chain.links, cursor->chain.events);
		return error;
	case SWORN_EFORMAT: return cursor_fail(cursor, error, "not a frame of this format");
	case SWORN_ELIMIT:
		return cursor_fail(cursor, error, "a frame is over the limit of its kind");
	}
	return cursor_fail(cursor, error, error_text(error));
}

static int read_frame(struct cursor *cursor, struct buffer *buffer, struct frame *ret_frame)
{
	int r = frame_read(&cursor->source, cursor->offset, buffer, ret_frame);
	return r < 0 ? fail_read(cursor, r) : 0;
}

static void pass(struct cursor *cursor, const struct frame *frame)
{
	cursor->offset += frame->length;
	cursor->frames++;
}

/* What a checkout without the large files has in their place. */
static bool is_pointer(const struct frame_source *source)
{
	static const char first_line[] = "version https://git-lfs.github.com/spec/";
	char bytes[sizeof(first_line) - 1];
	return frame_pread(source, 0, bytes, sizeof(bytes)) == 0 &&
	       !memcmp(bytes, first_line, sizeof(bytes));
}

/* An envelope was refused: why. */
static int fail_envelope(struct cursor *cursor, const struct frame *frame, int error)
{
	struct cbor_in in = { frame->content, frame->content_length };
	const uint8_t *protected;
	size_t length;
	int64_t algorithm = 0;
	char text[96];
	const char *kind = frame->kind == FRAME_HEADER	  ? "header"
			   : frame->kind == FRAME_SEAL	  ? "seal"
			   : frame->kind == FRAME_TRAILER ? "trailer"
							  : frame_kind_name(frame->kind);
	switch (error) {
	case SWORN_EALGORITHM:
		if (cbor_expect_array(&in, 4) == 0 && cbor_take_bytes(&in, &protected, &length) == 0)
			cose_algorithm(protected, length, &algorithm);
		snprintf(text, sizeof(text), "the %s is signed with %s, which is not supported",
			 kind, cose_algorithm_name(algorithm));
		break;
	case SWORN_EVERSION:
		snprintf(text, sizeof(text), "the %s has a version or field of a newer format", kind);
		break;
	case SWORN_EINTEGRITY:
		snprintf(text, sizeof(text), "the %s does not match its own hash or signature", kind);
		break;
	default: snprintf(text, sizeof(text), "the %s is malformed", kind); break;
	}
	return cursor_fail(cursor, error, text);
}

/*
 * Whether the first LINK names this header. Its signature cannot be checked here, so one that seems to be of a newer format may
 * be damaged as well. Uses the link buffer.
 */
static bool is_chained(struct cursor *cursor, const struct frame *header)
{
	uint64_t offset = header->offset + header->length;
	struct frame frame;
	struct link link;
	for (int i = 0; i < 2; i++, offset += frame.length)
		if (frame_read(&cursor->source, offset, &cursor->link_bytes, &frame) < 0)
			return false;
	return frame.kind == FRAME_LINK && (link_decode(frame.content, frame.content_length, &link) < 0 ||
					    digest_equal(link.prev, cursor->chain.last));
}

static int read_header(struct cursor *cursor)
{
	struct frame frame;
	int r = frame_read(&cursor->source, 0, &cursor->stored, &frame);
	if (r == SWORN_EFORMAT && is_pointer(&cursor->source))
		return cursor_fail(cursor, SWORN_EPOINTER, error_text(SWORN_EPOINTER));
	if (r == SWORN_EFORMAT || (r == 0 && frame.kind != FRAME_HEADER))
		return cursor_fail(cursor, SWORN_EFORMAT, "not a Sworn trace: no HEADER frame");
	if (r < 0)
		return fail_read(cursor, r);
	r = header_decode(frame.content, frame.content_length, &cursor->header);
	if (r == 0 && frame.content_length > sizeof(cursor->envelope))
		r = SWORN_EFORMAT;
	chain_begin(&cursor->chain, frame.bytes, frame.length);
	if (r == SWORN_EVERSION && !is_chained(cursor, &frame))
		r = SWORN_EINTEGRITY;
	if (r < 0)
		return fail_envelope(cursor, &frame, r);
	memcpy(cursor->envelope, frame.content, frame.content_length);
	cursor->envelope_length = frame.content_length;
	pass(cursor, &frame);
	return 0;
}

static bool follows(const struct cursor *cursor, const struct link *link)
{
	return link->seq == cursor->chain.links && digest_equal(link->prev, cursor->chain.last) &&
	       link->first_event == cursor->chain.events;
}

/* Counts of one frame's link: what the kind and the limits allow. */
static bool sized(const struct cursor *cursor, const struct link *link)
{
	if (link->kind != cursor->frame.kind || link->stored_length != cursor->frame.length)
		return false;
	switch (cursor->frame.kind) {
	case FRAME_EVENTS:
		return link->events > 0 && link->raw_length >= link->events &&
		       link->raw_length <= FRAME_BLOCK_RAW_MAX;
	case FRAME_BLOB: return link->events == 0 && link->raw_length <= FRAME_CHUNK_BYTES;
	case FRAME_INFO:
	case FRAME_SUMMARY:
	case FRAME_INDEX:
		return link->events == 0 && link->raw_length == cursor->frame.content_length;
	case FRAME_HEADER:
	case FRAME_LINK:
	case FRAME_SEAL:
	case FRAME_CHECKPOINT:
	case FRAME_TRAILER: break;
	}
	return false;
}

/* The LINK behind the frame that was just read, and what it says of that frame. */
static int read_link(struct cursor *cursor, bool hashed)
{
	uint8_t digest[DIGEST_BYTES];
	struct frame frame;
	uint64_t start = cursor->offset;
	pass(cursor, &cursor->frame);
	int r = read_frame(cursor, &cursor->link_bytes, &frame);
	if (r < 0)
		return r;
	if (frame.kind != FRAME_LINK)
		return cursor_fail(cursor, SWORN_EFORMAT, "a frame has no LINK behind it");
	if (link_decode(frame.content, frame.content_length, &cursor->link) < 0)
		return cursor_fail(cursor, SWORN_EFORMAT, "a LINK is malformed");
	if (!follows(cursor, &cursor->link))
		return cursor_fail(cursor, SWORN_EINTEGRITY, "a LINK does not continue the chain");
	if (!sized(cursor, &cursor->link))
		return cursor_fail(cursor, SWORN_EINTEGRITY,
				   "a LINK's counts do not match the frame before it");
	if (hashed)
		digest_of(cursor->frame.bytes, cursor->frame.length, digest);
	if (hashed && !digest_equal(digest, cursor->link.stored_hash)) {
		cursor->frames--;
		cursor->offset = start;
		return cursor_fail(cursor, SWORN_EINTEGRITY, "a frame does not match its hash");
	}
	chain_append(&cursor->chain, &cursor->link, frame.content, frame.content_length);
	pass(cursor, &frame);
	return 0;
}

static void commitment(const struct cursor *cursor, const char *what,
		       uint8_t ret_commitment[DIGEST_BYTES])
{
	chain_commit(what, cursor->link.stored_hash, DIGEST_BYTES, ret_commitment);
}

int cursor_open(struct cursor *cursor, int fd)
{
	struct stat status;
	uint8_t expected[DIGEST_BYTES];
	memset(cursor, 0, sizeof(*cursor));
	if (fstat(fd, &status) < 0)
		return cursor_fail(cursor, -errno, "the file cannot be read");
	if (!S_ISREG(status.st_mode))
		return cursor_fail(cursor, SWORN_EFORMAT, "not a regular file");
	cursor->source = (struct frame_source){ fd, (uint64_t)status.st_size };
	cursor->zstd = ZSTD_createDCtx();
	if (!cursor->zstd)
		return -ENOMEM;
	int r = read_header(cursor);
	if (r == 0)
		r = read_frame(cursor, &cursor->stored, &cursor->frame);
	if (r == 0 && cursor->frame.kind != FRAME_INFO)
		r = cursor_fail(cursor, SWORN_EFORMAT, "no INFO frame behind the header");
	if (r == 0)
		r = read_link(cursor, true);
	if (r < 0)
		return r;
	commitment(cursor, "private", expected);
	if (!digest_equal(expected, cursor->header.private_digest))
		return cursor_fail(cursor, SWORN_EINTEGRITY, "INFO is not the one the header names");
	return 0;
}

void cursor_release(struct cursor *cursor)
{
	buffer_release(&cursor->stored);
	buffer_release(&cursor->link_bytes);
	buffer_release(&cursor->raw);
	free(cursor->trailers);
	cursor->trailers = NULL;
	ZSTD_freeDCtx(cursor->zstd);
	cursor->zstd = NULL;
}

static const char *manifest_fault(const struct cursor *cursor)
{
	const struct manifest *m = &cursor->manifest;
	uint8_t root[DIGEST_BYTES];
	merkle_root(&cursor->chain.merkle, root);
	if (!digest_equal(m->header_hash, cursor->chain.header))
		return "the seal is of another header";
	if (!digest_equal(m->last_link, cursor->chain.last) || m->links != cursor->chain.links)
		return "the seal is of another chain";
	if (m->events != cursor->chain.events)
		return "the seal counts other events";
	if (m->end_offset != cursor->offset)
		return "the seal names another end";
	if (!digest_equal(m->merkle_root, root))
		return "the seal has another Merkle root";
	if (!digest_equal(m->limits_of_proof, cursor->limits_of_proof))
		return "the seal is of another SUMMARY";
	return NULL;
}

/* The trailer that was just read joins the others: it is of this trace, and none of those. */
static int add_trailer(struct cursor *cursor, const struct trailer *trailer)
{
	if (!digest_equal(trailer->statement.seal_id, cursor->seal_id))
		return cursor_fail(cursor, SWORN_EINTEGRITY, "a trailer is of another trace");
	for (size_t i = 0; i < cursor->trailers_count; i++)
		if (trailer_is_same(&cursor->trailers[i], trailer))
			return cursor_fail(cursor, SWORN_EFORMAT, "a trailer is there twice");
	if (cursor->trailers_count == FRAME_TRAILERS_MAX)
		return cursor_fail(cursor, SWORN_ELIMIT,
				   "there are more trailers than a trace may have");
	struct trailer *trailers = array_grow(cursor->trailers, cursor->trailers_count,
					      &cursor->trailers_room, sizeof(*trailer));
	if (!trailers)
		return -ENOMEM;
	cursor->trailers = trailers;
	trailers[cursor->trailers_count++] = *trailer;
	return 0;
}

/* Everything behind the SEAL. Its bytes are no part of what was sealed, so none of them may be anything but a trailer. */
static int read_trailers(struct cursor *cursor)
{
	struct trailer trailer;
	struct frame frame;
	while (cursor->offset < cursor->source.size) {
		int r = frame_read(&cursor->source, cursor->offset, &cursor->stored, &frame);
		if (r == SWORN_ETRUNCATED)
			return cursor_fail(cursor, SWORN_EFORMAT,
					   "there are bytes behind the seal, or a trailer is cut off");
		if (r == SWORN_EFORMAT || (r == 0 && frame.kind != FRAME_TRAILER))
			return cursor_fail(cursor, SWORN_EFORMAT, "there are bytes behind the seal");
		if (r < 0)
			return fail_read(cursor, r);
		r = trailer_decode(frame.content, frame.content_length, &trailer);
		if (r < 0)
			return fail_envelope(cursor, &frame, r);
		if ((r = add_trailer(cursor, &trailer)) < 0)
			return r;
		pass(cursor, &frame);
	}
	return 0;
}

static int read_seal(struct cursor *cursor)
{
	struct frame frame;
	int r = read_frame(cursor, &cursor->stored, &frame);
	if (r < 0)
		return r;
	if (frame.kind != FRAME_SEAL)
		return cursor_fail(cursor, SWORN_EFORMAT, "no SEAL behind the INDEX");
	r = manifest_decode(frame.content, frame.content_length, cursor->header.archive_key,
			    &cursor->manifest);
	if (r == 0)
		r = seal_id(frame.content, frame.content_length, cursor->seal_id);
	if (r < 0)
		return fail_envelope(cursor, &frame, r);
	const char *fault = manifest_fault(cursor);
	if (fault)
		return cursor_fail(cursor, SWORN_EINTEGRITY, fault);
	pass(cursor, &frame);
	cursor->sealed_bytes = cursor->offset;
	if ((r = read_trailers(cursor)) < 0)
		return r;
	cursor->stage = STAGE_END;
	if (!digest_is_zero(cursor->header.archive_key))
		cursor->signed_events = cursor->chain.events;
	return 0;
}

/* The CHECKPOINT that was just read: it has to say what is so at its place. */
static int pass_checkpoint(struct cursor *cursor)
{
	const struct chain *chain = &cursor->chain;
	struct checkpoint c;
	if (cursor->link.kind != FRAME_EVENTS)
		return cursor_fail(cursor, SWORN_EFORMAT, "a CHECKPOINT is not behind a block");
	int r = checkpoint_decode(cursor->frame.content, cursor->frame.content_length,
				  cursor->header.archive_key, &c);
	if (r < 0)
		return fail_envelope(cursor, &cursor->frame, r);
	if (!digest_equal(c.header_hash, chain->header) || !digest_equal(c.last_link, chain->last) ||
	    c.links != chain->links || c.events != chain->events || c.end_offset != cursor->offset)
		return cursor_fail(cursor, SWORN_EINTEGRITY, "a CHECKPOINT is of another place");
	pass(cursor, &cursor->frame);
	cursor->checkpoints++;
	cursor->signed_events = chain->events;
	return 0;
}

/* Reads the next frame as far as needed; tells in *ret_hashed whether its hash can be checked. */
static int read_stored(struct cursor *cursor, bool *ret_hashed)
{
	int r;
	*ret_hashed = true;
	if (!cursor->skip_blobs)
		return read_frame(cursor, &cursor->stored, &cursor->frame);
	r = frame_peek(&cursor->source, cursor->offset, &cursor->stored, BLOB_HEAD_MAX, &cursor->frame);
	if (r < 0)
		return fail_read(cursor, r);
	if (cursor->frame.kind == FRAME_EVENTS)
		return 0;
	*ret_hashed = cursor->frame.kind != FRAME_BLOB;
	return *ret_hashed ? read_frame(cursor, &cursor->stored, &cursor->frame) : 0;
}

static bool expected_kind(const struct cursor *cursor)
{
	enum frame_kind kind = cursor->frame.kind;
	if (cursor->stage == STAGE_INDEX)
		return kind == FRAME_INDEX;
	/* The grammar wants one frame at least between INFO and SUMMARY. */
	return kind == FRAME_EVENTS || kind == FRAME_BLOB ||
	       (kind == FRAME_SUMMARY && cursor->chain.links > 1);
}

int cursor_next(struct cursor *cursor)
{
	bool hashed;
	if (cursor->stage == STAGE_END)
		return 0;
	if (cursor->stage == STAGE_SEAL)
		return read_seal(cursor);
	int r = read_stored(cursor, &hashed);
	if (r == 0 && cursor->frame.kind == FRAME_CHECKPOINT && cursor->stage == STAGE_FRAMES) {
		r = pass_checkpoint(cursor);
		if (r == 0)
			r = read_stored(cursor, &hashed);
	}
	if (r < 0)
		return r;
	if (!expected_kind(cursor))
		return cursor_fail(cursor, SWORN_EFORMAT, "a frame is not where the grammar has it");
	if ((r = read_link(cursor, hashed)) < 0)
		return r;
	if (cursor->frame.kind == FRAME_SUMMARY) {
		commitment(cursor, "limits-of-proof", cursor->limits_of_proof);
		cursor->stage = STAGE_INDEX;
	} else if (cursor->frame.kind == FRAME_INDEX) {
		cursor->stage = STAGE_SEAL;
	}
	return 1;
}

int cursor_decompress(struct cursor *cursor, const uint8_t *bytes, size_t length)
{
	size_t raw = cursor->link.raw_length;
	/* The content size of the frame has to agree before memory is taken for it. */
	if (ZSTD_getFrameContentSize(bytes, length) != raw ||
	    ZSTD_findFrameCompressedSize(bytes, length) != length)
		return cursor_fail(cursor, SWORN_EFORMAT,
				   "a zstd frame has another size than its LINK says");
	int r = buffer_reserve(&cursor->raw, raw ? raw : 1);
	if (r < 0)
		return r;
	size_t n = ZSTD_decompressDCtx(cursor->zstd, cursor->raw.bytes, raw, bytes, length);
	if (ZSTD_isError(n) || n != raw)
		return cursor_fail(cursor, SWORN_EFORMAT, "a zstd frame does not decompress");
	cursor->raw.length = raw;
	return 0;
}
