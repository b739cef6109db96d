#include "writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "archive.h"
#include "error.h"
#include "place.h"
#include "record.h"
#include "store.h"
#include "worker.h"

struct writer {
	/* Used by the worker thread from worker_start() to worker_stop(). */
	struct archive archive;
	struct blob_file blob_file;
	struct digest blob_digest;

	struct worker *worker;
	struct place place;
	struct blob_table known; /* by SHA-256 */
	struct index stored;	 /* the blobs that the store holds for this trace */
	uint64_t events;
	bool ended;
	uint8_t state[DIGEST_BYTES], outputs[DIGEST_BYTES];
};

static void release(struct writer *writer)
{
	blob_file_abandon(writer->place.blobs_fd, &writer->blob_file);
	archive_release(&writer->archive);
	place_release(&writer->place);
	digest_release(&writer->blob_digest);
	blob_table_release(&writer->known);
	index_release(&writer->stored);
	free(writer);
}

/* Worker thread: one chunk of a blob for the store. */
static int store_chunk(struct writer *writer, const struct job *job)
{
	uint8_t digest[DIGEST_BYTES];
	const struct buffer *content = &job->content;
	if (job->chunk_offset == 0) {
		int r = blob_file_create(writer->place.blobs_fd, job->blob.name, job->blob.size,
					 &writer->blob_file);
		if (r < 0)
			return r;
	}
	if (writer->blob_file.fd < 0)
		return 0;
	int r = write_all(writer->blob_file.fd, content->bytes, content->length);
	if (r < 0)
		return r;
	digest_append(&writer->blob_digest, content->bytes, content->length);
	if (job->chunk_offset + content->length < job->blob.size)
		return 0;
	digest_end(&writer->blob_digest, digest);
	if (!digest_equal(digest, job->blob.name))
		return SWORN_EBLOB;
	return blob_file_commit(writer->place.blobs_fd, &writer->blob_file);
}

static int do_job(void *context, struct job *job)
{
	struct writer *writer = context;
	struct blob named = job->blob;
	const struct buffer *content = &job->content;
	if (job->events)
		return archive_events(&writer->archive, content->bytes, content->length, job->events);
	if (writer->place.store_fd >= 0)
		return store_chunk(writer, job);
	blob_name(job->blob.name, named.name);
	return archive_blob(&writer->archive, &named, job->chunk_offset, content->bytes,
			    content->length);
}

int writer_open(const char *path, int store_fd, const struct trace_info *info, struct writer **ret)
{
	return writer_open_signed(path, store_fd, info, NULL, ret);
}

int writer_open_signed(const char *path, int store_fd, const struct trace_info *info,
		       const struct signer *signer, struct writer **ret)
{
	uint8_t id[ARCHIVE_ID_BYTES];
	struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->place = PLACE_NONE;
	writer->blob_file.fd = -1;
	int r = getrandom(id, sizeof(id), 0) == sizeof(id) ? digest_init(&writer->blob_digest) : -EIO;
	if (r == 0)
		r = place_open(&writer->place, path, store_fd, id, PLACE_PARTIAL);
	if (r == 0)
		r = archive_begin(&writer->archive, writer->place.fd, info, id, signer);
	if (r == 0)
		r = worker_start(do_job, writer, &writer->worker);
	if (r < 0) {
		place_discard(&writer->place);
		release(writer);
		return r;
	}
	*ret = writer;
	return 0;
}

static int note_end(struct writer *writer, const struct event *event)
{
	int r = record_outputs(event, writer->outputs);
	if (r < 0)
		return r;
	memcpy(writer->state, event->end.state, DIGEST_BYTES);
	writer->ended = true;
	return 0;
}

/* Appends the record to the job. Locked. */
static int append(struct writer *writer, struct job *job, const struct event *event)
{
	size_t bound = record_bound(event);
	if (bound > 4 * RECORD_BYTES_MAX)
		return SWORN_ELIMIT;
	int r = buffer_reserve(&job->content, job->content.length + bound);
	if (r < 0)
		return r;
	struct cbor_out out = { .bytes = job->content.bytes,
				.length = job->content.length,
				.capacity = job->content.capacity };
	r = record_encode(event, &out);
	if (r == 0 && event->kind == EVENT_END)
		r = note_end(writer, event);
	if (r < 0)
		return r;
	job->content.length = out.length;
	job->events++;
	writer->events++;
	return 0;
}

int writer_event(struct writer *writer, const struct event *event)
{
	struct job *job;
	if (writer->ended)
		return -EINVAL;
	int r = worker_begin(writer->worker, &job);
	if (r < 0)
		return r;
	r = append(writer, job, event);
	worker_end(writer->worker, job->content.length >= FRAME_BLOCK_BYTES);
	return r;
}

int writer_flush(struct writer *writer)
{
	struct job *job;
	int r = worker_begin(writer->worker, &job);
	if (r == 0)
		worker_end(writer->worker, true);
	return r;
}

bool writer_has_blob(const struct writer *writer, const uint8_t digest[DIGEST_BYTES])
{
	return blob_table_find(&writer->known, digest) != NULL;
}

static int queue_chunks(struct writer *writer, const struct blob *blob, const uint8_t *bytes)
{
	uint64_t offset = 0;
	/* A block that is open for a second would go out between two chunks, where none may be. */
	int r = blob->size > FRAME_CHUNK_BYTES ? writer_flush(writer) : 0;
	if (r < 0)
		return r;
	do {
		uint64_t length = blob_chunk_length(blob->size, offset);
		struct job *job;
		r = worker_take(writer->worker, length, &job);
		if (r < 0)
			return r;
		job->blob = *blob;
		job->chunk_offset = offset;
		buffer_append(&job->content, bytes + offset, length);
		worker_submit(writer->worker, job);
		offset += length;
	} while (offset < blob->size);
	return 0;
}

int writer_blob(struct writer *writer, const uint8_t digest[DIGEST_BYTES], const void *bytes,
		size_t length)
{
	struct blob blob = { .size = length };
	if (length > BLOB_BYTES_MAX)
		return SWORN_ELIMIT;
	memcpy(blob.name, digest, DIGEST_BYTES);
	int r = blob_table_add(&writer->known, &blob);
	if (r <= 0)
		return r;
	if (writer->place.store_fd >= 0) {
		uint64_t size;
		if ((r = index_add_stored(&writer->stored, &blob)) < 0)
			return r;
		int fd = blob_file_open(writer->place.blobs_fd, digest, &size);
		if (fd >= 0)
			close(fd);
		if (fd >= 0 && size == length)
			return 0;
	}
	return queue_chunks(writer, &blob, bytes);
}

static int finish(struct writer *writer, const struct trace_summary *summary)
{
	struct archive_end end = { .state = writer->ended ? writer->state : NULL,
				   .outputs = writer->ended ? writer->outputs : NULL };
	struct index *index = &writer->archive.index;
	if (summary->complete && !writer->ended)
		return -EINVAL;
	if (index->blocks_count == 0)
		return -ENODATA;
	index->stored = writer->stored.stored;
	index->stored_count = writer->stored.stored_count;
	writer->stored.stored = NULL;
	int r = archive_finish(&writer->archive, summary, &end);
	if (r < 0)
		return r;
	r = place_commit(&writer->place);
	if (r == 0 && writer->place.store_fd >= 0)
		r = store_point_latest(writer->place.store_fd, writer->place.name);
	return r;
}

int writer_close(struct writer *writer, const struct trace_summary *summary, char **ret_path)
{
	int r = writer_flush(writer);
	int error = worker_stop(writer->worker);
	if (r == 0)
		r = error < 0 ? error : finish(writer, summary);
	if (r == 0) {
		*ret_path = writer->place.path;
		writer->place.path = NULL;
	}
	release(writer);
	return r;
}

void writer_abandon(struct writer *writer)
{
	writer_flush(writer);
	/* What the last block left unsigned; behind a blob's frame no checkpoint may stand. */
	if (worker_stop(writer->worker) == 0 && writer->archive.link_kind == FRAME_EVENTS)
		archive_checkpoint(&writer->archive);
	/* A run that never began leaves nothing worth keeping. */
	if (writer->events == 0)
		place_discard(&writer->place);
	release(writer);
}

int writer_fd(const struct writer *writer)
{
	return writer->place.fd;
}

uint64_t writer_bytes(const struct writer *writer)
{
	return atomic_load(&writer->archive.bytes);
}

uint64_t writer_events(const struct writer *writer)
{
	return writer->events;
}

uint64_t writer_held_up_ns(const struct writer *writer)
{
	return worker_held_up_ns(writer->worker);
}
