#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"

#define COMMAND_SHOWN 120

/* The message of a workflow command. Guests' text is in it: no line ends, and nothing that begins another command. */
static void print_message(FILE *out, const char *text)
{
	char last = '\0';
	for (; text && *text; last = *text++) {
		if (*text == '%' || *text == '\r' || *text == '\n')
			fprintf(out, "%%%02X", (unsigned char)*text);
		else if ((last == ':' && *text == ':') ||
			 (last == '#' && (*text == '#' || *text == '[')))
			fprintf(out, " %c", *text);
		else if (*text >= 0x20 && *text < 0x7f)
			fputc(*text, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
	}
}

/* The value of a property, which a comma and a colon would end. */
static void print_property(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		if (strchr("%:,#", *text))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else if (*text >= 0x20 && *text < 0x7f)
			fputc(*text, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
	}
}

static void annotate(FILE *out, const struct gate_item *item)
{
	const struct value *change = value_list(item->result, "changes");
	const char *where = value_text(change, "where");
	fputs("::error title=", out);
	print_property(out, "sworn gate: ");
	print_property(out, gate_verdict(item));
	fputc(' ', out);
	print_property(out, item->path);
	fputs("::", out);
	print_message(out, where ? where : gate_reason(item));
	if (value_text(change, "expected")) {
		fputs("; expected ", out);
		print_message(out, value_text(change, "expected"));
		fputs("; actual ", out);
		print_message(out, value_text(change, "actual"));
	}
	fputc('\n', out);
}

/* One cell of a table, as code, so that nothing in it is markup. */
static void print_cell(FILE *out, const char *text)
{
	fputs("<code>", out);
	for (; text && *text; text++) {
		if (strchr("&<>|`*_[]\\", *text))
			fprintf(out, "&#%d;", *text);
		else if (*text >= 0x20 && *text < 0x7f)
			fputc(*text, out);
		else
			fprintf(out, "&#92;x%02x", (unsigned char)*text);
	}
	fputs("</code>", out);
}

static void print_summary(FILE *out, const struct gate *gate, const struct gate_item **order,
			  enum gate_code code)
{
	char command[COMMAND_SHOWN], label[GATE_LABEL_BYTES];
	size_t shown = 0, bad = 0;
	for (size_t i = 0; i < gate->count; i++)
		bad += gate->items[i].code != GATE_OK;
	fprintf(out, "### sworn gate (%s): %zu of %zu traces identical, exit code %d\n\n",
		gate->options.mode == GATE_RERUN ? "rerun" : "replay", gate->count - bad,
		gate->count, code);
	if (gate->options.mode == GATE_REPLAY)
		fputs("The code of this checkout was not run.\n\n", out);
	if (bad)
		fputs("| verdict | tenant | trace | command | first difference |\n|---|---|---|---|---|\n",
		      out);
	for (; shown < bad && shown < GATE_SHORT; shown++) {
		const struct gate_item *item = order[shown];
		const char *where = value_text(value_list(item->result, "changes"), "where");
		const char *const cells[] = { label, item->path, command,
					      where ? where : gate_reason(item) };
		gate_command(item, command, sizeof(command));
		gate_tenant_label(gate, gate_tenant(item), label);
		fprintf(out, "| %s |", gate_verdict(item));
		for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
			fputc(' ', out);
			print_cell(out, cells[i]);
			fputs(" |", out);
		}
		fputc('\n', out);
	}
	if (bad > shown)
		fprintf(out, "\n%zu more\n", bad - shown);
	fputc('\n', out);
}

static int write_summary(const struct gate *gate, const struct gate_item **order, enum gate_code code)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	FILE *out = path && *path ? fopen(path, "ae") : NULL;
	if (!path || !*path)
		return 0;
	if (!out)
		return -errno;
	print_summary(out, gate, order, code);
	return fclose(out) != 0 ? -errno : 0;
}

int gate_github(FILE *out, const struct gate *gate, enum gate_code code)
{
	const char *set = getenv("GITHUB_ACTIONS");
	const struct gate_item **order;
	size_t shown = 0, bad = 0;
	int r;
	if (!set || strcmp(set, "true") != 0)
		return 0;
	order = gate_worst_first(gate);
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < gate->count; i++)
		bad += gate->items[i].code != GATE_OK;
	for (; shown < bad && shown < GATE_SHORT; shown++)
		annotate(out, order[shown]);
	if (bad > shown)
		fprintf(out, "::error title=sworn gate::%zu more traces are not identical\n",
			bad - shown);
	r = write_summary(gate, order, code);
	free(order);
	return r;
}
