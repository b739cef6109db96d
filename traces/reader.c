#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "stream.h"
#include "syscall.h"

struct reader {
	int fd, blobs_fd;    /* borrowed */
	blob_source *source; /* instead of blobs_fd, or NULL */
	void *source_context;
	struct stream stream;
	uint64_t limit; /* number of the first event that trace_next() does not give */
	int failed;	/* first failure of trace_next(): it stays */
	struct info info;
	struct blob_table blobs;  /* by name, as far as anything has read */
	bool catalogued;	  /* blobs is as full as it gets */
	struct check check;	  /* of the newest reader_check() */
	bool checked;		  /* and it was ok */
	struct trailer *trailers; /* owned: of the newest reader_check() */
	size_t trailers_count;
	struct buffer frame; /* of blob reading */
};

static int open_info(struct reader *reader)
{
	const struct frame *frame = &reader->stream.cursor.frame;
	int r = info_decode(frame->content, frame->content_length, &reader->info);
	if (r < 0)
		return r;
	return reader->info.info.table_version > SYSCALL_TABLE_VERSION ? SWORN_EVERSION : 0;
}

int reader_open(int fd, int blobs_fd, struct reader **ret)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->fd = fd;
	reader->blobs_fd = blobs_fd;
	reader->limit = UINT64_MAX;
	int r = stream_open(&reader->stream, fd, &reader->blobs, NULL);
	reader->stream.cursor.skip_blobs = true;
	if (r == 0)
		r = open_info(reader);
	if (r < 0) {
		reader_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void reader_reason(int fd, char ret_reason[READER_REASON_BYTES])
{
	struct info info = { .text = NULL };
	struct cursor cursor;
	int r = cursor_open(&cursor, fd);
	const char *text = cursor.reason;
	if (r == 0) {
		r = info_decode(cursor.frame.content, cursor.frame.content_length, &info);
		text = r == 0 || r == SWORN_EVERSION ? "the trace is of a newer call table"
						     : "the INFO is malformed";
	}
	snprintf(ret_reason, READER_REASON_BYTES, "%s", text);
	info_release(&info);
	cursor_release(&cursor);
}

void reader_blob_source(struct reader *reader, blob_source *source, void *context)
{
	reader->source = source;
	reader->source_context = context;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	stream_release(&reader->stream);
	info_release(&reader->info);
	blob_table_release(&reader->blobs);
	check_release(&reader->check);
	free(reader->trailers);
	buffer_release(&reader->frame);
	free(reader);
}

const struct trace_info *reader_info(const struct reader *reader)
{
	return &reader->info.info;
}

const struct trace_summary *reader_summary(const struct reader *reader)
{
	return reader->checked ? &reader->check.summary.summary : NULL;
}

const struct check *reader_found(const struct reader *reader)
{
	return &reader->check;
}

void reader_envelope(const struct reader *reader, const uint8_t **ret_bytes, size_t *ret_length)
{
	*ret_bytes = reader->stream.cursor.envelope;
	*ret_length = reader->stream.cursor.envelope_length;
}

const uint8_t *reader_tenant(const struct reader *reader)
{
	return reader->stream.cursor.header.tenant;
}

const struct trailer *reader_trailers(const struct reader *reader, size_t *ret_count)
{
	*ret_count = reader->trailers_count;
	return reader->trailers;
}

void reader_limit(struct reader *reader, uint64_t events)
{
	reader->limit = events;
}

int trace_next(struct reader *reader, struct event *ret_event)
{
	if (reader->failed < 0)
		return reader->failed;
	int r = reader->stream.next < reader->limit ? stream_next(&reader->stream, ret_event)
						    : SWORN_ETRUNCATED;
	if (r < 0)
		reader->failed = r;
	return r;
}

static void fill_report(const struct stream *stream, struct trace_report *report)
{
	const struct cursor *cursor = &stream->cursor;
	const struct index *index = &stream->check->index;
	report->bytes = cursor->source.size;
	report->frames = cursor->frames;
	report->links = cursor->chain.links;
	report->events = stream->next;
	report->units = stream->units;
	report->threads = stream->threads;
	report->blobs = index->blobs_count + index->stored_count;
	for (size_t i = 0; i < index->blobs_count; i++)
		report->blob_bytes += index->blobs[i].size;
	for (size_t i = 0; i < index->stored_count; i++)
		report->blob_bytes += index->stored[i].size;
	memcpy(report->archive, cursor->header.archive, sizeof(report->archive));
	memcpy(report->tenant, cursor->header.tenant, sizeof(report->tenant));
	memcpy(report->state, stream->state, DIGEST_BYTES);
	memcpy(report->outputs, stream->outputs, DIGEST_BYTES);
	memcpy(report->seal_id, cursor->seal_id, DIGEST_BYTES);
	memcpy(report->kid, cursor->header.kid, DIGEST_BYTES);
	report->is_signed = !digest_is_zero(report->kid);
	report->checkpoints = cursor->checkpoints;
	report->signed_events = cursor->signed_events;
	report->started = cursor->header.started;
	report->sealed = cursor->stage == STAGE_END;
	report->sealed_bytes = report->sealed ? cursor->sealed_bytes : 0;
	report->completeness = report->sealed ? (enum completeness)cursor->manifest.completeness
					      : COMPLETE_PREFIX;
	report->is_derived = report->sealed && cursor->manifest.is_derived;
	if (report->is_derived)
		memcpy(report->derived, cursor->manifest.derived, DIGEST_BYTES);
	report->ended = report->sealed ? cursor->manifest.ended : 0;
	memcpy(report->reason, cursor->reason, sizeof(report->reason));
}

/* Hashes a file of the store; `buffer` is scratch. */
static int hash_file(int fd, struct digest *digest, struct buffer *buffer,
		     uint8_t ret_digest[DIGEST_BYTES])
{
	ssize_t n;
	int r = buffer_reserve(buffer, FRAME_CHUNK_BYTES);
	if (r < 0)
		return r;
	while ((n = read(fd, buffer->bytes, FRAME_CHUNK_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			break;
		}
		digest_append(digest, buffer->bytes, (size_t)n);
	}
	digest_end(digest, ret_digest);
	return r;
}

/* The store's file of a blob and its size, or SWORN_EBLOB. */
static int open_stored(const struct reader *reader, const uint8_t digest[DIGEST_BYTES], uint64_t *ret_size)
{
	struct stat status;
	int fd;

	if (!reader->source)
		return reader->blobs_fd < 0 ? SWORN_EBLOB
					    : blob_file_open(reader->blobs_fd, digest, ret_size);
	fd = reader->source(reader->source_context, digest);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return SWORN_EBLOB;
	}
	*ret_size = (uint64_t)status.st_size;
	return fd;
}

static int check_stored(struct reader *reader, struct cursor *cursor, const struct blob *blob)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t size;
	int fd = open_stored(reader, blob->name, &size);
	if (fd < 0)
		return cursor_fail(cursor, fd, "a blob that the trace needs is not in the store");
	int r = hash_file(fd, &reader->check.digest, &reader->frame, digest);
	close(fd);
	if (r < 0)
		return cursor_fail(cursor, r, "a blob of the store cannot be read");
	if (size != blob->size || !digest_equal(digest, blob->name))
		return cursor_fail(cursor, SWORN_EBLOB, "a blob of the store has other bytes");
	return 0;
}

/* Every blob that an event names is in the file or listed, and every listed one is in the store. */
static int check_blobs(struct reader *reader, struct cursor *cursor)
{
	struct check *check = &reader->check;
	struct blob_table listed = { 0 };
	int r = 0;
	for (size_t i = 0; i < check->index.stored_count && r >= 0; i++) {
		r = blob_table_add(&listed, &check->index.stored[i]);
		if (r == 0)
			r = cursor_fail(cursor, SWORN_EFORMAT, "the INDEX lists a blob twice");
		else if (r > 0)
			r = check_stored(reader, cursor, &check->index.stored[i]);
	}
	for (size_t i = 0; i < check->needed.capacity && r >= 0; i++) {
		uint8_t name[DIGEST_BYTES];
		const uint8_t *digest = check->needed.slots[i].name;
		if (digest_is_zero(digest) || blob_table_find(&listed, digest))
			continue;
		blob_name(digest, name);
		if (!blob_table_find(&check->names, name))
			r = cursor_fail(cursor, SWORN_EBLOB,
					"an event names a blob that is neither in the file nor listed");
	}
	blob_table_release(&listed);
	return r < 0 ? r : 0;
}

static int check_stream(struct reader *reader, struct stream *stream,
			int (*each)(void *context, const struct event *event), void *context)
{
	struct event event;
	int r = stream_open(stream, reader->fd, &reader->blobs, &reader->check);
	if (r < 0)
		return r;
	while ((r = stream_next(stream, &event)) > 0) {
		int stop = each ? each(context, &event) : 0;
		if (stop)
			return stop;
	}
	return r < 0 ? r : check_blobs(reader, &stream->cursor);
}

int reader_check(struct reader *reader, struct trace_report *ret_report,
		 int (*each)(void *context, const struct event *event), void *context)
{
	struct stream stream;
	check_release(&reader->check);
	reader->checked = false;
	memset(ret_report, 0, sizeof(*ret_report));
	int r = check_init(&reader->check);
	if (r < 0)
		return r;
	r = check_stream(reader, &stream, each, context);
	/* The envelope that will be judged is the one that was read when the trace was opened. */
	if ((r == 0 || r == SWORN_ETRUNCATED) &&
	    !digest_equal(stream.cursor.chain.header, reader->stream.cursor.chain.header))
		r = cursor_fail(&stream.cursor, SWORN_EINTEGRITY, "the file changed while it was read");
	if (r == 0) {
		struct trace_summary *summary = &reader->check.summary.summary;
		summary->capture_isolated = stream.cursor.manifest.capture.isolated;
		summary->complete = true;
		reader->checked = true;
	}
	fill_report(&stream, ret_report);
	free(reader->trailers);
	reader->trailers = stream.cursor.trailers;
	reader->trailers_count = stream.cursor.trailers_count;
	stream.cursor.trailers = NULL;
	stream_release(&stream);
	return r;
}

/* Passes the whole file once to know its blobs; what is behind a damage stays unknown. */
static void catalogue(struct reader *reader)
{
	struct stream stream;
	if (reader->catalogued)
		return;
	reader->catalogued = true;
	int r = stream_open(&stream, reader->fd, &reader->blobs, NULL);
	stream.cursor.skip_blobs = true;
	struct event event;
	while (r >= 0 && (r = stream_next(&stream, &event)) > 0)
		;
	stream_release(&stream);
}

/*
 * Finds a blob: in what was read of the file, in the store, in the rest of the file. *ret_fd is its
 * open file in the store, or -1 when it is in the trace. 0 or negative.
 */
static int find_blob(struct reader *reader, const uint8_t digest[DIGEST_BYTES],
		     struct blob *ret_blob, int *ret_fd)
{
	uint8_t name[DIGEST_BYTES];
	blob_name(digest, name);
	const struct blob *blob = blob_table_find(&reader->blobs, name);
	*ret_fd = -1;
	if (!blob && (reader->source || reader->blobs_fd >= 0)) {
		int fd = open_stored(reader, digest, &ret_blob->size);
		if (fd >= 0 || fd != SWORN_EBLOB) {
			*ret_fd = fd;
			return fd < 0 ? fd : 0;
		}
	}
	if (!blob) {
		catalogue(reader);
		blob = blob_table_find(&reader->blobs, name);
	}
	if (!blob)
		return SWORN_EBLOB;
	*ret_blob = *blob;
	return 0;
}

int64_t reader_blob_size(struct reader *reader, const uint8_t digest[DIGEST_BYTES])
{
	struct blob blob;
	int fd;
	int r = find_blob(reader, digest, &blob, &fd);
	if (r < 0)
		return r;
	if (fd >= 0)
		close(fd);
	return (int64_t)blob.size;
}

/* Reads the chunk whose BLOB frame is at *offset into `bytes`, and moves *offset behind its LINK. */
static int read_chunk(struct reader *reader, const struct blob *blob, uint64_t done, uint8_t *bytes,
		      uint64_t *offset)
{
	const struct frame_source *source = &reader->stream.cursor.source;
	struct frame frame;
	struct blob found;
	uint64_t chunk_offset;
	int r = frame_read(source, *offset, &reader->frame, &frame);
	if (r < 0)
		return r;
	struct cbor_in in = { frame.content, frame.content_length };
	if (frame.kind != FRAME_BLOB || blob_head_decode(&in, &found, &chunk_offset) < 0 ||
	    !digest_equal(found.name, blob->name) || found.size != blob->size || chunk_offset != done)
		return SWORN_EFORMAT;
	uint64_t length = blob_chunk_length(blob->size, done);
	size_t n = ZSTD_decompressDCtx(reader->stream.cursor.zstd, bytes, length, in.bytes, in.length);
	if (ZSTD_isError(n) || n != length)
		return SWORN_EFORMAT;
	*offset += frame.length;
	if ((r = frame_peek(source, *offset, &reader->frame, 0, &frame)) < 0)
		return r;
	*offset += frame.length;
	return 0;
}

static int read_from_file(struct reader *reader, const struct blob *blob, uint8_t *bytes)
{
	uint64_t offset = blob->offset, done = 0;
	do {
		int r = read_chunk(reader, blob, done, bytes + done, &offset);
		if (r < 0)
			return r;
		done += blob_chunk_length(blob->size, done);
	} while (done < blob->size);
	return 0;
}

static int read_from_store(int fd, uint8_t *bytes, size_t length)
{
	struct frame_source source = { fd, length };
	int r = frame_pread(&source, 0, bytes, length);
	return r == SWORN_ETRUNCATED ? SWORN_EBLOB : r;
}

int reader_blob_read(struct reader *reader, const uint8_t digest[DIGEST_BYTES], void *buffer,
		     size_t length)
{
	uint8_t found[DIGEST_BYTES];
	struct blob blob;
	int fd;
	int r = find_blob(reader, digest, &blob, &fd);
	if (r < 0)
		return r;
	if (blob.size != length)
		r = -EINVAL;
	else if (fd >= 0)
		r = read_from_store(fd, buffer, length);
	else
		r = read_from_file(reader, &blob, buffer);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return r;
	digest_of(buffer, length, found);
	return digest_equal(found, digest) ? 0 : SWORN_EBLOB;
}
