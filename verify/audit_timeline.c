#include "audit.h"

#include <stdlib.h>
#include <string.h>

enum moment_kind {
	MOMENT_EXEC,
	MOMENT_END,
	MOMENT_OPEN,
	MOMENT_CHANGE,
	MOMENT_SOCKET,
	MOMENT_PEER,
	MOMENT_PASS,
	MOMENT_SIGNAL,
	MOMENT_START
};
#define MOMENT_KINDS (MOMENT_START + 1U)

struct moment_at {
	uint64_t event;
	uint32_t index;
	enum moment_kind kind;
};

/* One table of the history, whose entries come up in the order of their events. */
struct source {
	enum moment_kind kind;
	size_t count, next;
	uint32_t *order; /* owned; NULL: the table is in order itself */
};

static size_t count_of(const struct history *history, enum moment_kind kind)
{
	switch (kind) {
	case MOMENT_EXEC: return history->programs_count;
	case MOMENT_START:
	case MOMENT_END: return history->processes_count;
	case MOMENT_OPEN: return history->uses_count;
	case MOMENT_CHANGE: return history->changes_count;
	case MOMENT_SOCKET: return history->sockets_count;
	case MOMENT_PEER: return history->peers_count;
	case MOMENT_PASS: return history->passes_count;
	case MOMENT_SIGNAL: return history->signals_count;
	}
	return 0;
}

/* When an entry of a table happened; HISTORY_NO_EVENT when it is none of the timeline's. */
static uint64_t event_of(const struct history *history, enum moment_kind kind, size_t index)
{
	const struct history_use *use;
	switch (kind) {
	case MOMENT_EXEC: return history->programs[index].event;
	case MOMENT_START: return index > 0 ? history->processes[index].start : HISTORY_NO_EVENT;
	case MOMENT_END:
		return history->processes[index].gone ? history->processes[index].end : HISTORY_NO_EVENT;
	case MOMENT_OPEN:
		use = &history->uses[index];
		return use->opens ? use->first : HISTORY_NO_EVENT;
	case MOMENT_CHANGE: return history->changes[index].event;
	case MOMENT_SOCKET: return history->sockets[index].event;
	case MOMENT_PEER: return history->peers[index].first;
	case MOMENT_PASS: return history->passes[index].event;
	case MOMENT_SIGNAL: return history->signals[index].event;
	}
	return HISTORY_NO_EVENT;
}

struct sorting {
	const struct history *history;
	enum moment_kind kind;
};

static int by_event(const void *a, const void *b, void *context)
{
	const struct sorting *sorting = context;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint64_t first = event_of(sorting->history, sorting->kind, x);
	uint64_t second = event_of(sorting->history, sorting->kind, y);
	if (first != second)
		return first < second ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Most tables are in order: only for others it takes memory to put them into it. */
static bool source_init(const struct history *history, enum moment_kind kind, struct source *source)
{
	struct sorting sorting = { history, kind };
	uint64_t last = 0;
	bool ordered = true;
	*source = (struct source){ .kind = kind, .count = count_of(history, kind) };
	for (size_t i = 0; i < source->count && ordered; i++) {
		uint64_t event = event_of(history, kind, i);
		if (event == HISTORY_NO_EVENT)
			continue;
		ordered = event >= last;
		last = event;
	}
	if (ordered)
		return true;
	source->order = calloc(source->count, sizeof(*source->order));
	if (!source->order)
		return false;
	for (size_t i = 0; i < source->count; i++)
		source->order[i] = (uint32_t)i;
	qsort_r(source->order, source->count, sizeof(*source->order), by_event, &sorting);
	return true;
}

/* What a source has next; false when it has nothing more. */
static bool source_peek(const struct history *history, struct source *source, struct moment_at *ret)
{
	for (; source->next < source->count; source->next++) {
		uint32_t index = source->order ? source->order[source->next] : (uint32_t)source->next;
		uint64_t event = event_of(history, source->kind, index);
		if (event == HISTORY_NO_EVENT)
			continue;
		*ret = (struct moment_at){ event, index, source->kind };
		return true;
	}
	return false;
}

/* The earliest of what all sources have next, of two at one event that of the first kind. */
static bool take_next(const struct history *history, struct source sources[MOMENT_KINDS],
		      struct moment_at *ret)
{
	struct moment_at at = { 0 };
	struct source *from = NULL;
	*ret = (struct moment_at){ 0 };
	for (unsigned int kind = 0; kind < MOMENT_KINDS; kind++) {
		if (!source_peek(history, &sources[kind], &at) || (from && at.event >= ret->event))
			continue;
		from = &sources[kind];
		*ret = at;
	}
	if (from)
		from->next++;
	return from != NULL;
}

static uint32_t process_at(const struct history *history, const struct moment_at *at)
{
	switch (at->kind) {
	case MOMENT_EXEC: return history->programs[at->index].process;
	case MOMENT_START:
	case MOMENT_END: return at->index + 1;
	case MOMENT_OPEN: return history->uses[at->index].process;
	case MOMENT_CHANGE: return history->changes[at->index].process;
	case MOMENT_SOCKET: return history->sockets[at->index].process;
	case MOMENT_PEER: return history->sockets[history->peers[at->index].socket - 1].process;
	case MOMENT_PASS: return history->passes[at->index].to;
	case MOMENT_SIGNAL: return history->signals[at->index].process;
	}
	return 0;
}

/* Word, and what it is about. `other` is a second text, or NULL. */
static const char *words_of(const struct history *history, const struct moment_at *at,
			    const char **ret_what, const char **ret_other)
{
	const struct history_signal *signal;
	*ret_what = "";
	*ret_other = NULL;
	switch (at->kind) {
	case MOMENT_EXEC: *ret_what = history->programs[at->index].path; return "exec";
	case MOMENT_START: return "start";
	case MOMENT_END: return "end";
	case MOMENT_OPEN:
		*ret_what = history->files[history->uses[at->index].file - 1].path;
		return history->uses[at->index].opens_for_writing ? "open-for-writing" : "open";
	case MOMENT_CHANGE:
		*ret_what = history->changes[at->index].path;
		*ret_other = history->changes[at->index].other;
		return history_action_name(history->changes[at->index].action);
	case MOMENT_SOCKET:
		*ret_what = history->sockets[at->index].local ? history->sockets[at->index].local : "";
		return history->sockets[at->index].role == ROLE_NONE
			       ? "socket"
			       : history_role_name(history->sockets[at->index].role);
	case MOMENT_PEER: *ret_what = history->peers[at->index].address; return "peer";
	case MOMENT_PASS: return "descriptor-passed";
	case MOMENT_SIGNAL:
		signal = &history->signals[at->index];
		*ret_what = sigabbrev_np((int)signal->number) ? sigabbrev_np((int)signal->number) : "?";
		return signal->kind == SIGNAL_SENT    ? "signal-sent"
		       : signal->kind == SIGNAL_TAKEN ? "signal-handled"
						      : "signal-fatal";
	}
	return "?";
}

static void put(struct audit *audit, const struct moment_at *at)
{
	const struct history *history = audit->history;
	uint32_t process = process_at(history, at);
	struct out *out = &audit->out;
	const char *what, *other, *word = words_of(history, at, &what, &other);
	out_line(out, "moment");
	if (out->json) {
		out_member_uint(out, "event", at->event);
		audit_member_process(audit, "pid", process);
		out_member_text(out, "what", word);
		out_member_text(out, "object", what[0] ? what : NULL);
		out_member_text(out, "other", other);
		if (at->kind == MOMENT_EXEC)
			audit_member_strings(out, "argv", &history->programs[at->index].arguments);
		if (at->kind == MOMENT_END)
			audit_member_status(out, true, history->processes[at->index].status);
	} else {
		out_format(out, "%llu pid ", (unsigned long long)at->event);
		audit_put_process(audit, process, at->event);
		out_format(out, " %s ", word);
		if (what[0])
			out_name(out, what);
		if (other) {
			out_text(out, " -> ");
			out_name(out, other);
		}
		if (at->kind == MOMENT_EXEC) {
			out_text(out, ": ");
			audit_put_arguments(out, &history->programs[at->index].arguments);
		}
		if (at->kind == MOMENT_END)
			audit_put_status(out, history->processes[at->index].status);
	}
	out_end(out);
}

int audit_timeline(struct audit *audit)
{
	struct source sources[MOMENT_KINDS] = { 0 };
	struct moment_at at = { 0 };
	int code = VERIFY_OK;
	for (unsigned int kind = 0; kind < MOMENT_KINDS && code == VERIFY_OK; kind++)
		if (!source_init(audit->history, (enum moment_kind)kind, &sources[kind]))
			code = audit_fail(audit, VERIFY_UNKNOWN,
					  "memory is short; free some and ask again");
	while (code == VERIFY_OK && take_next(audit->history, sources, &at)) {
		uint32_t process = process_at(audit->history, &at);
		bool asked = !audit->options.pid ||
			     (process &&
			      audit->history->processes[process - 1].pid == audit->options.pid);
		if (asked && at.event >= audit->options.from && at.event <= audit->options.to)
			put(audit, &at);
	}
	for (unsigned int kind = 0; kind < MOMENT_KINDS; kind++)
		free(sources[kind].order);
	return code;
}
