/* Program text with RDRAND and RDSEED in it: replaced as it is mapped (entropy.h). */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../sandbox/entropy.h"
#include "recorder.h"

#define KNOWN_TEXTS 256

/* Where the same part of the same content was searched before. */
struct known {
	uint8_t digest[DIGEST_BYTES];
	uint64_t offset, length;
	uint32_t sites[TEXT_SITES_MAX]; /* from the mapping's start */
	unsigned int count;
};

static struct known *search(const struct recorder *rec, const struct mapping *mapping)
{
	static struct known known[KNOWN_TEXTS];
	uint64_t length = mapping->end - mapping->start;
	struct arena_blob blob;
	struct known *text;
	uint64_t key;

	if (arena_find(rec->guests.arena, mapping->digest, &blob) != 1 || mapping->offset >= blob.length)
		return NULL;
	if (length > blob.length - mapping->offset)
		length = blob.length - mapping->offset;
	memcpy(&key, mapping->digest, sizeof(key));
	text = &known[(key ^ mapping->offset >> 12) % KNOWN_TEXTS];
	if (text->length == length && text->offset == mapping->offset &&
	    memcmp(text->digest, mapping->digest, DIGEST_BYTES) == 0)
		return text;
	*text = (struct known){ .offset = mapping->offset, .length = length };
	memcpy(text->digest, mapping->digest, DIGEST_BYTES);
	for (size_t at = 0; text->count < TEXT_SITES_MAX; at++) {
		at = entropy_find(blob.bytes + mapping->offset, length, at);
		if (at >= length || at > UINT32_MAX)
			break;
		text->sites[text->count++] = (uint32_t)at;
	}
	return text;
}

int record_text(struct recorder *rec, struct thread *thread, const struct mapping *mapping, bool announce)
{
	static const uint8_t trap = ENTROPY_TRAP;
	const struct known *text;
	int r = 0;

	if (!(mapping->prot & PROT_EXEC) || mapping->backing != BACKING_BLOB)
		return 0;
	text = search(rec, mapping);
	for (unsigned int i = 0; text && r == 0 && i < text->count; i++) {
		struct payload payload = { PAYLOAD_TEXT, DIRECTION_OUT,
					   mapping->start + text->sites[i], 1, &trap };

		r = guest_write(thread, payload.address, &trap, 1);
		if (r == 0 && announce)
			r = capture_bytes(rec, thread, &payload);
	}
	return r;
}
