/*
 * What the fuzz programs share: a file made of bytes in memory, a growing trace whose links fit, and a
 * check that reads a whole trace the way the verbs do. Included by fuzz programs only.
 */
#ifndef SWORN_TESTS_FUZZ_H
#define SWORN_TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "traces/chain.h"
#include "traces/digest.h"
#include "traces/frame.h"
#include "traces/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* What has to hold whatever the input is. */
static inline void fuzz_require(bool condition)
{
	if (!condition)
		abort();
}

/* A file that holds the bytes; the caller closes it. */
static inline int fuzz_file(const uint8_t *bytes, size_t length)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	fuzz_require(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	return fd;
}

/* Asks the reader for every blob that the event names. */
static inline void fuzz_blobs(struct reader *reader, const struct event *event)
{
	for (size_t i = 0; i < event->mappings_count; i++) {
		const uint8_t *digest = event->mappings[i].digest;
		int64_t size = reader_blob_size(reader, digest);
		uint8_t *content = size >= 0 && size < 1 << 22 ? malloc((size_t)size + 1) : NULL;

		if (content)
			reader_blob_read(reader, digest, content, (size_t)size);
		free(content);
	}
}

/* Checks the trace and walks it: what the check accepts, the walk has to hand out to the end. */
static inline void fuzz_read(int fd)
{
	struct reader *reader;
	struct trace_report report;
	struct event event;
	uint64_t events = 0;
	int checked, r;

	if (reader_open(fd, -1, &reader) < 0)
		return;
	checked = reader_check(reader, &report, NULL, NULL);
	fuzz_require(checked == 0 || checked < 0);
	while ((r = trace_next(reader, &event)) > 0) {
		fuzz_blobs(reader, &event);
		events++;
	}
	fuzz_require(checked < 0 || (r == 0 && events == report.events && reader_summary(reader)));
	reader_close(reader);
}

/* A trace that grows in memory. */
struct fuzz_trace {
	struct buffer file;
	struct chain chain;
};

static inline void fuzz_append(struct fuzz_trace *trace, const void *bytes, size_t length)
{
	fuzz_require(buffer_append(&trace->file, bytes, length) == 0);
}

/* The LINK of the frame that starts at `start`. */
static inline void fuzz_link(struct fuzz_trace *trace, size_t start, struct link link)
{
	uint8_t bytes[LINK_BYTES_MAX], head[FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };

	link.seq = trace->chain.links;
	link.first_event = trace->chain.events;
	link.stored_length = trace->file.length - start;
	memcpy(link.prev, trace->chain.last, DIGEST_BYTES);
	digest_of(trace->file.bytes + start, link.stored_length, link.stored_hash);
	link_encode(&link, &out);
	frame_head(FRAME_LINK, out.length, head);
	fuzz_append(trace, head, sizeof(head));
	fuzz_append(trace, bytes, out.length);
	chain_append(&trace->chain, &link, bytes, out.length);
}

#endif
