#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../traces/digest.h"
#include "../traces/error.h"

#define LINES_MAX 128

struct verdict {
	int error;
	enum verdict_code code;
	const char *text, *advice;
};

static const struct verdict verdicts[] = {
	{ 0, CODE_IDENTICAL, "identical", NULL },
	{ SWORN_EDIVERGED, CODE_DIVERGED, "diverged",
	  "make sure with `sworn verify` that nobody changed the trace; if so, the program depended on something that "
	  "was not recorded: look at what it did between the last event and the difference" },
	{ SWORN_ENOTRACE, CODE_NOTHING, "no trace", "record one first: sworn record -- COMMAND" },
	{ -ENOENT, CODE_NOTHING, "no trace",
	  "check the name, or record one first: sworn record -- COMMAND" },
	{ SWORN_ETRUNCATED, CODE_INTEGRITY, "truncated",
	  "the recording did not finish, or the file was cut; record again, or copy the whole file again" },
	{ SWORN_EINTEGRITY, CODE_INTEGRITY, "refused", "do not trust this file; get an intact copy" },
	{ SWORN_EFORMAT, CODE_INTEGRITY, "refused", "do not trust this file; get an intact copy" },
	{ SWORN_EREFUSED, CODE_INTEGRITY, "refused",
	  "do not trust this file: no recording asks for this; get an intact copy" },
	{ SWORN_ELIMIT, CODE_INTEGRITY, "refused", "do not trust this file; get an intact copy" },
	{ SWORN_EUNSIGNED, CODE_INTEGRITY, "unsigned",
	  "get a signed copy from who recorded it, or accept it as it is with --allow-unsigned" },
	{ SWORN_EUNTRUSTED, CODE_INTEGRITY, "untrusted",
	  "if you know whose key it is, `sworn key trust` the line that `sworn key export` prints there; or accept it "
	  "as it is with --allow-untrusted" },
	{ SWORN_EALGORITHM, CODE_INTEGRITY, "refused", "get a copy that is signed with an Ed25519 key" },
	{ SWORN_EKEYSTORE, CODE_UNKNOWN, "could not tell",
	  "mend the keystore, or name another with --keystore" },
	{ SWORN_EBLOB, CODE_INTEGRITY, "refused",
	  "name the store that holds the trace's blobs with --store, or get an intact copy" },
	{ SWORN_EVERSION, CODE_UNKNOWN, "could not tell", "use a newer version of sworn" },
	{ SWORN_EPOINTER, CODE_UNKNOWN, "could not tell", "fetch the trace itself: git lfs pull" },
	{ SWORN_EOLDTABLE, CODE_UNKNOWN, "could not tell",
	  "the trace is of an older call table: replay it with the version of sworn that recorded it" },
	{ SWORN_ENEEDSPMU, CODE_UNKNOWN, "could not tell",
	  "replay it on a host with hardware counters that this user may use (sysctl kernel.perf_event_paranoid=2), "
	  "or record again with --preempt calls" },
	{ SWORN_EHOST, CODE_UNKNOWN, "could not tell",
	  "replay it on a host like the one that recorded it" },
	{ -EOVERFLOW, CODE_UNKNOWN, "could not tell",
	  "nothing is known to be wrong with the trace: replay it again, on a less loaded machine" },
	{ -ERANGE, CODE_UNKNOWN, "could not tell",
	  "nothing is known to be wrong with the trace: record again on a host with hardware counters" },
	{ -ECANCELED, CODE_UNKNOWN, "stopped", "replay it without --stop-at for a verdict" },
	{ -ENOMEM, CODE_UNKNOWN, "could not tell", "replay it with more memory" },
};

static const struct verdict unknown = {
	.code = CODE_UNKNOWN,
	.text = "could not tell",
	.advice = "replay it again, on an idle machine",
};

static const struct verdict *find_verdict(int error)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (verdicts[i].error == error)
			return &verdicts[i];
	}
	return &unknown;
}

const char *outcome_verdict(int error)
{
	return find_verdict(error)->text;
}

enum verdict_code outcome_code(int error)
{
	return find_verdict(error)->code;
}

const char *outcome_advice(int error)
{
	return find_verdict(error)->advice;
}

static size_t read_string(struct thread *thread, uint64_t address, uint8_t *buffer, size_t size)
{
	size_t length = guest_read(thread, address, buffer, size);
	const uint8_t *end = memchr(buffer, '\0', length);

	return end ? (size_t)(end - buffer) + 1 : length;
}

void replay_describe(struct thread *thread, char *ret_text, size_t size)
{
	const struct call *call = &thread->call;
	uint8_t bytes[6][DESCRIBE_SHOWN_BYTES + 1];
	struct payload payloads[6];
	struct event event = { .kind = EVENT_CALL, .nr = call->nr, .payloads = payloads };

	for (unsigned int i = 0; call->row && i < row_args(call->row); i++) {
		struct payload *payload = &payloads[event.payloads_count];

		event.args[i] = row_argument(call->row, i, call->args);
		if (call->row->args[i].kind != ARG_MEMORY || call->row->args[i].extent != EXTENT_STRING)
			continue;
		*payload = (struct payload){ .arg = (uint8_t)i,
					     .address = event.args[i],
					     .bytes = bytes[i] };
		payload->length = read_string(thread, event.args[i], bytes[i], sizeof(bytes[i]));
		event.payloads_count += payload->length > 0;
	}
	describe_call(&event, ret_text, size);
}

/* Splits the text, which it changes, into at most `max` lines and a NULL behind them. */
static void split_lines(char *text, const char **ret_lines, size_t max)
{
	size_t count = 0;

	for (char *line = text, *next; line && *line && count < max; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		ret_lines[count++] = line;
	}
	ret_lines[count] = NULL;
}

/* "default", or the id. */
static void tenant_word(const struct outcome *outcome, char ret_text[2 * TENANT_ID_SIZE + 1])
{
	static const uint8_t zeros[TENANT_ID_SIZE];

	if (memcmp(outcome->trace.tenant, zeros, TENANT_ID_SIZE) == 0)
		strcpy(ret_text, "default");
	else
		hex_encode(outcome->trace.tenant, TENANT_ID_SIZE, ret_text);
}

static void print_divergence(FILE *out, const struct outcome *outcome)
{
	const struct divergence *d = &outcome->replayer->divergence;
	char tenant[2 * TENANT_ID_SIZE + 1];
	char *copy = d->backtrace ? strdup(d->backtrace) : NULL;
	const char *lines[LINES_MAX + 1];

	tenant_word(outcome, tenant);
	fprintf(out, "  first difference at event %" PRIu64 ": tenant %s, unit %u, thread %u, %s\n",
		d->event, tenant, d->unit, d->thread, d->call);
	fprintf(out, "    where     %s\n    expected  %s\n    actual    %s\n", d->where,
		d->expected, d->actual);
	if (d->previous_count)
		fputs("  events before:\n", out);
	for (size_t i = 0; i < d->previous_count; i++)
		fprintf(out, "    %s\n", d->previous[i]);
	split_lines(copy, lines, LINES_MAX);
	if (lines[0])
		fputs("  the guest stands at:\n", out);
	for (size_t i = 0; lines[i]; i++)
		fprintf(out, "    %s\n", lines[i]);
	free(copy);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static const char *verdict_text(const struct outcome *outcome)
{
	return outcome->prefix ? "identical prefix" : outcome_verdict(outcome->error);
}

static void print_tenant(FILE *out, const struct outcome *outcome)
{
	const struct replayer *rep = outcome->replayer;
	char state[DIGEST_HEX_BYTES] = "unknown", tenant[2 * TENANT_ID_SIZE + 1];

	tenant_word(outcome, tenant);
	if (rep->ended)
		digest_hex(rep->state, state);
	fprintf(out, "tenant %s: %" PRIu64 " of %" PRIu64 " events, %u unit%s, %" PRIu64 " checkpoint%s, ",
		tenant, rep->played, outcome->trace.events, rep->guests.units_count,
		plural(rep->guests.units_count), rep->checkpoints, plural(rep->checkpoints));
	fprintf(out, "state %s%s, isolation (%s): %s\n", rep->ended ? "sha256:" : "", state,
		outcome->domain.isolation[0] ? outcome->domain.isolation : "none",
		verdict_text(outcome));
}

void outcome_print(FILE *out, const struct outcome *outcome)
{
	const char *advice = outcome_advice(outcome->error);

	if (outcome->replayer && outcome->trace.events > 0)
		print_tenant(out, outcome);
	else
		fprintf(out, "%s: %s\n", outcome->name ? outcome->name : "@latest",
			outcome_verdict(outcome->error));
	if (outcome->reason[0])
		fprintf(out, "  %s\n", outcome->reason);
	if (outcome->replayer && outcome->replayer->divergence.found)
		print_divergence(out, outcome);
	if (advice)
		fprintf(out, "  next: %s\n", advice);
}

static void fill_state(const struct replayer *rep, struct report *report)
{
	const struct sink *sinks;
	size_t count;

	report->checked_events = rep->played;
	report->info = rep->reader ? reader_info(rep->reader) : NULL;
	report->summary = rep->reader ? reader_summary(rep->reader) : NULL;
	if (!rep->ended)
		return;
	report->ended = true;
	report->exit = rep->status;
	memcpy(report->state, rep->state, DIGEST_BYTES);
	if (sinks_report(rep->sinks, &sinks, &count) < 0)
		return;
	for (size_t i = 0; i < count && i < 2; i++)
		memcpy(report->outputs[i], sinks[i].digest, DIGEST_BYTES);
}

/* The lists have room for all lines and their NULL. */
static void fill_divergence(const struct divergence *d, const char **previous,
			    const char **backtrace, struct report_divergence *ret)
{
	for (size_t i = 0; i < d->previous_count; i++)
		previous[i] = d->previous[i];
	previous[d->previous_count] = NULL;
	*ret = (struct report_divergence){
		.unit = d->unit,
		.thread = d->thread,
		.event = d->event,
		.call = d->call,
		.where = d->where,
		.expected = d->expected,
		.actual = d->actual,
		.previous = previous,
		.backtrace = backtrace,
	};
}

int outcome_report(const struct report_file *file, const struct outcome *outcome)
{
	const struct divergence *d = outcome->replayer ? &outcome->replayer->divergence : NULL;
	const char *previous[PREVIOUS_EVENTS + 1], *backtrace[LINES_MAX + 1];
	struct report_divergence divergence;
	struct report report = {
		.kind = "replay",
		.trace = { .path = outcome->name, .bytes = outcome->trace.bytes },
		.events = outcome->trace.events,
		.units = outcome->trace.units,
		.isolation = outcome->domain.isolation[0] ? outcome->domain.isolation : NULL,
		.verdict = verdict_text(outcome),
		.code = (int)outcome_code(outcome->error),
		.checked_of = outcome->trace.events,
		.reason = outcome->reason[0] ? outcome->reason : NULL,
	};
	char *text, *copy = d && d->backtrace ? strdup(d->backtrace) : NULL;
	size_t length;
	int r;

	report_signer(&report.trace, &outcome->trace, &outcome->judgement);
	memcpy(report.trace.digest, outcome->file_digest, DIGEST_BYTES);
	memcpy(report.trace.seal, outcome->trace.seal_id, DIGEST_BYTES);
	memcpy(report.tenant, outcome->trace.tenant, sizeof(report.tenant));
	report_usage(&report, outcome->started_ns, RUSAGE_SELF);
	report_usage(&report, outcome->started_ns, RUSAGE_CHILDREN);
	report.bytes = outcome->trace.bytes;
	if (outcome->replayer)
		fill_state(outcome->replayer, &report);
	split_lines(copy, backtrace, LINES_MAX);
	if (d && d->found) {
		fill_divergence(d, previous, backtrace, &divergence);
		report.divergence = &divergence;
	}
	r = report_format(&report, &text, &length);
	free(copy);
	if (r < 0)
		return r;
	r = report_write(file, text, length);
	free(text);
	return r;
}
