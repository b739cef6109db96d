/* Threads and processes that end. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../traces/error.h"
#include "recorder.h"
#include "timers.h"

#define ROBUST_WORDS_MAX 2048

int record_exit_entry(struct recorder *rec, struct thread *thread)
{
	struct process *process = thread->process;
	bool whole = thread->call.nr != SYS_exit || process->threads_count == 1;

	if (whole && !process->checkpointed) {
		int r = record_checkpoint(rec, thread, CHECKPOINT_EXIT);

		if (r < 0)
			return r;
	}
	thread->record->own_exit = true;
	thread->record->in_call = true;
	process->ending = whole;
	schedule_resume(thread, PTRACE_CONT, 0);
	return 0;
}

static void add_word(struct thread *thread, uint64_t address)
{
	const struct mapping *m = mapping_find(&thread->process->space->table, address);
	struct robust_word *word = &thread->record->robust_words[thread->record->robust_count++];

	*word = (struct robust_word){ .address = address };
	if (m && m->backing == BACKING_SHARED) {
		word->object = m->object;
		word->offset = m->offset + (address - m->start);
		word->length = m->length;
	}
}

static void forget_robust(struct record_thread *own)
{
	free(own->robust_words);
	own->robust_words = NULL;
	own->robust_count = 0;
}

void record_note_robust(struct thread *thread)
{
	struct record_thread *own = thread->record;
	uint64_t head[3], entry;

	forget_robust(own);
	if (!thread->robust_list ||
	    guest_read(thread, thread->robust_list, head, sizeof(head)) != sizeof(head))
		return;
	entry = head[0];
	if ((entry & ~1ULL) == thread->robust_list && !head[2])
		return;
	own->robust_words = calloc(ROBUST_WORDS_MAX, sizeof(*own->robust_words));
	if (!own->robust_words)
		return;
	while (own->robust_count < ROBUST_WORDS_MAX - 1 && (entry & ~1ULL) != thread->robust_list &&
	       entry) {
		add_word(thread, (entry & ~1ULL) + head[1]);
		if (guest_read(thread, entry & ~1ULL, &entry, sizeof(entry)) != sizeof(entry))
			break;
	}
	if (head[2])
		add_word(thread, (head[2] & ~1ULL) + head[1]);
}

/* Another process still sees the shared object that a dead one held a lock in. */
static int emit_shared_word(struct recorder *rec, const struct robust_word *word)
{
	struct event event = { .kind = EVENT_MEMORY };
	uint32_t value;
	struct payload payload = { PAYLOAD_OBJECT, DIRECTION_OUT, word->offset, sizeof(value),
				   (uint8_t *)&value };

	event.memory.object = word->object;
	event.memory.length = word->length;
	event.payloads = &payload;
	event.payloads_count = 1;
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		const struct mapping_table *table = &t->process->space->table;

		for (size_t i = 0; i < table->count; i++) {
			const struct mapping *m = &table->entries[i];
			uint64_t at = m->start + (word->offset - m->offset);

			if (m->object != word->object || word->offset < m->offset ||
			    at + sizeof(value) > m->end)
				continue;
			if (guest_read(t, at, &value, sizeof(value)) == sizeof(value))
				return record_event(rec, &event);
		}
	}
	return 0;
}

/* Another thread of the process is in exec: the kernel ends all others on its behalf. */
static bool exec_elsewhere(const struct thread *thread)
{
	for (const struct thread *t = thread->process->threads; t; t = t->sibling) {
		if (t != thread && t->record->in_call && t->call.row && t->call.row->family == FAMILY_EXEC)
			return true;
	}
	return false;
}

/* Who goes on with the thread's memory. A process in exec leaves it at a moment of its own. */
static struct thread *another_of_space(const struct recorder *rec, const struct thread *thread)
{
	bool exec = exec_elsewhere(thread);

	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t != thread && !(exec && t->process == thread->process) &&
		    t->process->space == thread->process->space && !t->record->exiting)
			return t;
	}
	return NULL;
}

/* A word of memory that a thread has left and the witness still uses. */
static int emit_left_word(struct recorder *rec, struct thread *witness, uint64_t address)
{
	struct event event = { .kind = EVENT_MEMORY, .memory.target = witness->number };
	uint32_t value;
	struct payload payload = { PAYLOAD_OBJECT, DIRECTION_OUT, address, sizeof(value),
				   (uint8_t *)&value };

	event.payloads = &payload;
	event.payloads_count = 1;
	return guest_read(witness, address, &value, sizeof(value)) == sizeof(value)
		       ? record_event(rec, &event)
		       : 0;
}

struct memory_left record_memory_left(const struct recorder *rec, const struct thread *thread)
{
	return (struct memory_left){ another_of_space(rec, thread), thread->clear_tid };
}

int record_left_words(struct recorder *rec, struct thread *thread, const struct memory_left *left)
{
	struct record_thread *own = thread->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < own->robust_count; i++) {
		const struct robust_word *word = &own->robust_words[i];

		if (word->object)
			r = emit_shared_word(rec, word);
		else if (left->witness)
			r = emit_left_word(rec, left->witness, word->address);
	}
	forget_robust(own);
	if (r == 0 && left->witness && left->clear_tid)
		r = emit_left_word(rec, left->witness, left->clear_tid);
	return r;
}

/* What the kernel wrote into memory that lives on: the CLEARTID word and the robust words. */
static int capture_exit_writes(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	struct thread *witness = another_of_space(rec, thread);
	uint32_t word;
	int r = 0;

	own->capture.count = 0;
	own->capture.length = 0;
	if (!witness)
		return 0;
	for (size_t i = 0; r == 0 && i < own->robust_count; i++) {
		uint64_t at = own->robust_words[i].address;
		struct payload payload = { PAYLOAD_ROBUST, DIRECTION_OUT, at, 4, (uint8_t *)&word };

		if (guest_read(witness, at, &word, 4) == 4)
			r = capture_bytes(rec, thread, &payload);
	}
	if (r == 0 && thread->clear_tid && guest_read(witness, thread->clear_tid, &word, 4) == 4) {
		struct payload payload = { PAYLOAD_CLEARTID, DIRECTION_OUT, thread->clear_tid, 4,
					   (uint8_t *)&word };

		r = capture_bytes(rec, thread, &payload);
	}
	return r;
}

static enum exit_cause exit_cause(const struct thread *thread)
{
	const struct record_thread *own = thread->record;

	if (own->own_exit)
		return own->in_call ? EXIT_CALL : EXIT_SIGNAL;
	if (thread->process->ending || exec_elsewhere(thread))
		return EXIT_GROUP;
	return own->uncertain ? EXIT_UNKNOWN : EXIT_KILLED;
}

/* Writes the EXIT event and forgets the thread. */
static int finish_exit(struct recorder *rec, struct thread *thread, uint32_t status)
{
	struct process *process = thread->process;
	struct event event = { .kind = EVENT_EXIT, .thread = thread->number, .ip = thread->registers.rip };
	static struct robust_word words[ROBUST_WORDS_MAX];
	size_t shared = 0;
	int r = capture_exit_writes(rec, thread);

	if (r < 0)
		return r;
	if (thread->record->own_exit && thread->record->in_call) {
		event.nr = thread->call.nr;
		event.args[0] = thread->call.args[0];
		event.registers_hash = thread->call.registers_hash;
		event.ip = thread->call.ip;
	}
	event.exit.cause = exit_cause(thread);
	event.exit.process_gone = process->threads_count == 1;
	event.exit.status = status;
	r = capture_emit(rec, thread, &event);
	if (process == rec->command && event.exit.process_gone) {
		rec->command = NULL;
		rec->command_gone = true;
		rec->command_status = status;
	}
	if (rec->current == thread) {
		rec->turn = (struct event){ .kind = EVENT_TURN, .thread = thread->number };
		rec->last_number = thread->number;
		rec->current = NULL;
		rec->last = NULL;
	}
	if (rec->last == thread) {
		rec->turn.turn.end = TURN_BOUNDARY;
		rec->turn.nr = 0;
		rec->turn.ip = 0;
		rec->turn.registers = NULL;
		rec->last = NULL;
	}
	for (size_t i = 0; r == 0 && event.exit.process_gone && i < thread->record->robust_count; i++) {
		if (thread->record->robust_words[i].object)
			words[shared++] = thread->record->robust_words[i];
	}
	if (process->space->floating == thread->number)
		process->space->floating = 0;
	if (event.exit.process_gone)
		timers_forget(rec, process, false);
	record_thread_release(thread);
	guest_exit(&rec->guests, thread);
	for (size_t i = 0; r == 0 && i < shared; i++)
		r = emit_shared_word(rec, &words[i]);
	return r;
}

/* The thread of the process that was running its own code, or lost the CPU in it: at a point without a name. */
static struct thread *find_computing(const struct process *process)
{
	for (struct thread *t = process->threads; t; t = t->sibling) {
		if (t->record->computing)
			return t;
	}
	return NULL;
}

/* A whole process, the end of which writes where others read. The first of a pid namespace ends after all others. */
static bool leaves_words(const struct thread *thread)
{
	const struct record_thread *own = thread->record;

	if (thread->process->threads_count > 1 || thread->process->pid == 1)
		return false;
	for (size_t i = 0; i < own->robust_count; i++) {
		if (own->robust_words[i].object)
			return true;
	}
	return thread->clear_tid && thread->process->space->references > 1;
}

/* On its way to its exit stop a thread cannot be read: waits until all others of the process are there. */
static void gather_killed(struct recorder *rec, const struct thread *thread)
{
	for (struct thread *t = thread->process->threads; t; t = t->sibling) {
		int status = t->stop_status;
		bool there = status &&
			     (stop_kind(status) == STOP_EXIT || stop_kind(status) == STOP_GONE);
		pid_t got = t->tid;

		if (t == thread || t->record->exiting || t->record->died || there)
			continue;
		do
			got = waitpid(t->tid, &status, __WALL);
		while (got < 0 ? errno == EINTR
			       : stop_kind(status) != STOP_EXIT && stop_kind(status) != STOP_GONE);
		if (got != t->tid)
			continue;
		if (rec->seeded) {
			t->record->died = true;
			t->record->death = status;
			continue;
		}
		t->stop_status = status;
		t->run = RUN_STOPPED;
	}
}

int record_exit_stop(struct recorder *rec, struct thread *thread)
{
	struct process *process = thread->process;
	struct record_thread *own = thread->record;
	bool exec = exec_elsewhere(thread), grouped = process->ending || exec;
	unsigned long status = 0;
	int r;

	if (rec->current != thread && (r = schedule_mark(rec)) < 0)
		return r;
	if (stop_message(thread, &status) < 0)
		status = 0;
	if (!own->own_exit && !grouped && !process->checkpointed) {
		/* SIGKILL takes the whole process, wherever one of its threads was computing. */
		struct thread *computing = find_computing(process);

		if ((status & 0x7f) == SIGKILL)
			gather_killed(rec, thread);
		if (computing)
			computing->unplaced = computing->record->uncertain = true;
		r = record_checkpoint(rec, computing ? computing : thread, CHECKPOINT_EXIT);
		if (r < 0)
			return r;
	}
	record_note_robust(thread);
	own->exiting = true;
	process->status = (uint32_t)status;
	if (stop_resume(thread, PTRACE_CONT, 0) < 0)
		return 0;
	thread->run = RUN_KERNEL;
	if (!leaves_words(thread) &&
	    (process->threads_count == 1 || process->ending || !(own->own_exit || exec)))
		return 0; /* reaped by whoever waits next */
	/* Others still use its memory: nobody runs before the kernel has cleared its tid word. A leader stays as a
	 * zombie until the last thread is gone. */
	for (;;) {
		int reaped, got = waitpid(thread->tid, &reaped, __WALL | WNOHANG);
		pid_t tid = thread->tid;

		if (got == tid || stop_is_over(tid)) {
			/* The next stop under a leader's tid may already be that of the thread that took it over in exec. */
			r = finish_exit(rec, thread, (uint32_t)status);
			return r == 0 && got == tid && WIFSTOPPED(reaped)
				       ? schedule_stopped(rec, tid, reaped)
				       : r;
		}
		sched_yield();
	}
}

int record_detached(struct recorder *rec)
{
	struct thread *next;
	int r = 0;

	for (struct thread *t = rec->detached ? rec->guests.first : NULL; r == 0 && t; t = next) {
		next = t->next;
		if (t->record->request != PTRACE_DETACH || !stop_is_over(t->tid))
			continue;
		rec->detached--;
		r = record_gone(rec, t, t->record->deliver);
	}
	return r;
}

int record_gone(struct recorder *rec, struct thread *thread, int status)
{
	int r = rec->current != thread ? schedule_mark(rec) : 0;

	return r < 0 ? r : finish_exit(rec, thread, (uint32_t)status);
}
