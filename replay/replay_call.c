/* Ordinary calls: the guest stands at the entry, the trace has the answer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <asm/prctl.h>

#include "../traces/array.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/final.h"
#include "crew.h"

#define COMPARE_BYTES 65536
#define SHOWN_BYTES 48

/* Printable form of the bytes around the first difference. */
static void show_bytes(char *text, size_t size, const uint8_t *bytes, size_t length)
{
	size_t at = 0;

	for (size_t i = 0; i < length && i < SHOWN_BYTES && at + 5 < size; i++) {
		if (bytes[i] >= ' ' && bytes[i] <= '~' && bytes[i] != '\\')
			text[at++] = (char)bytes[i];
		else
			at += (size_t)snprintf(text + at, size - at, "\\x%02x", bytes[i]);
	}
	text[at] = '\0';
}

static int diverge_bytes(struct replayer *rep, const struct payload *payload, const uint8_t *actual,
			 size_t at)
{
	char where[64], a[DIVERGENCE_TEXT], b[DIVERGENCE_TEXT];

	snprintf(where, sizeof(where), "argument %u, bytes at 0x%" PRIx64, payload->arg,
		 payload->address + at);
	show_bytes(a, sizeof(a), payload->bytes + at, payload->length - at);
	show_bytes(b, sizeof(b), actual, payload->length - at);
	return diverge(rep, where, a, b);
}

static int compare_payload(struct replayer *rep, struct thread *thread, const struct payload *payload)
{
	static uint8_t actual[COMPARE_BYTES];

	for (size_t done = 0; done < payload->length;) {
		size_t want = payload->length - done < COMPARE_BYTES ? payload->length - done
								     : COMPARE_BYTES;
		size_t got = guest_read(thread, payload->address + done, actual, want);
		size_t same = 0;

		if (got < want)
			return diverge(rep, "input memory", "readable", "not readable");
		if (memcmp(actual, payload->bytes + done, want) != 0) {
			while (actual[same] == payload->bytes[done + same])
				same++;
			return diverge_bytes(rep, payload, actual + same, done + same);
		}
		done += want;
	}
	return 0;
}

/* Moves the cursor behind ranges that are not inputs, are empty, or were only readable so far. */
static const struct range *next_input(struct thread *thread)
{
	const struct range_list *entry = &thread->call.entry;

	while (thread->in_cursor_range < entry->count) {
		const struct range *range = &entry->ranges[thread->in_cursor_range];

		if (range->direction == DIRECTION_IN && thread->in_cursor_offset < range->length)
			return range;
		thread->in_cursor_range++;
		thread->in_cursor_offset = 0;
	}
	return NULL;
}

/* True when nothing more of the range can be read: the recorder captured as far as that, too. */
static bool is_unreadable(struct thread *thread, const struct range *range)
{
	uint8_t byte;

	return guest_read(thread, range->address + thread->in_cursor_offset, &byte, 1) == 0;
}

static int check_input(struct replayer *rep, struct thread *thread, const struct payload *payload)
{
	const struct range *range;
	uint64_t address;
	int r;

	while ((range = next_input(thread)) && is_unreadable(thread, range)) {
		thread->in_cursor_range++;
		thread->in_cursor_offset = 0;
	}
	if (!range || range->arg != payload->arg)
		return diverge_number(rep, "input argument", payload->arg,
				      range ? range->arg : UINT64_MAX);
	address = range->address + thread->in_cursor_offset;
	if (address != payload->address)
		return diverge_number(rep, "input address", payload->address, address);
	if (payload->length > range->length - thread->in_cursor_offset)
		return diverge_number(rep, "input length", payload->length,
				      range->length - thread->in_cursor_offset);
	r = compare_payload(rep, thread, payload);
	thread->in_cursor_offset += payload->length;
	return r;
}

int replay_check_inputs(struct replayer *rep, struct thread *thread, bool complete)
{
	const struct event *event = rep->event;
	const struct range *range;
	int r = 0;

	for (size_t i = 0; r == 0 && i < event->payloads_count; i++) {
		if (event->payloads[i].direction == DIRECTION_IN)
			r = check_input(rep, thread, &event->payloads[i]);
	}
	while (r == 0 && complete && (range = next_input(thread))) {
		if (!is_unreadable(thread, range))
			return diverge_number(rep, "input length", thread->in_cursor_offset,
					      range->length);
		thread->in_cursor_range++;
		thread->in_cursor_offset = 0;
	}
	return r;
}

int replay_write_outputs(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;

	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *payload = &event->payloads[i];
		int r;

		if (payload->direction != DIRECTION_OUT || payload->arg == PAYLOAD_IMAGE)
			continue;
		if (payload->arg == PAYLOAD_TEXT) {
			r = replay_text(thread, event, payload);
			if (r < 0)
				return r;
			continue;
		}
		if (!extent_allows(&thread->call.entry, payload->arg, payload->address, payload->length))
			return SWORN_EREFUSED;
		r = guest_write(thread, payload->address, payload->bytes, payload->length);
		if (r < 0)
			return r == -EFAULT ? diverge_number(rep, "output memory", payload->address, 0)
					    : r;
	}
	return 0;
}

int replay_write(struct replayer *rep, struct thread *thread, const struct payload *payload)
{
	const struct mapping_table *table = &thread->process->space->table;

	for (uint64_t at = payload->address; at < payload->address + payload->length;) {
		const struct mapping *m = mapping_find(table, at);

		if (!m || !(m->prot & PROT_WRITE))
			return SWORN_EREFUSED;
		at = m->end;
	}
	(void)rep;
	return guest_write(thread, payload->address, payload->bytes, payload->length);
}

void replay_show(uint32_t number, const void *bytes, size_t length)
{
	if (number == 1 || number == 2)
		fwrite(bytes, 1, length, number == 1 ? stdout : stderr);
}

/* Thread state that the kernel would hold. */
static void follow_tls(struct thread *thread)
{
	const struct call *call = &thread->call;

	if (call->nr != SYS_arch_prctl)
		return;
	if (call->args[0] == ARCH_SET_FS)
		thread->registers.fs_base = call->args[1];
	else if (call->args[0] == ARCH_SET_GS)
		thread->registers.gs_base = call->args[1];
}

static int play_restarted(struct thread *thread)
{
	guest_rewind_call(thread);
	return replay_answer(thread, thread->call.nr);
}

/* The kernel grows stacks in replay, too: it has to know how far. */
static int follow_stack_limit(struct replayer *rep, struct thread *thread)
{
	const struct call *call = &thread->call;
	bool own = call->nr == SYS_setrlimit;
	uint32_t pid = own ? 0 : (uint32_t)call->args[0], resource = (uint32_t)call->args[own ? 0 : 1];
	uint64_t limit[2], address = call->args[own ? 1 : 2];

	if ((!own && call->nr != SYS_prlimit64) || resource != RLIMIT_STACK || !address)
		return 0;
	if (guest_read(thread, address, limit, sizeof(limit)) != sizeof(limit))
		return SWORN_EREFUSED;
	for (struct thread *t = rep->guests.first; t; t = t->next) {
		if (pid == 0 ? t == thread : t->guest_tid == pid)
			return is_elsewhere(t) ? 0 : stub_limit_stack(t->tid, limit[0]);
	}
	return 0;
}

static int play_success(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	const struct row *row = thread->call.row;
	int r = 0;

	if (row->treatment == TREAT_SPECIAL && row->family == FAMILY_EXEC)
		return SWORN_EREFUSED; /* a successful exec is an EXEC event */
	if (row->treatment == TREAT_SPECIAL && row->family == FAMILY_MAP)
		r = replay_map(rep, thread);
	if (r == 0 && row->family == FAMILY_TLS)
		follow_tls(thread);
	if (r == 0)
		r = follow_stack_limit(rep, thread);
	return r < 0 ? r : guest_finish_call(thread, event->result);
}

/* The guest's own filter answered: what it says follows from the filter alone. */
static int play_filtered(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	int64_t result;

	switch (thread->call.ruling.kind) {
	case RULING_RUN:
	case RULING_KILL_THREAD:
	case RULING_STRICT: return SWORN_EFORMAT;
	case RULING_ERROR:
	case RULING_TRAP:
	case RULING_KILL_PROCESS: break;
	}
	result = guest_filtered(thread);
	if (event->payloads_count > 0 || event->mappings_count > 0 || event->sink)
		return SWORN_EFORMAT;
	if (event->result != result)
		return diverge_number(rep, "answer of the filter", (uint64_t)event->result,
				      (uint64_t)result);
	return replay_answer(thread, result);
}

/* Only the recorder could see the guest's capabilities: their lack has an errno of its own. */
static int play_seccomp(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	int64_t result = guest_seccomp(thread, event->result != -EACCES);

	if (event->result != result)
		return diverge_number(rep, "result", (uint64_t)event->result, (uint64_t)result);
	return replay_answer(thread, result);
}

/* After the outputs: where sendmmsg sent a message in part, its length tells how much of it. */
static int play_sink(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;

	if (event->sink == 0 || !rep->sinks || event->result <= 0 ||
	    !(thread->call.row->flags & ROW_OUTPUT))
		return 0;
	return sink_update(rep->sinks, event->sink, thread, event->result,
			   rep->show_output ? replay_show : NULL);
}

int replay_call(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	const struct row *row;
	int r = replay_to_call(rep, thread);

	if (r < 0)
		return r;
	if (event->flags & CALL_RESTARTED)
		return play_restarted(thread);
	if (event->flags & CALL_UNFINISHED)
		return replay_write_outputs(rep, thread);
	if (thread->call.ruling.kind != RULING_RUN)
		return play_filtered(rep, thread);
	r = replay_check_inputs(rep, thread, true);
	if (r < 0)
		return r;
	row = thread->call.row;
	if (row && row->family == FAMILY_SECCOMP)
		return play_seccomp(rep, thread);
	if (!row || row->treatment == TREAT_REFUSE || row->treatment == TREAT_UNKNOWN)
		return SWORN_EREFUSED;
	if (row->treatment == TREAT_EXECUTE)
		r = replay_execute(rep, thread);
	else if (event->result >= 0 || event->result < -4095)
		r = play_success(rep, thread);
	if (r == 0)
		r = replay_write_outputs(rep, thread);
	if (r == 0)
		r = play_sink(rep, thread);
	return r < 0 ? r : replay_answer(thread, event->result);
}

void replay_forget_image(struct replayer *rep)
{
	for (size_t i = 0; i < rep->image_count; i++)
		free((void *)(uintptr_t)rep->image_payloads[i].bytes);
	free(rep->image_payloads);
	rep->image_payloads = NULL;
	rep->image_count = rep->image_capacity = 0;
	rep->image_bytes = 0;
}

/* The new image does not exist yet: its pages wait for their EXEC. */
static int keep_image(struct replayer *rep, const struct payload *payload)
{
	struct payload *grown;
	uint8_t *copy;

	if (rep->image_bytes + payload->length > IMAGE_BYTES_MAX)
		return SWORN_ELIMIT;
	grown = array_grow(rep->image_payloads, rep->image_count, &rep->image_capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	rep->image_payloads = grown;
	copy = malloc(payload->length);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, payload->bytes, payload->length);
	rep->image_bytes += payload->length;
	rep->image_payloads[rep->image_count] = *payload;
	rep->image_payloads[rep->image_count++].bytes = copy;
	return 0;
}

int replay_part(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	bool to_memory = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < event->payloads_count; i++) {
		if (event->payloads[i].arg != PAYLOAD_IMAGE)
			to_memory = !is_elsewhere(thread);
		else if (!rep->crew || crew_owns(rep->crew, rep->guests.units_count + 1))
			r = keep_image(rep, &event->payloads[i]);
	}
	if (r < 0 || !to_memory)
		return r;
	r = replay_to_stop(rep, thread);
	if (r < 0)
		return r;
	if (thread->stand != STAND_ENTRY || thread->call.nr != event->nr)
		return diverge_number(rep, "call number", event->nr, thread->call.nr);
	r = replay_check_inputs(rep, thread, false);
	return r < 0 ? r : replay_write_outputs(rep, thread);
}

static int check_sinks(struct replayer *rep, const struct sink *sinks, size_t count)
{
	const struct event *event = rep->event;
	char where[64], a[DIGEST_HEX_BYTES], b[DIGEST_HEX_BYTES];

	if (count != event->end.sinks_count)
		return diverge_number(rep, "number of outputs", event->end.sinks_count, count);
	for (size_t i = 0; i < count; i++) {
		const struct sink *expected = &event->end.sinks[i];

		if (expected->number == sinks[i].number && expected->bytes == sinks[i].bytes &&
		    digest_equal(expected->digest, sinks[i].digest))
			continue;
		snprintf(where, sizeof(where), "output %u", sinks[i].number);
		digest_hex(expected->digest, a);
		digest_hex(sinks[i].digest, b);
		return diverge(rep, where, a, b);
	}
	return 0;
}

int replay_end(struct replayer *rep)
{
	const struct event *event = rep->event;
	struct final_input input = { .seed = rep->seed, .argv = rep->argv, .status = rep->status };
	char a[DIGEST_HEX_BYTES], b[DIGEST_HEX_BYTES];
	uint8_t(*units)[DIGEST_BYTES];
	const struct sink *sinks;
	size_t count, i = 0;
	int r;

	if (rep->guests.alive > 0)
		return diverge_number(rep, "guests alive at the end", 0, rep->guests.alive);
	if (rep->guests.units_count != event->end.units || rep->guests.threads != event->end.threads)
		return diverge_number(rep, "units", event->end.units, rep->guests.units_count);
	if (rep->status != event->end.status)
		return diverge_number(rep, "exit status", event->end.status, rep->status);
	r = sinks_report(rep->sinks, &sinks, &count);
	if (r == 0)
		r = check_sinks(rep, sinks, count);
	if (r < 0)
		return r;
	units = calloc(rep->guests.units_count + 1U, DIGEST_BYTES);
	if (!units)
		return -ENOMEM;
	for (const struct unit *unit = rep->guests.units; unit; unit = unit->next)
		memcpy(units[i++], unit->final, DIGEST_BYTES);
	input.units = (const uint8_t(*)[DIGEST_BYTES])units;
	input.units_count = rep->guests.units_count;
	input.sinks = event->end.sinks; /* equal but for the kinds, which only the recorder could see */
	input.sinks_count = event->end.sinks_count;
	r = final_state(&input, rep->state);
	free(units);
	if (r < 0)
		return r;
	if (!digest_equal(rep->state, event->end.state)) {
		digest_hex(event->end.state, a);
		digest_hex(rep->state, b);
		return diverge(rep, "final state hash", a, b);
	}
	rep->ended = true;
	return 0;
}
