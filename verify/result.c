#include "result.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/info.h"
#include "../traces/report.h"

/* Made of a trace that was cut off: whole as a file, and still a prefix. */
static bool is_repaired(const struct result *result)
{
	return (result->error == SWORN_ETRUNCATED || result->found == SWORN_ETRUNCATED) &&
	       result->report.is_derived;
}

static enum verify_code heard_code(const struct result *result)
{
	return result->attestation ? attestation_code(result->attestation) : VERIFY_OK;
}

static enum verify_code trace_code(const struct result *result)
{
	switch (result->error) {
	case 0: return VERIFY_OK;
	case SWORN_ETRUNCATED: {
		bool allowed = is_repaired(result) ? result->allow_repaired : result->allow_truncated;
		return allowed && result->report.events > 0 ? VERIFY_OK : VERIFY_INTEGRITY;
	}
	case SWORN_EUNSIGNED:
	case SWORN_EUNTRUSTED:
	case SWORN_EALGORITHM:
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_EBLOB:
	case SWORN_ELIMIT: return VERIFY_INTEGRITY;
	case SWORN_ENOTRACE:
	case -ENOENT: return VERIFY_NOTHING;
	}
	return VERIFY_UNKNOWN;
}

enum verify_code result_code(const struct result *result)
{
	enum verify_code code = trace_code(result);
	return code == VERIFY_OK ? heard_code(result) : code;
}

enum verify_code result_worse(enum verify_code a, enum verify_code b)
{
	static const enum verify_code order[] = { VERIFY_USAGE, VERIFY_INTEGRITY, VERIFY_REFUTED,
						  VERIFY_UNKNOWN, VERIFY_NOTHING };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return VERIFY_OK;
}

const char *result_word(const struct result *result)
{
	if (trace_code(result) == VERIFY_OK && heard_code(result) != VERIFY_OK)
		return heard_code(result) == VERIFY_REFUTED ? "refuted" : "unattested";
	switch (result->error) {
	case 0: return is_repaired(result) ? "repaired" : result->found ? "truncated" : "ok";
	case SWORN_EUNSIGNED: return "unsigned";
	case SWORN_EUNTRUSTED: return "untrusted";
	case SWORN_ETRUNCATED: return is_repaired(result) ? "repaired" : "truncated";
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_EBLOB:
	case SWORN_EALGORITHM:
	case SWORN_ELIMIT: return "corrupt";
	case SWORN_EVERSION: return "newer";
	case SWORN_EPOINTER: return "pointer";
	case SWORN_ENOTRACE:
	case -ENOENT: return "missing";
	}
	return "unreadable";
}

/* Every failure ends with what to do next. */
const char *result_advice(const struct result *result)
{
	if (is_repaired(result))
		return "what it was made of may tell more; --allow-repaired takes it as far as it goes";
	switch (result->error) {
	case SWORN_ETRUNCATED:
		return "the recording did not finish; record again, copy the whole file again, or keep what is "
		       "whole with `sworn repair`";
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_ELIMIT: return "do not trust this file; get an intact copy and compare";
	case SWORN_EBLOB:
		return "name the store that holds its blobs with --store, or get an intact copy";
	case SWORN_EVERSION: return "use a newer version of sworn";
	case SWORN_EPOINTER: return "fetch the trace itself: git lfs pull";
	case SWORN_EUNSIGNED:
		return "get a signed copy from who recorded it, or accept it as it is with --allow-unsigned";
	case SWORN_EUNTRUSTED:
		return result->judgement.state == TRUST_TENANT
			       ? "name the tenant whose trace it is, or trust the key for that tenant"
			       : "if you know whose key it is, `sworn key trust` the line that `sworn key export` "
				 "prints there; or accept it as it is with --allow-untrusted";
	case SWORN_EALGORITHM: return "get a copy that is signed with an Ed25519 key";
	case SWORN_ENOTRACE:
	case -ENOENT:
		return "see with `sworn list` what is there, or name another store with --store";
	}
	return "check the path and its permissions";
}

void result_judge(struct result *result, const struct reader *reader)
{
	struct trust_allow allow = { .truncated = result->allow_truncated,
				     .repaired = result->allow_repaired };
	struct trust trust;
	uint64_t events;
	result->found = result->error;
	if (result->error != 0 && result->error != SWORN_ETRUNCATED)
		return;
	int r = trust_load(&trust, NULL, NULL);
	if (r == 0)
		r = trust_judge_trace(&trust, reader, &result->report, &result->judgement);
	if (r < 0)
		snprintf(result->report.reason, sizeof(result->report.reason), "%.255s",
			 trust.reason[0] ? trust.reason : "the header does not match its signature");
	result->error = r < 0 ? r
			      : trust_verdict(&result->judgement, &result->report, result->error,
					      &allow, &events);
	trust_release(&trust);
}

void result_note(struct result *result, const struct event *event)
{
	if (event->kind != EVENT_END)
		return;
	result->ended = true;
	result->status = event->end.status;
	for (size_t i = 0; i < event->end.sinks_count; i++) {
		const struct sink *sink = &event->end.sinks[i];
		if (sink->kind == SINK_STDOUT || sink->kind == SINK_STDERR)
			memcpy(result->standard[sink->kind - SINK_STDOUT], sink->digest, DIGEST_BYTES);
	}
}

static void print_line(FILE *out, const char *name, const char *text)
{
	fprintf(out, "  %-12s %s\n", name, text);
}

static void print_list(FILE *out, const char *name, const char *const *texts)
{
	if (!texts || !texts[0])
		print_line(out, name, "none");
	for (; texts && *texts; texts++)
		print_line(out, name, *texts);
}

static void print_counts(FILE *out, const struct trace_report *report)
{
	char text[DIGEST_HEX_BYTES];
	fprintf(out, "  %-12s %" PRIu64 "\n", "bytes", report->bytes);
	fprintf(out, "  %-12s %" PRIu64 "\n", "events", report->events);
	fprintf(out, "  %-12s %" PRIu64 " (%" PRIu64 " bytes)\n", "blobs", report->blobs,
		report->blob_bytes);
	fprintf(out, "  %-12s %" PRIu64 "\n", "units", report->units);
	if (digest_is_zero(report->state))
		return;
	digest_hex(report->state, text);
	fprintf(out, "  %-12s sha256:%s\n", "state", text);
}

const char *result_reason(const struct result *result)
{
	if (trace_code(result) == VERIFY_OK && heard_code(result) != VERIFY_OK)
		return result->attestation->reason;
	if (result->error == SWORN_EUNSIGNED && result->judgement.state != TRUST_UNSIGNED)
		return "it is cut, and no event of it is signed";
	if (result->error == SWORN_EUNSIGNED || result->error == SWORN_EUNTRUSTED)
		return result->judgement.text;
	return result->report.reason[0] ? result->report.reason : error_text(result->error);
}

void result_print_problem(FILE *out, const struct result *result)
{
	fprintf(out, "%s: %s: %s; %s\n", result->name, result_word(result), result_reason(result),
		result_advice(result));
}

/* Who vouches for it, and for how much. */
static void print_signer(FILE *out, const struct result *result)
{
	const struct trace_report *report = &result->report;
	char tenant[33], time[48];
	hex_encode(report->tenant, sizeof(report->tenant), tenant);
	print_line(out, "seal",
		   !report->sealed     ? "none"
		   : report->is_signed ? "signed"
				       : "unsigned");
	if (result->judgement.text[0])
		print_line(out, "signer", result->judgement.text);
	if (result->judgement.text[0] && report->is_signed && !report->sealed)
		fprintf(out, "  %-12s %" PRIu64 " of %" PRIu64 " events\n", "signed",
			report->signed_events, report->events);
	print_line(out, "tenant", tenant);
	report_time(report->started, time, sizeof(time));
	print_line(out, "started", time);
	if (report->ended)
		report_time(report->ended, time, sizeof(time));
	print_line(out, "ended", report->ended ? time : "unknown");
	if (!result->info->clock_virtual)
		print_line(out, "clock", "real");
	if (!result->info->clock_virtual)
		return;
	report_time(result->info->epoch_ns / 1000000000, time, sizeof(time));
	fprintf(out, "  %-12s virtual, from %s\n", "clock", time);
}

void result_print(FILE *out, const struct result *result)
{
	const struct trace_summary *summary = result->summary;
	const char *words[REQUIRES_MAX];
	if (result->error)
		result_print_problem(out, result);
	else if (result->found)
		fprintf(out, "%s: %s: %s\n", result->name, result_word(result), result_reason(result));
	else
		fprintf(out, "%s: ok\n", result->name);
	if (result->attestation && result->attestation->error)
		fprintf(out, "%s: %s: %s; %s\n", result->attestation->path, result_word(result),
			result->attestation->reason, attestation_advice(result->attestation->error));
	if (!result->info)
		return;
	print_counts(out, &result->report);
	print_signer(out, result);
	for (size_t i = 0; i < result->witnesses_count; i++)
		witness_print(out, &result->witnesses[i]);
	if (result->attestation && result->attestation->is_read)
		witness_print(out, &result->attestation->witness);
	if (result->report.is_derived) {
		char text[DIGEST_HEX_BYTES];
		digest_hex(result->report.derived, text);
		fprintf(out, "  %-12s %s\n", "made of", text);
	}
	if (!summary)
		return;
	print_line(out, "isolation", summary->isolation[0] ? summary->isolation : "none");
	if (!summary->capture_isolated)
		print_line(out, "domain", "ambient: the recorded program was trusted");
	summary_requires(summary, words);
	if (words[0])
		print_list(out, "requires", words);
	else
		print_line(out, "requires", "nothing");
	print_list(out, "assumptions", summary->assumptions);
	print_list(out, "exclusions", summary->exclusions);
}

void result_json(struct json *json, const struct result *result)
{
	struct report_trace trace = {
		.path = result->name,
		.bytes = result->report.bytes,
	};
	bool ok = result->error == 0 && result->found == 0 && result_code(result) == VERIFY_OK;
	report_signer(&trace, &result->report, &result->judgement);
	memcpy(trace.digest, result->file_digest, DIGEST_BYTES);
	memcpy(trace.seal, result->report.seal_id, DIGEST_BYTES);
	report_print_trace(json, &trace);
	json_digest(json, "derived_from", result->report.derived);
	if (result->info) {
		report_print_tenant(json, result->report.tenant);
		json_texts(json, "argv", result->info->argv);
		json_text(json, "directory", result->info->directory);
		json_text(json, "seed", result->info->seed);
		report_print_recorded(json, result->info);
		json_uint(json, "events", result->report.events);
		json_uint(json, "units", result->report.units);
		json_uint(json, "threads", result->report.threads);
		json_open(json, "blobs", '{');
		json_uint(json, "count", result->report.blobs);
		json_uint(json, "bytes", result->report.blob_bytes);
		json_close(json, '}');
		report_print_exit(json, result->ended, result->status);
		json_digest(json, "state_hash", result->report.state);
		report_print_outputs(json, result->standard);
	}
	if (result->summary) {
		report_print_summary(json, result->summary);
		json_texts(json, "exclusions", result->summary->exclusions);
		json_text(json, "isolation", result->summary->isolation);
	}
	json_open(json, "trailers", '[');
	for (size_t i = 0; i < result->witnesses_count; i++)
		witness_json(json, NULL, &result->witnesses[i]);
	json_close(json, ']');
	if (result->attestation && result->attestation->is_read)
		witness_json(json, "attestation", &result->attestation->witness);
	json_open(json, "checked", '{');
	json_uint(json, "events", result->report.events);
	if (result->report.sealed)
		json_uint(json, "of", result->report.events);
	json_text(json, "reason", ok ? NULL : result_reason(result));
	json_close(json, '}');
	json_text(json, "verdict", result_word(result));
	json_int(json, "code", result_code(result));
}
