#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "../traces/array.h"
#include "../traces/digest.h"
#include "../traces/error.h"

/* What a run did, one text for each thing, sorted. */
struct facts {
	char **texts; /* owned, as are the texts */
	size_t count, capacity;
};

static void facts_release(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		free(facts->texts[i]);
	free(facts->texts);
}

/* Takes what was written into `out`, which writes to nowhere, as one fact. */
static int take_fact(struct facts *facts, struct out *out)
{
	char **grown = array_grow(facts->texts, facts->count, &facts->capacity, sizeof(*grown));
	char *text = grown ? strndup(out->bytes, out->used) : NULL;
	out->used = 0;
	if (grown)
		facts->texts = grown;
	if (!text)
		return -ENOMEM;
	facts->texts[facts->count++] = text;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_files(const struct history *history, struct facts *facts, struct out *out)
{
	static const char *const words[] = { "read", "wrote" };
	int r = 0;
	for (size_t i = 0; r == 0 && i < history->files_count; i++) {
		const struct history_file *file = &history->files[i];
		if (file->kind == HISTORY_SOCKET)
			continue;
		for (int way = 0; r == 0 && way < 2; way++) {
			if (file->moved.calls[way] == 0)
				continue;
			out_format(out, "%s ", words[way]);
			out_name(out, file->path);
			out_format(out, " %llu bytes ", (unsigned long long)file->moved.bytes[way]);
			out_digest(out, file->moved.digest[way]);
			r = take_fact(facts, out);
		}
		if (r == 0 && !digest_is_zero(file->content)) {
			out_text(out, "mapped ");
			out_name(out, file->path);
			out_char(out, ' ');
			out_digest(out, file->content);
			r = take_fact(facts, out);
		}
	}
	return r;
}

static int collect(const struct history *history, struct facts *facts)
{
	struct out out;
	int r = out_init(&out, -1, false);
	for (size_t i = 0; r == 0 && i < history->programs_count; i++) {
		const struct history_program *program = &history->programs[i];
		out_text(&out, "ran ");
		out_name(&out, program->path);
		out_char(&out, ' ');
		out_digest(&out, program->digest);
		out_text(&out, ": ");
		audit_put_arguments(&out, &program->arguments);
		r = take_fact(facts, &out);
	}
	if (r == 0)
		r = add_files(history, facts, &out);
	for (size_t i = 0; r == 0 && i < history->changes_count; i++) {
		const struct history_change *change = &history->changes[i];
		out_format(&out, "%s ", history_action_name(change->action));
		out_name(&out, change->path);
		if (change->other) {
			out_text(&out, " -> ");
			out_name(&out, change->other);
		}
		r = take_fact(facts, &out);
	}
	for (size_t i = 0; r == 0 && i < history->peers_count; i++) {
		const struct history_peer *peer = &history->peers[i];
		out_text(&out, "peer ");
		out_name(&out, peer->address);
		out_format(&out, " sent %llu received %llu bytes",
			   (unsigned long long)peer->bytes[1], (unsigned long long)peer->bytes[0]);
		r = take_fact(facts, &out);
	}
	if (r == 0 && history->ended) {
		out_text(&out, "ended: ");
		audit_put_status(&out, history->status);
		r = take_fact(facts, &out);
	}
	out.used = 0;
	out_close(&out);
	if (r == 0 && facts->count > 0)
		qsort(facts->texts, facts->count, sizeof(*facts->texts), by_text);
	return r;
}

static void put_fact(struct audit *audit, const char *side, const char *text)
{
	struct out *out = &audit->out;
	out_line(out, "difference");
	if (out->json) {
		out_member_text(out, "only_in", side[0] == '-' ? "first" : "second");
		out_member_text(out, "text", text);
	} else {
		out_format(out, "%s ", side);
		out_text(out, text);
	}
	out_end(out);
}

static void put_facts(struct audit *audit, const struct facts *a, const struct facts *b)
{
	size_t i = 0, j = 0;
	while (i < a->count || j < b->count) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : strcmp(a->texts[i], b->texts[j]);
		if (order < 0)
			put_fact(audit, "-", a->texts[i]);
		else if (order > 0)
			put_fact(audit, "+", b->texts[j]);
		i += order <= 0;
		j += order >= 0;
	}
}

static void put_first(struct audit *audit, const struct comparison *found)
{
	struct out *out = &audit->out;
	out_line(out, "first-difference");
	if (out->json) {
		out_member_bool(out, "equal", found->equal);
		out_member_uint(out, "events", found->events);
		out_member_text(out, "source", found->equal ? NULL : origin_name(found->origin));
		out_member_text(out, "subject", found->subject);
		out_member_text(out, "where", found->difference.where);
		out_member_text(out, "first", found->lines[0]);
		out_member_text(out, "second", found->lines[1]);
	} else if (found->equal) {
		out_format(out, "equal: %llu events", (unsigned long long)found->events);
	} else {
		out_format(out, "first difference behind %llu equal events, source %s ",
			   (unsigned long long)found->events, origin_name(found->origin));
		out_name(out, found->subject);
		out_text(out, ": ");
		out_text(out, found->lines[0][0] ? found->lines[0] : found->difference.values[0]);
		out_text(out, " | ");
		out_text(out, found->lines[1][0] ? found->lines[1] : found->difference.values[1]);
	}
	out_end(out);
}

/* Both traces read from their start once more. */
static int compare(struct audit *audit, struct audit *other, struct comparison *found)
{
	const struct compare_options options = { .other_directory = true };
	struct reader *readers[2] = { NULL, NULL };
	int r = reader_open(other->trace_fd, other->blobs_fd, &readers[0]);
	if (r == 0)
		r = reader_open(audit->trace_fd, audit->blobs_fd, &readers[1]);
	if (r == 0)
		r = compare_traces(readers[0], readers[1], &options, found);
	reader_close(readers[0]);
	reader_close(readers[1]);
	return r;
}

int audit_diff(struct audit *audit)
{
	struct audit other = { .options = audit->options,
			       .question = audit->question,
			       .name = audit->arguments[0],
			       .trace_fd = -1,
			       .blobs_fd = -1 };
	struct comparison *found = calloc(1, sizeof(*found));
	struct facts facts[2] = { { 0 }, { 0 } };
	int code = found ? audit_open(&other, true) : VERIFY_UNKNOWN, r;
	if (code == VERIFY_OK) {
		audit->out.unverified |= other.out.unverified;
		r = audit->result.error || other.result.error ? SWORN_ETRUNCATED
							      : compare(audit, &other, found);
		if (r == 0)
			put_first(audit, found);
		r = r == SWORN_ETRUNCATED ? 0 : r;
		if (r == 0)
			r = collect(other.history, &facts[0]);
		if (r == 0)
			r = collect(audit->history, &facts[1]);
		if (r == 0)
			put_facts(audit, &facts[0], &facts[1]);
		code = audit_end(audit, r);
		if (code == VERIFY_OK && !found->equal)
			code = 1;
	}
	facts_release(&facts[0]);
	facts_release(&facts[1]);
	free(found);
	audit_close(&other);
	return code;
}
