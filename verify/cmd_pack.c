#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../traces/reader.h"
#include "../traces/stream.h"
#include "verify.h"
#include "input.h"
#include "vouch.h"

static const char help[] =
	"usage: sworn pack [--store DIR] [TRACE] -o FILE\n"
	"\n"
	"  sworn pack -o run.sworn              the trace recorded last, as one file\n"
	"  sworn pack @9eab0000 -o run.sworn    another one of the store; `sworn list` shows them\n"
	"\n"
	"Makes one self-contained file of a trace whose blobs are in a store: everything that a replay needs, to be copied\n"
	"or kept anywhere. The file is a new archive of the same events: their frames are copied byte by byte, and its seal\n"
	"names the seal of the trace that it was made of. The trace is checked first, the file before it gets its name,\n"
	"which is printed.\n"
	"\n"
	"  -o FILE        the file to make; a file that is there already is replaced when the new one is whole\n"
	"  --store DIR    the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --help         print this\n"
	"\n"
	"Exits 0 made, 2 wrong options, 3 could not be read or written, 4 no such trace or nothing to pack,\n"
	"5 the trace is not whole.\n";

struct options {
	const char *store, *output, *trace;
};

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":ho:", longs, NULL)) >= 0) {
		switch (option) {
		case 'o': ret->output = optarg; break;
		case 's': ret->store = optarg; break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return input_usage("pack", "an option lacks its value");
		default: return input_unknown("pack", argv[optind - 1]);
		}
	}
	ret->trace = optind < argc ? argv[optind] : "@latest";
	if (optind + 1 < argc)
		return input_usage("pack", "one TRACE at a time");
	return ret->output ? 0 : input_usage("pack", "no file is named with -o");
}

static enum verify_code pack(const struct options *options, struct input *input)
{
	const struct trace_report *report = &input->result.report;
	struct rewrite rewrite = {
		.source = input->reader,
		.report = report,
		.source_fd = input->fd,
		.blobs_fd = input->blobs_fd,
		.path = options->output,
		.store_fd = -1,
	};
	struct rewritten made;
	if (reader_found(input->reader)->index.stored_count == 0) {
		fprintf(stderr, "sworn pack: %s: it is self-contained already; copy the file as it is\n",
			input->name);
		return VERIFY_NOTHING;
	}
	struct vouch vouch;
	int r = vouch_prepare(&vouch, input);
	rewrite.signer = vouch_signer(&vouch);
	if (r == 0)
		r = rewrite_trace(&rewrite, &made);
	vouch_release(&vouch);
	if (r < 0)
		return input_fail("pack", options->output, r);
	fprintf(stderr,
		"sworn pack: %" PRIu64 " events and %" PRIu64 " blobs of %s, %" PRIu64 " bytes\n",
		made.report.events, made.report.blobs, input->name, made.report.bytes);
	input_print_left(input);
	input_print_made(&made, false);
	free(made.path);
	return VERIFY_OK;
}

int cmd_pack(int argc, char **argv)
{
	struct options options = { 0 };
	struct input input = { .verb = "pack" };
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	enum verify_code code = input_open(&input, options.store, options.trace, false);
	if (code == VERIFY_OK)
		code = pack(&options, &input);
	input_release(&input);
	return (int)code;
}
