/* Files that changed while guests mapped them: the shared objects that stand for them. */
#include <errno.h>
#include <sys/mman.h>

#include "../traces/error.h"
#include "replayer.h"

static uint64_t page_up(uint64_t value)
{
	return (value + 4095) & ~4095ULL;
}

/* Pages of the object between `from` and `to` begin or cease to have content: mapped anew wherever they are. What a
 * process has written to its own copies of pages behind the end goes with them. */
static int replace_pages(struct replayer *rep, struct thread *t, uint64_t object,
			 const uint64_t range[2])
{
	const struct mapping_table *table = &t->process->space->table;

	for (size_t i = 0; i < table->count; i++) {
		struct mapping piece = table->entries[i];
		uint64_t first = piece.offset, last = first + (piece.end - piece.start);
		int r;

		if (piece.object != object || last <= range[0] || first >= range[1])
			continue;
		if (first < range[0]) {
			piece.start += range[0] - first;
			piece.offset = range[0];
		}
		if (last > range[1])
			piece.end -= last - range[1];
		r = replay_place(rep, t, &piece);
		if (r < 0)
			return r;
	}
	return 0;
}

static int change_length(struct replayer *rep, uint64_t object, uint64_t old, uint64_t length)
{
	const uint64_t range[2] = { page_up(old < length ? old : length),
				    page_up(old < length ? length : old) };
	int r = object_resize(rep->objects, object, length);

	if (r < 0)
		return r;
	guests_object_length(&rep->guests, object, length);
	if (range[0] == range[1])
		return 0;
	for (struct thread *t = rep->guests.first; t; t = t->next) {
		if (t != t->process->threads || t->stand == STAND_GONE)
			continue;
		r = replace_pages(rep, t, object, range);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A file's content may take the place of the same file's content, with the same rights, and of nothing else. */
static bool may_adopt(const struct mapping_table *table, const struct mapping *m)
{
	for (uint64_t at = m->start; at < m->end;) {
		const struct mapping *old = mapping_find(table, at);

		if (!old || old->start > at || old->backing != BACKING_BLOB ||
		    old->prot != m->prot || old->flags != m->flags)
			return false;
		at = old->end;
	}
	return m->backing == BACKING_SHARED && m->start < m->end;
}

static int adopt(struct replayer *rep, const struct event *event)
{
	struct thread *target = guest_by_number(&rep->guests, event->memory.target);

	if (!target || target->stand == STAND_GONE)
		return SWORN_EFORMAT;
	for (size_t i = 0; i < event->mappings_count; i++) {
		const struct mapping *m = &event->mappings[i];
		int r;

		if (m->object != event->memory.object || !may_adopt(&target->process->space->table, m))
			return SWORN_EREFUSED;
		r = replay_place(rep, target, m);
		if (r == 0)
			r = mapping_insert(&target->process->space->table, m);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What one guest wrote into another's own memory, by a call. */
static int write_foreign(struct replayer *rep)
{
	const struct event *event = rep->event;
	struct thread *target = guest_by_number(&rep->guests, event->memory.target);
	int r = target && target->stand != STAND_GONE ? 0 : SWORN_EFORMAT;

	for (size_t i = 0; r == 0 && i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		for (uint64_t at = p->address; at < p->address + p->length;) {
			const struct mapping *m = mapping_find(&target->process->space->table, at);

			if (!m || p->arg != PAYLOAD_OBJECT)
				return SWORN_EREFUSED;
			at = m->end;
		}
		r = guest_write(target, p->address, p->bytes, p->length);
	}
	return r;
}

int replay_memory(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	uint64_t offset, length;
	int r = thread && event->ip ? replay_to_stop(rep, thread) : 0;

	if (r == 0 && event->memory.object == 0 && event->memory.target != 0)
		return write_foreign(rep);

	if (r == 0 && event->mappings_count > 0)
		r = adopt(rep, event);
	if (r == 0)
		r = object_find(rep->objects, event->memory.object, &offset, &length);
	if (r == 0 && event->mappings_count == 0) { /* told before anybody maps it */
		length = 0;
		r = object_create(rep->objects, event->memory.object, NULL, 0, &offset);
		r = r < 0 ? r : 1;
	}
	if (r <= 0)
		return r < 0 ? r : SWORN_EFORMAT;
	if (length != event->memory.length) {
		r = change_length(rep, event->memory.object, length, event->memory.length);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];

		if (p->arg != PAYLOAD_OBJECT || p->address > event->memory.length ||
		    p->length > event->memory.length - p->address)
			return SWORN_EREFUSED;
		r = object_write(rep->objects, event->memory.object, p->address, p->bytes, p->length);
		if (r < 0)
			return r;
	}
	return 0;
}
