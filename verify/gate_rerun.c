#include "gate_rerun.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/describe.h"
#include "../traces/error.h"
#include "gate_place.h"
#include "observe_compare.h"

/* A trace that is read for what it says of its run. */
struct told {
	int fd;
	struct reader *reader;
	struct observation *seen;
};

static void close_told(struct told *told)
{
	observation_release(told->seen);
	reader_close(told->reader);
	if (told->fd >= 0)
		close(told->fd);
	*told = (struct told){ .fd = -1 };
}

static int open_told(const struct gate *gate, const struct gate_item *item, struct told *ret)
{
	int r, blobs = gate_blobs(gate, item);
	*ret = (struct told){ .fd = gate_open(item) };
	r = ret->fd < 0 ? ret->fd : reader_open(ret->fd, blobs, &ret->reader);
	if (r == 0)
		r = observe(ret->reader, &ret->seen);
	if (blobs >= 0)
		close(blobs);
	if (r < 0)
		close_told(ret);
	return r;
}

/* The event as people read it, from a second walk through the trace. Owned. */
static char *describe_at(const struct told *told, uint64_t number)
{
	struct reader *reader = NULL;
	struct event event;
	char text[DESCRIPTION_BYTES], *made = NULL;
	if (number == HISTORY_NO_EVENT || reader_open(told->fd, -1, &reader) < 0)
		return NULL;
	while (!made && trace_next(reader, &event) > 0)
		if (event.number == number) {
			describe_event(&event, text, sizeof(text));
			made = strdup(text);
		}
	reader_close(reader);
	return made;
}

/* The innermost frame behind an event that has a source line, by a replay up to there. Owned; NULL when there is none. */
static char *source_at(const struct gate *gate, const struct told *told, uint64_t number)
{
	char event[24], path[64], *text = NULL, *found = NULL, *more = NULL;
	/* Either it has been checked, or this process has just made it. */
	const char *argv[] = {
		"sworn", "replay", "--allow-unsigned", "--allow-untrusted", "--stop-at", event,
		path,	 NULL
	};
	struct gate_process process = { .argv = argv, .input = -1, .errors = -1, .report = -1 };
	size_t length;
	if (number == HISTORY_NO_EVENT || (process.output = gate_file("backtrace")) < 0)
		return NULL;
	process.timeout_s = gate->options.timeout_s;
	snprintf(event, sizeof(event), "%" PRIu64, number);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), told->fd);
	if (gate_process_run(gate->program, &process) == GATE_UNKNOWN)
		text = gate_file_text(process.output, &length);
	for (char *line = text ? strtok_r(text, "\n", &more) : NULL; line && !found;
	     line = strtok_r(NULL, "\n", &more))
		if (strncmp(line, "  #", 3) == 0 && strstr(line, " at "))
			found = strdup(line + 2);
	free(text);
	close(process.output);
	return found;
}

static void note_changes(const struct gate *gate, struct gate_result *result,
			 struct observed_changes *found, const struct told told[2])
{
	for (size_t i = 0; i < found->count; i++, result->changes_count++) {
		struct gate_change *change = &result->changes[result->changes_count];
		struct observed_change *from = &found->list[i];
		if (result->changes_count >= GATE_CHANGES_MAX)
			continue;
		change->where = from->where;
		change->expected = from->expected;
		change->actual = from->actual;
		from->where = from->expected = from->actual = NULL;
		/* Two walks for each are too many for a long list. */
		if (i < GATE_SHORT)
			change->event = describe_at(&told[1], from->events[1]);
		if (i < GATE_SHORT && !change->event)
			change->event = describe_at(&told[0], from->events[0]);
		if (i == 0) {
			unsigned int side = from->events[1] != HISTORY_NO_EVENT;
			change->source = source_at(gate, &told[side], from->events[side]);
		}
	}
}

static void note_inputs(struct gate_result *result, const struct observation *const runs[2])
{
	struct observed_changes found;
	if (observed_compare_inputs(runs, &found) == 0)
		for (size_t i = 0; i < found.count; i++, result->inputs_count++) {
			const struct observed_change *change = &found.list[i];
			char **text = &result->inputs[result->inputs_count];
			if (result->inputs_count < GATE_CHANGES_MAX &&
			    asprintf(text, "%s: recorded %s, now %s", change->where,
				     change->expected, change->actual) < 0)
				*text = NULL;
		}
	observed_release(&found);
}

/* Whether a run executed or read what a --with shows. */
static bool was_used(const struct observation *seen, const char *at)
{
	const struct history *h = seen->history;
	size_t length = strlen(at);
	for (size_t i = 0; i < h->programs_count; i++)
		if (h->programs[i].path && !strncmp(h->programs[i].path, at, length) &&
		    (!h->programs[i].path[length] || h->programs[i].path[length] == '/'))
			return true;
	for (size_t i = 0; i < h->files_count; i++) {
		const struct history_file *file = &h->files[i];
		if (file->path && file->opened && !strncmp(file->path, at, length) &&
		    (!file->path[length] || file->path[length] == '/'))
			return true;
	}
	return false;
}

static void note_used(const struct gate *gate, const struct gate_place *place,
		      const struct observation *seen, struct gate_result *result)
{
	for (size_t i = 0; gate->options.with[i]; i++) {
		char *at = gate_place_at(place, gate->options.with[i]);
		result->with_used[i] |= at && was_used(seen, at);
		free(at);
	}
}

/* Runs once more and reads what came of it; false when that ended in a verdict. */
static bool run_once(const struct gate *gate, struct gate_place *place, unsigned int number,
		     struct gate_result *result, struct told *ret)
{
	char *words = NULL;
	int r = gate_place_record(gate, place, number, &words);
	struct gate_item made = { .path = place->trace };
	result->runs++;
	if (r == 0)
		r = open_told(gate, &made, ret);
	else if (r == -ETIME)
		gate_decide(result, "incomplete", GATE_UNKNOWN,
			    "run %u was not done in %u s; raise --timeout", number,
			    gate->options.timeout_s);
	else
		gate_decide(result, "incomplete", GATE_UNKNOWN, "run %u was not recorded: %s",
			    number, words ? words : error_text(r));
	if (r < 0 && !result->verdict)
		gate_decide(result, "incomplete", GATE_UNKNOWN,
			    "the trace of run %u cannot be read: %s", number, error_text(r));
	free(words);
	return r == 0;
}

/* One new run against an earlier one. True when they are alike. */
static bool compare_told(const struct gate *gate, const struct told told[2],
			 struct gate_result *result, char **ret_unknown)
{
	const struct observation *runs[2] = { told[0].seen, told[1].seen };
	struct observed_changes found;
	int r = observed_compare(runs, &found);
	bool alike = r == 0 && found.count == 0;
	if (r < 0)
		gate_decide(result, "incomplete", GATE_UNKNOWN, "%s", error_text(r));
	note_changes(gate, result, &found, told);
	if (found.unknown && !*ret_unknown)
		*ret_unknown = strdup(found.unknown);
	observed_release(&found);
	return alike;
}

/* Further runs must do what the first new one did. False at a difference, or when one ended in a verdict. */
static bool repeat(const struct gate *gate, struct gate_place *place, const struct told *first,
		   struct gate_result *result)
{
	char *unknown = NULL;
	bool alike = true;
	for (unsigned int number = 2; alike && number <= gate->options.repeat; number++) {
		struct told told[2] = { *first, { .fd = -1 } };
		alike = run_once(gate, place, number, result, &told[1]);
		if (!alike)
			break;
		alike = compare_told(gate, told, result, &unknown);
		if (!alike && !result->verdict)
			gate_decide(result, "nondeterministic", GATE_FAILED,
				    "run %u, with another order of threads, did not do what run 1 did: expected is "
				    "run 1",
				    number);
		if (!alike)
			gate_place_keep(gate, told[1].fd, result);
		close_told(&told[1]);
		gate_place_clean(place);
	}
	free(unknown);
	return alike;
}

/* First whether the new code does the same each time, then whether that is what was recorded. */
static void judge(const struct gate *gate, struct gate_place *place, struct told told[2],
		  struct gate_result *result)
{
	const struct observation *runs[2] = { told[0].seen, told[1].seen };
	char *unknown = NULL;
	note_used(gate, place, told[1].seen, result);
	note_inputs(result, runs);
	gate_place_clean(place);
	if (!repeat(gate, place, &told[1], result))
		return;
	bool alike = compare_told(gate, told, result, &unknown);
	if (alike && unknown)
		gate_decide(result, "incomplete", GATE_UNKNOWN, "%s", unknown);
	else if (alike)
		gate_decide(result, "identical", GATE_OK, "identical");
	else if (!result->verdict)
		gate_decide(result, "changed", GATE_FAILED, "%s",
			    reader_info(told[0].reader)->schedule_seeded
				    ? "the new run did something else"
				    : "the new run did something else; it was recorded without --schedule seeded, so "
				      "time and the order of threads may be why");
	if (!alike)
		gate_place_keep(gate, told[1].fd, result);
	free(unknown);
}

void gate_rerun(const struct gate *gate, size_t index, struct gate_result *result)
{
	struct told told[2] = { { .fd = -1 }, { .fd = -1 } };
	struct gate_place place = { 0 };
	int r;
	if (!gate_check(gate, result))
		return;
	r = open_told(gate, result->item, &told[0]);
	if (r == 0 && !told[0].seen->ended)
		r = SWORN_ETRUNCATED;
	if (r == 0)
		r = gate_place_init(gate, index, told[0].reader, told[0].seen, &place);
	if (r < 0)
		gate_decide(result, "incomplete", GATE_UNKNOWN, "%s",
			    place.problem ? place.problem : error_text(r));
	else if (run_once(gate, &place, 1, result, &told[1]))
		judge(gate, &place, told, result);
	if (result->code == GATE_OK) {
		free(result->reason);
		result->reason = NULL;
	}
	gate_place_release(&place);
	close_told(&told[0]);
	close_told(&told[1]);
}
