#include "audit.h"

#include <string.h>
#include <time.h>

#include "../traces/digest.h"
#include "../traces/info.h"

static void put_time(struct out *out, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000U);
	struct tm tm;
	char text[64] = "?";
	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	out_text(out, text);
}

static void label(struct out *out, const char *name)
{
	out_line(out, NULL);
	out_format(out, "%-12s ", name);
}

static void put_words(struct out *out, const char *name, const char *const *texts)
{
	if (!texts || !texts[0]) {
		label(out, name);
		out_text(out, "none");
		out_end(out);
	}
	for (; texts && *texts; texts++) {
		label(out, name);
		out_text(out, *texts);
		out_end(out);
	}
}

static void put_text(struct out *out, const char *name, const char *text)
{
	label(out, name);
	out_name(out, text ? text : "");
	out_end(out);
}

static void put_sinks(struct audit *audit)
{
	static const char *const kinds[] = { "?", "stdout", "stderr", "file", "socket" };
	struct out *out = &audit->out;
	for (size_t i = 0; i < audit->history->sinks_count; i++) {
		const struct history_sink *sink = &audit->history->sinks[i];
		label(out, "output");
		out_format(out, "%s %llu bytes ", kinds[sink->sink.kind % 5],
			   (unsigned long long)sink->sink.bytes);
		out_digest(out, sink->sink.digest);
		if (sink->file && sink->sink.kind >= SINK_FILE) {
			out_char(out, ' ');
			out_name(out, audit->history->files[sink->file - 1].path);
		}
		out_end(out);
	}
}

static void put_command(struct audit *audit)
{
	const struct trace_info *info = audit->result.info;
	struct out *out = &audit->out;
	label(out, "command");
	for (const char *const *word = info->argv; *word; word++) {
		if (word != info->argv)
			out_char(out, ' ');
		out_name(out, *word);
	}
	out_end(out);
	put_text(out, "directory", info->directory);
	label(out, "recorded");
	put_time(out, info->started_utc_ns);
	out_text(out, " by ");
	out_name(out, info->operator_name);
	out_text(out, " on ");
	out_name(out, info->host);
	out_text(out, ", Linux ");
	out_name(out, info->os_release);
	out_text(out, ", with ");
	out_text(out, info->tool);
	out_end(out);
	put_text(out, "cpu", info->cpu);
	put_text(out, "seed", info->seed);
	label(out, "clock");
	out_text(out, info->clock_virtual ? "virtual, from " : "real");
	if (info->clock_virtual)
		put_time(out, info->epoch_ns);
	out_end(out);
	label(out, "schedule");
	out_text(out, info->schedule_seeded ? "seeded" : "observed");
	out_end(out);
}

static void info_text(struct audit *audit)
{
	const struct history *history = audit->history;
	const struct trace_summary *summary = audit->result.summary;
	struct out *out = &audit->out;
	const char *words[REQUIRES_MAX];
	put_command(audit);
	label(out, "ended");
	if (history->ended)
		audit_put_status(out, history->status);
	else
		out_text(out, "the trace does not say");
	out_end(out);
	label(out, "counts");
	out_format(out, "%llu events, %llu calls, %llu refused, %zu processes, %zu programs, %zu sockets, %zu signals",
		   (unsigned long long)history->events, (unsigned long long)history->calls,
		   (unsigned long long)history->refused, history->processes_count,
		   history->programs_count, history->sockets_count, history->signals_count);
	out_end(out);
	put_sinks(audit);
	label(out, "state");
	out_digest(out, audit->result.report.state);
	out_end(out);
	if (!summary)
		return;
	put_text(out, "isolation", summary->isolation[0] ? summary->isolation : "none");
	if (!summary->capture_isolated)
		put_text(out, "domain", "ambient: the recorded program was trusted");
	summary_requires(summary, words);
	put_words(out, "requires", words);
	put_words(out, "assumptions", summary->assumptions);
	put_words(out, "exclusions", summary->exclusions);
}

static void json_words(struct out *out, const char *key, const char *const *texts)
{
	out_open(out, key, '[');
	for (; texts && *texts; texts++)
		out_member_text(out, NULL, *texts);
	out_shut(out, ']');
}

static void json_sinks(struct audit *audit)
{
	struct out *out = &audit->out;
	out_open(out, "outputs", '[');
	for (size_t i = 0; i < audit->history->sinks_count; i++) {
		const struct history_sink *sink = &audit->history->sinks[i];
		out_open(out, NULL, '{');
		out_member_uint(out, "sink", sink->sink.number);
		out_member_uint(out, "type", sink->sink.kind);
		out_member_uint(out, "bytes", sink->sink.bytes);
		out_member_digest(out, "digest", sink->sink.digest);
		out_member_text(out, "path",
				sink->file ? audit->history->files[sink->file - 1].path : NULL);
		out_shut(out, '}');
	}
	out_shut(out, ']');
}

static void info_json(struct audit *audit)
{
	const struct history *history = audit->history;
	const struct trace_info *info = audit->result.info;
	const struct trace_summary *summary = audit->result.summary;
	struct out *out = &audit->out;
	const char *words[REQUIRES_MAX] = { NULL };
	out_line(out, "info");
	json_words(out, "argv", info->argv);
	out_member_text(out, "directory", info->directory);
	out_member_uint(out, "started_ns", info->started_utc_ns);
	out_member_text(out, "host", info->host);
	out_member_text(out, "kernel", info->os_release);
	out_member_text(out, "operator", info->operator_name);
	out_member_text(out, "tool", info->tool);
	out_member_text(out, "cpu", info->cpu);
	out_member_text(out, "seed", info->seed);
	out_member_text(out, "clock", info->clock_virtual ? "virtual" : "real");
	out_member_uint(out, "epoch_ns", info->epoch_ns);
	out_member_text(out, "schedule", info->schedule_seeded ? "seeded" : "observed");
	audit_member_status(out, history->ended, history->status);
	out_member_uint(out, "events", history->events);
	out_member_uint(out, "calls", history->calls);
	out_member_uint(out, "refused", history->refused);
	out_member_uint(out, "processes", history->processes_count);
	out_member_uint(out, "programs", history->programs_count);
	out_member_uint(out, "sockets", history->sockets_count);
	out_member_uint(out, "signals", history->signals_count);
	json_sinks(audit);
	out_member_digest(out, "state", audit->result.report.state);
	if (summary)
		summary_requires(summary, words);
	out_member_text(out, "isolation", summary ? summary->isolation : NULL);
	json_words(out, "requires", words);
	json_words(out, "assumptions", summary ? summary->assumptions : NULL);
	json_words(out, "exclusions", summary ? summary->exclusions : NULL);
	out_end(out);
}

int audit_info(struct audit *audit)
{
	if (audit->options.json)
		info_json(audit);
	else
		info_text(audit);
	return VERIFY_OK;
}
