#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../traces/stream.h"
#include "verify.h"
#include "input.h"
#include "vouch.h"

#define BYTES_MAX_DEFAULT (UINT64_C(16) << 30)

static const char help[] =
	"usage: sworn unpack [--store DIR] [--max-bytes N] FILE\n"
	"\n"
	"  sworn unpack run.sworn                    into your store; then: sworn replay @NAME\n"
	"  sworn unpack --store /tmp/store run.sworn\n"
	"\n"
	"Takes a self-contained trace apart: its blobs go into the store, where all traces share them, and a thin trace of the\n"
	"same events beside them. That is a new archive, whose seal names the one that it was made of; to keep FILE as it is,\n"
	"seal and signature included, use `sworn import`. FILE is checked first, the new trace before it gets its\n"
	"name, which is printed.\n"
	"\n"
	"  --max-bytes N  refuse more content than this (default: 16 GiB)\n"
	"  --store DIR    the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --help         print this\n"
	"\n"
	"Exits 0 made, 2 wrong options, 3 could not be read or written, 4 no such trace or nothing to unpack,\n"
	"5 the trace is not whole.\n";

struct options {
	const char *store, *trace;
	uint64_t bytes_max;
};

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' },
		{ "max-bytes", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	int option;

	ret->bytes_max = BYTES_MAX_DEFAULT;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 's': ret->store = optarg; break;
		case 'm':
			ret->bytes_max = strtoull(optarg, &end, 10);
			if (end == optarg || *end || *optarg == '-')
				return input_usage("unpack", "--max-bytes wants a number");
			break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return input_usage("unpack", "an option lacks its value");
		default: return input_unknown("unpack", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return input_usage("unpack", "no FILE is named");
	ret->trace = argv[optind];
	return optind + 1 < argc ? input_usage("unpack", "one FILE at a time") : 0;
}

/* Before anything is written: a small file can hold very much of one byte. */
static bool fits(const struct options *options, const struct input *input, int store_fd)
{
	uint64_t wanted = input->result.report.blob_bytes;
	struct statvfs status;
	if (wanted > options->bytes_max) {
		fprintf(stderr,
			"sworn unpack: %s: it holds %" PRIu64
			" bytes of content, over the limit of %" PRIu64 "; --max-bytes sets another\n",
			input->name, wanted, options->bytes_max);
		return false;
	}
	if (fstatvfs(store_fd, &status) == 0 && wanted / status.f_frsize > status.f_bavail) {
		fprintf(stderr,
			"sworn unpack: %s: it holds %" PRIu64
			" bytes of content, more than the store has room for; free space there, or name another "
			"--store\n",
			input->name, wanted);
		return false;
	}
	return true;
}

static enum verify_code unpack(const struct input *input, int store_fd)
{
	struct rewrite rewrite = {
		.source = input->reader,
		.report = &input->result.report,
		.source_fd = input->fd,
		.blobs_fd = input->blobs_fd,
		.store_fd = store_fd,
	};
	struct rewritten made;
	struct vouch vouch;
	int r = vouch_prepare(&vouch, input);
	rewrite.signer = vouch_signer(&vouch);
	if (r == 0)
		r = rewrite_trace(&rewrite, &made);
	vouch_release(&vouch);
	if (r < 0)
		return input_fail("unpack", "the store", r);
	fprintf(stderr, "sworn unpack: %" PRIu64 " events and %" PRIu64 " blobs of %s\n",
		made.report.events, made.report.blobs, input->name);
	input_print_left(input);
	input_print_made(&made, true);
	free(made.path);
	return VERIFY_OK;
}

int cmd_unpack(int argc, char **argv)
{
	struct options options = { 0 };
	struct input input = { .verb = "unpack" };
	int store_fd = -1;
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	enum verify_code code = input_open(&input, NULL, options.trace, false);
	if (code == VERIFY_OK && reader_found(input.reader)->index.stored_count > 0) {
		fprintf(stderr,
			"sworn unpack: %s: its content is in a store already; `sworn import` copies both\n",
			input.name);
		code = VERIFY_NOTHING;
	}
	if (code == VERIFY_OK) {
		store_fd = input_store("unpack", options.store, false);
		code = store_fd < 0 || !fits(&options, &input, store_fd) ? VERIFY_UNKNOWN
									 : unpack(&input, store_fd);
	}
	if (store_fd >= 0)
		close(store_fd);
	input_release(&input);
	return (int)code;
}
