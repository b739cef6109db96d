#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/import.h"
#include "verify.h"
#include "input.h"

static const char help[] = "usage: sworn import [--store DIR] [--allow-repaired] FILE...\n"
			   "\n"
			   "  sworn import run.sworn                         into your store; then: sworn replay @NAME\n"
			   "  sworn import --store /tmp/store a.sworn b.sworn\n"
			   "\n"
			   "Takes traces into the store as they are, under the ids that they have; no byte of them is changed. Of a thin trace the\n"
			   "blobs come along, from the store that it lies in. All files are checked before the first one is taken; each has its\n"
			   "name in the store once it is whole there. The names are printed.\n"
			   "\n"
			   "  --allow-repaired  take traces that `sworn repair` made, too\n"
			   "  --store DIR       the store (default: $XDG_DATA_HOME/sworn/store)\n"
			   "  --help            print this\n"
			   "\n"
			   "Exits 0 taken or there already, 2 wrong options, 3 could not be read or written, 4 no such file,\n"
			   "5 one is not whole, or the store has another trace with its id.\n";

struct options {
	const char *store;
	bool allow_repaired;
};

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' },
		{ "allow-repaired", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 's': ret->store = optarg; break;
		case 'p': ret->allow_repaired = true; break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return input_usage("import", "an option lacks its value");
		default: return input_unknown("import", argv[optind - 1]);
		}
	}
	return optind == argc ? input_usage("import", "no FILE is named") : 0;
}

/* Two different files with one id cannot both go into a store. */
static enum verify_code compare_ids(const struct input *inputs, int count)
{
	for (int i = 1; i < count; i++) {
		for (int j = 0; j < i; j++) {
			const struct trace_report *a = &inputs[j].result.report,
						  *b = &inputs[i].result.report;
			if (memcmp(a->archive, b->archive, sizeof(a->archive)) ||
			    digest_equal(a->seal_id, b->seal_id))
				continue;
			fprintf(stderr,
				"sworn import: %s and %s are different traces with one id; ask their makers which "
				"is the true one\n",
				inputs[j].name, inputs[i].name);
			return VERIFY_INTEGRITY;
		}
	}
	return VERIFY_OK;
}

static enum verify_code take(const struct input *input, int store_fd)
{
	struct import import = {
		.source = input->reader,
		.report = &input->result.report,
		.source_fd = input->fd,
		.blobs_fd = input->blobs_fd,
		.store_fd = store_fd,
		.expected = input->result.error,
	};
	char hex[2 * ARCHIVE_ID_BYTES + 1];
	int r = import_trace(&import);
	if (r == SWORN_EREFUSED) {
		fprintf(stderr,
			"sworn import: %s: the store has another trace with this id; compare both, and ask their "
			"makers which is the true one\n",
			input->name);
		return VERIFY_INTEGRITY;
	}
	if (r < 0)
		return input_fail("import", input->name, r);
	hex_encode(input->result.report.archive, ARCHIVE_ID_BYTES, hex);
	if (r == IMPORT_THERE)
		fprintf(stderr, "sworn import: %s: the store has it already\n", input->name);
	else if (r == IMPORT_OTHER_TRAILERS)
		fprintf(stderr,
			"sworn import: %s: the store has it already, with other statements behind its seal, which stay; `sworn rm` it "
			"there first to have these\n",
			input->name);
	printf("@%s\n", hex);
	return VERIFY_OK;
}

static enum verify_code import(const struct options *options, struct input *inputs, char **names,
			       int count)
{
	enum verify_code code = VERIFY_OK;
	for (int i = 0; i < count; i++) {
		inputs[i].allow_repaired = options->allow_repaired;
		code = result_worse(code, input_open(&inputs[i], NULL, names[i], false));
	}
	if (code == VERIFY_OK)
		code = compare_ids(inputs, count);
	if (code != VERIFY_OK) {
		fputs("sworn import: nothing was taken into the store\n", stderr);
		return code;
	}
	int store_fd = input_store("import", options->store, false);
	if (store_fd < 0)
		return VERIFY_UNKNOWN;
	for (int i = 0; i < count; i++)
		code = result_worse(code, take(&inputs[i], store_fd));
	close(store_fd);
	return code;
}

int cmd_import(int argc, char **argv)
{
	struct options options = { 0 };
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	int count = argc - optind;
	struct input *inputs = calloc((size_t)count, sizeof(*inputs));
	if (!inputs)
		return (int)input_fail("import", argv[optind], -ENOMEM);
	for (int i = 0; i < count; i++)
		inputs[i] = (struct input){ .verb = "import", .fd = -1, .blobs_fd = -1 };
	enum verify_code code = import(&options, inputs, argv + optind, count);
	for (int i = 0; i < count; i++)
		input_release(&inputs[i]);
	free(inputs);
	return (int)code;
}
