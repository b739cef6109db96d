/* Checkpoints: the state of a process, compared. */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "replayer.h"

#define PAGE_BYTES 4096ULL
#define SHOWN_BYTES 16

/* Where the event's tags and those of this process differ first. */
struct difference {
	uint64_t address;
	bool has_expected, has_actual;
	uint64_t expected, actual;
};

static bool next_expected(const struct event *event, size_t *run, size_t *offset, struct page_tag *ret)
{
	while (*run < event->payloads_count && *offset >= event->payloads[*run].length) {
		++*run;
		*offset = 0;
	}
	if (*run == event->payloads_count)
		return false;
	if (*offset == 0)
		ret->address = event->payloads[*run].address;
	else
		ret->address = tags_after(ret->address, event->checkpoint.shift);
	memcpy(&ret->tag, event->payloads[*run].bytes + *offset, sizeof(ret->tag));
	ret->tag = le64toh(ret->tag);
	*offset += sizeof(ret->tag);
	return true;
}

static bool tags_differ(const struct event *event, const struct page_tags *tags, struct difference *ret)
{
	struct page_tag expected = { 0 };
	size_t run = 0, offset = 0;

	for (size_t i = 0;; i++) {
		bool more = next_expected(event, &run, &offset, &expected);
		const struct page_tag *actual = i < tags->count ? &tags->entries[i] : NULL;

		if (!more && !actual)
			return false;
		if (more && actual && expected.address == actual->address && expected.tag == actual->tag)
			continue;
		ret->has_expected = more && (!actual || expected.address <= actual->address);
		ret->has_actual = actual && (!more || actual->address <= expected.address);
		ret->address = ret->has_expected ? expected.address : actual->address;
		ret->expected = expected.tag;
		ret->actual = actual ? actual->tag : 0;
		return true;
	}
}

/* The mapping's name, or what it is. */
static const char *name_of(const struct thread *thread, uint64_t address)
{
	const struct mapping *m = mapping_find(&thread->process->space->table, address);
	const char *slash = m && m->path ? strrchr(m->path, '/') : NULL;

	if (!m)
		return "not mapped";
	if (m->path)
		return slash ? slash + 1 : m->path;
	return m->backing == BACKING_SHARED ? "shared" : "anonymous";
}

/* The bytes at the first block of the page whose tag differs. */
static void show_page(struct thread *thread, const struct difference *d, bool has, char *text, size_t size)
{
	uint8_t bytes[SHOWN_BYTES];
	unsigned int block = 0;
	size_t length = 0;

	while (d->has_expected && d->has_actual && block < TAG_BLOCKS &&
	       ((d->expected ^ d->actual) >> (4 * block) & 15) == 0)
		block++;
	length = (size_t)snprintf(text, size, has ? "tag 0x%016" PRIx64 : "as its backing", d->actual);
	/* One time in 16 the block that differs has the same 4 bits: better no bytes than others. */
	if (block == TAG_BLOCKS)
		return;
	if (guest_read(thread, d->address + block * TAG_BLOCK_BYTES, bytes, sizeof(bytes)) !=
	    sizeof(bytes))
		return;
	length += (size_t)snprintf(text + length, size - length, ", bytes at 0x%" PRIx64 ":",
				   d->address + block * TAG_BLOCK_BYTES);
	for (size_t i = 0; i < sizeof(bytes); i++)
		length += (size_t)snprintf(text + length, size - length, " %02x", bytes[i]);
}

static int report(struct replayer *rep, struct thread *thread, const struct difference *d)
{
	char where[64], expected[64] = "as its backing", actual[256];

	if (d->address < PAGE_BYTES) {
		uint64_t part = d->address;

		if (part == TAG_SIGNALS)
			snprintf(where, sizeof(where), "signal dispositions");
		else if (part == TAG_MAPPINGS)
			snprintf(where, sizeof(where), "mapping table");
		else
			snprintf(where, sizeof(where), "registers of thread %" PRIu64 " of the process",
				 part - TAG_THREADS + 1);
		return diverge_number(rep, where, d->expected, d->actual);
	}
	snprintf(where, sizeof(where), "memory at 0x%" PRIx64 " (%.32s)", d->address,
		 name_of(thread, d->address));
	if (d->has_expected)
		snprintf(expected, sizeof(expected), "tag 0x%016" PRIx64, d->expected);
	show_page(thread, d, d->has_actual, actual, sizeof(actual));
	return diverge(rep, where, expected, actual);
}

static int compare(struct replayer *rep, struct thread *thread, const uint8_t hash[DIGEST_BYTES],
		   struct page_tags *tags)
{
	const struct event *event = rep->event;
	char expected[DIGEST_HEX_BYTES], actual[DIGEST_HEX_BYTES];
	struct difference difference;

	for (size_t i = 0; i < event->payloads_count; i++) {
		if (event->payloads[i].arg != PAYLOAD_TAGS || event->payloads[i].length % 8 != 0)
			return SWORN_EFORMAT;
	}
	tags_fold(tags, event->checkpoint.shift);
	if (tags_differ(event, tags, &difference))
		return report(rep, thread, &difference);
	if (digest_equal(hash, event->checkpoint.hash))
		return 0;
	digest_hex(event->checkpoint.hash, expected);
	digest_hex(hash, actual);
	return diverge(rep, "state hash", expected, actual);
}

int replay_checkpoint(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct process *process = thread->process;
	struct page_tags tags = { 0 };
	struct state_request request = {
		.pages = event->checkpoint.last ? PAGE_SHA256 : PAGE_XXH3,
		.with_memory = process->space->references == 1 && !(event->flags & CHECKPOINT_UNPLACED),
		.tags = &tags,
	};
	uint8_t hash[DIGEST_BYTES];
	int r = event->ip ? replay_to_stop(rep, thread) : 0;

	if (r < 0)
		return r;
	if (event->ip && (thread->stand != STAND_ENTRY || thread->call.ip != event->ip ||
			  thread->call.nr != event->nr))
		return diverge_number(rep, "instruction pointer", event->ip, thread->registers.rip);
	if (event->checkpoint.unit != process->unit->number)
		return SWORN_EFORMAT;
	thread->unplaced = event->flags & CHECKPOINT_UNPLACED;
	if (event->checkpoint.reason == CHECKPOINT_INTERVAL && thread->stand == STAND_BOUNDARY)
		r = dirty_start(thread, true);
	if (r == 0)
		r = guest_state(&rep->guests, thread, &request, hash);
	if (r == 0)
		r = compare(rep, thread, hash, &tags);
	tags_release(&tags);
	if (r < 0)
		return r;
	rep->checkpoints++;
	if (event->checkpoint.last) {
		memcpy(process->unit->final, hash, DIGEST_BYTES);
		process->unit->final_known = true;
	}
	return 0;
}
