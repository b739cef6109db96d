#include "crew.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "../sandbox/register.h"
#include "../sandbox/seek.h"
#include "../traces/digest.h"
#include "../traces/error.h"

/* What the event is called in a report: its call's name where it is about a call. */
static const char *event_title(const struct event *event)
{
	const struct row *row = event ? syscall_row(event->nr) : NULL;

	if (!event)
		return "end";
	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_PART:
	case EVENT_EXEC:
	case EVENT_CLONE:
	case EVENT_SIGRETURN:
	case EVENT_REFUSED: return row && event->ip ? row->name : event_kind_name(event->kind);
	case EVENT_TURN:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	return event_kind_name(event->kind);
}

int diverge(struct replayer *rep, const char *where, const char *expected, const char *actual)
{
	struct divergence *d = &rep->divergence;
	const struct event *event = rep->event;
	struct thread *thread = event ? guest_by_number(&rep->guests, event->thread) : NULL;

	if (d->found)
		return SWORN_EDIVERGED;
	d->found = true;
	d->event = event ? event->number : rep->played;
	d->thread = event ? event->thread : 0;
	d->unit = thread ? thread->process->unit->number : 0;
	snprintf(d->call, sizeof(d->call), "%s", event_title(event));
	snprintf(d->where, sizeof(d->where), "%s", where);
	snprintf(d->expected, sizeof(d->expected), "%s", expected);
	snprintf(d->actual, sizeof(d->actual), "%s", actual);
	for (uint64_t i = rep->history_next > PREVIOUS_EVENTS ? rep->history_next - PREVIOUS_EVENTS : 0;
	     i < rep->history_next; i++)
		describe_event(&rep->history[i % PREVIOUS_EVENTS].event,
			       d->previous[d->previous_count++], DESCRIPTION_BYTES);
	if (thread && !rep->crew) /* a crew's is not shown */
		d->backtrace = replay_backtrace(rep, thread);
	return SWORN_EDIVERGED;
}

int diverge_number(struct replayer *rep, const char *where, uint64_t expected, uint64_t actual)
{
	char a[32], b[32];

	snprintf(a, sizeof(a), "0x%" PRIx64, expected);
	snprintf(b, sizeof(b), "0x%" PRIx64, actual);
	return diverge(rep, where, a, b);
}

static int describe_stop(struct replayer *rep, struct thread *thread, int status)
{
	char text[DIVERGENCE_TEXT];

	switch (stop_kind(status)) {
	case STOP_SIGNAL:
		snprintf(text, sizeof(text), "signal %d at 0x%" PRIx64, stop_signal(status),
			 thread->registers.rip);
		break;
	case STOP_GONE:
	case STOP_EXIT: snprintf(text, sizeof(text), "the guest died"); break;
	case STOP_ENTRY:
	case STOP_RETURN:
	case STOP_CLONE:
	case STOP_EXEC:
	case STOP_GROUP:
	case STOP_INTERRUPT:
		snprintf(text, sizeof(text), "stop of kind %d", stop_kind(status));
		break;
	}
	return diverge(rep, "stop", event_kind_name(rep->event->kind), text);
}

int replay_to_stop(struct replayer *rep, struct thread *thread)
{
	int status, r;

	if (thread->stand == STAND_ENTRY || thread->stand == STAND_FAULT)
		return 0;
	if (thread->stand == STAND_GONE)
		return diverge(rep, "stop", event_kind_name(rep->event->kind), "the thread is dead");
	r = stop_resume(thread, PTRACE_CONT, 0);
	while (r == 0 && (r = stop_wait(thread, &status)) == -EINTR)
		r = 0;
	if (r < 0)
		return r == SWORN_EGONE ? diverge(rep, "stop", event_kind_name(rep->event->kind),
						  "the guest died")
					: r;
	switch (stop_kind(status)) {
	case STOP_ENTRY:
		r = stop_get_registers(thread);
		if (r == 0)
			r = guest_enter_call(thread);
		return r < 0 ? r : stop_leave_vsyscall(thread);
	case STOP_SIGNAL:
		r = stop_get_registers(thread);
		thread->stand = STAND_FAULT;
		thread->stop_status = status;
		return r;
	case STOP_RETURN:
	case STOP_CLONE:
	case STOP_EXEC:
	case STOP_EXIT:
	case STOP_GROUP:
	case STOP_INTERRUPT:
	case STOP_GONE: thread->stand = STAND_GONE; break;
	}
	return describe_stop(rep, thread, status);
}

static int check_registers(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	const struct call *call = &thread->call;
	char where[32];

	for (unsigned int i = 0; call->row && i < 6; i++) {
		uint64_t actual = row_argument(call->row, i, call->args);
		const char *name = call->row->args[i].name;

		if (actual == event->args[i])
			continue;
		snprintf(where, sizeof(where), "argument %u (%s)", i, name ? name : "it has none");
		return diverge_number(rep, where, event->args[i], actual);
	}
	if (call->ip != event->ip)
		return diverge_number(rep, "instruction pointer", event->ip, call->ip);
	if (event->registers_hash != call->registers_hash)
		return diverge_number(rep, "registers", event->registers_hash, call->registers_hash);
	return 0;
}

/* A call that the guest's own filter answers has no other event than its answer or its thread's end. */
static bool may_follow(enum ruling_kind ruling, enum event_kind kind)
{
	return ruling == RULING_RUN || kind == EVENT_CALL || kind == EVENT_EXIT;
}

int replay_to_call(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	char a[DESCRIPTION_BYTES], b[DESCRIPTION_BYTES];
	int r = replay_to_stop(rep, thread);

	if (r < 0)
		return r;
	if (thread->stand != STAND_ENTRY)
		return describe_stop(rep, thread, thread->stop_status);
	if (thread->call.nr == event->nr) {
		r = check_registers(rep, thread);
		return r == 0 && !may_follow(thread->call.ruling.kind, event->kind) ? SWORN_EFORMAT : r;
	}
	describe_call(event, a, sizeof(a));
	replay_describe(thread, b, sizeof(b));
	return diverge(rep, "call number", a, b);
}

int replay_answer(struct thread *thread, int64_t result)
{
	thread->registers.rax = (uint64_t)result;
	thread->registers.orig_rax = (uint64_t)-1;
	thread->stand = STAND_BOUNDARY;
	return stop_set_registers(thread);
}

int replay_set_state(struct thread *thread, const struct event *event)
{
	int r;

	thread->registers = *event->registers;
	thread->registers.orig_rax = (uint64_t)-1;
	thread->stand = STAND_BOUNDARY;
	r = stop_set_registers(thread);
	return r < 0 ? r : vector_set(thread->tid, event->vector, event->vector_length);
}

static int play_refused(struct replayer *rep, struct thread *thread)
{
	int r = replay_to_call(rep, thread);

	if (r < 0)
		return r;
	if (rep->event->result >= 0 || rep->event->result < -4095)
		return SWORN_EREFUSED;
	return replay_answer(thread, rep->event->result);
}

int replay_turn(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct position position = { .kind = event->turn.end, .count = event->turn.count };
	struct registers found;
	int status = 0, r = 0;

	if (!guest_by_number(&rep->guests, event->turn.next))
		return SWORN_EFORMAT;
	rep->running = event->turn.next;
	switch (event->turn.end) {
	case TURN_BOUNDARY:
		/* One that a signal ends goes nowhere any more, wherever the signal met it. */
		return !thread || thread->stand == STAND_BOUNDARY || thread->process->ending
			       ? 0
			       : SWORN_EFORMAT;
	case TURN_ENTRY:
		if (!thread)
			return SWORN_EFORMAT;
		r = replay_to_stop(rep, thread);
		if (r < 0)
			return r;
		if (thread->stand != STAND_ENTRY)
			return describe_stop(rep, thread, thread->stop_status);
		if (thread->call.nr != event->nr)
			return diverge_number(rep, "call number", event->nr, thread->call.nr);
		return thread->call.ip == event->ip ? 0
						    : diverge_number(rep, "instruction pointer",
								     event->ip, thread->call.ip);
	case TURN_COUNT:
	case TURN_ADDRESS:
	case TURN_STATE: break;
	default: return SWORN_EFORMAT;
	}
	if (!thread || !event->registers || thread->stand != STAND_BOUNDARY)
		return SWORN_EFORMAT;
	if (event->turn.end == TURN_STATE) {
		r = dirty_start(thread, true);
		if (r < 0)
			return r;
		r = seek_reach(&rep->guests, thread, event->registers, event->turn.state, &status);
		return r == 1 ? describe_stop(rep, thread, status) : r;
	}
	if (!thread->counter)
		r = counter_usable() ? counter_open(thread->tid, &thread->counter) : SWORN_ENEEDSPMU;
	if (r < 0)
		return r == SWORN_EHOST ? SWORN_ENEEDSPMU : r;
	position.registers = *event->registers;
	r = cut_reach(thread->tid, guest_memory(thread), thread->counter, &position, &status, &found);
	if (r == 1)
		return describe_stop(rep, thread, status);
	if (r == SWORN_EDIVERGED)
		return diverge_number(rep, "position", position.registers.rip, found.rip);
	thread->registers = position.registers;
	return r;
}

/* Which thread may have this event: the one whose turn it is, but for deaths and checkpoints, which come when
 * they come. */
static int find_thread(struct replayer *rep, const struct event *event, struct thread **ret_thread)
{
	*ret_thread = guest_by_number(&rep->guests, event->thread);
	switch (event->kind) {
	case EVENT_EXEC:
		if (rep->running == 0)
			return event->thread == 1 ? 0 : SWORN_EFORMAT;
		break;
	case EVENT_TURN:
	case EVENT_MEMORY:
	case EVENT_END: return 0;
	case EVENT_EXIT:
	case EVENT_CHECKPOINT: return *ret_thread ? 0 : SWORN_EFORMAT;
	case EVENT_CALL:
	case EVENT_PART:
		/* What calls in flight have written so far is told before a checkpoint, whoever runs. */
		if (*ret_thread &&
		    ((event->flags & CALL_UNFINISHED) || (*ret_thread)->stand == STAND_ENTRY))
			return 0;
		break;
	case EVENT_CLONE:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_REFUSED: break;
	}
	if (!*ret_thread)
		return SWORN_EFORMAT;
	return event->thread == rep->running || is_elsewhere(*ret_thread) ? 0 : SWORN_EFORMAT;
}

static int play(struct replayer *rep, struct thread *thread)
{
	switch (rep->event->kind) {
	case EVENT_CALL: return replay_call(rep, thread);
	case EVENT_PART: return replay_part(rep, thread);
	case EVENT_TURN: return replay_turn(rep, thread);
	case EVENT_EXEC: return replay_exec(rep, thread);
	case EVENT_CLONE: return replay_clone(rep, thread);
	case EVENT_EXIT: return replay_exit(rep, thread);
	case EVENT_SIGNAL: return replay_signal(rep, thread);
	case EVENT_SIGRETURN: return replay_sigreturn(rep, thread);
	case EVENT_TRAP: return replay_trap(rep, thread);
	case EVENT_CHECKPOINT: return replay_checkpoint(rep, thread);
	case EVENT_REFUSED: return play_refused(rep, thread);
	case EVENT_MEMORY: return replay_memory(rep, thread);
	case EVENT_END: return replay_end(rep);
	}
	return SWORN_EFORMAT;
}

/* Whether this worker answers for the event. */
static bool is_mine(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;

	switch (event->kind) {
	case EVENT_EXEC: return crew_owns(rep->crew, rep->guests.units_count + 1);
	case EVENT_MEMORY:
		if (event->memory.object != 0)
			return crew_has_object(rep->crew, event->memory.object);
		thread = guest_by_number(&rep->guests, event->memory.target);
		break;
	case EVENT_END: return false;
	case EVENT_TURN:
		if (!thread)
			thread = guest_by_number(&rep->guests, event->turn.next);
		break;
	case EVENT_CALL:
	case EVENT_PART:
	case EVENT_CLONE:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_REFUSED: break;
	}
	return thread && !is_elsewhere(thread);
}

/* In a crew: plays what is this worker's, and follows the rest. */
static int play_or_follow(struct replayer *rep, struct thread *thread, bool *ret_mine)
{
	struct unit *unit = thread ? thread->process->unit : NULL;

	*ret_mine = is_mine(rep, thread);
	if (!*ret_mine)
		return follow_event(rep, thread);
	if (unit && unit->starting > 0 && --unit->starting == 0)
		crew_fetch(rep->crew, thread);
	/* The one who wrote stands before its call until its own worker gets there. */
	if (rep->event->kind == EVENT_MEMORY && thread && is_elsewhere(thread))
		thread = NULL;
	return play(rep, thread);
}

int replayer_play(struct replayer *rep, const struct event *event)
{
	struct thread *thread;
	bool mine = true;
	int r;

	if (rep->ended)
		return SWORN_EFORMAT;
	rep->event = event;
	r = find_thread(rep, event, &thread);
	if (r == 0)
		r = rep->crew ? play_or_follow(rep, thread, &mine) : play(rep, thread);
	if (r == SWORN_EGONE)
		r = diverge(rep, "stop", event_kind_name(event->kind), "the guest died");
	if (r < 0)
		return r;
	rep->event = NULL;
	if (!mine)
		return 0;
	describe_keep(event, &rep->history[rep->history_next++ % PREVIOUS_EVENTS]);
	rep->played++;
	return 0;
}

int replayer_finish(struct replayer *rep)
{
	if (!rep->ended || rep->guests.alive > 0 || rep->played == 0)
		return diverge(rep, "end", "all events played, no guest left", "the trace ends early");
	return 0;
}

void replayer_release(struct replayer *rep)
{
	while (rep->guests.first) {
		struct process *process = rep->guests.first->process;

		replay_kill(rep, process);
		while (rep->guests.first && rep->guests.first->process == process &&
		       !guest_exit(&rep->guests, rep->guests.first))
			;
	}
	guests_release(&rep->guests);
	replay_forget_image(rep);
	sinks_release(rep->sinks);
	object_arena_close(rep->objects);
	arena_close(rep->guests.arena);
	free(rep->divergence.backtrace);
}
