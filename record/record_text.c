/* Program text with instructions in it that no flag makes trap: replaced as it is mapped, and answered (replaced.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "../sandbox/code.h"
#include "../sandbox/entropy.h"
#include "../sandbox/random.h"
#include "../sandbox/replaced.h"
#include "../sandbox/site.h"
#include "../traces/error.h"
#include "recorder.h"

#define KNOWN_TEXTS 256
#define OPCODE_BYTES 3
#define CODE_SITES_MAX 256
#define INSTRUCTION_BYTES_MAX 15
#define ASSUMPTION_BYTES (TEXT_DOUBTS_BYTES + 256)

/* Where the same part of the same content was searched before. */
struct known {
	uint8_t digest[DIGEST_BYTES];
	uint64_t offset, length;
	uint64_t *sites; /* from the mapping's start; owned */
	size_t count, capacity;
};

static int add_site(struct known *text, uint64_t site)
{
	if (text->count == text->capacity) {
		size_t capacity = text->capacity ? text->capacity * 2 : 16;
		uint64_t *sites = realloc(text->sites, capacity * sizeof(*sites));

		if (!sites)
			return -ENOMEM;
		text->sites = sites;
		text->capacity = capacity;
	}
	text->sites[text->count++] = site;
	return 0;
}

/* Remembers a file with places that nobody can tell from instructions, while there is room. */
static void note_doubts(struct recorder *rec, const struct mapping *mapping, size_t unproven)
{
	size_t used = strlen(rec->text_doubts);
	const char *name = mapping->path ? strrchr(mapping->path, '/') : NULL;

	if (unproven > 0 && used < sizeof(rec->text_doubts) - 1)
		snprintf(rec->text_doubts + used, sizeof(rec->text_doubts) - used, "%s%s (%zu)",
			 used ? ", " : "", name ? name + 1 : "?", unproven);
}

static int search_random(const struct arena_blob *blob, struct known *text)
{
	int r = 0;

	for (size_t at = 0; r == 0; at++) {
		at = entropy_find(blob->bytes + text->offset, text->length, at);
		if (at >= text->length)
			break;
		r = add_site(text, at);
	}
	return r;
}

static int search_cpuid(struct recorder *rec, const struct mapping *mapping,
			const struct arena_blob *blob, struct known *text)
{
	struct site_text part = { blob->bytes, blob->length, text->offset, text->offset + text->length };
	struct sites sites;
	int r = sites_find(&part, &sites);

	if (r < 0)
		return r;
	note_doubts(rec, mapping, sites.unproven);
	for (size_t i = 0; r == 0 && i < sites.count; i++)
		r = add_site(text, sites.offsets[i] - text->offset);
	sites_release(&sites);
	return r;
}

/* Fills *ret with what is known of the text, borrowed, or NULL where there is nothing to search. */
static int search(struct recorder *rec, const struct mapping *mapping, const struct known **ret)
{
	static struct known known[KNOWN_TEXTS];
	uint64_t length = mapping->end - mapping->start;
	struct arena_blob blob;
	struct known *text;
	uint64_t key;
	int r;

	*ret = NULL;
	if (arena_find(rec->guests.arena, mapping->digest, &blob) != 1 || mapping->offset >= blob.length)
		return 0;
	if (length > blob.length - mapping->offset)
		length = blob.length - mapping->offset;
	memcpy(&key, mapping->digest, sizeof(key));
	text = &known[(key ^ mapping->offset >> 12) % KNOWN_TEXTS];
	*ret = text;
	if (text->length == length && text->offset == mapping->offset &&
	    memcmp(text->digest, mapping->digest, DIGEST_BYTES) == 0)
		return 0;
	free(text->sites);
	*text = (struct known){ .offset = mapping->offset, .length = length };
	memcpy(text->digest, mapping->digest, DIGEST_BYTES);
	r = search_random(&blob, text);
	if (r == 0 && rec->cpu)
		r = search_cpuid(rec, mapping, &blob, text);
	if (r < 0)
		text->length = 0;
	return r;
}

static int hide_code(struct recorder *rec, struct thread *thread, const struct mapping *mapping)
{
	int r = code_hide(thread, false, mapping->start, mapping->end);

	if (r > 0) {
		rec->hides_code = true;
		thread->record->revealed = 0;
	}
	return r < 0 ? r : 0;
}

int record_text(struct recorder *rec, struct thread *thread, const struct mapping *mapping, bool announce)
{
	static const uint8_t trap = REPLACED_TRAP;
	const struct known *text;
	int r = 0;

	if (!(mapping->prot & PROT_EXEC))
		return 0;
	if (mapping->backing != BACKING_BLOB) {
		rec->own_code = true;
		return rec->cpu && announce ? hide_code(rec, thread, mapping) : 0;
	}
	r = search(rec, mapping, &text);
	for (size_t i = 0; text && r == 0 && i < text->count; i++) {
		struct payload payload = { PAYLOAD_TEXT, DIRECTION_OUT,
					   mapping->start + text->sites[i], 1, &trap };
		uint8_t opcode[OPCODE_BYTES] = { 0 };

		/* What was written to since is not the file's any more. */
		guest_read(thread, payload.address, opcode, sizeof(opcode));
		if (!replaced_may_be(opcode))
			continue;
		r = guest_write(thread, payload.address, &trap, 1);
		if (r == 0 && announce)
			r = capture_bytes(rec, thread, &payload);
	}
	return r;
}

int record_text_protected(struct recorder *rec, struct thread *thread)
{
	const struct mapping_table *table = &thread->process->space->table;
	uint64_t start = thread->call.args[0], end = (start + thread->call.args[1] + 4095) & ~4095ULL;
	int r = 0;

	if (start % 4096 != 0)
		return 0; /* refused, and nothing changed; others that are refused may have changed what comes first */
	for (size_t i = 0; r == 0 && i < table->count; i++) {
		struct mapping part = table->entries[i];

		if (part.start >= end || part.end <= start)
			continue;
		if (part.backing != BACKING_BLOB) { /* replay hides what the call names, and no more */
			part.start = part.start > start ? part.start : start;
			part.end = part.end < end ? part.end : end;
		}
		r = record_text(rec, thread, &part, true);
	}
	return r;
}

/* Writes traps over what is reached from the thread's instruction pointer in the window, as payloads. */
static int replace_code(struct recorder *rec, struct thread *thread, const struct code_window *window)
{
	static const uint8_t trap = REPLACED_TRAP;
	static uint8_t bytes[CODE_WINDOW_BYTES];
	static uint32_t sites[CODE_SITES_MAX];
	size_t length = window->end - window->start, count;
	uint8_t first[INSTRUCTION_BYTES_MAX];
	uint64_t entry = thread->registers.rip;
	int r = 0;

	/* An instruction that begins before the window was searched with what is there. */
	if (entry < window->start)
		entry += code_length(first, guest_read(thread, entry, first, sizeof(first)));
	if (entry < window->start)
		return 0;

	if (guest_read(thread, window->start, bytes, length) != length)
		return SWORN_EGONE;
	count = code_find(bytes, length, entry - window->start, sites, CODE_SITES_MAX);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct payload payload = { PAYLOAD_TEXT, DIRECTION_OUT, window->start + sites[i], 1,
					   &trap };

		r = guest_write(thread, payload.address, &trap, 1);
		if (r == 0)
			r = capture_bytes(rec, thread, &payload);
	}
	return r;
}

int record_code(struct recorder *rec, struct thread *thread, uint64_t address)
{
	struct event event = { .kind = EVENT_TRAP, .thread = thread->number, .ip = thread->registers.rip };
	struct code_window window;
	int r = 0;

	if (address - event.ip >= INSTRUCTION_BYTES_MAX || !code_window(thread, address, &window) ||
	    (thread->record->revealed == window.start && record_at_boundary(thread)))
		return 0;
	event.registers_hash = registers_hash(&thread->registers);
	event.trap.kind = TRAP_CODE;
	event.args[0] = window.start;
	event.args[1] = window.end;
	r = replace_code(rec, thread, &window);
	if (r == 0)
		r = code_reveal(thread, false, &window);
	if (r < 0)
		return r;
	thread->record->revealed = window.start;
	thread->stand = STAND_BOUNDARY;
	schedule_resume(thread, PTRACE_CONT, 0);
	r = capture_emit(rec, thread, &event);
	return r < 0 ? r : 1;
}

bool record_replaced(struct recorder *rec, struct thread *thread, const uint8_t *code, struct event *event)
{
	struct registers *registers = &thread->registers;
	struct replaced replaced;
	uint32_t words[4];

	if (!replaced_decode(code, &replaced) || (!rec->cpu && replaced.kind != TRAP_RANDOM))
		return false;
	event->trap.kind = replaced.kind;
	if (replaced.kind == TRAP_RANDOM) {
		random_bytes(rec->random, &event->trap.value, sizeof(event->trap.value));
	} else if (replaced.kind == TRAP_CPUID) {
		event->args[0] = (uint32_t)registers->rax;
		event->args[1] = (uint32_t)registers->rcx;
		cpu_model_answer(rec->cpu, (uint32_t)registers->rax, (uint32_t)registers->rcx, words);
		event->trap.value = words[0] | (uint64_t)words[1] << 32;
		event->trap.more = words[2] | (uint64_t)words[3] << 32;
	}
	replaced_answer(&replaced, event, registers);
	return true;
}

const char *record_text_assumption(const struct recorder *rec)
{
	static char text[ASSUMPTION_BYTES];
	size_t at;

	if (!rec->cpu)
		return "CPUID answers as on the recording CPU; generated code draws no hardware random numbers";
	if (!rec->own_code && !rec->text_doubts[0])
		return NULL;
	at = (size_t)snprintf(text, sizeof(text), "CPUID answers as on the recording CPU ");
	if (rec->own_code)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at,
			"in generated code where it was not found, which draws no hardware random numbers");
	if (rec->text_doubts[0])
		snprintf(text + at, sizeof(text) - at, "%sat places that are taken for data, in %s",
			 rec->own_code ? ", and " : "", rec->text_doubts);
	return text;
}
