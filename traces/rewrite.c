#include "rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "archive.h"
#include "error.h"
#include "place.h"
#include "store.h"
#include "stream.h"

#define NS_PER_SECOND UINT64_C(1000000000)

static const char *const unknown_assumptions[] = {
	"the recording was cut off before it said what it took for granted", NULL
};

struct rewriter {
	const struct rewrite *rewrite;
	const struct check *found;
	struct cursor cursor; /* over the source */
	struct place place;
	struct archive archive;
	struct blob_table digests; /* needed blobs by their name in a file; `offset` is a slot of found->needed */
	struct index stored; /* blobs that the new trace has in its store */
	struct blob_file blob_file;
	struct digest digest;
	struct buffer chunk;
};

static bool is_thin(const struct rewriter *rewriter)
{
	return !rewriter->rewrite->path;
}

/* Content of a blob of the source's store, into the new file. */
static int put_content(struct rewriter *rewriter, int fd, const struct blob *blob)
{
	const struct frame_source source = { fd, blob->size };
	uint8_t digest[DIGEST_BYTES];
	struct blob named = *blob;
	uint64_t offset = 0;
	int r = buffer_reserve(&rewriter->chunk, FRAME_CHUNK_BYTES);
	if (r < 0)
		return r;
	blob_name(blob->name, named.name);
	do {
		size_t length = blob_chunk_length(blob->size, offset);
		r = frame_pread(&source, offset, rewriter->chunk.bytes, length);
		if (r == 0)
			r = archive_blob(&rewriter->archive, &named, offset, rewriter->chunk.bytes,
					 length);
		if (r < 0)
			return r == SWORN_ETRUNCATED ? SWORN_EBLOB : r;
		digest_append(&rewriter->digest, rewriter->chunk.bytes, length);
		offset += length;
	} while (offset < blob->size);
	digest_end(&rewriter->digest, digest);
	return digest_equal(digest, blob->name) ? 0 : SWORN_EBLOB;
}

/* A blob of the source's store. */
static int put_stored(struct rewriter *rewriter, const uint8_t digest[DIGEST_BYTES])
{
	int from = rewriter->rewrite->blobs_fd, r;
	struct blob blob = { .offset = 0 };
	if (from < 0)
		return SWORN_EBLOB;
	memcpy(blob.name, digest, DIGEST_BYTES);
	if (is_thin(rewriter)) {
		r = blob_file_copy(from, rewriter->place.blobs_fd, digest, &blob.size);
		return r < 0 ? r : index_add_stored(&rewriter->stored, &blob);
	}
	int fd = blob_file_open(from, digest, &blob.size);
	if (fd < 0)
		return fd;
	r = blob.size > BLOB_BYTES_MAX ? SWORN_ELIMIT : put_content(rewriter, fd, &blob);
	close(fd);
	return r;
}

/* All blobs of the source that are in its store. One that was cut off has no INDEX: what its events name and
 * its file does not have is there. */
static int put_all_stored(struct rewriter *rewriter)
{
	const struct check *found = rewriter->found;
	int r = 0;
	for (size_t i = 0; i < found->index.stored_count && r == 0; i++)
		r = put_stored(rewriter, found->index.stored[i].name);
	if (rewriter->rewrite->report->sealed)
		return r;
	for (size_t i = 0; i < found->needed.capacity && r == 0; i++) {
		uint8_t name[DIGEST_BYTES];
		const uint8_t *digest = found->needed.slots[i].name;
		if (digest_is_zero(digest))
			continue;
		blob_name(digest, name);
		if (!blob_table_find(&found->names, name))
			r = put_stored(rewriter, digest);
	}
	return r;
}

static int know_digests(struct rewriter *rewriter)
{
	const struct blob_table *needed = &rewriter->found->needed;
	for (size_t i = 0; i < needed->capacity; i++) {
		struct blob blob = { .offset = i };
		if (digest_is_zero(needed->slots[i].name))
			continue;
		blob_name(needed->slots[i].name, blob.name);
		int r = blob_table_add(&rewriter->digests, &blob);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A chunk of the source's file, for a store. Blobs that no event names are not stored. */
static int store_chunk(struct rewriter *rewriter, const struct blob *blob, uint64_t offset,
		       const struct cbor_in *zstd)
{
	const struct blob *known = blob_table_find(&rewriter->digests, blob->name);
	struct blob plain = { .size = blob->size };
	int r = 0;
	if (!known)
		return 0;
	memcpy(plain.name, rewriter->found->needed.slots[known->offset].name, DIGEST_BYTES);
	if (offset == 0 && (r = index_add_stored(&rewriter->stored, &plain)) == 0)
		r = blob_file_create(rewriter->place.blobs_fd, plain.name, plain.size,
				     &rewriter->blob_file);
	if (r < 0 || rewriter->blob_file.fd < 0)
		return r < 0 ? r : 0;
	if ((r = cursor_decompress(&rewriter->cursor, zstd->bytes, zstd->length)) < 0)
		return r;
	const struct buffer *raw = &rewriter->cursor.raw;
	if ((r = write_all(rewriter->blob_file.fd, raw->bytes, raw->length)) < 0)
		return r;
	return offset + raw->length < blob->size
		       ? 0
		       : blob_file_commit(rewriter->place.blobs_fd, &rewriter->blob_file);
}

static int put_blob_frame(struct rewriter *rewriter)
{
	const struct cursor *cursor = &rewriter->cursor;
	struct cbor_in in = { cursor->frame.content, cursor->frame.content_length };
	struct blob blob;
	uint64_t offset;
	int r = blob_head_decode(&in, &blob, &offset);
	/* The last blob of a file that was cut off may lack its end. */
	if (r < 0 || !blob_table_find(&rewriter->found->names, blob.name))
		return r;
	if (is_thin(rewriter))
		return store_chunk(rewriter, &blob, offset, &in);
	return archive_copy(&rewriter->archive, &cursor->frame, &cursor->link, offset ? NULL : &blob);
}

/* Everything between INFO and SUMMARY, as far as the source was found whole. */
static int put_frames(struct rewriter *rewriter)
{
	const struct trace_report *report = rewriter->rewrite->report;
	struct cursor *cursor = &rewriter->cursor;
	int r = 1;
	while (r > 0 && (report->sealed || cursor->chain.links < report->links)) {
		r = cursor_next(cursor);
		if (r <= 0)
			break;
		int done = 0;
		if (cursor->frame.kind == FRAME_EVENTS)
			done = archive_copy(&rewriter->archive, &cursor->frame, &cursor->link, NULL);
		else if (cursor->frame.kind == FRAME_BLOB)
			done = put_blob_frame(rewriter);
		if (done < 0)
			return done;
	}
	if (r < 0)
		return r;
	/* Another file may have come to the name, or more to the file, since it was checked. */
	bool same = cursor->chain.events == report->events &&
		    (!report->sealed || digest_equal(cursor->seal_id, report->seal_id));
	return same ? 0 : SWORN_EINTEGRITY;
}

static int finish(struct rewriter *rewriter)
{
	const struct trace_report *report = rewriter->rewrite->report;
	const struct cursor *cursor = &rewriter->cursor;
	const struct check *found = rewriter->found;
	bool ended = !digest_is_zero(report->outputs);
	struct archive_end end = {
		.state = ended ? report->state : NULL,
		.outputs = ended ? report->outputs : NULL,
		.derived = report->sealed ? report->seal_id : cursor->chain.last,
		.ended = report->sealed ? cursor->manifest.ended : cursor->link.utc_ns / NS_PER_SECOND,
	};
	struct trace_summary summary = { .requires_pmu = rewriter->rewrite->requires_pmu,
					 .assumptions = unknown_assumptions,
					 .isolation = "unknown" };
	if (found->summary.lists)
		summary = found->summary.summary;
	summary.complete = report->sealed;
	summary.capture_isolated = report->sealed && cursor->manifest.capture.isolated;
	rewriter->archive.capture.buffered = report->sealed && cursor->manifest.capture.buffered;
	rewriter->archive.index.stored = rewriter->stored.stored;
	rewriter->archive.index.stored_count = rewriter->stored.stored_count;
	rewriter->stored.stored = NULL;
	return archive_finish(&rewriter->archive, &summary, &end);
}

/* Reads what was made, as anybody will: it has to be what it is said to be. */
static int check_made(const struct rewriter *rewriter, struct trace_report *ret_report)
{
	const struct trace_report *report = rewriter->rewrite->report;
	struct reader *made = NULL;
	int r = reader_open(rewriter->place.fd, rewriter->place.blobs_fd, &made);
	if (r == 0)
		r = reader_check(made, ret_report, NULL, NULL);
	reader_close(made);
	if (r != (report->sealed ? 0 : SWORN_ETRUNCATED))
		return r < 0 ? r : SWORN_EINTEGRITY;
	return ret_report->sealed && ret_report->events == report->events &&
			       digest_equal(ret_report->state, report->state)
		       ? 0
		       : SWORN_EINTEGRITY;
}

static int make(struct rewriter *rewriter, uint8_t ret_id[ARCHIVE_ID_BYTES])
{
	const struct rewrite *rewrite = rewriter->rewrite;
	int r = getrandom(ret_id, ARCHIVE_ID_BYTES, 0) == ARCHIVE_ID_BYTES ? 0 : -EIO;
	if (r == 0)
		r = place_open(&rewriter->place, rewrite->path, rewrite->store_fd, ret_id, PLACE_NEW);
	if (r == 0)
		r = cursor_open(&rewriter->cursor, rewrite->source_fd);
	if (r < 0)
		return r;
	const uint8_t *tenant = rewriter->cursor.header.tenant;
	/* Keys and signatures are the source's own. */
	struct header header = { .started = rewriter->cursor.header.started };
	if (is_thin(rewriter) && (r = store_claim(rewrite->store_fd, tenant)) < 0)
		return r;
	memcpy(header.archive, ret_id, ARCHIVE_ID_BYTES);
	memcpy(header.tenant, tenant, TENANT_ID_BYTES);
	r = archive_begin_as(&rewriter->archive, rewriter->place.fd, reader_info(rewrite->source),
			     &header, rewrite->signer);
	if (r == 0)
		r = know_digests(rewriter);
	if (r == 0)
		r = put_all_stored(rewriter);
	if (r == 0)
		r = put_frames(rewriter);
	return r == 0 ? finish(rewriter) : r;
}

static void release(struct rewriter *rewriter)
{
	blob_file_abandon(rewriter->place.blobs_fd, &rewriter->blob_file);
	archive_release(&rewriter->archive);
	cursor_release(&rewriter->cursor);
	place_release(&rewriter->place);
	blob_table_release(&rewriter->digests);
	index_release(&rewriter->stored);
	digest_release(&rewriter->digest);
	buffer_release(&rewriter->chunk);
}

int rewrite_trace(const struct rewrite *rewrite, struct rewritten *ret_rewritten)
{
	struct rewriter rewriter = {
		.rewrite = rewrite,
		.found = reader_found(rewrite->source),
		.place = PLACE_NONE,
		.blob_file = { .fd = -1 },
	};
	struct rewritten made = { .path = NULL };
	int r = digest_init(&rewriter.digest);
	if (r == 0)
		r = make(&rewriter, made.archive);
	if (r == 0)
		r = check_made(&rewriter, &made.report);
	if (r == 0)
		r = place_commit(&rewriter.place);
	if (r == 0) {
		made.path = rewriter.place.path;
		rewriter.place.path = NULL;
		*ret_rewritten = made;
	} else {
		place_discard(&rewriter.place);
	}
	release(&rewriter);
	return r;
}
