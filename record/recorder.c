#include "recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "../sandbox/register.h"
#include "../traces/error.h"

int record_event(struct recorder *rec, const struct event *event)
{
	return writer_event(rec->writer, event);
}

void record_thread_init(struct thread *thread)
{
	thread->record = calloc(1, sizeof(*thread->record));
	if (!thread->record)
		return;
	thread->record->stat_fd = thread->record->wchan_fd = -1;
	thread->record->request = PTRACE_CONT;
}

void record_thread_forget(struct thread *thread)
{
	struct record_thread *own = thread->record;

	if (own->stat_fd >= 0)
		close(own->stat_fd);
	if (own->wchan_fd >= 0)
		close(own->wchan_fd);
	own->stat_fd = own->wchan_fd = -1;
	counter_close(thread->counter);
	thread->counter = NULL;
	own->counting = false;
}

void record_thread_release(struct thread *thread)
{
	struct record_thread *own = thread->record;

	if (!own)
		return;
	record_thread_forget(thread);
	capture_release(&own->capture);
	free(own->robust_words);
	free(own->held);
	free(own);
	thread->record = NULL;
}

struct event record_call_event(const struct thread *thread, enum event_kind kind)
{
	const struct call *call = &thread->call;
	struct event event = {
		.kind = kind,
		.thread = thread->number,
		.ip = call->ip,
		.registers_hash = call->registers_hash,
		.nr = call->nr,
	};

	for (unsigned int i = 0; call->row && i < row_args(call->row); i++)
		event.args[i] = row_argument(call->row, i, call->args);
	return event;
}

int record_answer(struct recorder *rec, struct thread *thread, int64_t result)
{
	struct event event = record_call_event(thread, EVENT_CALL);
	int r;

	event.result = result;
	thread->registers.rax = (uint64_t)result;
	thread->registers.orig_rax = (uint64_t)-1;
	r = stop_set_registers(thread);
	if (r < 0)
		return r;
	thread->stand = STAND_BOUNDARY;
	thread->record->in_call = false;
	schedule_resume(thread, PTRACE_CONT, 0);
	return capture_emit(rec, thread, &event);
}

static int take_interval(struct recorder *rec, struct thread *thread)
{
	int r;

	if (!rec->checkpoint_interval || thread->record->in_call || thread->record->no_event ||
	    thread->stand != STAND_BOUNDARY || writer_events(rec->writer) < rec->next_checkpoint ||
	    thread->record->exiting)
		return 0;
	rec->next_checkpoint = writer_events(rec->writer) + rec->checkpoint_interval;
	r = thread->record->deliver ? 0 : dirty_start(thread, false);
	return r < 0 ? r : record_checkpoint(rec, thread, CHECKPOINT_INTERVAL);
}

/* While it listens nobody can read its registers, and it may die from there. */
static int take_group_stop(struct thread *thread)
{
	struct record_thread *own = thread->record;
	int r = 0;

	own->no_event = true;
	schedule_resume(thread, PTRACE_LISTEN, 0);
	if (own->in_call)
		return 0;
	r = stop_get_registers(thread);
	if (r < 0)
		return r;
	own->computing = !record_at_boundary(thread);
	if (!thread->vector)
		thread->vector = malloc(VECTOR_BYTES_MAX);
	return thread->vector ? vector_get(thread->tid, thread->vector, &thread->vector_length)
			      : -ENOMEM;
}

static int take_stop(struct recorder *rec, struct thread *thread, int status)
{
	unsigned long message;
	int r;

	if (stop_kind(status) != STOP_EXIT && stop_kind(status) != STOP_GONE)
		thread->record->computing = false;
	switch (stop_kind(status)) {
	case STOP_ENTRY:
		r = stop_get_registers(thread);
		return r < 0 ? r : record_entry(rec, thread);
	case STOP_RETURN:
		r = stop_get_registers(thread);
		return r < 0 ? r : record_return(rec, thread);
	case STOP_SIGNAL:
		r = stop_get_registers(thread);
		return r < 0 ? r : record_signal(rec, thread, stop_signal(status));
	case STOP_CLONE:
		r = stop_message(thread, &message);
		return r < 0 ? r : record_clone(rec, thread, message);
	case STOP_EXEC:
		r = stop_message(thread, &message);
		return r < 0 ? r : record_exec(rec, thread, message);
	case STOP_EXIT: return record_exit_stop(rec, thread);
	case STOP_GONE: return record_gone(rec, thread, status);
	case STOP_GROUP: return take_group_stop(thread);
	case STOP_INTERRUPT:
		thread->record->no_event = true;
		schedule_resume(thread,
				thread->record->in_call && !thread->record->restarting ? PTRACE_SYSCALL
										       : PTRACE_CONT,
				0);
		return 0;
	}
	return SWORN_EFORMAT;
}

int recorder_take(struct recorder *rec, struct thread *thread, int status)
{
	uint64_t events = writer_events(rec->writer);
	uint32_t number = thread->number;
	int r;

	/* Who looked at it since its last event may have met this stop: it says for itself whether it is one. */
	thread->record->no_event = false;
	r = take_stop(rec, thread, status);
	/* Of a stop without an event, such as that of a signal which is held, replay knows nothing. */
	if (r >= 0) {
		thread = guest_by_number(&rec->guests, number);
		r = thread && thread->run == RUN_STOPPED && writer_events(rec->writer) != events
			    ? take_interval(rec, thread)
			    : 0;
	}
	if (r == SWORN_EGONE) {
		/* The thread got SIGKILL while it was handled; its exit stop comes next. */
		thread = guest_by_number(&rec->guests, number);
		if (thread && !thread->record->exiting && !thread->stop_status)
			thread->run = RUN_KERNEL;
		return 0;
	}
	return r;
}
