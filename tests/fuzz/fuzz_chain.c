/*
 * A trace of any frames behind a good HEADER, each with a LINK that fits it: the grammar and the content of
 * every kind of frame, past the hashes. The input is a list of
 *
 *     kind (1 byte), events (1), raw length (3, little endian), length (2, little endian), content
 *
 * where the content is that of the frame; an EVENTS frame is its content alone.
 */
#include "fuzz.h"
#include "traces/seal.h"

#define PIECE_HEAD 7

static void begin(struct fuzz_trace *trace, const uint8_t *info, size_t length)
{
	struct header header = { .archive = { 1 } };
	uint8_t bytes[SEAL_BYTES_MAX], digest[DIGEST_BYTES], head[FRAME_HEAD_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct buffer frame = { 0 };

	frame_head(FRAME_INFO, length, head);
	fuzz_require(buffer_append(&frame, head, sizeof(head)) == 0);
	fuzz_require(buffer_append(&frame, info, length) == 0);
	digest_of(frame.bytes, frame.length, digest);
	buffer_release(&frame);
	chain_commit("private", digest, sizeof(digest), header.private_digest);
	header_encode(&header, NULL, &out);
	frame_head(FRAME_HEADER, out.length, head);
	fuzz_append(trace, head, sizeof(head));
	fuzz_append(trace, bytes, out.length);
	chain_begin(&trace->chain, trace->file.bytes, trace->file.length);
}

/* Appends one piece of the input; how many bytes it took, 0 at the end. */
static size_t piece(struct fuzz_trace *trace, const uint8_t *bytes, size_t left)
{
	struct link link = { .kind = left ? bytes[0] % (FRAME_SEAL + 1) : 0 };
	uint8_t head[FRAME_HEAD_BYTES];
	size_t length, start = trace->file.length;

	if (left < PIECE_HEAD)
		return 0;
	link.events = bytes[1];
	link.raw_length = bytes[2] | (uint64_t)bytes[3] << 8 | (uint64_t)bytes[4] << 16;
	length = bytes[5] | (size_t)bytes[6] << 8;
	if (length > left - PIECE_HEAD)
		length = left - PIECE_HEAD;
	if (trace->file.length == 0) {
		begin(trace, bytes + PIECE_HEAD, length);
		start = trace->file.length;
	}
	frame_head((enum frame_kind)link.kind, length, head);
	if (link.kind != FRAME_EVENTS)
		fuzz_append(trace, head, sizeof(head));
	fuzz_append(trace, bytes + PIECE_HEAD, length);
	if (link.kind <= FRAME_INDEX)
		fuzz_link(trace, start, link);
	return PIECE_HEAD + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz_trace trace = { 0 };
	size_t taken;
	int fd;

	while ((taken = piece(&trace, bytes, length)) > 0) {
		bytes += taken;
		length -= taken;
	}
	fd = fuzz_file(trace.file.bytes, trace.file.length);
	buffer_release(&trace.file);
	fuzz_read(fd);
	close(fd);
	return 0;
}
