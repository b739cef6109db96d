#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate.h"

/* Text of an element or attribute: printable ASCII, so that no encoding matters. */
static void print_text(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&apos;", out); break;
		default:
			if (*text >= 0x20 && *text < 0x7f)
				fputc(*text, out);
			else
				fprintf(out, "\\x%02x", (unsigned char)*text);
		}
	}
}

static void print_line(FILE *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "%s: ", name);
	print_text(out, text);
	fputc('\n', out);
}

/* What differs is a failure; what could not be told or is not trusted is an error. */
static bool is_failure(const struct gate_item *item)
{
	return item->code == GATE_FAILED;
}

static void print_problem(FILE *out, const struct gate_item *item)
{
	const char *element = is_failure(item) ? "failure" : "error";
	const struct value *change = value_list(item->result, "changes");
	const char *where = value_text(change, "where");
	fprintf(out, "<%s type=\"", element);
	print_text(out, gate_verdict(item));
	fputs("\" message=\"", out);
	print_text(out, where ? where : gate_reason(item));
	fputs("\">", out);
	print_line(out, "reason", gate_reason(item));
	for (; change; change = change->next) {
		print_line(out, "where", value_text(change, "where"));
		print_line(out, "expected", value_text(change, "expected"));
		print_line(out, "actual", value_text(change, "actual"));
		print_line(out, "event", value_text(change, "event"));
		print_line(out, "source", value_text(change, "source"));
	}
	print_line(out, "reproduce", value_text(item->result, "reproduce"));
	fprintf(out, "</%s>", element);
}

static void print_suite(FILE *out, const struct gate *gate, const char *tenant)
{
	size_t tests = 0, failures = 0, errors = 0;
	double seconds = 0;
	char label[GATE_LABEL_BYTES];
	gate_tenant_label(gate, tenant, label);
	for (size_t i = 0; i < gate->count; i++) {
		const struct gate_item *item = &gate->items[i];
		if (strcmp(gate_tenant(item), tenant) != 0)
			continue;
		tests++;
		failures += is_failure(item);
		errors += item->code != GATE_OK && !is_failure(item);
		seconds += (double)value_number(item->result, "wall_ns") / 1e9;
	}
	fprintf(out,
		"<testsuite name=\"sworn gate %s: tenant %s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"0\" time=\"%.3f\">\n",
		gate->options.mode == GATE_RERUN ? "rerun" : "replay", label, tests, failures,
		errors, seconds);
	for (size_t i = 0; i < gate->count; i++) {
		const struct gate_item *item = &gate->items[i];
		if (strcmp(gate_tenant(item), tenant) != 0)
			continue;
		fputs("<testcase classname=\"", out);
		print_text(out, label);
		fputs("\" name=\"", out);
		print_text(out, item->path);
		fprintf(out, "\" time=\"%.3f\">", (double)value_number(item->result, "wall_ns") / 1e9);
		if (item->code != GATE_OK)
			print_problem(out, item);
		fputs("</testcase>\n", out);
	}
	fputs("</testsuite>\n", out);
}

static void print_suites(FILE *out, const struct gate *gate)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	for (size_t i = 0; i < gate->count; i++) {
		bool first = true;
		for (size_t j = 0; j < i && first; j++)
			first = strcmp(gate_tenant(&gate->items[j]), gate_tenant(&gate->items[i])) != 0;
		if (first)
			print_suite(out, gate, gate_tenant(&gate->items[i]));
	}
	fputs("</testsuites>\n", out);
}

int gate_junit(const char *path, const struct gate *gate)
{
	char *beside = NULL;
	FILE *out;
	int r = 0, fd;
	if (asprintf(&beside, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(beside, O_CLOEXEC);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		r = -errno;
	} else {
		mode_t mask = umask(0);
		umask(mask);
		print_suites(out, gate);
		if (fchmod(fd, 0666 & ~mask) < 0 || ferror(out))
			r = -EIO;
		if (fclose(out) != 0 || (r == 0 && rename(beside, path) < 0))
			r = -errno;
	}
	if (r < 0 && fd >= 0)
		unlink(beside);
	free(beside);
	return r;
}
