/*
 * The crew's clerk: once every worker found its guests' memory equal to what the trace says, the trace alone tells
 * what went to each sink, in the order of all units. Walks it in the model, and plays the END.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/array.h"
#include "../traces/error.h"
#include "crew.h"

#define KEPT_BYTES_MAX (256ULL << 20)

/* Inputs that came in PART events, until their call is over. */
struct kept {
	uint32_t thread;
	struct payload payload; /* bytes owned */
};

struct clerk {
	struct replayer *rep;
	struct kept *kept;
	size_t count, capacity;
	uint64_t bytes;
};

/* The payload of the call that holds the byte at `address`; what it wrote goes before what it read. */
static const struct payload *find_payload(const struct clerk *clerk, uint64_t address)
{
	const struct event *event = clerk->rep->event;
	const struct payload *found = NULL;

	for (size_t i = 0; i < clerk->count + event->payloads_count; i++) {
		const struct payload *p = i < clerk->count ? &clerk->kept[i].payload
							   : &event->payloads[i - clerk->count];

		if (p->arg > 5 || address < p->address || address - p->address >= p->length ||
		    (i < clerk->count && clerk->kept[i].thread != event->thread))
			continue;
		if (p->direction == DIRECTION_OUT)
			return p;
		found = p;
	}
	return found;
}

/* The call's memory, as far as the trace has it: a guest_reader. */
static size_t read_inputs(void *context, uint64_t address, void *buffer, size_t length)
{
	size_t done = 0;

	while (done < length) {
		uint64_t at = address + done;
		const struct payload *p = find_payload(context, at);
		size_t n;

		if (!p)
			break;
		n = p->length - (size_t)(at - p->address);
		n = n < length - done ? n : length - done;
		memcpy((uint8_t *)buffer + done, p->bytes + (at - p->address), n);
		done += n;
	}
	return done;
}

static int keep(struct clerk *clerk, const struct event *event)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		struct kept *grown;
		uint8_t *copy;

		if (p->direction != DIRECTION_IN || p->arg > 5)
			continue;
		if (clerk->bytes + p->length > KEPT_BYTES_MAX)
			return SWORN_ELIMIT;
		grown = array_grow(clerk->kept, clerk->count, &clerk->capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		clerk->kept = grown;
		copy = malloc(p->length + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, p->bytes, p->length);
		clerk->bytes += p->length;
		clerk->kept[clerk->count] = (struct kept){ event->thread, *p };
		clerk->kept[clerk->count++].payload.bytes = copy;
	}
	return 0;
}

static void forget(struct clerk *clerk, uint32_t thread)
{
	size_t left = 0;

	for (size_t i = 0; i < clerk->count; i++) {
		if (clerk->kept[i].thread != thread) {
			clerk->kept[left++] = clerk->kept[i];
			continue;
		}
		clerk->bytes -= clerk->kept[i].payload.length;
		free((void *)(uintptr_t)clerk->kept[i].payload.bytes);
	}
	clerk->count = left;
}

static int count_output(struct clerk *clerk, const struct event *event)
{
	struct replayer *rep = clerk->rep;
	struct thread *thread = guest_by_number(&rep->guests, event->thread);
	struct call *call;
	int r;

	if (!thread)
		return SWORN_EFORMAT;
	if ((event->flags & (CALL_RESTARTED | CALL_UNFINISHED)) || !event->sink ||
	    (event->result < 0 && event->result >= -4095))
		return 0;
	call = &thread->call;
	call->nr = event->nr;
	memcpy(call->args, event->args, sizeof(call->args));
	call->row = syscall_resolve(call->nr, call->args);
	if (!call->row)
		return SWORN_EFORMAT;
	r = extent_entry(call->row, call->args, read_inputs, clerk, &call->entry);
	return r < 0 ? r
		     : sink_update(rep->sinks, event->sink, thread, event->result,
				   rep->show_output ? replay_show : NULL);
}

static int take(struct clerk *clerk, const struct event *event)
{
	struct replayer *rep = clerk->rep;
	int r = 0;

	rep->event = event;
	switch (event->kind) {
	case EVENT_PART: r = keep(clerk, event); break;
	case EVENT_CALL: r = count_output(clerk, event); break;
	case EVENT_CHECKPOINT: rep->checkpoints++; return 0;
	case EVENT_END: crew_results(rep->crew, rep); return replay_end(rep);
	case EVENT_EXIT:
	case EVENT_REFUSED:
	case EVENT_CLONE:
	case EVENT_EXEC:
	case EVENT_TURN:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_MEMORY: break;
	}
	if (event->kind != EVENT_PART && event->kind != EVENT_TURN && event->kind != EVENT_MEMORY &&
	    !(event->flags & CALL_UNFINISHED) && clerk->count > 0)
		forget(clerk, event->thread);
	return r < 0 ? r : replayer_play(rep, event);
}

int clerk_walk(struct replayer *rep)
{
	struct clerk clerk = { .rep = rep };
	struct event event;
	int r;

	sinks_read_from(rep->sinks, read_inputs, &clerk);
	while ((r = trace_next(rep->reader, &event)) > 0) {
		r = take(&clerk, &event);
		if (r < 0)
			break;
	}
	sinks_read_from(rep->sinks, NULL, NULL);
	while (clerk.count > 0)
		forget(&clerk, clerk.kept[0].thread);
	free(clerk.kept);
	rep->event = NULL;
	return r < 0 ? r : rep->ended ? 0 : SWORN_EFORMAT;
}
