#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "twin.h"

#define CIRCUMSTANCES_BYTES 1024

enum twin_code twin_code(const struct twin *twin)
{
	const struct run *last = twin->made > 0 ? &twin->runs[twin->made - 1] : NULL;
	if (!last || twin->signal)
		return TWIN_UNKNOWN;
	if (!last->recorded)
		return last->number == 1 && last->code == TWIN_USAGE ? TWIN_USAGE : TWIN_UNKNOWN;
	switch (twin->error) {
	case 0: break;
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_ETRUNCATED:
	case SWORN_EBLOB: return TWIN_INTEGRITY;
	default: return TWIN_UNKNOWN;
	}
	if (twin->compared == 0)
		return TWIN_UNKNOWN;
	if (!twin->found.equal)
		return TWIN_DIFFERENT;
	return twin->compared + 1 == twin->options.runs ? TWIN_IDENTICAL : TWIN_UNKNOWN;
}

static const char *verdict(const struct twin *twin)
{
	switch (twin_code(twin)) {
	case TWIN_IDENTICAL: return "identical";
	case TWIN_DIFFERENT: return "different";
	case TWIN_USAGE:
	case TWIN_UNKNOWN: break;
	case TWIN_INTEGRITY: return "damaged";
	}
	return "could not tell";
}

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends a clause, with a comma before all but the first. */
static void add(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list list;
	if (used > 0)
		used += (size_t)snprintf(text + used, size - used, ", ");
	if (used >= size)
		return;
	va_start(list, format);
	vsnprintf(text + used, size - used, format, list);
	va_end(list);
}

void twin_describe(const struct run *run, char *ret_text, size_t size)
{
	const char *number = strrchr(run->cpu, '#');
	ret_text[0] = '\0';
	if (run->busy)
		add(ret_text, size, "%u busy processes", run->busy);
	if (number)
		add(ret_text, size, "processor %s", number);
	if (run->nice)
		add(ret_text, size, "niceness %d", run->nice);
	if (run->user)
		add(ret_text, size, "user %u", run->user);
	if (run->varied & VARY_TIME)
		add(ret_text, size, "started later");
	if (run->varied & VARY_ENVIRONMENT)
		add(ret_text, size, "another HOME, USER, LOGNAME, PWD, OLDPWD and SHLVL");
	if (run->directory[0])
		add(ret_text, size, "in %.200s", run->directory);
}

/* A word for a shell. */
static void print_quoted(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+=:@-";
	if (word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	fputc('\'', out);
}

static void print_runs(FILE *out, const struct twin *twin)
{
	char text[CIRCUMSTANCES_BYTES];
	for (unsigned int i = 0; i < twin->made; i++) {
		twin_describe(&twin->runs[i], text, sizeof(text));
		fprintf(out, "  run %-5u %s\n", i + 1, text[0] ? text : "as usual");
	}
}

/* How this source can be taken away, or NULL. */
static const char *advice(const struct comparison *found)
{
	if (found->origin == ORIGIN_ORDER && !found->seeded)
		return "record with --schedule seeded";
	if (found->origin == ORIGIN_CLOCK && !found->virtual_clock)
		return "record with --clock virtual";
	if (found->origin == ORIGIN_USER)
		return "--vary without user leaves the user as it is";
	return NULL;
}

static void print_difference(FILE *out, const struct twin *twin)
{
	const struct comparison *found = &twin->found;
	const struct run *first = &twin->runs[0], *other = &twin->runs[twin->made - 1];
	unsigned int numbers[2] = { first->number, other->number };
	if (found->in_head)
		fprintf(out, "  first difference in what was recorded\n");
	else
		fprintf(out,
			"  first difference at event %" PRIu64 ": unit %" PRIu32 ", thread %" PRIu32
			", %s\n",
			found->events, found->unit, found->thread, found->call);
	fprintf(out, "    source    %s: %s\n", origin_name(found->origin), origin_text(found->origin));
	if (found->subject[0])
		fprintf(out, "    about     %s\n", found->subject);
	if (found->assumption[0])
		fprintf(out, "    assumed   %s\n", found->assumption);
	fprintf(out, "    where     %s\n", found->difference.where);
	for (int side = 0; side < 2; side++)
		fprintf(out, "    run %-5u %s\n", numbers[side], found->difference.values[side]);
	if (!found->in_head)
		fputs("  the two events:\n", out);
	for (int side = 0; side < 2 && !found->in_head; side++)
		fprintf(out, "    run %-5u %s\n", numbers[side], found->lines[side]);
	if (found->previous_count)
		fputs("  events before, the same in both:\n", out);
	for (size_t i = 0; i < found->previous_count; i++)
		fprintf(out, "    %s\n", found->previous[i]);
	print_runs(out, twin);
	fprintf(out, "  traces    %s %s\n", first->trace, other->trace);
	if (advice(found))
		fprintf(out, "  next: %s\n", advice(found));
	fputs("  next: diff <(sworn verify --list ", out);
	print_quoted(out, first->trace);
	fputs(" 2>/dev/null) <(sworn verify --list ", out);
	print_quoted(out, other->trace);
	fputs(" 2>/dev/null)\n", out);
}

static void print_ending(FILE *out, uint32_t status)
{
	if (WIFSIGNALED((int)status))
		fprintf(out, "killed by signal %d", WTERMSIG((int)status));
	else
		fprintf(out, "exit status %d", WEXITSTATUS((int)status));
}

/* Why there is no answer. Never NULL. */
static const char *reason(const struct twin *twin)
{
	const struct run *last = twin->made > 0 ? &twin->runs[twin->made - 1] : NULL;
	if (!last)
		return "the runs were ended before they were all made";
	if (!last->recorded)
		return last->reason[0] ? last->reason : "it was ended";
	return twin->found.reason[0] ? twin->found.reason : error_text(twin->error);
}

static void print_unknown(FILE *out, const struct twin *twin)
{
	const struct run *last = &twin->runs[twin->made - 1];
	unsigned int bad = !last->recorded || twin->found.bad ? last->number : 1;
	fprintf(out, "%s: run %u of %u %s: %s\n", verdict(twin), bad, twin->options.runs,
		last->recorded ? "cannot be compared" : "was not recorded", reason(twin));
	print_runs(out, twin);
	fprintf(out, "  next: %s\n",
		last->recorded	   ? "free space and memory and run it again"
		: last->number > 1 ? "leave out what is another in this run, with --vary"
				   : "see that the command can be recorded: sworn record -- COMMAND");
}

void twin_print(FILE *out, const struct twin *twin)
{
	const struct comparison *found = &twin->found;
	char state[DIGEST_HEX_BYTES];
	switch (twin_code(twin)) {
	case TWIN_IDENTICAL:
		digest_hex(found->state, state);
		fprintf(out, "identical: %u runs of %" PRIu64 " events, %" PRIu64 " unit%s, state sha256:%s, ",
			twin->options.runs, found->events, found->units,
			found->units == 1 ? "" : "s", state);
		print_ending(out, found->status);
		fputc('\n', out);
		print_runs(out, twin);
		return;
	case TWIN_DIFFERENT:
		fprintf(out, "different: run 1 and run %u, after %" PRIu64 " equal events; source: %s%s%s%s\n",
			twin->made, found->events, origin_name(found->origin),
			found->subject[0] ? " (" : "", found->subject, found->subject[0] ? ")" : "");
		print_difference(out, twin);
		return;
	case TWIN_USAGE: fprintf(out, "sworn twin: %s\n", reason(twin)); return;
	case TWIN_UNKNOWN:
	case TWIN_INTEGRITY: print_unknown(out, twin); return;
	}
}

static void report_run(struct json *json, const struct run *run)
{
	const char *varied[8];
	size_t count = 0;
	json_open(json, NULL, '{');
	json_uint(json, "run", run->number);
	json_text(json, "trace", run->trace[0] ? run->trace : NULL);
	json_bool(json, "recorded", run->recorded);
	json_int(json, "code", run->code);
	for (unsigned int i = 0; vary_name(i); i++)
		if (run->varied & (1U << i))
			varied[count++] = vary_name(i);
	varied[count] = NULL;
	json_texts(json, "varied", varied);
	json_uint(json, "busy", run->busy);
	json_int(json, "nice", run->nice);
	json_uint(json, "user", run->user);
	json_text(json, "directory", run->directory[0] ? run->directory : NULL);
	json_text(json, "cpu", run->cpu[0] ? run->cpu : NULL);
	json_uint(json, "start", run->started_utc_ns);
	json_uint(json, "events", run->events);
	json_close(json, '}');
}

static void report_difference(struct json *json, const struct twin *twin)
{
	const struct comparison *found = &twin->found;
	const char *values[3] = { found->difference.values[0], found->difference.values[1], NULL };
	const char *lines[3] = { found->lines[0], found->lines[1], NULL };
	const char *previous[COMPARE_PREVIOUS + 1] = { NULL };
	if (twin_code(twin) != TWIN_DIFFERENT) {
		json_text(json, "difference", NULL);
		return;
	}
	for (size_t i = 0; i < found->previous_count; i++)
		previous[i] = found->previous[i];
	json_open(json, "difference", '{');
	json_open(json, "runs", '[');
	json_uint(json, NULL, 1);
	json_uint(json, NULL, twin->made);
	json_close(json, ']');
	json_text(json, "source", origin_name(found->origin));
	json_text(json, "subject", found->subject[0] ? found->subject : NULL);
	json_text(json, "assumption", found->assumption[0] ? found->assumption : NULL);
	json_uint(json, "event", found->events);
	json_uint(json, "unit", found->unit);
	json_uint(json, "thread", found->thread);
	json_text(json, "call", found->call[0] ? found->call : NULL);
	json_text(json, "where", found->difference.where);
	json_texts(json, "values", values);
	json_texts(json, "events", lines);
	json_texts(json, "previous", previous);
	json_close(json, '}');
}

static void report_all(struct json *json, const struct twin *twin, bool finished)
{
	const struct comparison *found = &twin->found;
	enum twin_code code = finished ? twin_code(twin) : TWIN_UNKNOWN;
	bool good = code == TWIN_IDENTICAL, answered = good || code == TWIN_DIFFERENT;
	json_open(json, NULL, '{');
	report_head(json, "twin");
	json_texts(json, "argv", (const char *const *)twin->options.command);
	json_text(json, "seed",
		  twin->options.seed ? twin->options.seed
		  : twin->seed[0]    ? twin->seed
				     : NULL);
	json_open(json, "runs", '[');
	for (unsigned int i = 0; i < twin->made; i++)
		report_run(json, &twin->runs[i]);
	json_close(json, ']');
	json_uint(json, "events", good ? found->events : 0);
	json_uint(json, "units", good ? found->units : 0);
	report_print_exit(json, good, found->status);
	json_digest(json, "state_hash", good ? found->state : (const uint8_t[DIGEST_BYTES]){ 0 });
	json_text(json, "verdict", finished ? verdict(twin) : "could not tell");
	json_int(json, "code", code);
	json_open(json, "checked", '{');
	json_uint(json, "events", found->events);
	json_uint(json, "of", found->of[0]);
	json_uint(json, "pairs", twin->compared);
	json_text(json, "reason", answered ? NULL : reason(twin));
	json_close(json, '}');
	report_difference(json, twin);
	json_close(json, '}');
	fputc('\n', json->out);
}

int twin_report(const struct twin *twin, bool finished)
{
	char *text = NULL;
	size_t length;
	struct json json = { 0 };
	int r;
	if (twin->report.fd < 0 || (!finished && !twin->report.is_file))
		return 0;
	json.out = open_memstream(&text, &length);
	if (!json.out)
		return -ENOMEM;
	report_all(&json, twin, finished);
	r = ferror(json.out) ? -ENOMEM : 0;
	if (fclose(json.out) != 0)
		r = -ENOMEM;
	if (r == 0)
		r = report_write(&twin->report, text, length);
	free(text);
	return r;
}
