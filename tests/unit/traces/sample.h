/*
 * Synthetic events for the tests of the trace container: a repeatable generator that fills every field
 * a kind has, and a comparison of every field. Included by test programs only.
 */
#ifndef SWORN_TESTS_SAMPLE_H
#define SWORN_TESTS_SAMPLE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "traces/digest.h"
#include "traces/error.h"
#include "traces/event.h"
#include "traces/reader.h"
#include "traces/record.h"
#include "traces/writer.h"

#define SAMPLE_PAYLOADS 3
#define SAMPLE_MAPPINGS 4
#define SAMPLE_SINKS 3

static const char sample_content[] = "the content of a mapped file";

/* One generated event and everything it points to. */
struct sample {
	uint64_t seed;
	struct event event;
	struct payload payloads[SAMPLE_PAYLOADS];
	struct mapping mappings[SAMPLE_MAPPINGS];
	struct registers registers;
	struct sink sinks[SAMPLE_SINKS];
	uint8_t bytes[SAMPLE_PAYLOADS][64];
	uint8_t vector[48];
};

static inline uint64_t sample_random(struct sample *sample)
{
	uint64_t x = sample->seed;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return sample->seed = x;
}

/* Often zero, often small, sometimes of full width. */
static inline uint64_t sample_word(struct sample *sample)
{
	uint64_t choice = sample_random(sample) % 4;
	return choice == 0 ? 0 : sample_random(sample) >> (choice == 1 ? 58 : choice == 2 ? 34 : 0);
}

static inline void sample_bytes(struct sample *sample, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)sample_random(sample);
}

static inline void sample_payloads(struct sample *sample)
{
	size_t count = sample_random(sample) % (SAMPLE_PAYLOADS + 1);
	for (size_t i = 0; i < count; i++) {
		sample_bytes(sample, sample->bytes[i], sizeof(sample->bytes[i]));
		sample->payloads[i] = (struct payload){
			.arg = (uint8_t)(sample_random(sample) % (PAYLOAD_SOURCE_LAST + 1)),
			.direction = (uint8_t)(1 + sample_random(sample) % 2),
			.address = sample_word(sample),
			.length = sample_random(sample) % sizeof(sample->bytes[i]),
			.bytes = sample->bytes[i],
		};
	}
	sample->event.payloads = count ? sample->payloads : NULL;
	sample->event.payloads_count = count;
}

static inline void sample_mappings(struct sample *sample)
{
	static const char *const paths[] = { NULL, "", "/usr/lib/x.so", "/tmp/\xc3\xa4 b%c" };
	for (size_t i = 0; i < SAMPLE_MAPPINGS; i++) {
		struct mapping *mapping = &sample->mappings[i];
		uint64_t start = (sample_random(sample) >> 20) << 12;
		*mapping = (struct mapping){
			.start = start,
			.end = start + 4096 * (1 + sample_random(sample) % 100),
			.prot = (uint32_t)(sample_random(sample) % 8),
			.flags = MAP_PRIVATE | (i % 2 ? MAP_GROWSDOWN : 0),
			.backing = (enum backing)(sample_random(sample) % 3),
			.offset = sample_word(sample),
			.length = sample_word(sample),
			.object = sample_word(sample),
			.path = paths[i],
		};
		if (mapping->backing == BACKING_BLOB)
			digest_of(sample_content, strlen(sample_content), mapping->digest);
	}
	sample->event.mappings = sample->mappings;
	sample->event.mappings_count = SAMPLE_MAPPINGS;
}

static inline void sample_state(struct sample *sample)
{
	sample_bytes(sample, (uint8_t *)&sample->registers, sizeof(sample->registers));
	sample_bytes(sample, sample->vector, sizeof(sample->vector));
	sample->event.registers = &sample->registers;
	sample->event.vector = sample->vector;
	sample->event.vector_length = sample_random(sample) % (sizeof(sample->vector) + 1);
}

static inline void sample_sinks(struct sample *sample)
{
	for (uint32_t i = 0; i < SAMPLE_SINKS; i++) {
		struct sink *sink = &sample->sinks[i];
		*sink = (struct sink){ .number = i + 1, .kind = (uint8_t)(i + 1) };
		sink->bytes = sample_word(sample);
		sample_bytes(sample, sink->digest, DIGEST_BYTES);
	}
	sample->event.end.sinks = sample->sinks;
	sample->event.end.sinks_count = SAMPLE_SINKS;
}

static inline void sample_kind(struct sample *sample)
{
	struct event *event = &sample->event;
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED:
	case EVENT_SIGRETURN:
	case EVENT_PART: break;
	case EVENT_TURN:
		event->turn.end = (enum turn_end)(sample_random(sample) % 6);
		event->turn.next = (uint32_t)sample_word(sample);
		event->turn.count = sample_word(sample);
		if (event->turn.end == TURN_STATE)
			sample_bytes(sample, event->turn.state, DIGEST_BYTES);
		break;
	case EVENT_EXEC:
		event->exec.unit = (uint32_t)sample_word(sample);
		event->exec.process = (uint32_t)sample_word(sample);
		event->exec.brk = sample_word(sample);
		event->exec.stack_limit = UINT64_MAX;
		event->exec.path = "/bin/true";
		sample_mappings(sample);
		break;
	case EVENT_CLONE:
		event->clone.child = (uint32_t)sample_word(sample);
		event->clone.tid = (uint32_t)sample_word(sample);
		event->clone.pid = (uint32_t)sample_word(sample);
		event->clone.clone_flags = sample_word(sample);
		event->clone.stack = sample_word(sample);
		event->clone.tls = sample_word(sample);
		break;
	case EVENT_EXIT:
		event->exit.cause = (enum exit_cause)(sample_random(sample) % 5);
		event->exit.process_gone = sample_random(sample) % 2;
		event->exit.status = (uint32_t)sample_word(sample);
		break;
	case EVENT_SIGNAL:
		event->signal.action = (enum signal_action)(sample_random(sample) % 2);
		event->signal.synchronous = sample_random(sample) % 2;
		sample_bytes(sample, event->signal.siginfo, sample_random(sample) % SIGINFO_BYTES);
		event->signal.mask = sample_word(sample);
		break;
	case EVENT_TRAP:
		event->trap.kind = (enum trap_kind)(sample_random(sample) % 6);
		event->trap.value = sample_word(sample);
		event->trap.aux = (uint32_t)sample_word(sample);
		event->trap.more = sample_word(sample);
		break;
	case EVENT_CHECKPOINT:
		event->checkpoint.reason = (enum checkpoint_reason)(sample_random(sample) % 4);
		event->checkpoint.unit = (uint32_t)sample_word(sample);
		event->checkpoint.last = sample_random(sample) % 2;
		sample_bytes(sample, event->checkpoint.hash, DIGEST_BYTES);
		event->checkpoint.shift = (uint32_t)sample_random(sample) % (CHECKPOINT_SHIFT_MAX + 1);
		break;
	case EVENT_MEMORY:
		event->memory.object = sample_word(sample);
		event->memory.length = sample_word(sample);
		break;
	case EVENT_END:
		event->end.status = (uint32_t)sample_word(sample);
		event->end.units = 0;
		event->end.threads = sample_word(sample);
		sample_bytes(sample, event->end.state, DIGEST_BYTES);
		sample_sinks(sample);
		break;
	}
}

/* Fills sample->event with the next event of `kind`. sample->seed must not be 0. */
static inline void sample_next(struct sample *sample, enum event_kind kind)
{
	struct event *event = &sample->event;
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->thread = (uint32_t)sample_word(sample);
	event->ip = sample_word(sample);
	event->registers_hash = sample_word(sample);
	event->nr = (uint32_t)(sample_random(sample) % 400);
	for (size_t i = 0; i < 6; i++)
		event->args[i] = sample_word(sample);
	event->result = (int64_t)sample_word(sample) * (sample_random(sample) % 2 ? 1 : -1);
	event->flags = (uint32_t)(sample_random(sample) % 16);
	event->sink = (uint32_t)sample_word(sample);
	sample_payloads(sample);
	if (sample_random(sample) % 2)
		sample_state(sample);
	sample_kind(sample);
}

static inline void assert_same_path(const char *a, const char *b)
{
	if (!a || !b)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static inline void assert_same_payloads(const struct event *a, const struct event *b)
{
	assert_int_equal(a->payloads_count, b->payloads_count);
	for (size_t i = 0; i < a->payloads_count; i++) {
		assert_int_equal(a->payloads[i].arg, b->payloads[i].arg);
		assert_int_equal(a->payloads[i].direction, b->payloads[i].direction);
		assert_int_equal(a->payloads[i].address, b->payloads[i].address);
		assert_int_equal(a->payloads[i].length, b->payloads[i].length);
		assert_memory_equal(a->payloads[i].bytes, b->payloads[i].bytes, a->payloads[i].length);
	}
}

static inline void assert_same_mappings(const struct event *a, const struct event *b)
{
	assert_int_equal(a->mappings_count, b->mappings_count);
	for (size_t i = 0; i < a->mappings_count; i++) {
		const struct mapping *x = &a->mappings[i], *y = &b->mappings[i];
		assert_int_equal(x->start, y->start);
		assert_int_equal(x->end, y->end);
		assert_int_equal(x->prot, y->prot);
		assert_int_equal(x->flags, y->flags);
		assert_int_equal(x->backing, y->backing);
		assert_memory_equal(x->digest, y->digest, DIGEST_BYTES);
		assert_int_equal(x->offset, y->offset);
		assert_int_equal(x->length, y->length);
		assert_int_equal(x->object, y->object);
		assert_same_path(x->path, y->path);
	}
}

static inline void assert_same_kind(const struct event *a, const struct event *b)
{
	switch (a->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED:
	case EVENT_SIGRETURN:
	case EVENT_PART: break;
	case EVENT_TURN:
		assert_int_equal(a->turn.end, b->turn.end);
		assert_int_equal(a->turn.next, b->turn.next);
		assert_int_equal(a->turn.count, b->turn.count);
		assert_memory_equal(a->turn.state, b->turn.state, DIGEST_BYTES);
		break;
	case EVENT_EXEC:
		assert_int_equal(a->exec.unit, b->exec.unit);
		assert_int_equal(a->exec.process, b->exec.process);
		assert_int_equal(a->exec.brk, b->exec.brk);
		assert_int_equal(a->exec.stack_limit, b->exec.stack_limit);
		assert_same_path(a->exec.path, b->exec.path);
		break;
	case EVENT_CLONE:
		assert_int_equal(a->clone.child, b->clone.child);
		assert_int_equal(a->clone.tid, b->clone.tid);
		assert_int_equal(a->clone.pid, b->clone.pid);
		assert_int_equal(a->clone.clone_flags, b->clone.clone_flags);
		assert_int_equal(a->clone.stack, b->clone.stack);
		assert_int_equal(a->clone.tls, b->clone.tls);
		break;
	case EVENT_EXIT:
		assert_int_equal(a->exit.cause, b->exit.cause);
		assert_int_equal(a->exit.process_gone, b->exit.process_gone);
		assert_int_equal(a->exit.status, b->exit.status);
		break;
	case EVENT_SIGNAL:
		assert_int_equal(a->signal.action, b->signal.action);
		assert_int_equal(a->signal.synchronous, b->signal.synchronous);
		assert_memory_equal(a->signal.siginfo, b->signal.siginfo, SIGINFO_BYTES);
		assert_int_equal(a->signal.mask, b->signal.mask);
		break;
	case EVENT_TRAP:
		assert_int_equal(a->trap.kind, b->trap.kind);
		assert_int_equal(a->trap.value, b->trap.value);
		assert_int_equal(a->trap.aux, b->trap.aux);
		assert_int_equal(a->trap.more, b->trap.more);
		break;
	case EVENT_CHECKPOINT:
		assert_int_equal(a->checkpoint.reason, b->checkpoint.reason);
		assert_int_equal(a->checkpoint.unit, b->checkpoint.unit);
		assert_int_equal(a->checkpoint.last, b->checkpoint.last);
		assert_memory_equal(a->checkpoint.hash, b->checkpoint.hash, DIGEST_BYTES);
		assert_int_equal(a->checkpoint.shift, b->checkpoint.shift);
		break;
	case EVENT_MEMORY:
		assert_int_equal(a->memory.object, b->memory.object);
		assert_int_equal(a->memory.length, b->memory.length);
		break;
	case EVENT_END:
		assert_int_equal(a->end.status, b->end.status);
		assert_int_equal(a->end.units, b->end.units);
		assert_int_equal(a->end.threads, b->end.threads);
		assert_memory_equal(a->end.state, b->end.state, DIGEST_BYTES);
		assert_int_equal(a->end.sinks_count, b->end.sinks_count);
		for (size_t i = 0; i < a->end.sinks_count; i++) {
			assert_int_equal(a->end.sinks[i].number, b->end.sinks[i].number);
			assert_int_equal(a->end.sinks[i].kind, b->end.sinks[i].kind);
			assert_int_equal(a->end.sinks[i].bytes, b->end.sinks[i].bytes);
			assert_memory_equal(a->end.sinks[i].digest, b->end.sinks[i].digest,
					    DIGEST_BYTES);
		}
		break;
	}
}

/* Every field but `number`. */
static inline void assert_same_event(const struct event *a, const struct event *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->thread, b->thread);
	assert_int_equal(a->ip, b->ip);
	assert_int_equal(a->registers_hash, b->registers_hash);
	assert_int_equal(a->nr, b->nr);
	assert_memory_equal(a->args, b->args, sizeof(a->args));
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->sink, b->sink);
	assert_same_payloads(a, b);
	assert_same_mappings(a, b);
	assert_int_equal(!a->registers, !b->registers);
	if (a->registers)
		assert_memory_equal(a->registers, b->registers, sizeof(*a->registers));
	assert_int_equal(!a->vector, !b->vector);
	if (a->vector) {
		assert_int_equal(a->vector_length, b->vector_length);
		assert_memory_equal(a->vector, b->vector, a->vector_length);
	}
	assert_same_kind(a, b);
}

static const char *const sample_argv[] = { "/bin/echo", "h\xc3\xa9llo\n", "", NULL };
static const struct trace_info sample_info = {
	.table_version = 1,
	.seed = "0123456789abcdef",
	.argv = sample_argv,
	.directory = "/tmp/where it ran",
	.clock_virtual = true,
	.epoch_ns = 1700000000000000000,
	.host = "host",
	.os_release = "6.1.0",
	.operator_name = "tester",
	.tool = "sworn test",
	.started_utc_ns = 1700000001000000000,
	.xcr0 = 7,
	.cpu = "a cpu",
};
static const char *const sample_assumptions[] = { "first", "second", NULL };
static const struct trace_summary sample_summary = {
	.requires_pmu = true,
	.requires_cpu = "x86-64-v3",
	.assumptions = sample_assumptions,
	.isolation = "ambient: user mount pid",
	.complete = true,
};

/* `rounds` events of each kind but END; END closes the stream where `end` is set. */
static inline void sample_write(struct writer *writer, struct sample *sample, unsigned int rounds,
				bool end)
{
	uint8_t digest[DIGEST_BYTES];
	uint32_t units = 0;
	digest_of(sample_content, strlen(sample_content), digest);
	assert_int_equal(writer_blob(writer, digest, sample_content, strlen(sample_content)), 0);
	for (unsigned int i = 0; i < rounds * EVENT_END; i++) {
		sample_next(sample, (enum event_kind)(i % EVENT_END));
		units += sample->event.kind == EVENT_EXEC;
		assert_int_equal(writer_event(writer, &sample->event), 0);
	}
	if (!end)
		return;
	sample_next(sample, EVENT_END);
	sample->event.end.units = units;
	assert_int_equal(writer_event(writer, &sample->event), 0);
}

/* Writes a whole trace to `path`. */
static inline void sample_trace(const char *path, unsigned int rounds)
{
	struct sample sample = { .seed = 42 };
	struct writer *writer;
	char *found;
	assert_int_equal(writer_open(path, -1, &sample_info, &writer), 0);
	sample_write(writer, &sample, rounds, true);
	assert_int_equal(writer_close(writer, &sample_summary, &found), 0);
	assert_string_equal(found, path);
	free(found);
}

/* A fresh directory to work in; entered. */
static inline int sample_directory(void **state)
{
	static char name[64];
	(void)state;
	snprintf(name, sizeof(name), "/tmp/sworn-test-XXXXXX");
	return mkdtemp(name) ? chdir(name) : -1;
}

static inline int sample_directory_remove(void **state)
{
	char name[64], command[128];
	(void)state;
	if (!getcwd(name, sizeof(name)) || strncmp(name, "/tmp/sworn-test-", 16) || chdir("/"))
		return -1;
	snprintf(command, sizeof(command), "rm -rf -- %s", name);
	return system(command);
}

#endif
