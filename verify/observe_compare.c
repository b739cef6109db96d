#include "observe_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../traces/array.h"
#include "field.h"

#define LINE_SHOWN 200 /* bytes of a line that are looked at around a difference */

/* What the functions here share. */
struct comparing {
	const struct observation *const *runs;
	struct observed_changes *changes;
	bool inputs;
	int error;
};

/* Printable ASCII of any text, owned. */
static char *printable(const char *text)
{
	char *made = malloc(strlen(text) * 4 + 1), *to = made;
	for (; made && *text; text++) {
		if (*text >= 0x20 && *text < 0x7f)
			*to++ = *text;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
	}
	if (made)
		*to = '\0';
	return made;
}

static void add(struct comparing *c, const char *where, const char *expected, const char *actual,
		const uint64_t events[2])
{
	struct observed_changes *all = c->changes;
	struct observed_change *grown = array_grow(all->list, all->count, &all->capacity,
						   sizeof(*grown));
	if (!grown) {
		c->error = -ENOMEM;
		return;
	}
	all->list = grown;
	grown += all->count++;
	*grown = (struct observed_change){
		printable(where), printable(expected), printable(actual), { events[0], events[1] }
	};
	if (!grown->where || !grown->expected || !grown->actual)
		c->error = -ENOMEM;
}

static void not_known(struct comparing *c, const char *name, const char *why)
{
	char *text;
	if (c->changes->unknown || c->inputs)
		return;
	if (asprintf(&text, "%s: %s", name, why) < 0)
		return;
	c->changes->unknown = printable(text);
	free(text);
}

/* How a thing is called to people. */
static void title(const struct seen *seen, char *text, size_t size)
{
	static const char *const kinds[] = { "", "file ", "program ", "", "" };
	snprintf(text, size, "%s%s", kinds[seen->kind], seen->name);
}

/* The line around an offset, from its start as far as it is known. */
static void show_line(const struct content *content, uint64_t offset, char *text)
{
	uint8_t bytes[LINE_SHOWN];
	uint64_t start = offset, end = offset;
	size_t n = 0;
	if (offset >= content->size) {
		snprintf(text, FIELD_VALUE_BYTES, "nothing: it ends after %" PRIu64 " bytes",
			 content->size);
		return;
	}
	while (start > 0 && offset - start < LINE_SHOWN / 4) {
		int byte = content_byte(content, start - 1);
		if (byte < 0 || byte == '\n')
			break;
		start--;
	}
	for (end = start; end < content->size && n < sizeof(bytes); end++) {
		int byte = content_byte(content, end);
		if (byte < 0)
			break;
		bytes[n++] = (uint8_t)byte;
		if (byte == '\n' && end >= offset)
			break;
	}
	if (end < offset || n == 0)
		snprintf(text, FIELD_VALUE_BYTES, "what was there before");
	else
		field_quote(bytes, n, text, FIELD_VALUE_BYTES);
}

static uint64_t line_number(const struct content *content, uint64_t offset)
{
	uint64_t lines = 1;
	for (uint64_t at = 0; at < offset && at < content->size; at++)
		lines += content_byte(content, at) == '\n';
	return lines;
}

static uint64_t event_of(const struct seen *seen, uint64_t offset)
{
	uint64_t event = content_event(&seen->content, offset);
	if (event == UINT64_MAX && seen->content.origins_count)
		event = seen->content.origins[seen->content.origins_count - 1].event;
	return event == UINT64_MAX ? seen->event : event;
}

static void compare_content(struct comparing *c, const struct seen *const pair[2])
{
	char where[HISTORY_PATH_BYTES + 128], name[HISTORY_PATH_BYTES + 32];
	char values[2][FIELD_VALUE_BYTES];
	uint64_t offset;
	title(pair[0], name, sizeof(name));
	if (content_differs(&pair[0]->content, &pair[1]->content, c->inputs, &offset)) {
		const uint64_t events[2] = { event_of(pair[0], offset), event_of(pair[1], offset) };
		snprintf(where, sizeof(where), "%s, byte %" PRIu64 ", line %" PRIu64, name, offset,
			 line_number(&pair[0]->content, offset));
		for (int side = 0; side < 2; side++)
			show_line(&pair[side]->content, offset, values[side]);
		add(c, where, values[0], values[1], events);
		return;
	}
	if (pair[0]->content.blind || pair[1]->content.blind)
		not_known(c, name,
			  "bytes that the kernel copied, or too many of them, are not compared; recorded with "
			  "--workdir-as, programs copy between files themselves");
	if (pair[0]->mapped || pair[1]->mapped)
		not_known(c, name, "it was mapped to be written, and no event shows what was");
}

/* The value of a variable, NULL when it is not there. */
static const char *variable(const struct history_strings *list, const char *entry)
{
	size_t length = strcspn(entry, "=");
	for (size_t at = 0; list->bytes && at < list->length; at += strlen(list->bytes + at) + 1)
		if (!strncmp(list->bytes + at, entry, length) && list->bytes[at + length] == '=')
			return list->bytes + at + length + 1;
	return NULL;
}

static void compare_variables(struct comparing *c, const struct seen *const pair[2], int side)
{
	const struct history_program *programs[2];
	const uint64_t events[2] = { pair[0]->event, pair[1]->event };
	char *where;
	for (int i = 0; i < 2; i++)
		programs[i] = &c->runs[i]->history->programs[pair[i]->program - 1];
	const struct history_strings *from = &programs[side]->environment,
				     *to = &programs[!side]->environment;
	for (size_t at = 0; from->bytes && at < from->length; at += strlen(from->bytes + at) + 1) {
		const char *entry = from->bytes + at, *values[2], *sign = strchr(entry, '=');
		values[side] = sign ? sign + 1 : entry;
		values[!side] = sign ? variable(to, entry) : values[side];
		/* What both have with other values is told once, from the first side. */
		if (values[!side] && (side == 1 || strcmp(values[0], values[1]) == 0))
			continue;
		if (asprintf(&where, "program %s, variable %.*s of its environment", pair[0]->name,
			     (int)strcspn(entry, "="), entry) < 0)
			return;
		add(c, where, values[0] ? values[0] : "not set", values[1] ? values[1] : "not set",
		    events);
		free(where);
	}
}

static uint64_t state_event(const struct seen *seen)
{
	return seen->state_event ? seen->state_event : seen->event;
}

static void compare_state(struct comparing *c, const struct seen *const pair[2])
{
	static const char *const aspects[] = { "", ": what it is", ": where it was started",
					       ": how it went", "" };
	const uint64_t events[2] = { state_event(pair[0]), state_event(pair[1]) };
	const char *states[2];
	char where[HISTORY_PATH_BYTES + 64], name[HISTORY_PATH_BYTES + 32];
	for (int side = 0; side < 2; side++) {
		states[side] = pair[side]->absent && pair[side]->kind == SEEN_FILE    ? "removed"
			       : pair[side]->absent && pair[side]->kind == SEEN_INPUT ? "not there"
			       : pair[side]->state		  ? pair[side]->state
			       : pair[side]->kind == SEEN_CHANNEL ? "established"
								  : "there";
	}
	if (strcmp(states[0], states[1]) == 0)
		return;
	title(pair[0], name, sizeof(name));
	snprintf(where, sizeof(where), "%s%s", name, aspects[pair[0]->kind]);
	add(c, where, states[0], states[1], events);
}

static bool mappings_differ(const struct seen *const pair[2])
{
	static const uint8_t zeros[DIGEST_BYTES];
	return memcmp(pair[0]->digest, zeros, DIGEST_BYTES) != 0 &&
	       memcmp(pair[1]->digest, zeros, DIGEST_BYTES) != 0 &&
	       memcmp(pair[0]->digest, pair[1]->digest, DIGEST_BYTES) != 0;
}

static void compare_pair(struct comparing *c, const struct seen *const pair[2])
{
	const uint64_t events[2] = { pair[0]->event, pair[1]->event };
	size_t before = c->changes->count;
	compare_state(c, pair);
	if (pair[0]->absent && pair[1]->absent)
		return;
	if (pair[0]->kind == SEEN_PROGRAM) {
		compare_variables(c, pair, 0);
		compare_variables(c, pair, 1);
		return;
	}
	compare_content(c, pair);
	if (pair[0]->kind == SEEN_INPUT && c->changes->count == before && mappings_differ(pair))
		add(c, pair[0]->name, "as it was mapped when it was recorded", "another content",
		    events);
}

/* What one run has and the other has not. */
static void compare_single(struct comparing *c, const struct seen *seen, int side)
{
	static const char *const has[] = { "", "written", "started", "made", "" };
	static const char *const lacks[] = { "", "not written", "not started", "none", "" };
	uint64_t events[2] = { HISTORY_NO_EVENT, HISTORY_NO_EVENT };
	const char *what = seen->absent && seen->kind == SEEN_FILE ? "removed"
			   : seen->absent			   ? "tried"
								   : has[seen->kind];
	const char *not = seen->absent && seen->kind == SEEN_FILE ? "not removed" : lacks[seen->kind];
	char where[HISTORY_PATH_BYTES + 64];
	if (seen->kind == SEEN_INPUT || seen->kind == SEEN_OUTPUT)
		return;
	events[side] = seen->event;
	title(seen, where, sizeof(where));
	add(c, where, side ? not : what, side ? what : not, events);
}

/* Things are matched by kind and name, the first with the first of each name. */
static int by_name(const void *a, const void *b)
{
	const struct seen *const *x = a, *const *y = b;
	int order = (int)(*x)->kind - (int)(*y)->kind;
	if (order == 0)
		order = strcmp((*x)->name, (*y)->name);
	return order ? order : (*x)->event < (*y)->event ? -1 : (*x)->event > (*y)->event;
}

static int match(const struct seen *a, const struct seen *b)
{
	int order = (int)a->kind - (int)b->kind;
	return order ? order : strcmp(a->name, b->name);
}

static const struct seen **sorted(const struct observation *run, bool inputs, size_t *ret_count)
{
	const struct seen **list = calloc(run->seen_count + 1, sizeof(*list));
	size_t count = 0;
	for (size_t i = 0; list && i < run->seen_count; i++)
		if ((run->seen[i].kind == SEEN_INPUT) == inputs)
			list[count++] = &run->seen[i];
	if (list)
		qsort(list, count, sizeof(*list), by_name);
	*ret_count = count;
	return list;
}

/* The program that was started with other arguments: what only the other run has of the same path. */
static size_t find_twin(const struct seen *seen, const struct seen *const *list, size_t count)
{
	size_t length = strcspn(seen->name, " ");
	for (size_t i = 0; i < count; i++)
		if (list[i] && list[i]->kind == seen->kind &&
		    !strncmp(list[i]->name, seen->name, length) && list[i]->name[length] == ' ')
			return i;
	return count;
}

/* What was found on one side alone. */
static void compare_singles(struct comparing *c, const struct seen **only[2], const size_t counts[2])
{
	char where[HISTORY_PATH_BYTES + 64];
	for (size_t i = 0; i < counts[0]; i++) {
		const struct seen *seen = only[0][i];
		size_t twin = seen->kind == SEEN_PROGRAM ? find_twin(seen, only[1], counts[1])
							 : counts[1];
		if (twin == counts[1]) {
			compare_single(c, seen, 0);
			continue;
		}
		const uint64_t events[2] = { seen->event, only[1][twin]->event };
		snprintf(where, sizeof(where), "arguments of program %.*s",
			 (int)strcspn(seen->name, " "), seen->name);
		add(c, where, seen->name, only[1][twin]->name, events);
		only[1][twin] = NULL;
	}
	for (size_t i = 0; i < counts[1]; i++)
		if (only[1][i])
			compare_single(c, only[1][i], 1);
}

static void compare_lists(struct comparing *c)
{
	const struct seen **lists[2], **only[2];
	size_t counts[2], at[2] = { 0, 0 }, alone[2] = { 0, 0 };
	for (int side = 0; side < 2; side++) {
		lists[side] = sorted(c->runs[side], c->inputs, &counts[side]);
		only[side] = calloc(counts[side] + 1, sizeof(*only[side]));
		if (!lists[side] || !only[side])
			c->error = -ENOMEM;
	}
	while (!c->error && (at[0] < counts[0] || at[1] < counts[1])) {
		const struct seen *pair[2] = { lists[0][at[0]], lists[1][at[1]] };
		int order = !pair[0] ? 1 : !pair[1] ? -1 : match(pair[0], pair[1]);
		if (order == 0)
			compare_pair(c, pair);
		else
			only[order > 0][alone[order > 0]++] = pair[order > 0];
		at[0] += order <= 0;
		at[1] += order >= 0;
	}
	if (!c->error)
		compare_singles(c, only, alone);
	for (int side = 0; side < 2; side++) {
		free(lists[side]);
		free(only[side]);
	}
}

static void show_status(uint32_t status, char *text, size_t size)
{
	if (WIFSIGNALED((int)status))
		snprintf(text, size, "signal %d (%s)", WTERMSIG((int)status),
			 strsignal(WTERMSIG((int)status)));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS((int)status));
}

static int by_event(const void *a, const void *b)
{
	const struct observed_change *x = a, *y = b;
	uint64_t ex = x->events[1] != HISTORY_NO_EVENT ? x->events[1] : x->events[0];
	uint64_t ey = y->events[1] != HISTORY_NO_EVENT ? y->events[1] : y->events[0];
	return ex < ey ? -1 : ex > ey;
}

int observed_compare(const struct observation *const runs[2], struct observed_changes *ret)
{
	struct comparing c = { .runs = runs, .changes = ret };
	char statuses[2][64];
	*ret = (struct observed_changes){ 0 };
	compare_lists(&c);
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), by_event);
	if (!c.error && runs[0]->status != runs[1]->status) {
		const uint64_t events[2] = { runs[0]->history->events - 1,
					     runs[1]->history->events - 1 };
		for (int side = 0; side < 2; side++)
			show_status(runs[side]->status, statuses[side], sizeof(statuses[side]));
		add(&c, "how the command ended", statuses[0], statuses[1], events);
	}
	return c.error;
}

int observed_compare_inputs(const struct observation *const runs[2], struct observed_changes *ret)
{
	struct comparing c = { .runs = runs, .changes = ret, .inputs = true };
	*ret = (struct observed_changes){ 0 };
	compare_lists(&c);
	if (ret->count)
		qsort(ret->list, ret->count, sizeof(*ret->list), by_event);
	return c.error;
}

void observed_release(struct observed_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		free(changes->list[i].where);
		free(changes->list[i].expected);
		free(changes->list[i].actual);
	}
	free(changes->list);
	free(changes->unknown);
	*changes = (struct observed_changes){ 0 };
}
