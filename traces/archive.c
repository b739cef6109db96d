#include "archive.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "blob.h"
#include "digest.h"
#include "error.h"
#include "info.h"
#include "reader.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define CHECKPOINT_BLOCKS 8 /* of a copy, which has no time of its own */
#define CHECKPOINT_NS (2 * NS_PER_SECOND)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* Starts a skippable frame in the frame buffer; its head is filled in by end_frame(). */
static int begin_frame(struct archive *archive, size_t content_bound)
{
	size_t bound = 2 * FRAME_HEAD_BYTES + content_bound + LINK_BYTES_MAX;
	archive->frame.length = FRAME_HEAD_BYTES;
	return buffer_reserve(&archive->frame, bound);
}

static void end_frame(struct archive *archive, enum frame_kind kind)
{
	frame_head(kind, archive->frame.length - FRAME_HEAD_BYTES, archive->frame.bytes);
}

static int write_frame(struct archive *archive)
{
	int r = write_all(archive->fd, archive->frame.bytes, archive->frame.length);
	if (r == 0)
		atomic_fetch_add(&archive->bytes, archive->frame.length);
	return r;
}

/* Appends the LINK, whose kind, counts and times are given, of the frame in the buffer, whose bytes start at
 * `start`, and writes all of it. */
static int write_timed(struct archive *archive, size_t start, struct link link)
{
	struct buffer *frame = &archive->frame;
	uint8_t bytes[LINK_BYTES_MAX], head[FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	link.seq = archive->chain.links;
	link.first_event = archive->chain.events;
	link.stored_length = frame->length - start;
	digest_of(frame->bytes + start, frame->length - start, link.stored_hash);
	memcpy(link.prev, archive->chain.last, DIGEST_BYTES);
	link_encode(&link, &out);
	frame_head(FRAME_LINK, out.length, head);
	int r = buffer_append(frame, head, sizeof(head));
	if (r < 0 || (r = buffer_append(frame, bytes, out.length)) < 0 || (r = write_frame(archive)) < 0)
		return r;
	chain_append(&archive->chain, &link, bytes, out.length);
	archive->link_kind = (enum frame_kind)link.kind;
	return 0;
}

static int write_linked(struct archive *archive, enum frame_kind kind, size_t start,
			uint64_t events, uint64_t raw_length)
{
	struct link link = { .kind = kind,
			     .events = events,
			     .raw_length = raw_length,
			     .utc_ns = now_ns(CLOCK_REALTIME),
			     .mono_ns = now_ns(CLOCK_MONOTONIC) };
	return write_timed(archive, start, link);
}

static int put_content(struct archive *archive, enum frame_kind kind, const struct buffer *content)
{
	int r = begin_frame(archive, content->length);
	if (r == 0)
		r = buffer_append(&archive->frame, content->bytes, content->length);
	if (r == 0)
		end_frame(archive, kind);
	return r;
}

static void commit_frame(const char *what, const struct buffer *frame,
			 uint8_t ret_commitment[DIGEST_BYTES])
{
	uint8_t digest[DIGEST_BYTES];
	digest_of(frame->bytes, frame->length, digest);
	chain_commit(what, digest, sizeof(digest), ret_commitment);
}

static int begin_file(struct archive *archive, struct header *header, const struct buffer *info,
		      const struct signer *signer)
{
	uint8_t bytes[SEAL_BYTES_MAX], head[FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct buffer file = { 0 };
	int r = put_content(archive, FRAME_INFO, info);
	if (r < 0)
		return r;
	commit_frame("private", &archive->frame, header->private_digest);
	header_encode(header, signer ? signer->key : NULL, &out);
	frame_head(FRAME_HEADER, out.length, head);
	if ((r = buffer_append(&file, head, sizeof(head))) < 0 ||
	    (r = buffer_append(&file, bytes, out.length)) < 0)
		goto out;
	chain_begin(&archive->chain, file.bytes, file.length);
	size_t start = file.length;
	if ((r = buffer_append(&file, archive->frame.bytes, archive->frame.length)) < 0)
		goto out;
	struct buffer spare = archive->frame;
	archive->frame = file;
	file = spare;
	r = write_linked(archive, FRAME_INFO, start, 0, info->length);
out:
	buffer_release(&file);
	return r;
}

int archive_begin_as(struct archive *archive, int fd, const struct trace_info *info,
		     struct header *header, const struct signer *signer)
{
	struct buffer content = { 0 };
	memset(archive, 0, sizeof(*archive));
	archive->fd = fd;
	archive->capture.clock = info->clock_virtual;
	archive->capture.schedule = info->schedule_seeded;
	archive->zstd = ZSTD_createCCtx();
	if (!archive->zstd ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(archive->zstd, ZSTD_c_compressionLevel, FRAME_ZSTD_LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(archive->zstd, ZSTD_c_checksumFlag, 1)))
		return -ENOMEM;
	int r = signer ? key_generate(KEY_ARCHIVE, &archive->key) : 0;
	if (signer)
		memcpy(header->tenant, signer->tenant, TENANT_ID_BYTES);
	memcpy(header->archive_key, archive->key.public_key, KEY_BYTES);
	if (r == 0)
		r = info_encode(info, &content);
	if (r == 0)
		r = begin_file(archive, header, &content, signer);
	buffer_release(&content);
	return r;
}

int archive_begin(struct archive *archive, int fd, const struct trace_info *info,
		  const uint8_t id[ARCHIVE_ID_BYTES], const struct signer *signer)
{
	struct header header = { .started = info->started_utc_ns / NS_PER_SECOND };
	memcpy(header.archive, id, ARCHIVE_ID_BYTES);
	return archive_begin_as(archive, fd, info, &header, signer);
}

void archive_release(struct archive *archive)
{
	ZSTD_freeCCtx(archive->zstd);
	index_release(&archive->index);
	buffer_release(&archive->frame);
	key_erase(&archive->key);
	archive->zstd = NULL;
}

/* Compresses behind what the frame buffer holds; it has room for the bound. */
static int compress(struct archive *archive, const uint8_t *bytes, size_t length)
{
	struct buffer *frame = &archive->frame;
	size_t n = ZSTD_compress2(archive->zstd, frame->bytes + frame->length,
				  frame->capacity - frame->length, bytes, length);
	if (ZSTD_isError(n))
		return -ENOMEM;
	frame->length += n;
	return 0;
}

int archive_checkpoint(struct archive *archive)
{
	struct checkpoint checkpoint = { .links = archive->chain.links,
					 .events = archive->chain.events,
					 .end_offset = atomic_load(&archive->bytes),
					 .at = now_ns(CLOCK_REALTIME) / NS_PER_SECOND };
	struct cbor_out out = { .capacity = SEAL_BYTES_MAX };
	if (!archive->key.secret || archive->checkpoint_links == checkpoint.links)
		return 0;
	int r = begin_frame(archive, SEAL_BYTES_MAX);
	if (r < 0)
		return r;
	memcpy(checkpoint.header_hash, archive->chain.header, DIGEST_BYTES);
	memcpy(checkpoint.last_link, archive->chain.last, DIGEST_BYTES);
	out.bytes = archive->frame.bytes + FRAME_HEAD_BYTES;
	checkpoint_encode(&checkpoint, &archive->key, &out);
	archive->frame.length += out.length;
	end_frame(archive, FRAME_CHECKPOINT);
	archive->checkpoint_ns = now_ns(CLOCK_MONOTONIC);
	archive->checkpoint_links = checkpoint.links;
	return write_frame(archive);
}

int archive_events(struct archive *archive, const uint8_t *bytes, size_t length, uint64_t events)
{
	int r = index_add_block(&archive->index, atomic_load(&archive->bytes), archive->chain.events);
	if (r < 0)
		return r;
	archive->frame.length = 0;
	r = buffer_reserve(&archive->frame,
			   ZSTD_compressBound(length) + FRAME_HEAD_BYTES + LINK_BYTES_MAX);
	if (r == 0)
		r = compress(archive, bytes, length);
	if (r == 0)
		r = write_linked(archive, FRAME_EVENTS, 0, events, length);
	/* The first one at once: most recordings are short. */
	if (r == 0 && (archive->checkpoint_ns == 0 ||
		       now_ns(CLOCK_MONOTONIC) - archive->checkpoint_ns >= CHECKPOINT_NS))
		r = archive_checkpoint(archive);
	return r;
}

int archive_blob(struct archive *archive, const struct blob *blob, uint64_t chunk_offset,
		 const uint8_t *bytes, size_t length)
{
	uint8_t head[BLOB_HEAD_MAX];
	struct cbor_out out = { .bytes = head, .capacity = sizeof(head) };
	struct blob placed = *blob;
	int r = 0;
	if (chunk_offset == 0) {
		placed.offset = atomic_load(&archive->bytes);
		r = index_add_blob(&archive->index, &placed);
	}
	if (r == 0)
		r = begin_frame(archive, sizeof(head) + ZSTD_compressBound(length));
	if (r < 0)
		return r;
	blob_head_encode(blob, chunk_offset, &out);
	if ((r = buffer_append(&archive->frame, head, out.length)) < 0 ||
	    (r = compress(archive, bytes, length)) < 0)
		return r;
	end_frame(archive, FRAME_BLOB);
	return write_linked(archive, FRAME_BLOB, 0, 0, length);
}

int archive_copy(struct archive *archive, const struct frame *frame, const struct link *link,
		 const struct blob *blob)
{
	uint64_t offset = atomic_load(&archive->bytes);
	struct blob placed = blob ? *blob : (struct blob){ 0 };
	int r = 0;
	placed.offset = offset;
	if (frame->kind == FRAME_EVENTS)
		r = index_add_block(&archive->index, offset, archive->chain.events);
	else if (blob)
		r = index_add_blob(&archive->index, &placed);
	archive->frame.length = 0;
	if (r < 0 || (r = buffer_append(&archive->frame, frame->bytes, frame->length)) < 0)
		return r;
	if (frame->kind != FRAME_EVENTS)
		return write_linked(archive, frame->kind, 0, 0, link->raw_length);
	r = write_timed(archive, 0, *link);
	bool is_due = archive->checkpoint_links == 0 || ++archive->copied % CHECKPOINT_BLOCKS == 0;
	return r == 0 && is_due ? archive_checkpoint(archive) : r;
}

static int write_seal(struct archive *archive, struct manifest *manifest)
{
	struct cbor_out out = { .capacity = SEAL_BYTES_MAX };
	int r = begin_frame(archive, SEAL_BYTES_MAX);
	if (r < 0)
		return r;
	memcpy(manifest->header_hash, archive->chain.header, DIGEST_BYTES);
	memcpy(manifest->last_link, archive->chain.last, DIGEST_BYTES);
	manifest->links = archive->chain.links;
	manifest->events = archive->chain.events;
	manifest->end_offset = atomic_load(&archive->bytes);
	merkle_root(&archive->chain.merkle, manifest->merkle_root);
	manifest->capture = archive->capture;
	out.bytes = archive->frame.bytes + FRAME_HEAD_BYTES;
	manifest_encode(manifest, archive->key.secret ? &archive->key : NULL, &out);
	key_erase(&archive->key);
	archive->frame.length += out.length;
	end_frame(archive, FRAME_SEAL);
	return write_frame(archive);
}

int archive_finish(struct archive *archive, const struct trace_summary *summary,
		   const struct archive_end *end)
{
	struct manifest manifest = { .completeness = summary->complete ? COMPLETE_YES : COMPLETE_PREFIX };
	struct buffer content = { 0 };
	int r = summary_encode(summary, &content);
	if (r == 0)
		r = put_content(archive, FRAME_SUMMARY, &content);
	if (r == 0) {
		commit_frame("limits-of-proof", &archive->frame, manifest.limits_of_proof);
		r = write_linked(archive, FRAME_SUMMARY, 0, 0, content.length);
	}
	if (r == 0)
		r = index_encode(&archive->index, &content);
	if (r == 0)
		r = put_content(archive, FRAME_INDEX, &content);
	if (r == 0)
		r = write_linked(archive, FRAME_INDEX, 0, 0, content.length);
	buffer_release(&content);
	if (r < 0)
		return r;
	archive->capture.isolated = summary->capture_isolated;
	if (end->state)
		chain_commit("state", end->state, DIGEST_BYTES, manifest.state);
	if (end->outputs)
		chain_commit("outputs", end->outputs, DIGEST_BYTES, manifest.outputs);
	manifest.ended = end->ended ? end->ended : now_ns(CLOCK_REALTIME) / NS_PER_SECOND;
	manifest.is_derived = end->derived != NULL;
	if (end->derived)
		memcpy(manifest.derived, end->derived, DIGEST_BYTES);
	return write_seal(archive, &manifest);
}
