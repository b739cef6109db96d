/* The model's part of the calls that change an address space. */
#include <errno.h>
#include <sys/mman.h>

#include "guest.h"

static uint64_t page_up(uint64_t address)
{
	return (address + 4095) & ~4095ULL;
}

uint64_t guest_protected(const struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;
	uint64_t at = call->args[0], end = at + page_up(call->args[1]);

	if (result == 0)
		return end;
	if (result != -ENOMEM && result != -EACCES)
		return at;
	while (at < end) {
		const struct mapping *m = mapping_find(&thread->process->space->table, at);

		if (!m || m->start > at)
			return at;
		if (result == -EACCES && (m->flags & MAP_SHARED) && !(m->prot & PROT_WRITE) &&
		    (call->args[2] & PROT_WRITE))
			return at;
		at = m->end < end ? m->end : end;
	}
	return call->args[0];
}

int guest_mprotect(struct thread *thread, int64_t result)
{
	struct mapping_table *table = &thread->process->space->table;
	uint64_t start = thread->call.args[0], end = guest_protected(thread, result);
	const struct mapping *m = mapping_find(table, start);

	if (end <= start)
		return 0;
	if ((thread->call.args[2] & PROT_GROWSDOWN) && m && m->start < start)
		start = m->start;
	return mapping_protect(table, start, end,
			       guest_protection(thread->process, thread->call.args[2]));
}

uint32_t guest_protection(const struct process *process, uint64_t prot)
{
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	return (uint32_t)prot | ((prot & PROT_READ) && process->reads_execute ? PROT_EXEC : 0);
}

int guest_brk(struct thread *thread, uint64_t result)
{
	struct space *space = thread->process->space;
	uint64_t old = page_up(space->brk), end = page_up(result);
	struct mapping mapping = { .start = old,
				   .end = end,
				   .prot = guest_protection(thread->process, PROT_READ | PROT_WRITE),
				   .flags = MAP_PRIVATE };

	space->brk = result;
	if (end > old) {
		int r = mapping_insert(&space->table, &mapping);

		dirty_cover(space->dirty, old, end);
		return r;
	}
	return end < old ? mapping_remove(&space->table, end, old) : 0;
}

int guest_mremap(struct thread *thread, uint64_t result)
{
	struct space *space = thread->process->space;
	const uint64_t *args = thread->call.args;
	int r = mapping_move(&space->table, args[0], page_up(args[1]), result, page_up(args[2]),
			     args[3] & MREMAP_DONTUNMAP);

	dirty_forget(space->dirty, result, result + page_up(args[2]));
	dirty_cover(space->dirty, 0, UINT64_MAX);
	return r;
}

const struct mapping *guest_segment_piece(const struct thread *thread, uint64_t from)
{
	const struct mapping_table *table = &thread->process->space->table;
	uint64_t at = thread->call.args[0];
	uint64_t object = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct mapping *m = &table->entries[i];

		if (m->start < at || !m->object || (m->path && *m->path) || m->start - at != m->offset)
			continue;
		if (object == 0)
			object = m->object;
		if (m->object == object && m->start >= from && m->end - at <= page_up(m->length))
			return m;
	}
	return NULL;
}

int guest_shmdt(struct thread *thread)
{
	const struct mapping *m;
	int r = 0;

	while (r == 0 && (m = guest_segment_piece(thread, thread->call.args[0])) != NULL)
		r = mapping_remove(&thread->process->space->table, m->start, m->end);
	return r;
}

void guests_object_length(struct guests *guests, uint64_t object, uint64_t length)
{
	for (struct thread *t = guests->first; t; t = t->next) {
		struct mapping_table *table = &t->process->space->table;

		for (size_t i = 0; i < table->count; i++) {
			if (table->entries[i].object == object)
				table->entries[i].length = length;
		}
	}
}
