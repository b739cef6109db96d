#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../sandbox/host.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/store.h"
#include "replay.h"
#include "replayer.h"

enum verdict_code {
	CODE_IDENTICAL = 0,
	CODE_DIVERGED = 1,
	CODE_USAGE = 2,
	CODE_UNKNOWN = 3,
	CODE_NOTHING = 4,
	CODE_INTEGRITY = 5,
};

static const char help[] =
	"usage: sworn replay [OPTIONS] [TRACE]\n"
	"\n"
	"Executes a trace again, without any of the recorded files, and compares every event and state hash.\n"
	"\n"
	"  sworn replay                    the last trace recorded into the store\n"
	"  sworn replay run.sworn          a file\n"
	"\n"
	"  --show-output    print what the program wrote to standard output and error\n"
	"  --store DIR      the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --report FILE    write a JSON report (- for standard output)\n"
	"\n"
	"Exits 0 identical, 1 diverged, 2 wrong options, 3 could not tell, 4 no trace, 5 integrity or truncation.\n";

struct options {
	const char *trace, *store, *report;
	bool show_output;
};

struct run {
	struct options options;
	struct replayer replayer;
	struct trace_report trace;
	struct domain_report domain;
	char *name;
	int fd, blobs_fd, report_fd, store_fd;
	const char *verdict;
	char reason[512];
};

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	(void)signal;
	ticks = ticks + 1;
}

static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"store", 1, NULL, 'D'},  {"report", 1, NULL, 'R'}, {"show-output", 0, NULL, 'O'},
		{"help", 0, NULL, 'h'},	  {"jobs", 1, NULL, 'j'},   {NULL, 0, NULL, 0},
	};
	int c;

	*ret = (struct options){0};
	while ((c = getopt_long(argc, argv, "hj:", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'D':
			ret->store = optarg;
			break;
		case 'R':
			ret->report = optarg;
			break;
		case 'O':
			ret->show_output = true;
			break;
		case 'j':
			break;
		default:
			return CODE_USAGE;
		}
	}
	ret->trace = argv[optind];
	if (ret->trace && argv[optind + 1]) {
		fputs("sworn: replay: one trace at a time\n", stderr);
		return CODE_USAGE;
	}
	return 0;
}

/* Everything that needs the host's files, before privileges are dropped and the first byte is parsed. */
static int open_files(struct run *run)
{
	run->store_fd = run->blobs_fd = run->report_fd = -1;
	if (!run->options.trace || run->options.trace[0] == '@' || run->options.store)
		run->store_fd = store_open(run->options.store);
	run->fd = store_trace(run->store_fd, run->options.trace, &run->name);
	if (run->fd < 0) {
		fprintf(stderr, "sworn: replay: %s: %s; record one first: sworn record -- COMMAND\n",
			run->options.trace ? run->options.trace : "@latest", error_text(run->fd));
		return CODE_NOTHING;
	}
	if (run->store_fd < 0)
		run->store_fd = store_open(NULL);
	if (run->store_fd >= 0)
		run->blobs_fd = store_blobs(run->store_fd);
	if (run->options.report && strcmp(run->options.report, "-") != 0) {
		run->report_fd = open(run->options.report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (run->report_fd < 0) {
			fprintf(stderr, "sworn: replay: %s: %s\n", run->options.report, strerror(errno));
			return CODE_USAGE;
		}
	} else if (run->options.report) {
		run->report_fd = STDOUT_FILENO;
	}
	return 0;
}

static int enter_domain(struct run *run)
{
	int keep[8], lock, cpu, r;
	size_t count = 0;
	const int wanted[] = {run->fd, run->blobs_fd, run->report_fd};

	host_pin(&lock, &cpu);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i] > STDERR_FILENO)
			keep[count++] = wanted[i];
	}
	if (lock > STDERR_FILENO)
		keep[count++] = lock;
	r = replay_domain_enter(keep, count, 0, 0, &run->domain);
	if (r == 0)
		r = arena_open(&run->replayer.guests.arena);
	return r < 0 ? r : object_arena_open(&run->replayer.objects);
}

static int code_of(struct run *run, int r)
{
	switch (r) {
	case 0:
		run->verdict = "identical";
		return CODE_IDENTICAL;
	case SWORN_EDIVERGED:
		run->verdict = "diverged";
		return CODE_DIVERGED;
	case SWORN_ETRUNCATED:
		run->verdict = "truncated";
		return CODE_INTEGRITY;
	case SWORN_EINTEGRITY:
	case SWORN_EFORMAT:
	case SWORN_EREFUSED:
	case SWORN_ELIMIT:
	case SWORN_EBLOB:
		run->verdict = "refused";
		return CODE_INTEGRITY;
	default:
		run->verdict = "could not tell";
		return CODE_UNKNOWN;
	}
}

static int play(struct run *run)
{
	struct replayer *rep = &run->replayer;
	struct event event;
	int r, shown = 0;

	while ((r = trace_next(rep->reader, &event)) > 0) {
		r = replayer_play(rep, &event);
		if (r < 0)
			break;
		if (ticks > shown && isatty(STDERR_FILENO)) {
			shown = ticks;
			fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " events", rep->played, run->trace.events);
		}
	}
	if (shown)
		fputs("\r\033[K", stderr);
	return r < 0 ? r : replayer_finish(rep);
}

/* Guests may ask CPUID which processor they run on: the recorded one, where this host has it. */
static void follow_cpu(const struct trace_info *info)
{
	const char *mark = info->cpu ? strrchr(info->cpu, '#') : NULL;
	long number = mark ? strtol(mark + 1, NULL, 10) : -1;
	cpu_set_t set;

	if (number < 0 || number >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)number, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int check_and_play(struct run *run)
{
	struct replayer *rep = &run->replayer;
	struct sigaction tick = {.sa_handler = on_tick};
	struct itimerval second = {{1, 0}, {1, 0}};
	int r = reader_open(run->fd, run->blobs_fd, &rep->reader);

	if (r == 0)
		r = reader_check(rep->reader, &run->trace, NULL, NULL);
	if (r < 0) {
		snprintf(run->reason, sizeof(run->reason), "%s", run->trace.reason[0] ? run->trace.reason : error_text(r));
		return r;
	}
	if (run->trace.completeness != COMPLETE_YES) {
		snprintf(run->reason, sizeof(run->reason), "the recording is not complete");
		return SWORN_ETRUNCATED;
	}
	if (reader_summary(rep->reader)->requires_pmu && !counter_usable()) {
		snprintf(run->reason, sizeof(run->reason), "the trace has turns cut by a hardware counter, which this host lacks");
		return SWORN_ENEEDSPMU;
	}
	follow_cpu(reader_info(rep->reader));
	rep->seed = reader_info(rep->reader)->seed;
	rep->argv = reader_info(rep->reader)->argv;
	sigaction(SIGALRM, &tick, NULL);
	setitimer(ITIMER_REAL, &second, NULL);
	r = play(run);
	if (r < 0 && r != SWORN_EDIVERGED)
		snprintf(run->reason, sizeof(run->reason), "event %" PRIu64 ": %s", rep->played, error_text(r));
	return r;
}

static void print_divergence(const struct divergence *d)
{
	printf("  first difference: event %" PRIu64 ", tenant default, unit %u, thread %u, %s: %s\n", d->event, d->unit,
	       d->thread, d->call, d->where);
	printf("    expected  %s\n    actual    %s\n", d->expected, d->actual);
	if (d->previous_count)
		puts("  events before:");
	for (size_t i = 0; i < d->previous_count; i++)
		printf("    %s\n", d->previous[i]);
	if (d->backtrace)
		printf("  guest:\n    %s\n", d->backtrace);
}

static void print_report(const struct run *run)
{
	const struct replayer *rep = &run->replayer;
	char state[DIGEST_HEX_BYTES] = "-";

	if (rep->ended)
		digest_hex(rep->state, state);
	printf("tenant default: %" PRIu64 " of %" PRIu64 " events, %u units, %" PRIu64 " checkpoints, state %s%s: %s\n",
	       rep->played, run->trace.events, rep->guests.units_count, rep->checkpoints, rep->ended ? "sha256:" : "",
	       state, run->verdict);
	if (run->reason[0])
		printf("  %s\n", run->reason);
	if (rep->divergence.found)
		print_divergence(&rep->divergence);
	fflush(stdout);
}

int cmd_replay(int argc, char **argv)
{
	static struct run run;
	const char *bad = host_check();
	int r = parse(argc, argv, &run.options), code;

	if (r != 0)
		return r;
	if (bad) {
		fprintf(stderr, "sworn: replay: SWORN_WITHOUT: unknown name '%s'\n", bad);
		return CODE_USAGE;
	}
	r = open_files(&run);
	if (r != 0)
		return r;
	run.replayer.show_output = run.options.show_output;
	run.replayer.sinks = sinks_new();
	r = run.replayer.sinks ? enter_domain(&run) : -ENOMEM;
	if (r < 0) {
		fprintf(stderr, "sworn: replay: the replay domain could not be set up: %s\n", error_text(r));
		return CODE_UNKNOWN;
	}
	code = code_of(&run, check_and_play(&run));
	print_report(&run);
	replayer_release(&run.replayer);
	return code;
}
