#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "chain.h"
#include "digest.h"
#include "error.h"

#define PAGE_MASK UINT64_C(4095)
#define MAPPING_FLAGS (MAP_PRIVATE | MAP_SHARED | MAP_GROWSDOWN | MAP_NORESERVE)
#define MAPPING_PROT (PROT_READ | PROT_WRITE | PROT_EXEC)
#define CALL_FLAGS (CALL_RESTARTED | CALL_UNFINISHED | CHECKPOINT_UNPLACED | CALL_HIDES_CODE)
#define REGISTERS_BYTES (8 * REGISTERS_WORDS)
#define PAYLOAD_BOUND 32 /* bytes around a payload's own */
#define MAPPING_BOUND 160
#define SINK_BOUND 64
#define RECORD_BOUND 1024

_Static_assert(sizeof(struct registers) == REGISTERS_BYTES, "registers are stored as they are");

enum field_type {
	FIELD_NONE = 0, /* no such key */
	FIELD_U8,
	FIELD_U32,
	FIELD_U64,
	FIELD_I64,
	FIELD_DIGEST,
	FIELD_SIGINFO,
	FIELD_PATH,
	FIELD_ARGS,
	FIELD_PAYLOADS,
	FIELD_MAPPINGS,
	FIELD_REGISTERS,
	FIELD_VECTOR,
	FIELD_SINKS,
};

/* Where the value of one key is in its struct. */
struct field {
	enum field_type type;
	uint32_t offset;
	uint64_t max; /* of a number */
};

/* clang-format off */
#define U8(s, member, max) { FIELD_U8, offsetof(struct s, member), max }
#define U32(s, member) { FIELD_U32, offsetof(struct s, member), UINT32_MAX }
#define U64(s, member) { FIELD_U64, offsetof(struct s, member), UINT64_MAX }
#define BOOL(s, member) { FIELD_U8, offsetof(struct s, member), 1 }
#define ENUM(s, member, max) { FIELD_U32, offsetof(struct s, member), max }
#define OTHER(type, s, member) { FIELD_##type, offsetof(struct s, member), 0 }

/* What every kind may carry. Flags are an enum as far as checking goes. */
#define COMMON                                                                                     \
	[0] = ENUM(event, kind, EVENT_END), [1] = U32(event, thread), [2] = U64(event, ip),        \
	[3] = U64(event, registers_hash), [4] = U32(event, nr), [5] = OTHER(ARGS, event, args),    \
	[6] = OTHER(I64, event, result), [7] = ENUM(event, flags, CALL_FLAGS),                     \
	[8] = U32(event, sink), [9] = OTHER(PAYLOADS, event, payloads),                            \
	[10] = OTHER(MAPPINGS, event, mappings), [11] = OTHER(REGISTERS, event, registers),        \
	[12] = OTHER(VECTOR, event, vector)

static const struct field event_fields[EVENT_KINDS][CBOR_KEYS] = {
	[EVENT_CALL] = { COMMON },
	[EVENT_PART] = { COMMON },
	[EVENT_TURN] = { COMMON, [13] = ENUM(event, turn.end, TURN_STATE),
		[14] = U32(event, turn.next), [15] = U64(event, turn.count),
		[16] = OTHER(DIGEST, event, turn.state) },
	[EVENT_EXEC] = { COMMON, [13] = U32(event, exec.unit), [14] = U32(event, exec.process),
		[15] = U64(event, exec.brk), [16] = U64(event, exec.stack_limit),
		[17] = OTHER(PATH, event, exec.path) },
	[EVENT_CLONE] = { COMMON, [13] = U32(event, clone.child), [14] = U32(event, clone.tid),
		[15] = U32(event, clone.pid), [16] = U64(event, clone.clone_flags),
		[17] = U64(event, clone.stack), [18] = U64(event, clone.tls) },
	[EVENT_EXIT] = { COMMON, [13] = ENUM(event, exit.cause, EXIT_UNKNOWN),
		[14] = BOOL(event, exit.process_gone), [15] = U32(event, exit.status) },
	[EVENT_SIGNAL] = { COMMON, [13] = ENUM(event, signal.action, SIGNAL_FATAL),
		[14] = BOOL(event, signal.synchronous),
		[15] = OTHER(SIGINFO, event, signal.siginfo), [16] = U64(event, signal.mask) },
	[EVENT_SIGRETURN] = { COMMON },
	[EVENT_TRAP] = { COMMON, [13] = ENUM(event, trap.kind, TRAP_CODE),
		[14] = U64(event, trap.value), [15] = U32(event, trap.aux),
		[16] = U64(event, trap.more) },
	[EVENT_CHECKPOINT] = { COMMON,
		[13] = ENUM(event, checkpoint.reason, CHECKPOINT_INTERVAL),
		[14] = U32(event, checkpoint.unit), [15] = BOOL(event, checkpoint.last),
		[16] = OTHER(DIGEST, event, checkpoint.hash),
		[17] = ENUM(event, checkpoint.shift, CHECKPOINT_SHIFT_MAX) },
	[EVENT_REFUSED] = { COMMON },
	[EVENT_MEMORY] = { COMMON, [13] = U64(event, memory.object),
		[14] = U64(event, memory.length), [15] = U32(event, memory.target) },
	[EVENT_END] = { COMMON, [13] = U32(event, end.status), [14] = U32(event, end.units),
		[15] = U64(event, end.threads), [16] = OTHER(DIGEST, event, end.state),
		[17] = OTHER(SINKS, event, end.sinks) },
};
/* clang-format on */

static const struct field mapping_fields[CBOR_KEYS] = {
	[0] = U64(mapping, start),
	[1] = U64(mapping, end),
	[2] = ENUM(mapping, prot, MAPPING_PROT),
	[3] = U32(mapping, flags),
	[4] = ENUM(mapping, backing, BACKING_SHARED),
	[5] = OTHER(DIGEST, mapping, digest),
	[6] = U64(mapping, offset),
	[7] = U64(mapping, length),
	[8] = U64(mapping, object),
	[9] = OTHER(PATH, mapping, path),
};

static const struct field sink_fields[CBOR_KEYS] = {
	[0] = U32(sink, number),
	[1] = U8(sink, kind, SINK_SOCKET),
	[2] = U64(sink, bytes),
	[3] = OTHER(DIGEST, sink, digest),
};

static int put_fields(struct cbor_out *out, const struct field *fields, const void *base);
static int take_fields(struct cbor_in *in, const struct field *fields, void *base,
		       struct record_scratch *scratch);

static bool mapping_valid(const struct mapping *mapping)
{
	return mapping->start < mapping->end && ((mapping->start | mapping->end) & PAGE_MASK) == 0 &&
	       (mapping->flags & ~(uint32_t)MAPPING_FLAGS) == 0;
}

static void put_key(struct cbor_out *out, unsigned int key, unsigned int *pairs)
{
	cbor_put_uint(out, key);
	++*pairs;
}

static int put_mappings(struct cbor_out *out, const struct event *event)
{
	int r = event->mappings_count > EVENT_MAPPINGS_MAX ? SWORN_ELIMIT : 0;
	cbor_put_array(out, event->mappings_count);
	for (size_t i = 0; i < event->mappings_count && r == 0; i++)
		r = mapping_valid(&event->mappings[i])
			    ? put_fields(out, mapping_fields, &event->mappings[i])
			    : SWORN_EFORMAT;
	return r;
}

static int take_mappings(struct cbor_in *in, struct record_scratch *scratch, struct event *event)
{
	uint64_t count;
	int r = value_take_count(in, EVENT_MAPPINGS_MAX, &count);
	if (r < 0)
		return r;
	r = value_reserve((void **)&scratch->mappings, &scratch->mappings_capacity, count,
			  sizeof(struct mapping));
	for (uint64_t i = 0; i < count && r == 0; i++) {
		struct mapping *mapping = &scratch->mappings[i];
		memset(mapping, 0, sizeof(*mapping));
		r = take_fields(in, mapping_fields, mapping, scratch);
		if (r == 0 && !mapping_valid(mapping))
			r = SWORN_EFORMAT;
	}
	event->mappings = scratch->mappings;
	event->mappings_count = count;
	return r;
}

static int put_sinks(struct cbor_out *out, const struct event *event)
{
	int r = event->end.sinks_count > EVENT_SINKS_MAX ? SWORN_ELIMIT : 0;
	cbor_put_array(out, event->end.sinks_count);
	for (size_t i = 0; i < event->end.sinks_count && r == 0; i++)
		r = put_fields(out, sink_fields, &event->end.sinks[i]);
	return r;
}

static int take_sinks(struct cbor_in *in, struct record_scratch *scratch, struct event *event)
{
	uint64_t count;
	int r = value_take_count(in, EVENT_SINKS_MAX, &count);
	if (r < 0)
		return r;
	r = value_reserve((void **)&scratch->sinks, &scratch->sinks_capacity, count,
			  sizeof(struct sink));
	for (uint64_t i = 0; i < count && r == 0; i++) {
		memset(&scratch->sinks[i], 0, sizeof(struct sink));
		r = take_fields(in, sink_fields, &scratch->sinks[i], scratch);
	}
	event->end.sinks = scratch->sinks;
	event->end.sinks_count = count;
	return r;
}

static int put_number(struct cbor_out *out, const struct field *field, unsigned int key,
		      const void *value, unsigned int *pairs)
{
	uint64_t number = 0;
	memcpy(&number, value, field->type == FIELD_U8 ? 1 : field->type == FIELD_U32 ? 4 : 8);
	if (number > field->max)
		return SWORN_EFORMAT;
	if (number) {
		put_key(out, key, pairs);
		cbor_put_uint(out, number);
	}
	return 0;
}

/* Writes one field with its key, unless it has its default value. `value` is where it lies in `base`. */
static int put_field(struct cbor_out *out, const struct field *field, unsigned int key,
		     const void *base, unsigned int *pairs)
{
	const void *value = (const char *)base + field->offset;
	const struct event *event = base;
	const void *pointer;
	switch (field->type) {
	case FIELD_NONE: return 0;
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64: return put_number(out, field, key, value, pairs);
	case FIELD_I64:
		if (*(const int64_t *)value) {
			put_key(out, key, pairs);
			cbor_put_int(out, *(const int64_t *)value);
		}
		return 0;
	case FIELD_DIGEST:
		if (!digest_is_zero(value)) {
			put_key(out, key, pairs);
			cbor_put_bytes(out, value, DIGEST_BYTES);
		}
		return 0;
	case FIELD_SIGINFO:
		if (value_siginfo_used(value)) {
			put_key(out, key, pairs);
			cbor_put_bytes(out, value, value_siginfo_used(value));
		}
		return 0;
	case FIELD_PATH:
		memcpy(&pointer, value, sizeof(pointer));
		if (!pointer)
			return 0;
		put_key(out, key, pairs);
		return value_put_path(out, pointer);
	case FIELD_ARGS:
		if (value_args_used(value)) {
			put_key(out, key, pairs);
			value_put_args(out, value);
		}
		return 0;
	case FIELD_PAYLOADS:
		if (event->payloads_count == 0)
			return 0;
		put_key(out, key, pairs);
		return value_put_payloads(out, event);
	case FIELD_MAPPINGS:
		if (event->mappings_count == 0)
			return 0;
		put_key(out, key, pairs);
		return put_mappings(out, event);
	case FIELD_REGISTERS:
		if (event->registers) {
			put_key(out, key, pairs);
			cbor_put_bytes(out, event->registers, REGISTERS_BYTES);
		}
		return 0;
	case FIELD_VECTOR:
		if (!event->vector)
			return 0;
		if (event->vector_length > RECORD_VECTOR_MAX)
			return SWORN_ELIMIT;
		put_key(out, key, pairs);
		cbor_put_bytes(out, event->vector, event->vector_length);
		return 0;
	case FIELD_SINKS:
		if (event->end.sinks_count == 0)
			return 0;
		put_key(out, key, pairs);
		return put_sinks(out, event);
	}
	return SWORN_EFORMAT;
}

static int put_fields(struct cbor_out *out, const struct field *fields, const void *base)
{
	/* The head comes first but counts what follows: it is one byte for any number of keys. */
	size_t start = out->length;
	unsigned int pairs = 0;
	cbor_put_map(out, 0);
	/* Keys are numbered without gaps. */
	for (unsigned int key = 0; key < CBOR_KEYS && fields[key].type != FIELD_NONE; key++) {
		int r = put_field(out, &fields[key], key, base, &pairs);
		if (r < 0)
			return r;
	}
	if (out->full)
		return SWORN_ELIMIT;
	struct cbor_out head = { .bytes = out->bytes + start, .capacity = 1 };
	cbor_put_map(&head, pairs);
	return head.full ? SWORN_EFORMAT : 0;
}

static int take_number(struct cbor_in *in, const struct field *field, void *value)
{
	uint64_t number;
	int r = cbor_take_uint_max(in, field->max, &number);
	if (r < 0 || number == 0)
		return SWORN_EFORMAT;
	memcpy(value, &number, field->type == FIELD_U8 ? 1 : field->type == FIELD_U32 ? 4 : 8);
	return 0;
}

static int take_registers(struct cbor_in *in, struct record_scratch *scratch, struct event *event)
{
	event->registers = &scratch->registers;
	return cbor_take_exactly(in, (uint8_t *)&scratch->registers, REGISTERS_BYTES);
}

static int take_vector(struct cbor_in *in, struct event *event)
{
	int r = cbor_take_bytes(in, &event->vector, &event->vector_length);
	return r == 0 && event->vector_length > RECORD_VECTOR_MAX ? SWORN_ELIMIT : r;
}

static int take_field(struct cbor_in *in, const struct field *field, void *base,
		      struct record_scratch *scratch)
{
	void *value = (char *)base + field->offset;
	int r;
	switch (field->type) {
	case FIELD_NONE: return SWORN_EFORMAT;
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64: return take_number(in, field, value);
	case FIELD_I64:
		r = cbor_take_int(in, value);
		return r == 0 && *(int64_t *)value == 0 ? SWORN_EFORMAT : r;
	case FIELD_DIGEST:
		r = cbor_take_exactly(in, value, DIGEST_BYTES);
		return r == 0 && digest_is_zero(value) ? SWORN_EFORMAT : r;
	case FIELD_SIGINFO: return value_take_siginfo(in, value);
	case FIELD_PATH: return value_take_path(in, scratch, (const char **)value);
	case FIELD_ARGS: return value_take_args(in, value);
	case FIELD_PAYLOADS: return value_take_payloads(in, scratch, base);
	case FIELD_MAPPINGS: return take_mappings(in, scratch, base);
	case FIELD_REGISTERS: return take_registers(in, scratch, base);
	case FIELD_VECTOR: return take_vector(in, base);
	case FIELD_SINKS: return take_sinks(in, scratch, base);
	}
	return SWORN_EFORMAT;
}

static int take_fields(struct cbor_in *in, const struct field *fields, void *base,
		       struct record_scratch *scratch)
{
	unsigned int pairs;
	int key = -1;
	int r = cbor_take_map(in, &pairs);
	for (; r == 0 && pairs > 0; pairs--)
		if ((r = cbor_take_key(in, key, &key)) == 0)
			r = take_field(in, &fields[key], base, scratch);
	return r;
}

size_t record_bound(const struct event *event)
{
	size_t bound = RECORD_BOUND + event->vector_length + event->payloads_count * PAYLOAD_BOUND;
	for (size_t i = 0; i < event->payloads_count; i++)
		bound += event->payloads[i].length;
	for (size_t i = 0; i < event->mappings_count; i++)
		bound += MAPPING_BOUND +
			 (event->mappings[i].path ? strlen(event->mappings[i].path) : 0);
	if (event->kind == EVENT_EXEC && event->exec.path)
		bound += strlen(event->exec.path);
	if (event->kind == EVENT_END)
		bound += event->end.sinks_count * SINK_BOUND;
	return bound;
}

int record_encode(const struct event *event, struct cbor_out *out)
{
	size_t start = out->length;
	if ((unsigned int)event->kind >= EVENT_KINDS)
		return SWORN_EFORMAT;
	int r = put_fields(out, event_fields[event->kind], event);
	if (r == 0 && out->length - start > RECORD_BYTES_MAX)
		r = SWORN_ELIMIT;
	if (r < 0) {
		out->length = start;
		out->full = false;
	}
	return r;
}

/* The kind decides which fields a record may have, so it is looked at before any is taken. */
static uint64_t peek_kind(struct cbor_in in)
{
	unsigned int pairs;
	uint64_t kind;
	if (cbor_take_map(&in, &pairs) < 0 || pairs == 0 || cbor_expect_key(&in, 0) < 0 ||
	    cbor_take_uint_max(&in, EVENT_END, &kind) < 0)
		return EVENT_CALL;
	return kind;
}

int record_decode(struct cbor_in *in, struct record_scratch *scratch, struct event *ret_event)
{
	const uint8_t *start = in->bytes;
	memset(ret_event, 0, sizeof(*ret_event));
	scratch->paths_length = 0;
	int r = take_fields(in, event_fields[peek_kind(*in)], ret_event, scratch);
	if (r == 0 && (size_t)(in->bytes - start) > RECORD_BYTES_MAX)
		return SWORN_ELIMIT;
	return r;
}

int record_outputs(const struct event *end, uint8_t ret_digest[DIGEST_BYTES])
{
	size_t bound = CBOR_HEAD_BYTES + end->end.sinks_count * SINK_BOUND;
	struct cbor_out out = { .bytes = malloc(bound), .capacity = bound };
	if (!out.bytes)
		return -ENOMEM;
	int r = put_sinks(&out, end);
	if (r == 0)
		chain_hash("sworn/1/outputs", &(struct part){ out.bytes, out.length, false }, 1,
			   ret_digest);
	free(out.bytes);
	return r;
}
