#include "frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "error.h"

#define SKIPPABLE_BASE 0x184D2A50u
#define ZSTD_FIRST_READ (64u << 10)
#define TAIL_MAX                             \
	(FRAME_HEAD_BYTES + FRAME_SEAL_MAX + \
	 FRAME_TRAILERS_MAX * (FRAME_HEAD_BYTES + FRAME_TRAILER_MAX))

static const struct {
	enum frame_kind kind;
	uint32_t magic;
	size_t content_max;
	const char *name;
} kinds[] = {
	{ FRAME_HEADER, SKIPPABLE_BASE + 0, FRAME_SEAL_MAX, "HEADER" },
	{ FRAME_INFO, SKIPPABLE_BASE + 1, FRAME_INFO_MAX, "INFO" },
	{ FRAME_LINK, SKIPPABLE_BASE + 2, FRAME_LINK_MAX, "LINK" },
	{ FRAME_BLOB, SKIPPABLE_BASE + 3, FRAME_CHUNK_BYTES + (64u << 10), "BLOB" },
	{ FRAME_SUMMARY, SKIPPABLE_BASE + 4, FRAME_INFO_MAX, "SUMMARY" },
	{ FRAME_INDEX, SKIPPABLE_BASE + 5, FRAME_INDEX_MAX, "INDEX" },
	{ FRAME_SEAL, SKIPPABLE_BASE + 6, FRAME_SEAL_MAX, "SEAL" },
	{ FRAME_CHECKPOINT, SKIPPABLE_BASE + 7, FRAME_SEAL_MAX, "CHECKPOINT" },
	{ FRAME_TRAILER, SKIPPABLE_BASE + 8, FRAME_TRAILER_MAX, "TRAILER" },
	{ FRAME_EVENTS, ZSTD_MAGICNUMBER, FRAME_BLOCK_RAW_MAX + (128u << 10), "EVENTS" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *frame_kind_name(enum frame_kind kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "unknown";
}

void frame_head(enum frame_kind kind, size_t content_length, uint8_t ret_head[FRAME_HEAD_BYTES])
{
	uint32_t words[2] = { 0, htole32((uint32_t)content_length) };
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			words[0] = htole32(kinds[i].magic);
	memcpy(ret_head, words, sizeof(words));
}

int frame_pread(const struct frame_source *source, uint64_t offset, void *bytes, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = pread(source->fd, (char *)bytes + done, length - done,
				  (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return SWORN_ETRUNCATED;
		done += (size_t)n;
	}
	return 0;
}

/* A zstd frame does not say its stored length: its blocks are walked, in as much of it as needed. */
static int read_zstd(const struct frame_source *source, uint64_t offset, struct buffer *buffer,
		     struct frame *frame, size_t length_max)
{
	uint64_t remaining = source->size - offset;
	for (size_t wanted = ZSTD_FIRST_READ;; wanted *= 4) {
		if (wanted > length_max)
			wanted = length_max;
		size_t length = remaining < wanted ? (size_t)remaining : wanted;
		int r = buffer_reserve(buffer, length);
		if (r < 0)
			return r;
		if ((r = frame_pread(source, offset + buffer->length,
				     buffer->bytes + buffer->length, length - buffer->length)) < 0)
			return r;
		buffer->length = length;
		size_t found = ZSTD_findFrameCompressedSize(buffer->bytes, length);
		if (!ZSTD_isError(found)) {
			frame->bytes = buffer->bytes;
			frame->content = buffer->bytes;
			frame->length = found;
			frame->content_length = found;
			return 0;
		}
		if (ZSTD_getErrorCode(found) != ZSTD_error_srcSize_wrong)
			return SWORN_EFORMAT;
		if (length == remaining)
			return SWORN_ETRUNCATED;
		if (length == length_max)
			return SWORN_ELIMIT;
	}
}

int frame_peek(const struct frame_source *source, uint64_t offset, struct buffer *buffer,
	       size_t limit, struct frame *ret_frame)
{
	uint32_t words[2];
	uint64_t remaining = offset < source->size ? source->size - offset : 0;
	struct frame frame = { .offset = offset };
	if (remaining < FRAME_HEAD_BYTES)
		return SWORN_ETRUNCATED;
	int r = frame_pread(source, offset, words, sizeof(words));
	if (r < 0)
		return r;
	size_t row = 0;
	while (row < KINDS && kinds[row].magic != le32toh(words[0]))
		row++;
	if (row == KINDS)
		return SWORN_EFORMAT;
	frame.kind = kinds[row].kind;
	buffer->length = 0;
	if (frame.kind == FRAME_EVENTS) {
		r = read_zstd(source, offset, buffer, &frame, kinds[row].content_max);
		if (r == 0)
			*ret_frame = frame;
		return r;
	}
	size_t content = le32toh(words[1]);
	if (content > kinds[row].content_max)
		return SWORN_ELIMIT;
	if (content > remaining - FRAME_HEAD_BYTES)
		return SWORN_ETRUNCATED;
	frame.length = FRAME_HEAD_BYTES + content;
	frame.content_length = content < limit ? content : limit;
	if ((r = buffer_reserve(buffer, FRAME_HEAD_BYTES + frame.content_length)) < 0 ||
	    (r = frame_pread(source, offset, buffer->bytes, FRAME_HEAD_BYTES + frame.content_length)) < 0)
		return r;
	buffer->length = FRAME_HEAD_BYTES + frame.content_length;
	frame.bytes = buffer->bytes;
	frame.content = buffer->bytes + FRAME_HEAD_BYTES;
	*ret_frame = frame;
	return 0;
}

int frame_read(const struct frame_source *source, uint64_t offset, struct buffer *buffer,
	       struct frame *ret_frame)
{
	return frame_peek(source, offset, buffer, SIZE_MAX, ret_frame);
}

int frame_tail(const struct frame_source *source, struct buffer *buffer)
{
	size_t length = source->size < TAIL_MAX ? (size_t)source->size : TAIL_MAX;
	buffer->length = 0;
	int r = buffer_reserve(buffer, length);
	if (r == 0)
		r = frame_pread(source, source->size - length, buffer->bytes, length);
	if (r == 0)
		buffer->length = length;
	return r;
}

/* Length of the frame of `kind` at the start of the bytes, or 0. */
static size_t whole_frame(enum frame_kind kind, size_t max, const uint8_t *bytes, size_t length)
{
	uint8_t head[FRAME_HEAD_BYTES];
	uint32_t content;
	if (length < FRAME_HEAD_BYTES)
		return 0;
	memcpy(&content, bytes + 4, sizeof(content));
	content = le32toh(content);
	frame_head(kind, content, head);
	if (memcmp(bytes, head, sizeof(head)) != 0 || content > max || content > length - FRAME_HEAD_BYTES)
		return 0;
	return FRAME_HEAD_BYTES + content;
}

size_t frame_find_seal(const uint8_t *tail, size_t length, size_t from)
{
	uint8_t head[FRAME_HEAD_BYTES];
	const uint8_t *found;
	frame_head(FRAME_SEAL, 0, head);
	for (; (found = memmem(tail + from, length - from, head, 4)); from++) {
		from = (size_t)(found - tail);
		size_t n = whole_frame(FRAME_SEAL, FRAME_SEAL_MAX, tail + from, length - from);
		size_t at = from;
		while (n > 0 && (at += n) < length)
			n = whole_frame(FRAME_TRAILER, FRAME_TRAILER_MAX, tail + at, length - at);
		if (n > 0)
			return from;
	}
	return length;
}

bool frame_seal_at_end(const struct frame_source *source)
{
	struct buffer tail = { 0 };
	bool found = frame_tail(source, &tail) == 0 &&
		     frame_find_seal(tail.bytes, tail.length, 0) < tail.length;
	buffer_release(&tail);
	return found;
}
