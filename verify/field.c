#include "field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../traces/digest.h"
#include "../traces/syscall.h"

#define ITEMS_MAX 16
#define QUOTED_BYTES 48
#define PAGE 4096U
#define TAG_BYTES 8U

/* One number or run of bytes of an event. */
struct item {
	const char *name;
	enum field field;
	uint64_t value;
	const void *bytes; /* NULL: the value counts */
	size_t length;
};

struct items {
	struct item list[ITEMS_MAX];
	size_t count;
};

static void add(struct items *items, const char *name, enum field field, uint64_t value)
{
	items->list[items->count++] = (struct item){ name, field, value, NULL, 0 };
}

static void add_bytes(struct items *items, const char *name, const void *bytes, size_t length)
{
	items->list[items->count++] = (struct item){ name, FIELD_STATE, 0, bytes ? bytes : "",
						     bytes ? length : 0 };
}

void field_quote(const uint8_t *bytes, size_t length, char *ret_text, size_t size)
{
	size_t used = 0;
	if (size < 8)
		return;
	ret_text[used++] = '"';
	for (size_t i = 0; i < length; i++) {
		if (i == QUOTED_BYTES || used + 8 > size) {
			snprintf(ret_text + used, size - used, "\"...");
			return;
		}
		if (bytes[i] == '\n')
			used += (size_t)snprintf(ret_text + used, size - used, "\\n");
		else if (bytes[i] < 0x20 || bytes[i] > 0x7e || bytes[i] == '"' || bytes[i] == '\\')
			used += (size_t)snprintf(ret_text + used, size - used, "\\x%02x", bytes[i]);
		else
			ret_text[used++] = (char)bytes[i];
	}
	snprintf(ret_text + used, size - used, "\"");
}

static void head_items(const struct event *event, struct items *items)
{
	static const char *const names[] = { "argument 0", "argument 1", "argument 2",
					     "argument 3", "argument 4", "argument 5" };
	items->count = 0;
	add(items, "the call", FIELD_STOP, event->nr);
	add(items, "the instruction pointer", FIELD_STOP, event->ip);
	for (size_t i = 0; i < 6; i++)
		add(items, names[i], FIELD_GIVEN, event->args[i]);
	add(items, "the registers", FIELD_STOP, event->registers_hash);
	add(items, "flags", FIELD_GIVEN, event->flags);
	add(items, "sink", FIELD_GIVEN, event->sink);
	add(items, "the result", FIELD_RESULT, (uint64_t)event->result);
}

static void text_item(struct items *items, const char *name, const char *text)
{
	add_bytes(items, name, text, text ? strlen(text) + 1 : 0);
	items->list[items->count - 1].field = FIELD_DETAIL;
}

/* The fields of the event's own kind. */
static void kind_items(const struct event *event, struct items *items)
{
	items->count = 0;
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_PART:
	case EVENT_SIGRETURN:
	case EVENT_REFUSED: return;
	case EVENT_TURN:
		add(items, "how the turn ends", FIELD_DETAIL, (uint64_t)event->turn.end);
		add(items, "the thread that goes on", FIELD_DETAIL, event->turn.next);
		add(items, "branches", FIELD_DETAIL, event->turn.count);
		add_bytes(items, "the state at the cut", event->turn.state, DIGEST_BYTES);
		return;
	case EVENT_EXEC:
		add(items, "unit", FIELD_DETAIL, event->exec.unit);
		add(items, "process", FIELD_DETAIL, event->exec.process);
		add(items, "start of the heap", FIELD_MAPPING, event->exec.brk);
		add(items, "stack limit", FIELD_DETAIL, event->exec.stack_limit);
		text_item(items, "path of the program", event->exec.path);
		return;
	case EVENT_CLONE:
		add(items, "the new thread", FIELD_DETAIL, event->clone.child);
		add(items, "its tid", FIELD_DETAIL, event->clone.tid);
		add(items, "its pid", FIELD_DETAIL, event->clone.pid);
		add(items, "clone flags", FIELD_DETAIL, event->clone.clone_flags);
		add(items, "its stack", FIELD_DETAIL, event->clone.stack);
		add(items, "its tls", FIELD_DETAIL, event->clone.tls);
		return;
	case EVENT_EXIT:
		add(items, "cause", FIELD_DETAIL, (uint64_t)event->exit.cause);
		add(items, "end of the process", FIELD_DETAIL, event->exit.process_gone);
		add(items, "status", FIELD_DETAIL, event->exit.status);
		return;
	case EVENT_SIGNAL:
		add(items, "action", FIELD_DETAIL, (uint64_t)event->signal.action);
		add(items, "synchronous", FIELD_DETAIL, event->signal.synchronous);
		add_bytes(items, "siginfo", event->signal.siginfo, SIGINFO_BYTES);
		items->list[items->count - 1].field = FIELD_DETAIL;
		add(items, "mask", FIELD_DETAIL, event->signal.mask);
		return;
	case EVENT_TRAP:
		add(items, "the instruction", FIELD_STOP, (uint64_t)event->trap.kind);
		add(items, "its value", FIELD_RESULT, event->trap.value);
		add(items, "its second value", FIELD_RESULT, event->trap.aux);
		add(items, "its third value", FIELD_RESULT, event->trap.more);
		return;
	case EVENT_CHECKPOINT:
		add(items, "reason", FIELD_DETAIL, (uint64_t)event->checkpoint.reason);
		add(items, "unit", FIELD_DETAIL, event->checkpoint.unit);
		add(items, "last of its unit", FIELD_DETAIL, event->checkpoint.last);
		add(items, "shift", FIELD_STATE, event->checkpoint.shift);
		add_bytes(items, "state hash", event->checkpoint.hash, DIGEST_BYTES);
		return;
	case EVENT_MEMORY:
		add(items, "object", FIELD_DETAIL, event->memory.object);
		add(items, "length", FIELD_DETAIL, event->memory.length);
		add(items, "target", FIELD_DETAIL, event->memory.target);
		return;
	case EVENT_END:
		add(items, "status", FIELD_DETAIL, event->end.status);
		add(items, "units", FIELD_DETAIL, event->end.units);
		add(items, "threads", FIELD_DETAIL, event->end.threads);
		add_bytes(items, "final state hash", event->end.state, DIGEST_BYTES);
		return;
	}
}

static void show_number(uint64_t value, char *text)
{
	if (value < 1000000 || value > (uint64_t)-1000000)
		snprintf(text, FIELD_VALUE_BYTES, "%" PRId64, (int64_t)value);
	else
		snprintf(text, FIELD_VALUE_BYTES, "0x%" PRIx64, value);
}

static void show_item(const struct item *item, char *text)
{
	if (!item->bytes)
		show_number(item->value, text);
	else if (item->length == DIGEST_BYTES)
		hex_encode(item->bytes, DIGEST_BYTES, text);
	else
		field_quote(item->bytes, item->length, text, FIELD_VALUE_BYTES);
}

static bool items_differ(const struct items *a, const struct items *b, struct difference *ret)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct item *x = &a->list[i], *y = &b->list[i];
		if (x->value == y->value && x->length == y->length &&
		    (!x->bytes || memcmp(x->bytes, y->bytes, x->length) == 0))
			continue;
		ret->field = x->field;
		snprintf(ret->where, sizeof(ret->where), "%s", x->name);
		show_item(x, ret->values[0]);
		show_item(y, ret->values[1]);
		return true;
	}
	return false;
}

/* Goes through the tags of a checkpoint: address and tag of each. */
struct tag_walk {
	const struct event *event;
	size_t payload, at;
};

static bool next_tag(struct tag_walk *walk, uint64_t *ret_address, uint64_t *ret_tag)
{
	const struct event *event = walk->event;
	for (; walk->payload < event->payloads_count; walk->payload++, walk->at = 0) {
		const struct payload *p = &event->payloads[walk->payload];
		uint64_t step = p->address < PAGE ? 1 : (uint64_t)PAGE << event->checkpoint.shift;
		if ((walk->at + 1) * TAG_BYTES > p->length)
			continue;
		*ret_address = p->address + walk->at * step;
		memcpy(ret_tag, p->bytes + walk->at++ * TAG_BYTES, TAG_BYTES);
		return true;
	}
	return false;
}

static void name_page(uint64_t address, char *text, size_t size)
{
	if (address == 1)
		snprintf(text, size, "signal dispositions or the break");
	else if (address == 2)
		snprintf(text, size, "the mapping table");
	else if (address < PAGE)
		snprintf(text, size, "registers of thread %" PRIu64 " of the process", address - 2);
	else
		snprintf(text, size, "memory at 0x%" PRIx64, address);
}

/* The first page that differs, by its tag. */
static bool tags_differ(const struct event *a, const struct event *b, struct difference *ret)
{
	struct tag_walk walks[2] = { { .event = a }, { .event = b } };
	uint64_t address[2], tag[2];
	bool more[2];
	do {
		for (int i = 0; i < 2; i++)
			more[i] = next_tag(&walks[i], &address[i], &tag[i]);
	} while (more[0] && more[1] && address[0] == address[1] && tag[0] == tag[1]);
	if (!more[0] && !more[1])
		return false;
	ret->field = FIELD_STATE;
	ret->address = !more[1] || (more[0] && address[0] < address[1]) ? address[0] : address[1];
	name_page(ret->address, ret->where, sizeof(ret->where));
	for (int i = 0; i < 2; i++) {
		if (more[i] && address[i] == ret->address)
			snprintf(ret->values[i], FIELD_VALUE_BYTES, "tag 0x%016" PRIx64, tag[i]);
		else
			snprintf(ret->values[i], FIELD_VALUE_BYTES, "untouched");
	}
	return true;
}

static void name_payload(const struct event *event, const struct payload *p, char *text)
{
	static const char *const sources[] = {
		"a page of the new image",
		"the set-tid word",
		"the clear-tid word",
		"a word of a robust list",
		"the signal's frame",
		"the shared object",
		"the child's tid word",
		"a tag",
		"program text",
	};
	const struct row *row = syscall_resolve(event->nr, event->args);
	const char *name = row && p->arg < 6 ? row->args[p->arg].name : NULL;
	size_t source = p->arg - (size_t)PAYLOAD_IMAGE;
	if (p->arg >= 6 && source < sizeof(sources) / sizeof(sources[0]))
		snprintf(text, FIELD_WHERE_BYTES, "%s", sources[source]);
	else
		snprintf(text, FIELD_WHERE_BYTES, "argument %u%s%s%s", p->arg, name ? " (" : "",
			 name ? name : "", name ? ")" : "");
}

static size_t first_difference(const struct payload *a, const struct payload *b)
{
	size_t i = 0;
	while (i < a->length && i < b->length && a->bytes[i] == b->bytes[i])
		i++;
	return i;
}

static bool payload_differs(const struct event *a, const struct event *b, size_t i,
			    struct difference *ret)
{
	const struct payload *x = i < a->payloads_count ? &a->payloads[i] : NULL;
	const struct payload *y = i < b->payloads_count ? &b->payloads[i] : NULL;
	const struct payload *any = x ? x : y;
	bool same = x && y && x->arg == y->arg && x->direction == y->direction &&
		    x->address == y->address;
	size_t at = same ? first_difference(x, y) : 0, used;
	if (same && at == x->length && at == y->length)
		return false;
	ret->field = any->direction == DIRECTION_IN ? FIELD_GIVEN : FIELD_BYTES;
	ret->index = i;
	ret->offset = at;
	ret->address = any->address + at;
	name_payload(x ? a : b, any, ret->where);
	used = strlen(ret->where);
	if (same)
		snprintf(ret->where + used, sizeof(ret->where) - used, ", byte %zu, at 0x%" PRIx64,
			 at, any->address + at);
	for (int side = 0; side < 2; side++) {
		const struct payload *p = side ? y : x;
		if (!p)
			snprintf(ret->values[side], FIELD_VALUE_BYTES, "none");
		else if (!same)
			snprintf(ret->values[side], FIELD_VALUE_BYTES, "%zu bytes at 0x%" PRIx64,
				 p->length, p->address);
		else
			field_quote(p->bytes + at, p->length - at, ret->values[side], FIELD_VALUE_BYTES);
	}
	return true;
}

static bool payloads_differ(const struct event *a, const struct event *b, struct difference *ret)
{
	size_t count = a->payloads_count > b->payloads_count ? a->payloads_count : b->payloads_count;
	if (a->kind == EVENT_CHECKPOINT && a->checkpoint.shift == b->checkpoint.shift)
		return tags_differ(a, b, ret);
	for (size_t i = 0; i < count; i++)
		if (payload_differs(a, b, i, ret))
			return true;
	return false;
}

static void show_mapping(const struct mapping *m, char *text)
{
	char digest[17];
	if (!m) {
		snprintf(text, FIELD_VALUE_BYTES, "none");
		return;
	}
	hex_encode(m->digest, 8, digest);
	snprintf(text, FIELD_VALUE_BYTES,
		 "0x%" PRIx64 "-0x%" PRIx64 " prot %" PRIu32 " flags 0x%" PRIx32
		 " %s%s offset %" PRIu64 " %.100s",
		 m->start, m->end, m->prot, m->flags,
		 m->backing == BACKING_ANON ? "anonymous" : "content ",
		 m->backing == BACKING_ANON ? "" : digest, m->offset, m->path ? m->path : "");
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool mappings_differ(const struct event *a, const struct event *b, struct difference *ret)
{
	size_t count = a->mappings_count > b->mappings_count ? a->mappings_count : b->mappings_count;
	for (size_t i = 0; i < count; i++) {
		const struct mapping *x = i < a->mappings_count ? &a->mappings[i] : NULL;
		const struct mapping *y = i < b->mappings_count ? &b->mappings[i] : NULL;
		bool place = x && y && x->start == y->start && x->end == y->end &&
			     x->prot == y->prot && x->flags == y->flags &&
			     x->backing == y->backing && x->object == y->object;
		bool content = place && x->offset == y->offset && x->length == y->length &&
			       digest_equal(x->digest, y->digest) && same_text(x->path, y->path);
		if (content)
			continue;
		ret->field = place ? FIELD_CONTENT : FIELD_MAPPING;
		ret->index = i;
		snprintf(ret->where, sizeof(ret->where), "mapping %zu", i);
		show_mapping(x, ret->values[0]);
		show_mapping(y, ret->values[1]);
		return true;
	}
	return false;
}

static void state_items(const struct event *event, struct items *items)
{
	items->count = 0;
	add(items, "whether there are registers", FIELD_STATE, event->registers != NULL);
	add(items, "whether there is vector state", FIELD_STATE, event->vector != NULL);
	add_bytes(items, "the registers after", event->registers, sizeof(*event->registers));
	add_bytes(items, "the vector state after", event->vector, event->vector_length);
}

static bool sinks_differ(const struct event *a, const struct event *b, struct difference *ret)
{
	size_t counts[2] = { 0, 0 };
	if (a->kind != EVENT_END)
		return false;
	counts[0] = a->end.sinks_count;
	counts[1] = b->end.sinks_count;
	for (size_t i = 0; i < counts[0] || i < counts[1]; i++) {
		const struct sink *x = i < counts[0] ? &a->end.sinks[i] : NULL;
		const struct sink *y = i < counts[1] ? &b->end.sinks[i] : NULL;
		if (x && y && x->number == y->number && x->kind == y->kind &&
		    x->bytes == y->bytes && digest_equal(x->digest, y->digest))
			continue;
		ret->field = FIELD_DETAIL;
		snprintf(ret->where, sizeof(ret->where), "output %" PRIu32, x ? x->number : y->number);
		for (int side = 0; side < 2; side++) {
			const struct sink *sink = side ? y : x;
			snprintf(ret->values[side], FIELD_VALUE_BYTES, "%" PRIu64 " bytes",
				 sink ? sink->bytes : 0);
		}
		return true;
	}
	return false;
}

bool events_differ(const struct event *a, const struct event *b, struct difference *ret_difference)
{
	struct items x, y;
	memset(ret_difference, 0, sizeof(*ret_difference));
	if (a->thread != b->thread || a->kind != b->kind) {
		ret_difference->field = a->thread != b->thread ? FIELD_THREAD : FIELD_KIND;
		snprintf(ret_difference->where, sizeof(ret_difference->where), "%s",
			 a->thread != b->thread ? "the thread" : "what it does");
		for (int side = 0; side < 2; side++) {
			const struct event *event = side ? b : a;
			snprintf(ret_difference->values[side], FIELD_VALUE_BYTES,
				 "thread %" PRIu32 ", %s", event->thread, event_kind_name(event->kind));
		}
		return true;
	}
	head_items(a, &x);
	head_items(b, &y);
	if (items_differ(&x, &y, ret_difference) || payloads_differ(a, b, ret_difference) ||
	    mappings_differ(a, b, ret_difference))
		return true;
	kind_items(a, &x);
	kind_items(b, &y);
	if (items_differ(&x, &y, ret_difference) || sinks_differ(a, b, ret_difference))
		return true;
	state_items(a, &x);
	state_items(b, &y);
	return items_differ(&x, &y, ret_difference);
}
