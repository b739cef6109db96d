#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "verify.h"
#include "input.h"
#include "vouch.h"

static const char help[] =
	"usage: sworn repair [--store DIR] TRACE [-o FILE]\n"
	"\n"
	"  sworn repair run.sworn.partial -o run.sworn    what a killed recorder left behind, as a trace\n"
	"  sworn repair @9eab0000                         the same inside the store\n"
	"\n"
	"Makes a trace of what is whole of one that was cut off: all events up to the last link, under a seal that says so and\n"
	"names what it was made of. It stays a prefix: `sworn verify` and `sworn replay` take it with --allow-repaired only.\n"
	"A trace that was changed is refused, not repaired. TRACE itself is left as it is. The name of the new trace\n"
	"is printed.\n"
	"\n"
	"  -o FILE        make a self-contained file (default: a trace in the store)\n"
	"  --store DIR    the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --help         print this\n"
	"\n"
	"Exits 0 made, 2 wrong options, 3 could not be read or written, 4 no such trace or nothing to repair,\n"
	"5 damaged, not cut off.\n";

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
		case ':': return input_usage("repair", "an option lacks its value");
		default: return input_unknown("repair", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return input_usage("repair", "no TRACE is named");
	ret->trace = argv[optind];
	return optind + 1 < argc ? input_usage("repair", "one TRACE at a time") : 0;
}

static enum verify_code repair(const struct options *options, struct input *input)
{
	const struct trace_report *report = &input->result.report;
	struct rewrite rewrite = {
		.source = input->reader,
		.report = report,
		.source_fd = input->fd,
		.blobs_fd = input->blobs_fd,
		.path = options->output,
		.store_fd = -1,
		.requires_pmu = input->cuts,
	};
	struct rewritten made;
	if (report->sealed || report->events == 0) {
		fprintf(stderr, "sworn repair: %s: %s; nothing was made\n", input->name,
			report->sealed
				? "it is whole, there is nothing to repair"
				: "it was cut off before its first event, there is nothing to keep");
		return VERIFY_NOTHING;
	}
	if (!options->output)
		rewrite.store_fd = input_store("repair", options->store, false);
	if (!options->output && rewrite.store_fd < 0)
		return VERIFY_UNKNOWN;
	struct vouch vouch;
	int r = vouch_prepare(&vouch, input);
	rewrite.signer = vouch_signer(&vouch);
	if (r == 0)
		r = rewrite_trace(&rewrite, &made);
	vouch_release(&vouch);
	if (rewrite.store_fd >= 0)
		close(rewrite.store_fd);
	if (r < 0)
		return input_fail("repair", options->output ? options->output : input->name, r);
	fprintf(stderr,
		"sworn repair: %" PRIu64
		" events of %s; to replay them: sworn replay --allow-repaired\n",
		made.report.events, input->name);
	input_print_made(&made, !options->output);
	free(made.path);
	return VERIFY_OK;
}

int cmd_repair(int argc, char **argv)
{
	struct options options = { 0 };
	struct input input = { .verb = "repair" };
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	enum verify_code code = input_open(&input, options.store, options.trace, true);
	if (code == VERIFY_OK)
		code = repair(&options, &input);
	input_release(&input);
	return (int)code;
}
