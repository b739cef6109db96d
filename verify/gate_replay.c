#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "gate.h"

#define ARGUMENTS_MAX (GATE_WITH_MAX + 16)

/* Runs `sworn verb ... --report FILE NAME` and gives the report, NULL when there is none that can be read. */
static int ask(const struct gate *gate, const char *verb, const struct gate_item *item,
	       struct value **ret_report, char **ret_words)
{
	const char *argv[ARGUMENTS_MAX] = { "sworn", verb };
	struct gate_process process = { .argv = argv, .input = -1, .output = -1 };
	char place[32], tenant[2 * TENANT_ID_SIZE + 1];
	size_t n = 2, length;
	char *text = NULL;
	int r;
	process.timeout_s = gate->options.timeout_s;
	process.report = gate_file("report");
	process.errors = gate_file("errors");
	snprintf(place, sizeof(place), "/proc/self/fd/%d", process.report);
	for (size_t i = 0; gate->options.allow[i]; i++)
		argv[n++] = gate->options.allow[i];
	if (item->store && (gate->options.store || item->path[0] == '@')) {
		argv[n++] = "--store";
		argv[n++] = item->store;
	}
	/* Its own tenant's store has its blobs, and what is checked has to be that tenant's still. */
	if (item->has_tenant) {
		hex_encode(item->tenant, TENANT_ID_SIZE, tenant);
		argv[n++] = "--tenant";
		argv[n++] = tenant;
	}
	argv[n++] = "--report";
	argv[n++] = place;
	argv[n++] = "--";
	argv[n++] = item->path;
	r = process.report < 0	 ? process.report
	    : process.errors < 0 ? process.errors
				 : gate_process_run(gate->program, &process);
	if (r >= 0)
		text = gate_file_text(process.report, &length);
	if (!text || document_parse(text, length, ret_report) < 0)
		*ret_report = NULL;
	*ret_words = gate_last_words(process.errors);
	free(text);
	close(process.report);
	close(process.errors);
	return r;
}

static const char *reason_of(const struct value *report, const char *words)
{
	const char *reason = value_text(value_member(report, "checked"), "reason");
	return reason ? reason : words ? words : "it gave no reason";
}

bool gate_check(const struct gate *gate, struct gate_result *result)
{
	char *words = NULL;
	int r = ask(gate, "verify", result->item, &result->verified, &words);
	const char *reason = reason_of(result->verified, words);
	if (r == 0 && result->verified) {
		free(words);
		return true;
	}
	if (r == -ETIME)
		gate_decide(result, "incomplete", GATE_UNKNOWN,
			    "`sworn verify` was not done in %u s; raise --timeout",
			    gate->options.timeout_s);
	else if (r == GATE_INTEGRITY || r == GATE_UNKNOWN || r == GATE_NOTHING)
		gate_decide(result, "refused", (enum gate_code)r, "%s: %s; nothing of it was executed",
			    result->verified ? value_text(result->verified, "verdict") : "unreadable",
			    reason);
	else
		gate_decide(result, "incomplete", GATE_UNKNOWN, "`sworn verify` ended with %d: %s",
			    r, reason);
	free(words);
	return false;
}

/* The first line of a backtrace that names a place in a source file. */
static const char *source_of(const struct value *divergence)
{
	for (const struct value *line = value_list(divergence, "backtrace"); line; line = line->next)
		if (line->kind == VALUE_TEXT && strstr(line->text, " at "))
			return line->text;
	return NULL;
}

static void note_divergence(struct gate_result *result)
{
	const struct value *divergence = value_member(result->replayed, "divergence");
	struct gate_change *change = &result->changes[0];
	const char *where = value_text(divergence, "where"), *source = source_of(divergence);
	const char *expected = value_text(divergence, "expected"),
		   *actual = value_text(divergence, "actual");
	if (!divergence || divergence->kind != VALUE_OBJECT)
		return;
	result->changes_count = 1;
	change->where = where ? strdup(where) : NULL;
	change->expected = expected ? strdup(expected) : NULL;
	change->actual = actual ? strdup(actual) : NULL;
	change->source = source ? strdup(source) : NULL;
	if (asprintf(&change->event, "event %" PRId64 ", unit %" PRId64 ", thread %" PRId64 ", %s",
		     value_number(divergence, "event"), value_number(divergence, "unit"),
		     value_number(divergence, "thread"),
		     value_text(divergence, "call") ? value_text(divergence, "call") : "") < 0)
		change->event = NULL;
}

/* What was checked has to be what was replayed. */
static bool same_file(const struct gate_result *result)
{
	const char *checked = value_text(value_member(result->verified, "trace"), "digest");
	const char *replayed = value_text(value_member(result->replayed, "trace"), "digest");
	return !replayed || (checked && strcmp(checked, replayed) == 0);
}

void gate_replay(const struct gate *gate, struct gate_result *result)
{
	char *words = NULL;
	const char *reason, *verdict;
	int r;
	if (!gate_check(gate, result))
		return;
	r = ask(gate, "replay", result->item, &result->replayed, &words);
	result->runs = 1;
	reason = reason_of(result->replayed, words);
	verdict = value_text(result->replayed, "verdict");
	if (r >= 0 && r <= 5 && result->replayed && value_number(result->replayed, "code") != r)
		r = -EPROTO;
	if (r == 0 && (!verdict || strncmp(verdict, "identical", 9) != 0))
		r = -EPROTO;
	if (!same_file(result))
		gate_decide(result, "refused", GATE_INTEGRITY,
			    "the file was changed between its check and its replay");
	else if (r == 0)
		gate_decide(result, "identical", GATE_OK, "%s", verdict);
	else if (r == GATE_FAILED) {
		note_divergence(result);
		gate_decide(result, "diverged", GATE_FAILED, "%s", reason);
	} else if (r == GATE_INTEGRITY)
		gate_decide(result, "refused", GATE_INTEGRITY, "%s", reason);
	else if (r == -ETIME)
		gate_decide(result, "incomplete", GATE_UNKNOWN,
			    "the replay was not done in %u s; raise --timeout",
			    gate->options.timeout_s);
	else if (r < 0)
		gate_decide(result, "incomplete", GATE_UNKNOWN, "the replay could not be run: %s",
			    error_text(r));
	else
		gate_decide(result, "incomplete", GATE_UNKNOWN, "`sworn replay` ended with %d: %s",
			    r, reason);
	/* An identical prefix is told as one. */
	if (r == 0 && result->reason && strcmp(result->reason, "identical") == 0) {
		free(result->reason);
		result->reason = NULL;
	}
	free(words);
}
