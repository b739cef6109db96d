/* What replay says about events and guests, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replayer.h"

#define BACKTRACE_BYTES 1024

void replay_describe(const struct event *event, char *buffer, size_t length)
{
	const struct row *row = syscall_row(event->nr);
	const char *kind = event_kind_name(event->kind);

	switch (event->kind) {
	case EVENT_CALL:
	case EVENT_REFUSED:
	case EVENT_SIGRETURN:
	case EVENT_CLONE:
	case EVENT_EXEC:
		snprintf(buffer, length, "%" PRIu64 " thread %u %s %s(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ") = %" PRId64,
			 event->number, event->thread, kind, row ? row->name : "?", event->args[0], event->args[1],
			 event->args[2], event->result);
		return;
	case EVENT_TURN:
		snprintf(buffer, length, "%" PRIu64 " thread %u turn ends, thread %u goes on", event->number,
			 event->thread, event->turn.next);
		return;
	case EVENT_PART:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_MEMORY:
	case EVENT_END:
		break;
	}
	snprintf(buffer, length, "%" PRIu64 " thread %u %s", event->number, event->thread, kind);
}

char *replay_backtrace(struct replayer *rep, struct thread *thread)
{
	const struct mapping *m = mapping_find(&thread->process->space->table, thread->registers.rip);
	char *text = malloc(BACKTRACE_BYTES);

	(void)rep;
	if (text)
		snprintf(text, BACKTRACE_BYTES, "0x%" PRIx64 " in %s+0x%" PRIx64, thread->registers.rip,
			 m && m->path ? m->path : "?", m ? thread->registers.rip - m->start + m->offset : 0);
	return text;
}
