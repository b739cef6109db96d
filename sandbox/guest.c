#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../traces/error.h"
#include "descriptor.h"
#include "domain.h"
#include "register.h"

static struct space *space_new(void)
{
	struct space *space = calloc(1, sizeof(*space));

	if (space) {
		space->references = 1;
		space->mem_fd = -1;
	}
	return space;
}

static void space_release(struct space *space)
{
	if (!space || --space->references > 0)
		return;
	if (space->mem_fd >= 0)
		close(space->mem_fd);
	dirty_release(space->dirty);
	mapping_release(&space->table);
	free(space);
}

static struct space *space_copy(const struct space *from)
{
	struct space *space = space_new();

	if (!space)
		return NULL;
	if (mapping_copy(&from->table, &space->table) < 0) {
		space_release(space);
		return NULL;
	}
	space->brk_start = from->brk_start;
	space->brk = from->brk;
	return space;
}

static struct unit *unit_new(struct guests *guests)
{
	struct unit *unit = calloc(1, sizeof(*unit));

	if (!unit)
		return NULL;
	unit->number = ++guests->units_count;
	if (guests->units_last)
		guests->units_last->next = unit;
	else
		guests->units = unit;
	guests->units_last = unit;
	return unit;
}

static void process_release(struct process *process)
{
	if (process->unit)
		process->unit->processes--;
	space_release(process->space);
	signal_table_release(process->signals);
	fd_cache_release(process->fds);
	free(process);
}

static struct thread *thread_new(struct guests *guests, struct process *process, pid_t tid,
				 uint32_t guest_tid)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->number = ++guests->threads;
	thread->tid = tid;
	thread->guest_tid = guest_tid;
	thread->process = process;
	thread->sibling = process->threads;
	process->threads = thread;
	process->threads_count++;
	if (guests->last)
		guests->last->next = thread;
	else
		guests->first = thread;
	guests->last = thread;
	guests->alive++;
	return thread;
}

struct thread *guest_first(struct guests *guests, pid_t tid, uint32_t guest_pid)
{
	struct process *process = calloc(1, sizeof(*process));
	struct thread *thread;

	if (!process)
		return NULL;
	process->pid = guest_pid;
	process->leader = tid;
	process->dumpable = 1;
	process->space = space_new();
	process->signals = signal_table_new();
	process->fds = fd_cache_new();
	process->unit = unit_new(guests);
	if (process->unit)
		process->unit->processes++;
	thread = process->space && process->signals && process->fds && process->unit
			 ? thread_new(guests, process, tid, guest_pid)
			 : NULL;
	if (!thread)
		process_release(process);
	return thread;
}

static struct process *process_clone(const struct process *parent, const struct clone_request *request)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->pid = request->guest_tid;
	process->leader = request->tid;
	process->ppid = request->flags & CLONE_PARENT ? parent->ppid : parent->pid;
	process->dumpable = parent->dumpable;
	process->stack_limit = parent->stack_limit;
	process->reads_execute = parent->reads_execute;
	process->unit = parent->unit;
	process->unit->processes++;
	process->vfork_child = request->flags & CLONE_VM;
	if (request->flags & CLONE_VM) {
		process->space = parent->space;
		process->space->references++;
	} else {
		process->space = space_copy(parent->space);
	}
	if (request->flags & CLONE_SIGHAND) {
		process->signals = parent->signals;
		process->signals->references++;
	} else {
		process->signals = signal_table_copy(parent->signals);
		if (process->signals && (request->flags & CLONE_CLEAR_SIGHAND))
			signal_table_exec(process->signals);
	}
	process->fds = request->flags & CLONE_FILES ? fd_cache_share(parent->fds)
						    : fd_cache_copy(parent->fds);
	if (!process->space || !process->signals || !process->fds) {
		process_release(process);
		return NULL;
	}
	return process;
}

struct thread *guest_clone(struct guests *guests, struct thread *parent,
			   const struct clone_request *request)
{
	bool same = request->flags & CLONE_THREAD;
	struct process *process = same ? parent->process : process_clone(parent->process, request);
	struct thread *thread;

	if (!process)
		return NULL;
	thread = thread_new(guests, process, request->tid, request->guest_tid);
	if (!thread) {
		if (!same)
			process_release(process);
		return NULL;
	}
	thread->mask = parent->mask;
	seccomp_inherit(&parent->seccomp, &thread->seccomp);
	if (!(request->flags & CLONE_VM) || (request->flags & CLONE_VFORK))
		thread->stack = parent->stack;
	return thread;
}

static void thread_unlink(struct guests *guests, struct thread *thread)
{
	struct thread *previous = NULL;

	for (struct thread *t = guests->first; t && t != thread; t = t->next)
		previous = t;
	if (previous)
		previous->next = thread->next;
	else
		guests->first = thread->next;
	if (guests->last == thread)
		guests->last = previous;
	guests->alive--;
	for (struct thread **link = &thread->process->threads; *link; link = &(*link)->sibling) {
		if (*link == thread) {
			*link = thread->sibling;
			break;
		}
	}
	thread->process->threads_count--;
}

bool guest_exit(struct guests *guests, struct thread *thread)
{
	struct process *process = thread->process;
	bool gone;

	thread_unlink(guests, thread);
	counter_close(thread->counter);
	range_list_release(&thread->call.entry);
	seccomp_release(&thread->seccomp);
	free(thread->vector);
	gone = process->threads_count == 0;
	if (gone) {
		/* Children ask the kernel who adopted them. */
		for (struct thread *t = guests->first; t; t = t->next) {
			if (t->process->ppid == process->pid)
				t->process->ppid = 0;
		}
		process_release(process);
	}
	free(thread);
	return gone;
}

int guest_exec(struct guests *guests, struct thread *thread)
{
	struct process *process = thread->process;
	struct space *space = space_new();
	struct signal_table *signals = signal_table_copy(process->signals);
	struct unit *unit = unit_new(guests);
	struct fd_cache *fds = fd_cache_new();

	if (!space || !signals || !unit || !fds) {
		space_release(space);
		signal_table_release(signals);
		fd_cache_release(fds);
		return -ENOMEM;
	}
	space_release(process->space);
	process->space = space;
	signal_table_release(process->signals);
	process->signals = signals;
	signal_table_exec(signals);
	process->unit->processes--;
	process->unit = unit;
	unit->processes = 1;
	process->vfork_child = false;
	process->dumpable = 1;
	process->reads_execute = false; /* 64-bit programs start without it */
	thread->stack = (struct signal_stack){ 0 };
	thread->clear_tid = 0;
	thread->robust_list = 0;
	/* A table shared with others is its own from here on (execve(2)). */
	fd_cache_release(process->fds);
	process->fds = fds;
	return 0;
}

void guest_exec_lost(struct guests *guests, struct process *process, struct unit *former)
{
	struct unit *unit = process->unit, **link = &guests->units;

	while (*link != unit)
		link = &(*link)->next;
	*link = NULL; /* a new one is the last */
	guests->units_last = NULL;
	for (struct unit *u = guests->units; u; u = u->next)
		guests->units_last = u;
	guests->units_count--;
	process->unit = former;
	former->processes++;
	free(unit);
}

void guests_release(struct guests *guests)
{
	while (guests->first)
		guest_exit(guests, guests->first);
	while (guests->units) {
		struct unit *unit = guests->units;

		guests->units = unit->next;
		free(unit);
	}
	guests->units_last = NULL;
}

struct thread *guest_by_tid(const struct guests *guests, pid_t tid)
{
	for (struct thread *t = guests->first; t; t = t->next) {
		if (t->tid == tid)
			return t;
	}
	return NULL;
}

struct thread *guest_by_number(const struct guests *guests, uint32_t number)
{
	for (struct thread *t = guests->first; t; t = t->next) {
		if (t->number == number)
			return t;
	}
	return NULL;
}

int guest_memory(struct thread *thread)
{
	struct space *space = thread->process->space;

	if (space->mem_fd < 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/mem", thread->tid);
		space->mem_fd = open(path, O_RDWR | O_CLOEXEC);
		if (space->mem_fd < 0)
			return -errno;
	}
	return space->mem_fd;
}

/* Pages that the guest itself may not read (PROT_NONE, execute-only) but the kernel lets a tracer see. */
static size_t read_forced(struct thread *thread, uint64_t address, uint8_t *buffer, size_t length)
{
	const struct mapping *mapping = mapping_find(&thread->process->space->table, address);
	ssize_t n;
	int fd;

	/* Not below a stack, which reading would grow; not before there is an image, whose memory this must be. */
	if (!mapping || address < mapping->start || (fd = guest_memory(thread)) < 0)
		return 0;
	if (length > mapping->end - address)
		length = mapping->end - address;
	n = pread(fd, buffer, length, (off_t)address);
	return n > 0 ? (size_t)n : 0;
}

size_t guest_read(void *context, uint64_t address, void *buffer, size_t length)
{
	struct thread *thread = context;
	uint8_t *out = buffer;
	size_t done = 0;

	while (done < length) {
		struct iovec local = { out + done, length - done };
		struct iovec remote = { (void *)(uintptr_t)(address + done), length - done };
		ssize_t n = process_vm_readv(thread->tid, &local, 1, &remote, 1, 0);

		if (n <= 0)
			n = (ssize_t)read_forced(thread, address + done, out + done, length - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

int guest_write(struct thread *thread, uint64_t address, const void *bytes, size_t length)
{
	const uint8_t *in = bytes;
	int fd = guest_memory(thread);

	if (fd < 0)
		return fd;
	while (length > 0) {
		ssize_t n = pwrite(fd, in, length, (off_t)address);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? SWORN_EGONE : errno == EIO ? -EFAULT : -errno;
		in += n;
		address += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

int guest_enter_call(struct thread *thread)
{
	struct call *call = &thread->call;
	const struct registers *r = &thread->registers;
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	call->nr = (uint32_t)r->orig_rax;
	memcpy(call->args, args, sizeof(args));
	call->ip = r->rip;
	call->frame = r->rsp;
	call->registers_hash = registers_hash(r);
	call->row = syscall_resolve(call->nr, args);
	call->has_input = false;
	call->ruling = guest_judge(thread);
	call->entry.count = 0;
	thread->stand = STAND_ENTRY;
	thread->in_cursor_range = 0;
	thread->in_cursor_offset = 0;
	if (call->nr == SYS_mremap)
		dirty_uncover(thread->process->space->dirty, args[0], args[0] + args[1]);
	if (!call->row)
		return 0;
	if (call->row->family == FAMILY_CLONE)
		clone_words_read(thread, &call->clone);
	if (call->row->treatment == TREAT_SPECIAL && call->row->family == FAMILY_SIGNAL &&
	    args[1] != 0 && call->nr != SYS_sigaltstack) {
		call->has_input = guest_read(thread, args[1], call->input, sizeof(call->input)) >= 8;
	} else if (call->row->family == FAMILY_SIGNAL && args[0] != 0) {
		call->has_input = guest_read(thread, args[0], call->input, 24) ==
				  24; /* sigaltstack(ss, old) */
	}
	return extent_entry(call->row, args, guest_read, thread, &call->entry);
}

void guest_rewind_call(struct thread *thread)
{
	const struct call *call = &thread->call;

	if (call_is_vsyscall(call)) {
		/* It came by a call instruction; the return address still lies below rsp. */
		thread->registers.rip = call->ip;
		thread->registers.rsp -= 8;
	} else {
		thread->registers.rip = call->ip - 2;
	}
	thread->registers.rax = call->nr;
	thread->registers.orig_rax = (uint64_t)-1;
}

int guest_finish_call(struct thread *thread, int64_t result)
{
	struct call *call = &thread->call;
	struct mapping_table *table = &thread->process->space->table;
	uint64_t start = call->args[0], end = start + ((call->args[1] + 4095) & ~4095ULL);

	if (call->nr == SYS_mprotect)
		return guest_mprotect(thread, result);
	if (result < 0 && result >= -4095)
		return 0;
	switch (call->nr) {
	case SYS_munmap: return end > start ? mapping_remove(table, start, end) : 0;
	case SYS_personality:
		if ((uint32_t)call->args[0] != UINT32_MAX)
			thread->process->reads_execute = call->args[0] & READ_IMPLIES_EXEC;
		return 0;
	case SYS_set_tid_address: thread->clear_tid = call->args[0]; return 0;
	case SYS_set_robust_list: thread->robust_list = call->args[0]; return 0;
	default: break;
	}
	if (call->row && call->row->family == FAMILY_SIGNAL)
		guest_signal_call(thread);
	return 0;
}

bool unit_ends_with(const struct process *process)
{
	return process->unit->processes == 1;
}

/* Canonical bytes of the dispositions: only signals that are not default. */
static size_t signals_bytes(const struct signal_table *table, uint8_t *buffer)
{
	size_t length = 0;

	for (int i = 0; i < SIGNALS; i++) {
		const struct signal_disposition *action = &table->actions[i];

		if (!action->handler && !action->flags && !action->mask)
			continue;
		buffer[length++] = (uint8_t)(i + 1);
		memcpy(buffer + length, action, sizeof(*action));
		length += sizeof(*action);
	}
	return length;
}

/* A thread's part of the hash. Inside a call its vector state cannot be read while the call sleeps, and a
 * call does not change it: it is left out there, on both sides. */
static int state_of_thread(struct thread *thread, struct state_thread *state, uint8_t *vector)
{
	int r = 0;

	*state = (struct state_thread){ .thread = thread->number, .signal_mask = thread->mask };
	if (thread->unplaced)
		return 0;
	/* What rax holds inside a call is the kernel's business. */
	if (thread->stand == STAND_ENTRY)
		thread->registers.rax = (uint64_t)-ENOSYS;
	state->registers = &thread->registers;
	if (thread->run == RUN_STOPPED && thread->stand == STAND_BOUNDARY) {
		r = vector_get(thread->tid, vector, &state->vector_length);
		state->vector = vector;
	} else if (thread->run == RUN_LISTEN && thread->stand == STAND_BOUNDARY) {
		state->vector = thread->vector;
		state->vector_length = thread->vector_length;
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	const struct state_thread *x = a, *y = b;

	return (x->thread > y->thread) - (x->thread < y->thread);
}

/* Devices write to memory for a call in flight without the kernel knowing (open(2), O_DIRECT). */
static void forget_in_flight(const struct guests *guests, const struct space *space)
{
	for (const struct thread *t = guests->first; t; t = t->next) {
		const struct range_list *entry = &t->call.entry;

		if (t->process->space != space || t->stand != STAND_ENTRY)
			continue;
		for (size_t i = 0; i < entry->count; i++) {
			if (entry->ranges[i].direction == DIRECTION_OUT)
				dirty_forget(space->dirty, entry->ranges[i].address,
					     entry->ranges[i].address + entry->ranges[i].length);
		}
	}
}

int guest_state(const struct guests *guests, struct thread *thread,
		const struct state_request *request, uint8_t ret_hash[DIGEST_BYTES])
{
	struct process *process = thread->process;
	struct state_thread *states = calloc(process->threads_count, sizeof(*states));
	uint8_t *vectors = malloc((size_t)process->threads_count * VECTOR_BYTES_MAX);
	uint8_t signals[SIGNALS * (sizeof(struct signal_disposition) + 1)];
	struct state_input input = {
		.source = { .pid = thread->tid,
			    .table = &process->space->table,
			    .arena = guests->arena,
			    .hidden_start = CALL_PAGE,
			    .hidden_end = CALL_PAGE + CALL_PAGE_BYTES },
		.with_memory = request->with_memory,
		.threads = states,
		.signals = signals,
		.signals_length = signals_bytes(process->signals, signals),
		.brk = process->space->brk,
		.dirty = process->space->dirty,
	};
	int r = states && vectors ? 0 : -ENOMEM;

	for (struct thread *t = process->threads; r == 0 && t; t = t->sibling) {
		r = state_of_thread(t, &states[input.threads_count],
				    vectors + input.threads_count * VECTOR_BYTES_MAX);
		input.threads_count++;
	}
	if (r == 0) {
		qsort(states, input.threads_count, sizeof(*states), by_number);
		r = state_hash(&input, request->pages, request->tags, ret_hash);
		forget_in_flight(guests, process->space);
	}
	free(states);
	free(vectors);
	return r;
}
