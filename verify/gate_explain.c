#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"
#include "gate_show.h"
#include "gate.h"
#include "observe_compare.h"

static int usage(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn gate: %s%s; `sworn gate --help` explains\n", problem, detail);
	return GATE_USAGE;
}

static int nothing(void)
{
	fputs("sworn gate: the trace is one of another tenant, so nothing was selected; name another --tenant\n",
	      stderr);
	return GATE_NOTHING;
}

static enum gate_code code_of(int error)
{
	switch (error) {
	case SWORN_EINTEGRITY:
	case SWORN_EFORMAT:
	case SWORN_ETRUNCATED:
	case SWORN_ELIMIT:
	case SWORN_EBLOB: return GATE_INTEGRITY;
	case SWORN_ENOTRACE:
	case -ENOENT: return GATE_NOTHING;
	}
	return GATE_UNKNOWN;
}

/* Checks a trace as a run of the gate does and reads it, or says why not. */
static enum gate_code read_trace(const struct gate *gate, const struct gate_item *item,
				 struct reader **ret_reader, int *ret_fd, struct observation **ret_seen)
{
	struct gate_result result = { .path = item->path, .item = item };
	int blobs, r;
	*ret_reader = NULL;
	*ret_seen = NULL;
	*ret_fd = -1;
	if (item->problem)
		gate_decide(&result, "refused", item->code, "%s", item->problem);
	if (item->problem || !gate_check(gate, &result)) {
		fprintf(stderr, "sworn gate: %s: %s; `sworn verify` says more\n", item->path,
			result.reason ? result.reason : "it could not be checked");
		gate_result_release(&result);
		return result.code;
	}
	gate_result_release(&result);
	blobs = gate_blobs(gate, item);
	*ret_fd = gate_open(item);
	r = *ret_fd < 0 ? *ret_fd : reader_open(*ret_fd, blobs, ret_reader);
	if (r == 0)
		r = observe(*ret_reader, ret_seen);
	if (blobs >= 0)
		close(blobs);
	if (r < 0)
		fprintf(stderr, "sworn gate: %s: %s; `sworn verify` says more\n", item->path,
			error_text(r));
	return r < 0 ? code_of(r) : GATE_OK;
}

static void close_trace(struct reader *reader, int fd, struct observation *seen)
{
	observation_release(seen);
	reader_close(reader);
	if (fd >= 0)
		close(fd);
}

static void line(const char *name, const char *text)
{
	printf("%-12s ", name);
	gate_text(stdout, text);
	fputc('\n', stdout);
}

static void explain_command(const struct trace_info *info, const struct trace_summary *summary,
			    const struct observation *seen)
{
	const struct history *h = seen->history;
	const char *directory = h->programs_count && h->programs[0].directory ? h->programs[0].directory
									      : "?";
	printf("%-12s", "command");
	for (const char *const *word = info->argv; *word; word++) {
		fputc(' ', stdout);
		gate_word(stdout, *word);
	}
	fputc('\n', stdout);
	line("seed", info->seed);
	line("schedule",
	     info->schedule_seeded ? "seeded" : "observed: a new run has another order of threads");
	line("clock", info->clock_virtual ? "virtual" : "real: a new run sees another time");
	line("processor", summary->requires_cpu ? summary->requires_cpu : "that of the host");
	line("directory", directory);
	if (strcmp(directory, info->directory) != 0)
		line("", "a new run gets a copy of the directory it is started from, under this name");
	else
		line("", "a new run needs this directory, and works in it itself");
	printf("%-12s %" PRIu32 " variables, as recorded\n", "environment",
	       h->programs_count ? h->programs[0].environment.count : 0U);
	if (seen->has_input)
		printf("%-12s %" PRIu64 " bytes, as recorded\n", "input", seen->input.size);
	else
		line("input", "none");
}

static void explain_seen(const struct seen *seen)
{
	static const char *const kinds[] = { "output", "file", "program", "channel", "input" };
	printf("%-12s ", kinds[seen->kind]);
	gate_text(stdout, seen->name);
	if (seen->kind != SEEN_PROGRAM && seen->kind != SEEN_INPUT && !seen->absent)
		printf(", %" PRIu64 " bytes", seen->content.size);
	if (seen->absent)
		fputs(seen->kind == SEEN_FILE	 ? ", removed"
		      : seen->kind == SEEN_INPUT ? ", not there"
						 : "",
		      stdout);
	if (seen->state) {
		fputs(", ", stdout);
		gate_text(stdout, seen->state);
	}
	if (seen->content.blind || seen->mapped)
		fputs("; what it holds is not in the trace", stdout);
	fputc('\n', stdout);
}

int gate_explain(struct gate *gate)
{
	struct observation *seen;
	struct reader *reader;
	enum gate_code code;
	int fd;
	if (gate->options.paths_count != 1 || gate->count > 1)
		return usage("explain wants one TRACE", "");
	if (gate->count == 0)
		return nothing();
	code = read_trace(gate, &gate->items[0], &reader, &fd, &seen);
	if (code == GATE_OK) {
		explain_command(reader_info(reader), reader_summary(reader), seen);
		puts("\na rerun compares:");
		if (WIFSIGNALED((int)seen->status))
			printf("%-12s signal %d\n", "end", WTERMSIG((int)seen->status));
		else
			printf("%-12s exit status %d\n", "end", WEXITSTATUS((int)seen->status));
		for (size_t i = 0; i < seen->seen_count; i++)
			if (seen->seen[i].kind != SEEN_INPUT)
				explain_seen(&seen->seen[i]);
		puts("\nand names when it is another:");
		for (size_t i = 0; i < seen->seen_count; i++)
			if (seen->seen[i].kind == SEEN_INPUT)
				explain_seen(&seen->seen[i]);
	}
	close_trace(reader, fd, seen);
	return fflush(stdout) == 0 ? (int)code : GATE_UNKNOWN;
}

static void print_change(const struct observed_change *change, const char *kind)
{
	printf("%s: ", kind);
	gate_text(stdout, change->where);
	fputs("\n  first      ", stdout);
	gate_text(stdout, change->expected);
	fputs("\n  second     ", stdout);
	gate_text(stdout, change->actual);
	fputs("\n  event     ", stdout);
	for (int side = 0; side < 2; side++) {
		if (change->events[side] == HISTORY_NO_EVENT)
			fputs(" none", stdout);
		else
			printf(" %" PRIu64, change->events[side]);
		fputs(side ? "\n" : " and", stdout);
	}
}

static int compare(const struct observation *const runs[2])
{
	struct observed_changes changes = { 0 }, inputs = { 0 };
	int code = GATE_OK, r = observed_compare(runs, &changes);
	if (r == 0)
		r = observed_compare_inputs(runs, &inputs);
	for (size_t i = 0; i < changes.count; i++)
		print_change(&changes.list[i], "different");
	for (size_t i = 0; i < inputs.count; i++)
		print_change(&inputs.list[i], "input");
	if (r < 0) {
		fprintf(stderr, "sworn gate: %s\n", error_text(r));
		code = GATE_UNKNOWN;
	} else if (changes.count) {
		code = GATE_FAILED;
	} else if (changes.unknown) {
		printf("could not tell: %s\n", changes.unknown);
		code = GATE_UNKNOWN;
	} else {
		puts("identical: both runs did the same, as far as others could see");
	}
	observed_release(&changes);
	observed_release(&inputs);
	return code;
}

int gate_diff(struct gate *gate)
{
	struct observation *seen[2] = { NULL, NULL };
	struct reader *readers[2] = { NULL, NULL };
	int fds[2] = { -1, -1 };
	enum gate_code code = GATE_OK;
	if (gate->options.paths_count != 2 || gate->count > 2)
		return usage("diff wants two TRACEs", "");
	if (gate->count == 0 || gate->left_out)
		return nothing();
	/* What is named twice is selected once. */
	for (size_t side = 0; side < 2; side++) {
		const struct gate_item *item = &gate->items[side < gate->count ? side : 0];
		code = gate_worse(code,
				  read_trace(gate, item, &readers[side], &fds[side], &seen[side]));
	}
	if (code == GATE_OK)
		code = (enum gate_code)compare((const struct observation *const[2]){ seen[0], seen[1] });
	for (int side = 0; side < 2; side++)
		close_trace(readers[side], fds[side], seen[side]);
	if (fflush(stdout) != 0)
		code = gate_worse(code, GATE_UNKNOWN);
	return (int)code;
}
