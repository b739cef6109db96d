/*
 * Reads a trace: opens it, checks its integrity, and hands out its events in order. Used by replay/
 * and verify/. All input is hostile: every size is limited before it is allocated, every hash checked
 * before the bytes it covers are decoded.
 */
#ifndef SWORN_TRACES_READER_H
#define SWORN_TRACES_READER_H

#include "event.h"
#include "writer.h" /* trace_info, trace_summary */

#define READER_REASON_BYTES 256 /* printable text */

struct reader;
struct check; /* stream.h */

enum completeness { COMPLETE_YES = 0, COMPLETE_PREFIX = 1, COMPLETE_REDACTED = 2 };

/* What a full check of a trace found. Filled as far as the check came, also on failure. */
struct trace_report {
	uint64_t bytes, frames, links, events, blobs, blob_bytes, units, threads;
	uint8_t archive[16], tenant[16];
	uint8_t seal_id[DIGEST_BYTES];
	uint8_t state[DIGEST_BYTES], outputs[DIGEST_BYTES];
	bool sealed; /* a seal was found and covers every byte before it */
	bool is_signed; /* the header names keys, and the seal, or each checkpoint, is signed by the archive's: whose the
			 * header's signature is remains to be judged (trust.h) */
	uint8_t kid[DIGEST_BYTES]; /* of the key that signed the header; zeros when none did */
	uint64_t checkpoints, signed_events; /* events that the newest checkpoint or the seal covers */
	uint64_t sealed_bytes; /* up to the end of the seal: what is behind are trailers; 0 without a seal */
	uint64_t started, ended; /* Unix seconds, as the recorder says; ended 0 without a seal */
	enum completeness completeness;
	bool is_derived;	       /* made of another archive: packed, unpacked or repaired */
	uint8_t derived[DIGEST_BYTES]; /* of which: FORMAT.md section 9 */
	char reason[256];	       /* on failure: what, where (frame, offset), printable text */
};

/*
 * Opens the trace behind `fd` (a regular file, borrowed for the reader's life; read by pread only) and
 * its header and INFO. `blobs_fd`: directory of blobs/sha256 for a thin trace, or -1.
 */
int reader_open(int fd, int blobs_fd, struct reader **ret);
void reader_close(struct reader *reader); /* NULL allowed */
/* Of a file that reader_open() refuses: what and where, as in a report. */
void reader_reason(int fd, char ret_reason[READER_REASON_BYTES]);

/* Gives an open descriptor of the stored blob with this SHA-256, for the reader to close; SWORN_EBLOB when there is
 * none, or -errno. */
typedef int blob_source(void *context, const uint8_t digest[DIGEST_BYTES]);
/* Blobs of the store come from `source` instead of a directory, for a process that may not open files. */
void reader_blob_source(struct reader *reader, blob_source *source, void *context);

/* Valid until reader_close(). */
const struct trace_info *reader_info(const struct reader *reader);

/*
 * Reads the whole file once: grammar, every hash, link, count, blob, event encoding, seal, nothing but trailers
 * behind it. 0 ok; SWORN_EINTEGRITY, SWORN_EFORMAT, SWORN_ETRUNCATED, SWORN_EVERSION,
 * SWORN_ELIMIT, SWORN_EBLOB, -EIO. Independent of the position of trace_next(). Each decoded event is
 * handed to `each` when it is not NULL; a non-zero return of it ends the check with that value.
 */
int reader_check(struct reader *reader, struct trace_report *ret_report,
		 int (*each)(void *context, const struct event *event), void *context);

/* After a successful check: the summary. Valid until reader_close(). NULL before. */
const struct trace_summary *reader_summary(const struct reader *reader);

/* What the newest check collected (stream.h), also one that found the file cut off. Valid until the next. */
const struct check *reader_found(const struct reader *reader);
/* The envelope of the HEADER, whose signature nobody has checked. Borrowed, valid until reader_close(). */
void reader_envelope(const struct reader *reader, const uint8_t **ret_bytes, size_t *ret_length);
/* Id of the tenant that the HEADER names, TENANT_ID_SIZE bytes; likewise. */
const uint8_t *reader_tenant(const struct reader *reader);

struct trailer; /* statement.h */
/* What the newest check found behind the seal: whole, of this trace, and signed by the keys that are with them. Whose those are remains
 * to be judged (trust.h). Borrowed, valid until the next check. */
const struct trailer *reader_trailers(const struct reader *reader, size_t *ret_count);

/* trace_next() ends with SWORN_ETRUNCATED before the event of this number: what is behind it is not to be used. */
void reader_limit(struct reader *reader, uint64_t events);

/* Next event: 1 and *ret_event, 0 at the end of the stream, negative on failure. Checks each block's
 * link before decoding it. */
int trace_next(struct reader *reader, struct event *ret_event);

/* Size of a blob in bytes, or SWORN_EBLOB / other error. */
int64_t reader_blob_size(struct reader *reader, const uint8_t digest[DIGEST_BYTES]);
/* Reads a whole blob into `buffer` (`length` must be its size) and checks its digest. */
int reader_blob_read(struct reader *reader, const uint8_t digest[DIGEST_BYTES], void *buffer,
		     size_t length);

#endif
