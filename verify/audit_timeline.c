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

struct moment_at {
	uint64_t event;
	uint32_t index;
	enum moment_kind kind;
};

struct moments {
	struct moment_at *list; /* owned */
	size_t count, capacity;
};

static int by_event(const void *a, const void *b)
{
	const struct moment_at *x = a, *y = b;
	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static void add(struct moments *moments, uint64_t event, enum moment_kind kind, size_t index)
{
	moments->list[moments->count++] = (struct moment_at){ event, (uint32_t)index, kind };
}

static bool collect(const struct history *history, struct moments *moments)
{
	moments->capacity = history->programs_count + 2 * history->processes_count +
			    history->uses_count + history->changes_count + history->sockets_count +
			    history->peers_count + history->passes_count + history->signals_count + 1;
	moments->list = calloc(moments->capacity, sizeof(*moments->list));
	if (!moments->list)
		return false;
	for (size_t i = 0; i < history->programs_count; i++)
		add(moments, history->programs[i].event, MOMENT_EXEC, i);
	for (size_t i = 0; i < history->processes_count; i++) {
		if (i > 0)
			add(moments, history->processes[i].start, MOMENT_START, i);
		if (history->processes[i].gone)
			add(moments, history->processes[i].end, MOMENT_END, i);
	}
	for (size_t i = 0; i < history->uses_count; i++)
		if (history->uses[i].opens)
			add(moments, history->uses[i].first, MOMENT_OPEN, i);
	for (size_t i = 0; i < history->changes_count; i++)
		add(moments, history->changes[i].event, MOMENT_CHANGE, i);
	for (size_t i = 0; i < history->sockets_count; i++)
		add(moments, history->sockets[i].event, MOMENT_SOCKET, i);
	for (size_t i = 0; i < history->peers_count; i++)
		add(moments, history->peers[i].first, MOMENT_PEER, i);
	for (size_t i = 0; i < history->passes_count; i++)
		add(moments, history->passes[i].event, MOMENT_PASS, i);
	for (size_t i = 0; i < history->signals_count; i++)
		add(moments, history->signals[i].event, MOMENT_SIGNAL, i);
	qsort(moments->list, moments->count, sizeof(*moments->list), by_event);
	return true;
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
	struct moments moments = { 0 };
	if (!collect(audit->history, &moments))
		return audit_fail(audit, VERIFY_UNKNOWN, "memory is short; free some and ask again");
	for (size_t i = 0; i < moments.count; i++) {
		const struct moment_at *at = &moments.list[i];
		uint32_t process = process_at(audit->history, at);
		bool asked = !audit->options.pid ||
			     (process &&
			      audit->history->processes[process - 1].pid == audit->options.pid);
		if (asked && at->event >= audit->options.from && at->event <= audit->options.to)
			put(audit, at);
	}
	free(moments.list);
	return VERIFY_OK;
}
