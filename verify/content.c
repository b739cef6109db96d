#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/array.h"
#include "../traces/error.h"

#define CHUNK_BYTES 65536U

struct content_chunk {
	uint8_t bytes[CHUNK_BYTES];
	uint8_t known[CHUNK_BYTES / 8];
};

void content_init(struct content *content, uint64_t base, uint64_t *budget)
{
	*content = (struct content){ .base = base, .budget = budget };
}

void content_release(struct content *content)
{
	for (size_t i = 0; i < content->chunks_count; i++)
		free(content->chunks[i]);
	free(content->chunks);
	free(content->origins);
	free(content->unseen);
	*content = (struct content){ 0 };
}

static int chunk_at(struct content *content, size_t index, struct content_chunk **ret)
{
	if (index >= content->chunks_count) {
		size_t count = index + index / 2 + 4;
		struct content_chunk **chunks = realloc(content->chunks,
							count * sizeof(struct content_chunk *));
		if (!chunks)
			return -ENOMEM;
		memset(chunks + content->chunks_count, 0,
		       (count - content->chunks_count) * sizeof(struct content_chunk *));
		content->chunks = chunks;
		content->chunks_count = count;
	}
	if (!content->chunks[index]) {
		if (*content->budget < sizeof(struct content_chunk))
			return SWORN_ELIMIT;
		content->chunks[index] = calloc(1, sizeof(struct content_chunk));
		if (!content->chunks[index])
			return -ENOMEM;
		*content->budget -= sizeof(struct content_chunk);
	}
	*ret = content->chunks[index];
	return 0;
}

static int note_origin(struct content *content, uint64_t offset, uint64_t length, uint64_t event)
{
	struct content_origin *last = content->origins_count
					      ? &content->origins[content->origins_count - 1]
					      : NULL;
	if (last && last->event == event && last->offset + last->length == offset) {
		last->length += length;
		return 0;
	}
	last = array_grow(content->origins, content->origins_count, &content->origins_capacity,
			  sizeof(*last));
	if (!last)
		return -ENOMEM;
	content->origins = last;
	last[content->origins_count++] = (struct content_origin){ offset, length, event };
	return 0;
}

int content_put(struct content *content, uint64_t offset, const void *bytes, size_t length, uint64_t event)
{
	const uint8_t *from = bytes;
	uint64_t start = offset;
	int r = 0;
	if (offset > CONTENT_OFFSET_MAX || length > CONTENT_OFFSET_MAX) {
		content->blind = true;
		return 0;
	}
	for (size_t done = 0; r == 0 && done < length;) {
		struct content_chunk *chunk;
		size_t at = (size_t)(offset % CHUNK_BYTES), n = CHUNK_BYTES - at;
		if (n > length - done)
			n = length - done;
		r = chunk_at(content, (size_t)(offset / CHUNK_BYTES), &chunk);
		if (r < 0)
			break;
		memcpy(chunk->bytes + at, from + done, n);
		for (size_t i = at; i < at + n; i++)
			chunk->known[i / 8] |= (uint8_t)(1U << (i % 8));
		offset += n;
		done += n;
	}
	if (offset > content->size)
		content->size = offset;
	return r == 0 ? note_origin(content, start, length, event) : r;
}

/* Forgets what is known from one offset up to another. */
static void forget(struct content *content, uint64_t from, uint64_t to)
{
	while (from < to && from / CHUNK_BYTES < content->chunks_count) {
		struct content_chunk *chunk = content->chunks[from / CHUNK_BYTES];
		size_t at = (size_t)(from % CHUNK_BYTES);
		uint64_t n = CHUNK_BYTES - at;
		if (n > to - from)
			n = to - from;
		for (size_t i = at; chunk && i < at + n; i++) {
			chunk->bytes[i] = 0;
			chunk->known[i / 8] &= (uint8_t) ~(1U << (i % 8));
		}
		from += n;
	}
}

int content_put_unseen(struct content *content, uint64_t offset, uint64_t length)
{
	uint64_t end = length < CONTENT_OFFSET_MAX && offset < CONTENT_OFFSET_MAX ? offset + length
										  : offset;
	struct content_range *grown = array_grow(content->unseen, content->unseen_count,
						 &content->unseen_capacity, sizeof(*grown));
	content->blind = true;
	if (!grown)
		return -ENOMEM;
	content->unseen = grown;
	grown[content->unseen_count++] = (struct content_range){ offset, end - offset };
	forget(content, offset, end);
	if (end > content->size)
		content->size = end;
	return 0;
}

/* Whether a byte that is not known came all the same; *ret_end: up to where that is so. */
static bool is_unseen(const struct content *content, uint64_t offset, uint64_t *ret_end)
{
	for (size_t i = 0; i < content->unseen_count; i++) {
		const struct content_range *range = &content->unseen[i];
		if (offset < range->offset || offset - range->offset >= range->length)
			continue;
		*ret_end = range->offset + range->length;
		return true;
	}
	return false;
}

void content_truncate(struct content *content, uint64_t size)
{
	forget(content, size, UINT64_MAX);
	if (size < content->base)
		content->base = size;
	content->size = size;
}

/* Byte i of a chunk that may be missing. */
static int chunk_byte(const struct content_chunk *chunk, size_t i)
{
	return chunk && chunk->known[i / 8] >> (i % 8) & 1 ? chunk->bytes[i] : -1;
}

int content_byte(const struct content *content, uint64_t offset)
{
	size_t index = (size_t)(offset / CHUNK_BYTES);
	const struct content_chunk *chunk = index < content->chunks_count ? content->chunks[index]
									  : NULL;
	int byte = chunk_byte(chunk, (size_t)(offset % CHUNK_BYTES));
	uint64_t end;
	if (byte < 0 && offset >= content->base && offset < content->size &&
	    !is_unseen(content, offset, &end))
		return 0;
	return byte;
}

uint64_t content_event(const struct content *content, uint64_t offset)
{
	for (size_t i = content->origins_count; i-- > 0;) {
		const struct content_origin *origin = &content->origins[i];
		if (offset >= origin->offset && offset - origin->offset < origin->length)
			return origin->event;
	}
	return UINT64_MAX;
}

static bool same_chunk(const struct content *a, const struct content *b, size_t index)
{
	const struct content_chunk *x = index < a->chunks_count ? a->chunks[index] : NULL;
	const struct content_chunk *y = index < b->chunks_count ? b->chunks[index] : NULL;
	return x && y && memcmp(x, y, sizeof(*x)) == 0;
}

bool content_differs(const struct content *a, const struct content *b, bool both, uint64_t *ret_offset)
{
	uint64_t end = a->size > b->size ? a->size : b->size;
	if (both)
		end = a->size < b->size ? a->size : b->size;
	for (uint64_t at = 0; at < end;) {
		size_t index = (size_t)(at / CHUNK_BYTES);
		if (at % CHUNK_BYTES == 0 && same_chunk(a, b, index)) {
			at += CHUNK_BYTES;
			continue;
		}
		/* Where both have nothing nothing can differ. */
		if (at % CHUNK_BYTES == 0 && (index >= a->chunks_count || !a->chunks[index]) &&
		    (index >= b->chunks_count || !b->chunks[index]) &&
		    (both || at + CHUNK_BYTES <= (a->size < b->size ? a->size : b->size))) {
			at += CHUNK_BYTES;
			continue;
		}
		int x = content_byte(a, at), y = content_byte(b, at);
		uint64_t behind;
		if (x != y &&
		    ((x < 0 && is_unseen(a, at, &behind)) || (y < 0 && is_unseen(b, at, &behind)))) {
			at++;
			continue;
		}
		if (x != y && (!both || (x >= 0 && y >= 0))) {
			*ret_offset = at;
			return true;
		}
		at++;
	}
	*ret_offset = end;
	if (both)
		return (a->ended && b->size > a->size) || (b->ended && a->size > b->size);
	return a->size != b->size;
}
