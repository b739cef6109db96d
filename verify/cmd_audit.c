#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "input.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/report.h"
#include "../traces/store.h"
#include "../traces/trust.h"

#define STRINGS_SHOWN 32U
#define STRINGS_MAX (1U << 20)

static const char help[] = "Examples:\n"
			   "  sworn audit ps hello.sworn\n"
			   "  sworn audit files '/etc/*' hello.sworn\n"
			   "\n"
			   "usage: sworn audit QUESTION [ARGUMENT...] [OPTION...] TRACE\n"
			   "\n"
			   "Answers from the trace alone, after checking it. TRACE is a path, @latest, or @NAME.\n"
			   "\n";

static const char help_options[] =
	"\n"
	"  --json             one JSON object a line, as docs/AUDIT.md describes them\n"
	"  --pid PID          only what these processes did\n"
	"  --from N, --to N   events, grep, timeline: only these event numbers\n"
	"  --call NAME        events: only this call\n"
	"  --strings N        events: bytes of a string that are shown (32)\n"
	"  --all              files: also those that were only looked for; events: every event\n"
	"  -i                 grep: upper and lower case are the same\n"
	"  --store DIR        the store to look in\n"
	"  --keystore DIR     whose keys count (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --trust FILE       keys that count as well, in lines as `sworn key export` prints them\n"
	"  --allow-unsigned   a trace, or a part of one, that nobody signed is no failure\n"
	"  --allow-untrusted  one that is signed by an unknown or expired key is no failure\n"
	"  --allow-truncated  a trace that is cut off, but whole up to there, is no failure; only what\n"
	"                     is signed of it is shown, unless --allow-unsigned is given too\n"
	"  --allow-repaired   a trace that `sworn repair` made of one is no failure\n"
	"  --tenant ID|NAME   the trace has to be this tenant's; @NAME is looked for in its store\n"
	"  --unverified       answer from a trace that failed its check; every line is marked\n"
	"  --help             print this\n"
	"\n"
	"Exit codes: 0 answered; 1 diff: they differ; 2 usage; 3 could not tell; 4 nothing there\n"
	"is what was asked for; 5 the trace is truncated, corrupt, unsigned or untrusted.\n";

static const struct question {
	const char *name;
	int (*function)(struct audit *audit);
	int arguments_min, arguments_max; /* before the trace */
	bool history;
	const char *usage, *description;
} questions[] = {
	{ "info", audit_info, 0, 0, true, "info", "what was recorded, when, by whom, and how it ended" },
	{ "ps", audit_ps, 0, 0, true, "ps", "the processes as a tree: command lines, ends, programs" },
	{ "exec", audit_exec, 0, 0, true, "exec", "every program that was started, with its SHA-256" },
	{ "files", audit_files, 0, 64, true, "files [PATTERN...]",
	  "who opened, read, wrote, renamed, deleted what" },
	{ "net", audit_net, 0, 0, true, "net", "sockets, peers, bytes each way, passed descriptors" },
	{ "signals", audit_signals, 0, 0, true, "signals", "signals sent, handled and fatal" },
	{ "env", audit_env, 0, 1, true, "env [NAME]", "environments of the programs" },
	{ "timeline", audit_timeline, 0, 0, true, "timeline", "what mattered, in order" },
	{ "stats", audit_stats, 0, 0, false, "stats", "calls by number and bytes" },
	{ "events", audit_events, 0, 0, false, "events", "every call as text, in the way of strace" },
	{ "show", audit_show, 1, 64, false, "show EVENT...", "all of an event, its bytes in hexadecimal" },
	{ "cat", audit_cat, 1, 1, true, "cat fd:PID:FD|file:PATH[:read|:write]",
	  "the bytes that went through" },
	{ "grep", audit_grep, 1, 1, false, "grep TEXT", "calls whose bytes hold TEXT" },
	{ "diff", audit_diff, 1, 1, true, "diff OTHER", "what differs between two traces" },
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void print_help(void)
{
	fputs(help, stdout);
	for (size_t i = 0; i < QUESTIONS; i++)
		printf("  %-38s %s\n", questions[i].usage, questions[i].description);
	fputs(help_options, stdout);
}

int audit_fail(const struct audit *audit, int code, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fprintf(stderr, "sworn audit%s%s: ", audit->question ? " " : "",
		audit->question ? audit->question : "");
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	return code;
}

const char *audit_quote(const char *text, char *ret_text, size_t size)
{
	size_t used = 0;
	for (; *text && used + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c < 0x7f)
			ret_text[used++] = (char)c;
		else
			used += (size_t)snprintf(ret_text + used, size - used, "\\x%02x", c);
	}
	ret_text[used] = '\0';
	return ret_text;
}

bool audit_number(const char *text, uint64_t *ret_number)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return false;
	*ret_number = number;
	return true;
}

unsigned int audit_distance(const char *a, const char *b)
{
	unsigned int row[128];
	size_t length = strnlen(b, 127);
	for (size_t j = 0; j <= length; j++)
		row[j] = (unsigned int)j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		unsigned int corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			unsigned int above = row[j], best = corner + (a[i - 1] != b[j - 1]);
			best = above + 1 < best ? above + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			corner = above;
		}
	}
	return row[length];
}

static int usage(const char *problem, const char *quoted)
{
	char text[128];
	fprintf(stderr, "sworn audit: %s%s%s; `sworn audit --help` explains\n", problem,
		quoted ? " " : "", quoted ? audit_quote(quoted, text, sizeof(text)) : "");
	return VERIFY_USAGE;
}

static const struct question *find_question(const char *name)
{
	size_t nearest = 0;
	char text[64];
	for (size_t i = 0; i < QUESTIONS; i++)
		if (strcmp(questions[i].name, name) == 0)
			return &questions[i];
	for (size_t i = 1; i < QUESTIONS; i++)
		if (audit_distance(name, questions[i].name) <
		    audit_distance(name, questions[nearest].name))
			nearest = i;
	fprintf(stderr,
		"sworn audit: no question '%s'; the nearest is `sworn audit %s TRACE`, "
		"`sworn audit --help` lists all\n",
		audit_quote(name, text, sizeof(text)), questions[nearest].usage);
	return NULL;
}

/* A value of an option that is a number; usage()'s code when it is none. */
static int take_number(const char *name, uint64_t max, uint64_t *ret_number)
{
	if (audit_number(optarg, ret_number) && *ret_number <= max)
		return 0;
	fprintf(stderr,
		"sworn audit: --%s wants a number up to %" PRIu64 "; `sworn audit --help` explains\n",
		name, max);
	return VERIFY_USAGE;
}

/* 0 to go on, -1 when help was printed, else usage()'s. */
static int parse(int argc, char **argv, struct audit_options *options)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "call", required_argument, NULL, 'c' },
		{ "strings", required_argument, NULL, 's' },
		{ "all", no_argument, NULL, 'a' },
		{ "store", required_argument, NULL, 'S' },
		{ "unverified", no_argument, NULL, 'u' },
		{ "allow-truncated", no_argument, NULL, 'T' },
		{ "keystore", required_argument, NULL, 'K' },
		{ "trust", required_argument, NULL, 'R' },
		{ "allow-repaired", no_argument, NULL, 'P' },
		{ "tenant", required_argument, NULL, 'I' },
		{ "allow-unsigned", no_argument, NULL, 'U' },
		{ "allow-untrusted", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t number = 0;
	int option, r = 0;
	optind = 1;
	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":his:", longs, NULL)) >= 0) {
		switch (option) {
		case 'j': options->json = true; break;
		case 'a': options->all = true; break;
		case 'i': options->ignore_case = true; break;
		case 'u': options->unverified = true; break;
		case 'T': options->allow_truncated = true; break;
		case 'S': options->store = optarg; break;
		case 'K': options->keystore = optarg; break;
		case 'R': options->trust_file = optarg; break;
		case 'P': options->allow_repaired = true; break;
		case 'I': options->tenant = optarg; break;
		case 'U': options->allow_unsigned = true; break;
		case 'V': options->allow_untrusted = true; break;
		case 'c': options->call = optarg; break;
		case 'f': r = take_number("from", UINT64_MAX, &options->from); break;
		case 't': r = take_number("to", UINT64_MAX, &options->to); break;
		case 'p':
			r = take_number("pid", INT_MAX, &number);
			options->pid = (uint32_t)number;
			break;
		case 's':
			r = take_number("strings", STRINGS_MAX, &number);
			options->strings = (size_t)number;
			break;
		case 'h': print_help(); return -1;
		case ':': return usage("an option lacks its value:", argv[optind - 1]);
		default: return usage("unknown option", argv[optind - 1]);
		}
	}
	if (r == 0 && options->from > options->to)
		return usage("--from is behind --to", NULL);
	return r;
}

int audit_each(struct audit *audit, int (*each)(void *context, const struct event *event), void *context)
{
	struct event event;
	int r, stop = 0;
	while ((r = trace_next(audit->reader, &event)) > 0)
		if ((stop = each(context, &event)) != 0)
			return stop;
	return audit->result.error || audit->result.found ? 0 : r;
}

int audit_end(const struct audit *audit, int error)
{
	if (error >= 0)
		return VERIFY_OK;
	return audit_fail(audit, VERIFY_UNKNOWN, "%s; ask again", error_text(error));
}

static int take_event(void *context, const struct event *event)
{
	struct audit *audit = context;
	result_note(&audit->result, event);
	return audit->history ? history_event(audit->history, event) : 0;
}

static const char *seal_word(const struct result *result)
{
	return !result->report.sealed	  ? "no seal"
	       : result->report.is_signed ? "signed"
					  : "unsigned";
}

static void banner_json(struct audit *audit)
{
	struct out *out = &audit->out;
	const struct result *result = &audit->result;
	out_line(out, "banner");
	out_member_text(out, "trace", audit->name);
	out_member_text(out, "verdict", result_word(result));
	out_member_int(out, "code", result_code(result));
	out_member_text(out, "reason", result->error == 0 ? NULL : result_reason(result));
	out_member_uint(out, "events", audit->events);
	out_member_uint(out, "events_found", result->report.events);
	out_member_uint(out, "events_signed", result->report.signed_events);
	out_member_digest(out, "seal", result->report.seal_id);
	out_member_bool(out, "signed", result->report.is_signed);
	out_member_text(out, "signer", result->judgement.text[0] ? result->judgement.text : NULL);
	out_member_text(out, "trust", trust_state_text(result->judgement.state));
	out_member_text(out, "question", audit->question);
	out_end(out);
}

/* How far somebody vouches for a trace that is cut off. */
static void banner_prefix(struct audit *audit)
{
	const struct trace_report *report = &audit->result.report;
	struct out *out = &audit->out;
	if (!audit->result.found)
		return;
	if (audit->events < report->events) {
		out_text(out, "all that are signed; behind them are ");
		out_uint(out, report->events - audit->events);
		out_text(out, " that nobody signed, which --allow-unsigned shows, too; ");
	} else if (report->signed_events < report->events) {
		out_text(out, "of which the last ");
		out_uint(out, report->events - report->signed_events);
		out_text(out, " are signed by nobody; ");
	}
}

static void banner_text(struct audit *audit)
{
	struct out *out = &audit->out;
	const struct result *result = &audit->result;
	out_line(out, NULL);
	out_text(out, "# ");
	out_name(out, audit->name);
	if (result->error) {
		out_format(out, ": %s: ", result_word(result));
		out_text(out, result_reason(result));
		out_text(out, "; what follows is what could be read before that");
	} else {
		out_format(out, ": %s, ", result_word(result));
		out_uint(out, audit->events);
		out_text(out, " events, ");
		banner_prefix(audit);
		out_text(out, seal_word(result));
		if (result->judgement.text[0]) {
			out_text(out, ": ");
			out_text(out, result->judgement.text);
		}
		if (!digest_is_zero(result->report.seal_id)) {
			out_text(out, ", seal ");
			out_digest(out, result->report.seal_id);
		}
	}
	out_end(out);
}

/* Whether the question may be answered; else the exit code. */
static int judge(struct audit *audit)
{
	const struct result *result = &audit->result;
	int code = result_code(result);
	char name[256];
	if (code == VERIFY_OK)
		return VERIFY_OK;
	if (audit->options.unverified && result->info && code == VERIFY_INTEGRITY) {
		audit->out.unverified = true;
		return VERIFY_OK;
	}
	audit_fail(audit, code, "%s: %s: %s; nothing was answered; %s%s",
		   audit_quote(audit->name, name, sizeof(name)), result_word(result),
		   result_reason(result), result_advice(result),
		   result->info && code == VERIFY_INTEGRITY ? "; --unverified answers all the same"
							    : "");
	return code;
}

/* Whether it is a trace of the tenant that was named, if one was. */
static int judge_tenant(struct audit *audit, const struct trust *trust, int *ret_code)
{
	const char *name = audit->options.tenant;
	struct result *result = &audit->result;
	uint8_t id[TENANT_ID_SIZE];
	char text[128];
	if (!name)
		return 0;
	if (trust_tenant(trust, name, id) < 0) {
		*ret_code = usage("--tenant names no tenant of the keystore, and is no id:", name);
		return 0;
	}
	if (memcmp(id, result->report.tenant, TENANT_ID_SIZE) == 0)
		return 0;
	snprintf(result->judgement.text, sizeof(result->judgement.text),
		 "it is not a trace of tenant %s", audit_quote(name, text, sizeof(text)));
	result->judgement.state = TRUST_TENANT;
	return SWORN_EUNTRUSTED;
}

/* Who signed it, and for how many events that counts. */
static int judge_signature(struct audit *audit, uint64_t *ret_events)
{
	const struct audit_options *options = &audit->options;
	const struct trust_allow allow = { .is_unsigned = options->allow_unsigned,
					   .untrusted = options->allow_untrusted,
					   .truncated = options->allow_truncated,
					   .repaired = options->allow_repaired };
	struct result *result = &audit->result;
	struct trust trust;
	int code = VERIFY_OK, r;
	result->found = result->error;
	*ret_events = result->report.events;
	if (result->error != 0 && result->error != SWORN_ETRUNCATED)
		return VERIFY_OK;
	r = trust_load(&trust, options->keystore, options->trust_file);
	if (r < 0) {
		code = audit_fail(audit, VERIFY_UNKNOWN, "nothing was checked: %s", trust.reason);
	} else {
		r = trust_judge_trace(&trust, audit->reader, &result->report, &result->judgement);
		if (r < 0)
			snprintf(result->report.reason, sizeof(result->report.reason),
				 "the header does not match its signature by %s",
				 result->judgement.signer.name);
		if (r == 0)
			r = judge_tenant(audit, &trust, &code);
		result->error = r < 0 ? r
				      : trust_verdict(&result->judgement, &result->report,
						      result->error, &allow, ret_events);
	}
	trust_release(&trust);
	return code;
}

/* The history once more, of those events alone that count. */
static int shorten(struct audit *audit, uint64_t events)
{
	struct reader *reader = NULL;
	struct event event;
	int r = reader_open(audit->trace_fd, audit->blobs_fd, &reader);
	history_release(audit->history);
	audit->history = history_new(audit->result.info);
	if (r == 0 && !audit->history)
		r = -ENOMEM;
	if (r == 0) {
		reader_limit(reader, events);
		while ((r = trace_next(reader, &event)) > 0)
			if ((r = history_event(audit->history, &event)) < 0)
				break;
	}
	if (audit->history)
		history_finish(audit->history);
	reader_close(reader);
	return audit_end(audit, r == SWORN_ETRUNCATED ? 0 : r);
}

static int check(struct audit *audit, bool history)
{
	uint64_t events;
	int code;
	struct result *result = &audit->result;
	result->error = reader_open(audit->trace_fd, audit->blobs_fd, &audit->reader);
	if (result->error < 0)
		return judge(audit);
	result->info = reader_info(audit->reader);
	audit->history = history ? history_new(result->info) : NULL;
	if (history && !audit->history)
		return audit_fail(audit, VERIFY_UNKNOWN, "memory is short; free some and ask again");
	result->error = reader_check(audit->reader, &result->report, take_event, audit);
	result->summary = reader_summary(audit->reader);
	if (audit->history)
		history_finish(audit->history);
	code = judge_signature(audit, &events);
	audit->events = code == VERIFY_OK && !result->error ? events : result->report.events;
	if (code == VERIFY_OK)
		code = judge(audit);
	if (code != VERIFY_OK || audit->out.unverified || events >= result->report.events)
		return code;
	reader_limit(audit->reader, events);
	return audit->history ? shorten(audit, events) : VERIFY_OK;
}

/* The store to look in: that was named, that of the tenant that was named, or the default one. */
static int find_store(const struct audit_options *options)
{
	char path[HOME_PATH_MAX];
	struct trust trust;
	uint8_t id[TENANT_ID_SIZE];
	bool known = !options->store && options->tenant;
	if (known) {
		known = trust_load(&trust, options->keystore, options->trust_file) == 0 &&
			trust_tenant(&trust, options->tenant, id) == 0 &&
			trust_store(options->keystore, id, path, sizeof(path)) == 0;
		trust_release(&trust);
	}
	return store_find(known ? path : options->store);
}

int audit_open(struct audit *audit, bool history)
{
	char name[256];
	int store_fd = find_store(&audit->options), code;
	const char *trace = audit->name;
	if (audit->options.store && store_fd < 0)
		return audit_fail(audit, VERIFY_UNKNOWN,
				  "no store at %s: %s; name the directory that holds traces/ and blobs/",
				  audit_quote(audit->options.store, name, sizeof(name)),
				  error_text(store_fd));
	audit->trace_fd = trace[0] == '@' && store_fd < 0
				  ? SWORN_ENOTRACE
				  : store_trace(store_fd, trace, &audit->found);
	if (audit->trace_fd < 0) {
		char missing[512] = "";
		audit->result.error = audit->trace_fd;
		code = (int)result_code(&audit->result);
		if (code == VERIFY_NOTHING)
			input_missing_text(store_fd, trace, missing, sizeof(missing));
		audit_fail(audit, code, "%s cannot be opened: %s; the trace comes last, check its path",
			   audit_quote(trace, name, sizeof(name)),
			   *missing ? missing : error_text(audit->trace_fd));
	} else {
		audit->blobs_fd = store_find_blobs(store_fd, audit->options.store != NULL,
						   audit->trace_fd);
		audit->name = audit->result.name = audit->found;
		audit->result.allow_truncated = audit->options.allow_truncated;
		audit->result.allow_repaired = audit->options.allow_repaired;
		code = check(audit, history);
	}
	if (store_fd >= 0)
		close(store_fd);
	return code;
}

void audit_close(struct audit *audit)
{
	history_release(audit->history);
	reader_close(audit->reader);
	if (audit->blobs_fd >= 0)
		close(audit->blobs_fd);
	if (audit->trace_fd >= 0)
		close(audit->trace_fd);
	free(audit->found);
}

static int run(struct audit *audit, const struct question *question)
{
	int code = audit_open(audit, question->history), r;
	bool answered = code == VERIFY_OK;
	/* Bytes of a guest come as they are; nothing may stand before them. */
	bool raw = question->function == audit_cat && !audit->options.json;
	if (audit->options.json && audit->result.info)
		banner_json(audit);
	else if (answered && !raw)
		banner_text(audit);
	if (answered)
		code = question->function(audit);
	/* A pipe that was closed early has had what it wanted. */
	r = out_close(&audit->out);
	if (r < 0 && r != -EPIPE)
		code = audit_fail(audit, VERIFY_UNKNOWN,
				  "the output could not be written: %s; check the space there",
				  error_text(r));
	audit_close(audit);
	return code;
}

int cmd_audit(int argc, char **argv)
{
	struct audit audit = { .options = { .to = UINT64_MAX, .strings = STRINGS_SHOWN },
			       .trace_fd = -1,
			       .blobs_fd = -1 };
	int r = parse(argc, argv, &audit.options);
	if (r != 0)
		return r < 0 ? 0 : r;
	if (optind == argc)
		return usage("no question is asked", NULL);
	const struct question *question = find_question(argv[optind]);
	if (!question)
		return VERIFY_USAGE;
	audit.question = question->name;
	audit.arguments = argv + optind + 1;
	audit.arguments_count = argc - optind - 2;
	if (audit.arguments_count < question->arguments_min ||
	    audit.arguments_count > question->arguments_max)
		return audit_fail(&audit, VERIFY_USAGE, "%s; ask `sworn audit %s TRACE`",
				  audit.arguments_count < question->arguments_min ? "too little is said"
										  : "too much is said",
				  question->usage);
	audit.name = argv[argc - 1];
	if (out_init(&audit.out, STDOUT_FILENO, audit.options.json) < 0)
		return audit_fail(&audit, VERIFY_UNKNOWN, "memory is short; free some and ask again");
	return run(&audit, question);
}
