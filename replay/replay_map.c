/* Address space calls: what the kernel of the replay does executes for real, at the recorded addresses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "../sandbox/code.h"
#include "../sandbox/replaced.h"
#include "../traces/error.h"
#include "replayer.h"

#define ADDRESS_MIN 0x1000ULL
#define ADDRESS_MAX 0x7ffffffff000ULL

static uint64_t page_up(uint64_t value)
{
	return (value + 4095) & ~4095ULL;
}

/* Addresses in a trace are a stranger's: inside user space, whole pages, and clear of the call page. */
static bool is_placeable(uint64_t start, uint64_t end)
{
	return start >= ADDRESS_MIN && start < end && end <= ADDRESS_MAX &&
	       !((start | end) & 4095) && (end <= CALL_PAGE || start >= CALL_PAGE + CALL_PAGE_BYTES);
}

static int map_range(struct thread *thread, const uint64_t args[6])
{
	int64_t result;
	int r = stop_inject(thread, true, SYS_mmap, args, &result);

	if (r < 0)
		return r;
	if (result < 0 && result >= -4095)
		return result == -ENOMEM ? -ENOMEM : SWORN_EHOST;
	return (uint64_t)result == args[0] ? 0 : SWORN_EHOST;
}

int replay_blob(struct replayer *rep, const struct mapping *mapping, struct arena_blob *ret)
{
	uint8_t *buffer;
	int64_t size;
	int r = arena_find(rep->guests.arena, mapping->digest, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	size = reader_blob_size(rep->reader, mapping->digest);
	if (size < 0)
		return (int)size;
	r = arena_reserve(rep->guests.arena, (uint64_t)size, &buffer);
	if (r < 0)
		return r;
	r = reader_blob_read(rep->reader, mapping->digest, buffer, (size_t)size);
	return r < 0 ? r : arena_commit(rep->guests.arena, mapping->digest, ret);
}

/* Of a file mapping, from its start: the pages that have content. */
static uint64_t content_bytes(const struct mapping *m)
{
	uint64_t content = page_up(m->length), have = content > m->offset ? content - m->offset : 0;

	return have < m->end - m->start ? have : m->end - m->start;
}

/* Maps the part that has content from `fd`, and what lies behind the content's end so that it faults. */
static int place_file(struct thread *thread, const struct mapping *m, int fd, uint64_t base)
{
	uint64_t split = m->start + content_bytes(m);
	uint64_t flags = MAP_FIXED | (m->flags & MAP_NORESERVE) |
			 (fd == STUB_OBJECT_FD && (m->flags & MAP_SHARED) ? MAP_SHARED : MAP_PRIVATE);
	int r = 0;

	if (split > m->start)
		r = map_range(thread, (uint64_t[6]){ m->start, split - m->start, m->prot, flags,
						     (uint64_t)fd, base + m->offset });
	if (r == 0 && split < m->end)
		r = map_range(thread,
			      (uint64_t[6]){ split, m->end - split, m->prot,
					     MAP_FIXED | MAP_PRIVATE, STUB_BLOB_FD, ARENA_BEYOND });
	return r;
}

static int place_shared(struct replayer *rep, struct thread *thread, const struct mapping *m)
{
	static const uint8_t zeros[DIGEST_BYTES];
	struct arena_blob blob = { 0 };
	uint64_t offset, length;
	int r = object_find(rep->objects, m->object, &offset, &length);

	if (r < 0)
		return r;
	if (r == 0) {
		if (memcmp(m->digest, zeros, DIGEST_BYTES) != 0)
			r = replay_blob(rep, m, &blob);
		if (r == 0)
			r = object_create(rep->objects, m->object, blob.bytes, blob.length, &offset);
		length = blob.length;
	} else {
		r = 0;
	}
	if (r == 0 && length < m->length)
		r = object_resize(rep->objects, m->object, m->length);
	return r < 0 ? r : place_file(thread, m, STUB_OBJECT_FD, offset);
}

int replay_place(struct replayer *rep, struct thread *thread, const struct mapping *m)
{
	struct arena_blob blob;
	int r;

	if (!is_placeable(m->start, m->end) || m->prot > 7 || (m->offset & 4095))
		return SWORN_EREFUSED;
	switch (m->backing) {
	case BACKING_ANON:
		return map_range(thread, (uint64_t[6]){ m->start, m->end - m->start, m->prot,
							MAP_FIXED | MAP_ANONYMOUS | m->flags,
							(uint64_t)-1, 0 });
	case BACKING_BLOB:
		r = replay_blob(rep, m, &blob);
		if (r < 0)
			return r;
		if (blob.length != m->length)
			return SWORN_EREFUSED;
		return place_file(thread, m, STUB_BLOB_FD, blob.offset);
	case BACKING_SHARED: return place_shared(rep, thread, m);
	}
	return SWORN_EFORMAT;
}

/* Where the recorder found code that is looked at when it runs. */
static int hide_code(struct thread *thread, const struct event *event, uint64_t start, uint64_t end)
{
	int r = event->flags & CALL_HIDES_CODE ? code_hide(thread, true, start, end) : 0;

	return r < 0 ? r : 0;
}

static int play_mmap(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	const struct mapping *m = event->mappings;
	struct space *space = thread->process->space;
	const uint64_t *args = thread->call.args;
	int r;

	if (event->mappings_count != 1 || m->start != (uint64_t)event->result)
		return SWORN_EREFUSED;
	if (thread->call.nr == SYS_mmap && (m->end - m->start != page_up(args[1]) ||
					    m->prot != guest_protection(thread->process, args[2])))
		return SWORN_EREFUSED;
	r = replay_place(rep, thread, m);
	if (r == 0)
		r = mapping_insert(&space->table, m);
	dirty_cover(space->dirty, m->start, m->end);
	return r < 0 ? r : hide_code(thread, event, m->start, m->end);
}

static int play_brk(struct replayer *rep, struct thread *thread)
{
	struct space *space = thread->process->space;
	uint64_t result = (uint64_t)rep->event->result, old = page_up(space->brk),
		 end = page_up(result);
	int64_t ignored;
	uint64_t prot;
	int r = 0;

	if (result < space->brk_start || result >= ADDRESS_MAX)
		return SWORN_EREFUSED;
	if (end > old) {
		if (!is_placeable(old, end) || !mapping_free(&space->table, old, end))
			return SWORN_EREFUSED;
		prot = guest_protection(thread->process, PROT_READ | PROT_WRITE);
		r = map_range(thread, (uint64_t[6]){ old, end - old, prot,
						     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
						     (uint64_t)-1, 0 });
	} else if (end < old) {
		r = stop_inject(thread, true, SYS_munmap, (uint64_t[6]){ end, old - end }, &ignored);
	}
	return r < 0 ? r : guest_brk(thread, result);
}

/* Pages that a file mapping grew by: the arena goes on with other content there. */
static int replace_tail(struct replayer *rep, struct thread *thread, uint64_t from, uint64_t to)
{
	while (from < to) {
		const struct mapping *m = mapping_find(&thread->process->space->table, from);
		struct mapping tail;
		int r = 0;

		if (!m || m->start > from)
			return SWORN_EREFUSED;
		tail = *m;
		tail.start = from;
		tail.end = m->end < to ? m->end : to;
		tail.offset += from - m->start;
		if (m->backing != BACKING_ANON)
			r = replay_place(rep, thread, &tail);
		if (r < 0)
			return r;
		from = tail.end;
	}
	return 0;
}

static int unmap_range(struct thread *thread, uint64_t start, uint64_t end)
{
	int64_t ignored;

	if (start >= end)
		return 0;
	return stop_inject(thread, true, SYS_munmap, (uint64_t[6]){ start, end - start }, &ignored);
}

/* Moves what the guest's kernel has as one mapping and ours as several: what lies behind a file's end is apart, and is
 * made anew, since nobody can have written there. */
static int move_pieces(struct replayer *rep, struct thread *thread, uint64_t keep, uint64_t to)
{
	const uint64_t *args = thread->call.args;
	uint64_t flags = MREMAP_MAYMOVE | MREMAP_FIXED | (args[3] & MREMAP_DONTUNMAP);
	int r = 0;

	for (uint64_t from = args[0], end; r == 0 && from < args[0] + keep; from = end) {
		const struct mapping *m = mapping_find(&thread->process->space->table, from);
		uint64_t target = to + (from - args[0]), content;
		struct mapping piece;
		int64_t result;

		if (!m)
			return SWORN_EREFUSED;
		content = m->start + content_bytes(m);
		end = m->end < args[0] + keep ? m->end : args[0] + keep;
		if (m->backing == BACKING_ANON || from < content) {
			if (m->backing != BACKING_ANON && content < end)
				end = content;
			r = stop_inject(thread, true, SYS_mremap,
					(uint64_t[6]){ from, end - from, end - from, flags, target },
					&result);
			if (r == 0 && result != (int64_t)target)
				r = diverge_number(rep, "result", target, (uint64_t)result);
			continue;
		}
		piece = *m;
		piece.offset += from - m->start;
		piece.start = target;
		piece.end = target + (end - from);
		r = replay_place(rep, thread, &piece);
		if (r == 0 && !(flags & MREMAP_DONTUNMAP))
			r = unmap_range(thread, from, end);
	}
	return r;
}

static int move_whole(struct replayer *rep, struct thread *thread, uint64_t to)
{
	const uint64_t *args = thread->call.args;
	uint64_t flags = to == args[0] ? args[3] & MREMAP_DONTUNMAP
				       : MREMAP_MAYMOVE | MREMAP_FIXED | (args[3] & MREMAP_DONTUNMAP);
	int64_t result;
	int r = stop_inject(thread, true, SYS_mremap,
			    (uint64_t[6]){ args[0], page_up(args[1]), page_up(args[2]), flags, to },
			    &result);

	if (r < 0)
		return r;
	return result == (int64_t)to ? 0 : diverge_number(rep, "result", to, (uint64_t)result);
}

static int play_mremap(struct replayer *rep, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint64_t to = (uint64_t)rep->event->result, old = page_up(args[1]), length = page_up(args[2]);
	const struct mapping *m = mapping_find(&thread->process->space->table, args[0]);
	int r = 0;

	if (!is_placeable(to, to + length) || !is_placeable(args[0], args[0] + (old ? old : 4096)))
		return SWORN_EREFUSED;
	if (m && m->backing != BACKING_ANON && old > 0) {
		if (to != args[0])
			r = move_pieces(rep, thread, old < length ? old : length, to);
		if (r == 0)
			r = unmap_range(thread, args[0] + length, args[0] + old);
	} else {
		r = move_whole(rep, thread, to);
	}
	if (r == 0)
		r = guest_mremap(thread, to);
	return r < 0 || length <= old ? r : replace_tail(rep, thread, to + old, to + length);
}

static int play_shmdt(struct thread *thread)
{
	const struct mapping *m = guest_segment_piece(thread, 0);
	int r = 0;

	for (; r == 0 && m; m = guest_segment_piece(thread, m->end))
		r = unmap_range(thread, m->start, m->end);
	return r < 0 ? r : guest_shmdt(thread);
}

int replay_map(struct replayer *rep, struct thread *thread)
{
	switch (thread->call.nr) {
	case SYS_mmap:
	case SYS_shmat: return play_mmap(rep, thread);
	case SYS_brk: return play_brk(rep, thread);
	case SYS_mremap: return play_mremap(rep, thread);
	case SYS_shmdt: return play_shmdt(thread);
	default: return SWORN_EREFUSED;
	}
}

/* Fails at the first mapping that it does not suit, which is the same one here. */
static bool is_fork_advice(int advice)
{
	return advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_WIPEONFORK ||
	       advice == MADV_KEEPONFORK;
}

/* What the recorded call did to memory: all it asked for, part of it, or nothing where it failed. Why it failed may
 * be something that replay does not have: locked pages, a descriptor that was read-only. */
static uint64_t executed_length(const struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;

	if (result == 0 || result == -EPERM)
		return call->args[1];
	if (call->nr == SYS_madvise && result == -EINVAL && is_fork_advice((int)call->args[2]))
		return call->args[1];
	if (call->nr == SYS_mprotect && result == -EACCES)
		return guest_protected(thread, result) - call->args[0];
	return result == -ENOMEM && call->nr != SYS_munmap ? call->args[1] : 0;
}

int replay_text(struct thread *thread, const struct event *event, const struct payload *payload)
{
	const struct mapping *mapping = mapping_find(&thread->process->space->table, payload->address);
	uint8_t opcode[3] = { 0 };

	if ((event->nr != SYS_mmap && event->nr != SYS_mprotect) || !mapping ||
	    mapping->backing != BACKING_BLOB || !(mapping->prot & PROT_EXEC) ||
	    payload->length != 1 || payload->bytes[0] != REPLACED_TRAP)
		return SWORN_EREFUSED;
	guest_read(thread, payload->address, opcode, sizeof(opcode));
	if (!replaced_may_be(opcode))
		return SWORN_EREFUSED;
	return guest_write(thread, payload->address, payload->bytes, 1);
}

int replay_code(struct thread *thread, const struct event *event)
{
	struct code_window window = { event->args[0], event->args[1] };
	int r = 0;

	for (size_t i = 0; r == 0 && i < event->payloads_count; i++) {
		const struct payload *payload = &event->payloads[i];
		uint8_t opcode[3] = { 0 };

		guest_read(thread, payload->address, opcode, sizeof(opcode));
		if (payload->arg != PAYLOAD_TEXT || payload->length != 1 ||
		    payload->bytes[0] != REPLACED_TRAP || payload->address < window.start ||
		    payload->address >= window.end || !replaced_may_be(opcode))
			return SWORN_EREFUSED;
		r = guest_write(thread, payload->address, payload->bytes, 1);
	}
	if (r == 0 && !is_placeable(window.start, window.end))
		return SWORN_EREFUSED;
	return r < 0 ? r : code_reveal(thread, true, &window);
}

int replay_execute(struct replayer *rep, struct thread *thread)
{
	const struct call *call = &thread->call;
	int64_t expected = rep->event->result, result;
	uint64_t args[6], start = call->args[0], length = executed_length(thread, expected);
	int r;

	switch (call->nr) {
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_mseal: break;
	default: return SWORN_EREFUSED;
	}
	if (length == 0 && call->args[1] != 0)
		return guest_finish_call(thread, expected);
	if (expected == 0 && length > 0 && !is_placeable(start, start + page_up(length)))
		return SWORN_EREFUSED;
	memcpy(args, call->args, sizeof(args));
	args[1] = length;
	if (call->nr == SYS_mprotect)
		args[2] |= guest_protection(thread->process, args[2]);
	r = stop_inject(thread, true, call->nr, args, &result);
	if (r < 0)
		return r;
	if (length != call->args[1])
		expected = 0;
	if (result != expected)
		return diverge_number(rep, "result", (uint64_t)expected, (uint64_t)result);
	r = guest_finish_call(thread, rep->event->result);
	return r < 0 ? r : hide_code(thread, rep->event, start, start + page_up(call->args[1]));
}
