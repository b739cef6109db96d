#include "site.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>

#include "function.h"

#define SITE_OPCODE 0x0f
#define CPUID_BYTES 2
#define RDPID_BYTES 3 /* from the opcode on */
#define PREFIX_RDPID 0xf3
#define CALL_BYTES 5
#define CALL_OPCODE 0xe8
#define CALLS_MAX 64	       /* looked at for one place */
#define GAP_BYTES_MAX 0x10000U /* how far behind the last known function a place can be */
#define FUNCTION_BYTES_MAX 0x400000U

/* A place to be proven, and what is known of its surroundings. */
struct place {
	uint64_t offset;
	uint64_t start, end; /* the nearest function that starts at or before it; both 0: none */
};

struct places {
	struct place *items; /* ascending */
	size_t count, capacity;
};

enum proof { PROOF_NONE, PROOF_INSTRUCTION, PROOF_INSIDE_ANOTHER };

static int add(struct places *places, uint64_t offset)
{
	if (places->count == places->capacity) {
		size_t capacity = places->capacity ? places->capacity * 2 : 64;
		struct place *items = realloc(places->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		places->items = items;
		places->capacity = capacity;
	}
	places->items[places->count++] = (struct place){ .offset = offset };
	return 0;
}

/* The first place at or behind `offset`. */
static size_t first_at(const struct places *places, uint64_t offset)
{
	size_t low = 0, high = places->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (places->items[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void note_function(void *context, uint64_t start, uint64_t end)
{
	struct places *places = context;
	size_t i = first_at(places, start);
	struct place *place = &places->items[i];

	if (i == places->count || start < place->start)
		return;
	if (start > place->start || end > place->end) {
		place->start = start;
		place->end = end;
	}
}

/* A function is noted at the first place behind its start only. */
static void locate(const struct site_text *text, struct places *places)
{
	if (places->count > 0)
		functions_each(text->file, text->length, note_function, places);
	for (size_t i = 1; i < places->count; i++) {
		struct place *place = &places->items[i];

		if (place->start < place[-1].start) {
			place->start = place[-1].start;
			place->end = place[-1].end;
		}
	}
}

/* Decodes from `start` on, until the instruction that holds the byte at `offset`: fills *ret and its place. */
static bool walk(const struct site_text *text, uint64_t start, uint64_t offset,
		 ZydisDecodedInstruction *ret, uint64_t *ret_start)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (start > offset || offset - start > FUNCTION_BYTES_MAX)
		return false;
	for (;; start += ret->length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, text->file + start,
							      text->to - start, ret)))
			return false;
		*ret_start = start;
		if (start + ret->length > offset)
			return true;
	}
}

static enum proof prove(const struct site_text *text, uint64_t start, uint64_t offset)
{
	ZydisDecodedInstruction found;
	uint64_t at;

	if (!walk(text, start, offset, &found, &at))
		return PROOF_NONE;
	if (at == offset && found.mnemonic == ZYDIS_MNEMONIC_CPUID)
		return PROOF_INSTRUCTION;
	if (at + found.length == offset + RDPID_BYTES && found.mnemonic == ZYDIS_MNEMONIC_RDPID)
		return PROOF_INSTRUCTION;
	return PROOF_INSIDE_ANOTHER;
}

static bool is_covered(const struct place *place)
{
	return place->start != 0 && (place->end == 0 || place->end > place->offset);
}

/* Where the bytes at `offset` would call if they were a call. */
static uint64_t target_of(const struct site_text *text, uint64_t offset)
{
	int32_t distance;

	memcpy(&distance, text->file + offset + 1, sizeof(distance));
	return offset + CALL_BYTES + (uint64_t)(int64_t)distance;
}

/* Whether a call there may lead to code around a place that is in no known function. */
static bool leads_near(const struct place *place, uint64_t target)
{
	return !is_covered(place) && target <= place->offset && target >= place->end &&
	       place->offset - target < GAP_BYTES_MAX;
}

/* Bytes that look like calls to where `places` are that no function covers. */
static int find_calls(const struct site_text *text, const struct places *places, struct places *calls)
{
	uint64_t at = text->from;
	int r = 0;

	while (r == 0 && at + CALL_BYTES <= text->to) {
		const uint8_t *found = memchr(text->file + at, CALL_OPCODE,
					      text->to - CALL_BYTES + 1 - at);
		uint64_t target;
		size_t i;

		if (!found)
			break;
		at = (uint64_t)(found - text->file);
		target = target_of(text, at);
		i = first_at(places, target);
		if (i < places->count && leads_near(&places->items[i], target))
			r = add(calls, at);
		at++;
	}
	if (r == 0)
		locate(text, calls);
	return r;
}

/* No function is known to be here: one starts where a function that is known calls. */
static enum proof prove_by_call(const struct site_text *text, const struct place *place,
				const struct places *calls)
{
	unsigned int tried = 0;

	for (size_t i = 0; i < calls->count && tried < CALLS_MAX; i++) {
		const struct place *call = &calls->items[i];
		uint64_t target = target_of(text, call->offset), at;
		ZydisDecodedInstruction found;
		enum proof proof;

		if (!leads_near(place, target) || !is_covered(call))
			continue;
		tried++;
		if (!walk(text, call->start, call->offset, &found, &at) || at != call->offset ||
		    found.mnemonic != ZYDIS_MNEMONIC_CALL)
			continue;
		proof = prove(text, target, place->offset);
		if (proof != PROOF_NONE)
			return proof;
	}
	return PROOF_NONE;
}

static bool looks_like_rdpid(const struct site_text *text, uint64_t offset)
{
	const uint8_t *at = text->file + offset;
	uint64_t before = offset - text->from;

	if (offset + RDPID_BYTES > text->to || at[1] != 0xc7 || at[2] < 0xf8)
		return false;
	return (before >= 1 && at[-1] == PREFIX_RDPID) ||
	       (before >= 2 && at[-2] == PREFIX_RDPID && (at[-1] & 0xf0) == 0x40);
}

static int find_places(const struct site_text *text, struct places *places)
{
	uint64_t at = text->from;
	int r = 0;

	while (r == 0 && at + CPUID_BYTES <= text->to) {
		const uint8_t *found = memchr(text->file + at, SITE_OPCODE, text->to - 1 - at);

		if (!found)
			break;
		at = (uint64_t)(found - text->file);
		if (found[1] == 0xa2 || looks_like_rdpid(text, at))
			r = add(places, at);
		at++;
	}
	return r;
}

static int judge(const struct site_text *text, const struct places *places, struct sites *sites)
{
	struct places calls = { 0 };
	bool searched = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < places->count; i++) {
		const struct place *place = &places->items[i];
		enum proof proof = PROOF_NONE;

		if (is_covered(place)) {
			proof = prove(text, place->start, place->offset);
		} else {
			if (!searched)
				r = find_calls(text, places, &calls);
			searched = true;
			if (r == 0)
				proof = prove_by_call(text, place, &calls);
		}
		if (proof == PROOF_INSTRUCTION)
			sites->offsets[sites->count++] = place->offset;
		sites->unproven += proof == PROOF_NONE;
	}
	free(calls.items);
	return r;
}

int sites_find(const struct site_text *text, struct sites *ret)
{
	struct sites sites = { 0 };
	struct places places = { 0 };
	int r = find_places(text, &places);

	if (r == 0 && places.count > 0) {
		locate(text, &places);
		sites.offsets = calloc(places.count, sizeof(*sites.offsets));
		r = sites.offsets ? judge(text, &places, &sites) : -ENOMEM;
	}
	free(places.items);
	if (r < 0)
		sites_release(&sites);
	else
		*ret = sites;
	return r;
}

void sites_release(struct sites *sites)
{
	free(sites->offsets);
	*sites = (struct sites){ 0 };
}
