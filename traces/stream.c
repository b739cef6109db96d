#include "stream.h"

#include <string.h>

#include "error.h"
#include "reader.h"

int check_init(struct check *check)
{
	memset(check, 0, sizeof(*check));
	return digest_init(&check->digest);
}

void check_release(struct check *check)
{
	index_release(&check->index);
	blob_table_release(&check->names);
	blob_table_release(&check->needed);
	digest_release(&check->digest);
	summary_release(&check->summary);
}

int stream_open(struct stream *stream, int fd, struct blob_table *blobs, struct check *check)
{
	memset(stream, 0, sizeof(*stream));
	stream->blobs = blobs;
	stream->check = check;
	return cursor_open(&stream->cursor, fd);
}

void stream_release(struct stream *stream)
{
	cursor_release(&stream->cursor);
	record_scratch_release(&stream->scratch);
}

static int fail(struct stream *stream, int error, const char *text)
{
	return cursor_fail(&stream->cursor, error, text);
}

/* Offset in the file of the frame that the cursor just passed. */
static uint64_t frame_offset(const struct stream *stream)
{
	return stream->cursor.frame.offset;
}

static int open_block(struct stream *stream)
{
	struct cursor *cursor = &stream->cursor;
	if (stream->ended)
		return fail(stream, SWORN_EFORMAT, "there are events behind END");
	int r = cursor_decompress(cursor, cursor->frame.bytes, cursor->frame.length);
	if (r == 0 && stream->check)
		r = index_add_block(&stream->check->index, frame_offset(stream), stream->next);
	if (r < 0)
		return r;
	stream->block = (struct cbor_in){ cursor->raw.bytes, cursor->raw.length };
	stream->block_events = cursor->link.events;
	return 0;
}

/* The blob that a check passes begins: it must be new. */
static int begin_blob(struct stream *stream, const struct blob *blob)
{
	struct check *check = stream->check;
	if (blob_table_find(&check->names, blob->name))
		return fail(stream, SWORN_EFORMAT, "a blob is in the file twice");
	check->blob = *blob;
	check->blob_done = 0;
	return index_add_blob(&check->index, blob);
}

static int check_chunk(struct stream *stream, const struct blob *blob, uint64_t chunk_offset,
		       const struct cbor_in *zstd)
{
	struct check *check = stream->check;
	uint8_t digest[DIGEST_BYTES], name[DIGEST_BYTES];
	int r = chunk_offset == 0 ? begin_blob(stream, blob) : 0;
	if (r < 0)
		return r;
	if (!digest_equal(check->blob.name, blob->name) || check->blob.size != blob->size ||
	    check->blob_done != chunk_offset)
		return fail(stream, SWORN_EFORMAT, "the chunks of a blob are not in order");
	if ((r = cursor_decompress(&stream->cursor, zstd->bytes, zstd->length)) < 0)
		return r;
	digest_append(&check->digest, stream->cursor.raw.bytes, stream->cursor.raw.length);
	check->blob_done += stream->cursor.raw.length;
	if (check->blob_done < blob->size)
		return 0;
	digest_end(&check->digest, digest);
	blob_name(digest, name);
	if (!digest_equal(name, blob->name))
		return fail(stream, SWORN_EBLOB, "a blob has other bytes than its name says");
	r = blob_table_add(&check->names, &check->blob);
	return r < 0 ? r : 0;
}

static int pass_blob(struct stream *stream)
{
	struct frame *frame = &stream->cursor.frame;
	struct cbor_in in = { frame->content, frame->content_length };
	struct blob blob;
	uint64_t chunk_offset;
	int r = blob_head_decode(&in, &blob, &chunk_offset);
	if (r < 0)
		return fail(stream, r, "the head of a BLOB frame is malformed");
	if (stream->cursor.link.raw_length != blob_chunk_length(blob.size, chunk_offset))
		return fail(stream, SWORN_EFORMAT, "a chunk of a blob has the wrong length");
	blob.offset = frame_offset(stream);
	if (chunk_offset == 0 && (r = blob_table_add(stream->blobs, &blob)) < 0)
		return r;
	return stream->check ? check_chunk(stream, &blob, chunk_offset, &in) : 0;
}

static int pass_frame(struct stream *stream)
{
	struct frame *frame = &stream->cursor.frame;
	struct check *check = stream->check;
	bool inside_blob = check && check->blob_done < check->blob.size;
	int r = 0;
	if (inside_blob && frame->kind != FRAME_BLOB)
		return fail(stream, SWORN_EFORMAT, "a blob ends before its last chunk");
	switch (frame->kind) {
	case FRAME_EVENTS: return open_block(stream);
	case FRAME_BLOB: return pass_blob(stream);
	case FRAME_SUMMARY:
		if (check)
			r = summary_decode(frame->content, frame->content_length, &check->summary);
		return r < 0 ? fail(stream, r, "the SUMMARY is malformed") : 0;
	case FRAME_INDEX:
		if (check)
			r = index_check(frame->content, frame->content_length, &check->index);
		return r < 0 ? fail(stream, r, "the INDEX does not match the file") : 0;
	case FRAME_INFO:
	case FRAME_HEADER:
	case FRAME_LINK:
	case FRAME_SEAL:
	case FRAME_CHECKPOINT:
	case FRAME_TRAILER: break;
	}
	return fail(stream, SWORN_EFORMAT, "a frame is not where the grammar has it");
}

/* The seal was read: what it says of the events. */
static int check_end(struct stream *stream)
{
	const struct manifest *manifest = &stream->cursor.manifest;
	uint8_t state[DIGEST_BYTES] = { 0 }, outputs[DIGEST_BYTES] = { 0 };
	if (manifest->completeness == COMPLETE_REDACTED)
		return fail(stream, SWORN_EVERSION, "redacted traces are of a newer format");
	if (stream->ended) {
		chain_commit("state", stream->state, DIGEST_BYTES, state);
		chain_commit("outputs", stream->outputs, DIGEST_BYTES, outputs);
	}
	if (!digest_equal(state, manifest->state) || !digest_equal(outputs, manifest->outputs))
		return fail(stream, SWORN_EINTEGRITY, "the seal is of another state or other outputs");
	if (manifest->completeness == COMPLETE_PREFIX && manifest->is_derived)
		return fail(stream, SWORN_ETRUNCATED,
			    "made of a trace that was cut off: its events are a prefix");
	if (manifest->completeness == COMPLETE_PREFIX)
		return fail(stream, SWORN_ETRUNCATED, "the recorder ended early and sealed a prefix");
	if (!stream->ended)
		return fail(stream, SWORN_EINTEGRITY, "the seal says complete, but there is no END");
	return 0;
}

static int note_end(struct stream *stream, const struct event *event)
{
	if (event->end.units != stream->units)
		return fail(stream, SWORN_EINTEGRITY, "END counts other units than there are");
	int r = record_outputs(event, stream->outputs);
	if (r < 0)
		return r;
	memcpy(stream->state, event->end.state, DIGEST_BYTES);
	stream->ended = true;
	return 0;
}

static int note_needed(struct check *check, const struct event *event)
{
	struct blob blob = { .size = 0 };
	for (size_t i = 0; i < event->mappings_count; i++) {
		if (digest_is_zero(event->mappings[i].digest))
			continue;
		memcpy(blob.name, event->mappings[i].digest, DIGEST_BYTES);
		int r = blob_table_add(&check->needed, &blob);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_event(struct stream *stream, struct event *ret_event)
{
	int r = stream->ended ? SWORN_EFORMAT
			      : record_decode(&stream->block, &stream->scratch, ret_event);
	if (r < 0)
		return fail(stream, r, "a record is malformed");
	ret_event->number = stream->next++;
	stream->block_events--;
	if (stream->block_events == 0 && stream->block.length > 0)
		return fail(stream, SWORN_EFORMAT, "a block holds more than its events");
	if (ret_event->thread > stream->threads)
		stream->threads = ret_event->thread;
	if (ret_event->kind == EVENT_EXEC)
		stream->units++;
	if (stream->check && ret_event->mappings_count > 0)
		r = note_needed(stream->check, ret_event);
	if (r == 0 && ret_event->kind == EVENT_END)
		r = note_end(stream, ret_event);
	return r < 0 ? r : 1;
}

int stream_next(struct stream *stream, struct event *ret_event)
{
	for (;;) {
		if (stream->block_events > 0)
			return take_event(stream, ret_event);
		int r = cursor_next(&stream->cursor);
		if (r < 0)
			return r;
		if (r == 0)
			return check_end(stream);
		if ((r = pass_frame(stream)) < 0)
			return r;
	}
}
