#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"

#define COMMAND_SHOWN 160
#define CHANGES_SHOWN 10 /* of one trace, to people */

static const char *const verdicts[] = { "identical",	    "changed",	  "diverged",
					"nondeterministic", "incomplete", "refused" };
#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

const char *gate_verdict(const struct gate_item *item)
{
	const char *verdict = value_text(item->result, "verdict");
	return verdict ? verdict : "incomplete";
}

const char *gate_reason(const struct gate_item *item)
{
	const char *reason = value_text(item->result, "reason");
	return reason ? reason : "";
}

const char *gate_tenant(const struct gate_item *item)
{
	const char *tenant = value_text(item->result, "tenant");
	if (!tenant)
		return "unknown";
	return strspn(tenant, "0") == strlen(tenant) ? "default" : tenant;
}

void gate_text(FILE *out, const char *text)
{
	char last = '\0';
	for (; text && *text; last = *text++) {
		if ((last == '#' && *text == '[') || (last == '#' && *text == '#'))
			fprintf(out, "\\x%02x", (unsigned char)*text);
		else if (*text >= 0x20 && *text < 0x7f)
			fputc(*text, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
	}
}

void gate_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
	bool printable = true;
	for (const char *c = word; *c; c++)
		printable = printable && *c >= 0x20 && *c < 0x7f;
	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, out);
		return;
	}
	fputs(printable ? "'" : "$'", out);
	for (const char *c = word; *c; c++) {
		if (*c == '\'')
			fputs(printable ? "'\\''" : "\\'", out);
		else if (*c == '\\' && !printable)
			fputs("\\\\", out);
		else if (*c >= 0x20 && *c < 0x7f)
			fputc(*c, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*c);
	}
	fputc('\'', out);
}

void gate_command(const struct gate_item *item, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");
	text[0] = '\0';
	if (!out)
		return;
	for (const struct value *word = value_list(item->result, "argv"); word; word = word->next) {
		gate_word(out, word->text ? word->text : "");
		if (word->next)
			fputc(' ', out);
	}
	fclose(out);
	text[size - 1] = '\0';
	if (strlen(text) == size - 1)
		memcpy(text + size - 4, "...", 3);
}

static int badness(const struct gate_item *item)
{
	switch (item->code) {
	case GATE_USAGE:
	case GATE_INTEGRITY: return 0;
	case GATE_FAILED: return 1;
	case GATE_UNKNOWN: return 2;
	case GATE_NOTHING: return 3;
	case GATE_OK: break;
	}
	return 4;
}

static int compare_items(const void *a, const void *b)
{
	const struct gate_item *const *x = a, *const *y = b;
	int difference = badness(*x) - badness(*y);
	return difference ? difference : *x < *y ? -1 : *x > *y;
}

const struct gate_item **gate_worst_first(const struct gate *gate)
{
	const struct gate_item **order = calloc(gate->count + 1, sizeof(*order));
	for (size_t i = 0; order && i < gate->count; i++)
		order[i] = &gate->items[i];
	if (order)
		qsort(order, gate->count, sizeof(*order), compare_items);
	return order;
}

/* Counts the verdicts of one tenant's items, of all when it is NULL. */
static size_t count(const struct gate *gate, const char *tenant, size_t ret_counts[VERDICTS],
		    enum gate_code *ret_code)
{
	size_t all = 0;
	memset(ret_counts, 0, VERDICTS * sizeof(*ret_counts));
	*ret_code = GATE_OK;
	for (size_t i = 0; i < gate->count; i++) {
		const struct gate_item *item = &gate->items[i];
		if (tenant && strcmp(gate_tenant(item), tenant) != 0)
			continue;
		for (size_t v = 0; v < VERDICTS; v++)
			ret_counts[v] += strcmp(gate_verdict(item), verdicts[v]) == 0;
		*ret_code = gate_worse(*ret_code, item->code);
		all++;
	}
	return all;
}

/* Whether no item before this one has its tenant. */
static bool is_first_of_tenant(const struct gate *gate, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(gate_tenant(&gate->items[i]), gate_tenant(&gate->items[index])))
			return false;
	return true;
}

static void json_counts(struct json *json, size_t all, const size_t counts[VERDICTS])
{
	json_uint(json, "traces", all);
	for (size_t v = 0; v < VERDICTS; v++)
		json_uint(json, verdicts[v], counts[v]);
}

static const char *verdict_of(enum gate_code code, bool finished)
{
	if (!finished)
		return "unfinished";
	switch (code) {
	case GATE_OK: return "identical";
	case GATE_FAILED: return "changed";
	case GATE_USAGE: break;
	case GATE_UNKNOWN: return "could not tell";
	case GATE_NOTHING: return "nothing selected";
	case GATE_INTEGRITY: return "refused";
	}
	return "refused";
}

static void print_report(struct json *json, const struct gate *gate, enum gate_code code, bool finished)
{
	const struct gate_options *options = &gate->options;
	enum gate_code tenant_code;
	size_t counts[VERDICTS], all;
	char label[GATE_LABEL_BYTES];
	json_open(json, NULL, '{');
	report_head(json, "gate");
	json_text(json, "mode", options->mode == GATE_RERUN ? "rerun" : "replay");
	json_bool(json, "code_was_run", options->mode == GATE_RERUN);
	json_texts(json, "with", options->with);
	json_uint(json, "repeat", options->repeat);
	json_uint(json, "left_out", gate->left_out);
	json_open(json, "counts", '{');
	all = count(gate, NULL, counts, &tenant_code);
	if (!finished)
		memset(counts, 0, sizeof(counts));
	json_counts(json, finished ? all : 0, counts);
	json_close(json, '}');
	json_open(json, "tenants", '[');
	for (size_t i = 0; finished && i < gate->count; i++) {
		if (!is_first_of_tenant(gate, i))
			continue;
		all = count(gate, gate_tenant(&gate->items[i]), counts, &tenant_code);
		json_open(json, NULL, '{');
		json_text(json, "tenant", gate_tenant(&gate->items[i]));
		gate_tenant_label(gate, gate_tenant(&gate->items[i]), label);
		json_text(json, "label", label);
		json_counts(json, all, counts);
		json_int(json, "code", tenant_code);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_open(json, "usage", '{');
	json_uint(json, "wall_ns", gate->wall_ns);
	json_close(json, '}');
	json_text(json, "verdict", verdict_of(code, finished));
	json_int(json, "code", code);
	json_open(json, "traces", '[');
	for (size_t i = 0; i < gate->count; i++)
		if (gate->items[i].result)
			value_write(json, NULL, gate->items[i].result);
	json_close(json, ']');
	json_close(json, '}');
	fputc('\n', json->out);
}

int gate_report(const struct gate *gate, enum gate_code code, bool finished)
{
	char *text = NULL;
	size_t length;
	struct json json = { .out = open_memstream(&text, &length) };
	int r;
	if (gate->report.fd < 0 || (!finished && !gate->report.is_file)) {
		if (json.out)
			fclose(json.out);
		free(text);
		return 0;
	}
	if (!json.out)
		return -ENOMEM;
	print_report(&json, gate, code, finished);
	r = fclose(json.out) != 0 ? -ENOMEM : report_write(&gate->report, text, length);
	free(text);
	return r;
}

static void print_field(FILE *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "  %-10s ", name);
	gate_text(out, text);
	fputc('\n', out);
}

static void print_change(FILE *out, const struct value *change)
{
	print_field(out, "where", value_text(change, "where"));
	print_field(out, "expected", value_text(change, "expected"));
	print_field(out, "actual", value_text(change, "actual"));
	print_field(out, "event", value_text(change, "event"));
	print_field(out, "source", value_text(change, "source"));
}

static void print_failure(FILE *out, const struct gate *gate, const struct gate_item *item)
{
	const struct value *change = value_list(item->result, "changes");
	int64_t found = value_number(item->result, "changes_found");
	int shown = 0;
	char command[COMMAND_SHOWN], label[GATE_LABEL_BYTES];
	fprintf(out, "\n%s: ", gate_verdict(item));
	gate_text(out, item->path);
	gate_tenant_label(gate, gate_tenant(item), label);
	fprintf(out, " (tenant %s)\n", label);
	gate_command(item, command, sizeof(command));
	print_field(out, "command", command);
	print_field(out, "reason", gate_reason(item));
	for (; change && shown < CHANGES_SHOWN; change = change->next, shown++) {
		if (shown > 0)
			fputc('\n', out);
		print_change(out, change);
	}
	if (found > shown)
		fprintf(out, "  and %" PRId64 " more; --report lists up to %d\n", found - shown,
			GATE_CHANGES_MAX);
	for (const struct value *input = value_list(item->result, "inputs_changed"); input;
	     input = input->next)
		print_field(out, "input", input->text);
	print_field(out, "new trace", value_text(item->result, "kept"));
	print_field(out, "reproduce", value_text(item->result, "reproduce"));
}

static void print_tenant(FILE *out, const struct gate *gate, const struct gate_item **order,
			 const char *tenant)
{
	size_t counts[VERDICTS], all, said = 0;
	enum gate_code code;
	char label[GATE_LABEL_BYTES];
	all = count(gate, tenant, counts, &code);
	gate_tenant_label(gate, tenant, label);
	fprintf(out, "\ntenant %s: %zu trace%s:", label, all, all == 1 ? "" : "s");
	for (size_t v = 0; v < VERDICTS; v++)
		if (counts[v])
			fprintf(out, "%s %zu %s", said++ ? "," : "", counts[v], verdicts[v]);
	fputc('\n', out);
	for (size_t i = 0; i < gate->count; i++) {
		const struct value *checked = value_member(order[i]->result, "checked");
		if (strcmp(gate_tenant(order[i]), tenant) != 0)
			continue;
		fprintf(out, "  %-16s %8" PRId64 " events %4" PRId64 " units %8.2f s  ",
			gate_verdict(order[i]), value_number(checked, "of"),
			value_number(order[i]->result, "units"),
			(double)value_number(order[i]->result, "wall_ns") / 1e9);
		gate_text(out, order[i]->path);
		if (value_list(order[i]->result, "inputs_changed"))
			fputs("  (inputs changed)", out);
		/* Why it is not all that it could be: a prefix. */
		if (order[i]->code == GATE_OK && *gate_reason(order[i])) {
			fputs("  (", out);
			gate_text(out, gate_reason(order[i]));
			fputc(')', out);
		}
		fputc('\n', out);
	}
}

/* One row for each tenant, with the verdicts that anybody has as columns. */
static void print_table(FILE *out, const struct gate *gate)
{
	size_t every[VERDICTS], counts[VERDICTS], all;
	char label[GATE_LABEL_BYTES];
	enum gate_code code;
	count(gate, NULL, every, &code);
	fprintf(out, "\n%-50s %7s", "tenant", "traces");
	for (size_t v = 0; v < VERDICTS; v++)
		if (every[v])
			fprintf(out, "  %s", verdicts[v]);
	fputs("  code\n", out);
	for (size_t i = 0; i < gate->count; i++) {
		const char *tenant = gate_tenant(&gate->items[i]);
		if (!is_first_of_tenant(gate, i))
			continue;
		all = count(gate, tenant, counts, &code);
		gate_tenant_label(gate, tenant, label);
		fprintf(out, "%-50s %7zu", label, all);
		for (size_t v = 0; v < VERDICTS; v++)
			if (every[v])
				fprintf(out, "  %*zu", (int)strlen(verdicts[v]), counts[v]);
		fprintf(out, "  %4d\n", code);
	}
}

void gate_print(FILE *out, const struct gate *gate, enum gate_code code)
{
	const struct gate_item **order = gate_worst_first(gate);
	size_t good = 0;
	if (!order)
		return;
	if (gate->options.mode == GATE_RERUN)
		fputs("rerun: each recorded command was started again here, and compared by what it did to the outside\n",
		      out);
	else
		fputs("replay: the code of this checkout was not run; the traces were executed again as they were "
		      "recorded\n",
		      out);
	for (size_t i = 0; gate->options.with[i]; i++) {
		fputs("  with ", out);
		gate_text(out, gate->options.with[i]);
		fputc('\n', out);
	}
	for (size_t i = 0; i < gate->count; i++) {
		if (order[i]->code != GATE_OK)
			print_failure(out, gate, order[i]);
		good += order[i]->code == GATE_OK;
	}
	for (size_t i = 0; i < gate->count; i++)
		if (is_first_of_tenant(gate, i))
			print_tenant(out, gate, order, gate_tenant(&gate->items[i]));
	if (gate->count > 0)
		print_table(out, gate);
	if (gate->left_out)
		fprintf(out, "\n%zu trace%s of other tenants left out\n", gate->left_out,
			gate->left_out == 1 ? "" : "s");
	fprintf(out, "\n%s: %zu of %zu trace%s identical in %.2f s, exit code %d\n",
		verdict_of(code, true), good, gate->count, gate->count == 1 ? "" : "s",
		(double)gate->wall_ns / 1e9, code);
	free(order);
}
