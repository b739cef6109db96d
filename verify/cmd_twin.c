#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "twin.h"
#include "verify.h"

static const char help[] =
	"usage: sworn twin [-n RUNS] [OPTIONS] [OPTIONS OF RECORD] -- COMMAND [ARG...]\n"
	"\n"
	"Records COMMAND several times with one seed while what should not matter changes around it, and\n"
	"compares the traces event by event: `identical`, or the first difference and its source.\n"
	"\n"
	"  sworn twin -- ls -l /etc                   two runs, the second on a busy machine\n"
	"  sworn twin -n 5 --keep traces -- date      five, and all traces stay in traces/\n"
	"\n"
	"  -n, --runs RUNS  how many (default 2)\n"
	"  --vary LIST      what changes from run to run, separated by commas, or none: load (busy\n"
	"                   processes), time (a later start), cpu (the processor), nice; with\n"
	"                   --workdir-as also directory (each run in a copy of it), environment (HOME, USER,\n"
	"                   PWD, ...) and user (run by root: a fresh one in every second run)\n"
	"  --keep DIR       where all traces stay; default: only two that differ stay\n"
	"  --report FILE    write a JSON report (- for standard output)\n"
	"  --help           print this\n"
	"\n"
	"Other options are handed to `sworn record`, whose --seed is a fresh one here that is the same for all runs.\n"
	"Without --allow net, --clock real or --schedule observed all runs are seeded. What COMMAND prints is in the traces; it reads from standard input if\n"
	"that is a file. What a run leaves in the directory (without copies) or in /tmp, the next one finds.\n"
	"\n"
	"Exit codes: 0 identical; 1 different; 2 usage; 3 could not tell: a run could not be recorded;\n"
	"5 a trace is damaged.\n";

static const char *const vary_names[] = { "load",      "time",	      "cpu", "nice",
					  "directory", "environment", "user" };
#define VARIATIONS (sizeof(vary_names) / sizeof(vary_names[0]))
#define VARY_INPUTS (VARY_DIRECTORY | VARY_ENVIRONMENT | VARY_USER)
#define VARY_ALL ((1U << VARIATIONS) - 1)

const char *vary_name(unsigned int index)
{
	return index < VARIATIONS ? vary_names[index] : NULL;
}

static int usage(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn twin: %s%s; `sworn twin --help` explains\n", problem, detail);
	return TWIN_USAGE;
}

static int parse_vary(const char *list, unsigned int *ret_vary)
{
	unsigned int vary = 0;
	if (!strcmp(list, "none"))
		list = "";
	while (*list) {
		size_t length = strcspn(list, ","), i = 0;
		while (i < VARIATIONS &&
		       (strlen(vary_names[i]) != length || strncmp(vary_names[i], list, length) != 0))
			i++;
		if (i == VARIATIONS)
			return -EINVAL;
		vary |= 1U << i;
		list += length;
		list += *list == ',';
	}
	*ret_vary = vary;
	return 0;
}

/* The value of an option: behind `=`, or the next word. NULL when `word` is another option. */
static const char *value_of(const char *name, char **words, int *index, int count)
{
	const char *word = words[*index];
	size_t length = strlen(name);
	if (strncmp(word, name, length) != 0)
		return NULL;
	if (word[length] == '=' && name[1] == '-')
		return word + length + 1;
	if (word[length] != '\0')
		return NULL;
	return *index + 1 < count ? words[++*index] : "";
}

static int set_runs(struct twin_options *options, const char *value)
{
	char *end;
	long runs = strtol(value, &end, 10);
	if (*value == '\0' || *end != '\0' || runs < 2 || runs > TWIN_RUNS_MAX)
		return usage("RUNS must be from 2 to 1000, not ", value);
	options->runs = (unsigned int)runs;
	return 0;
}

/* One option of twin itself; -1 when the word is none. */
static int parse_own(struct twin_options *options, char **words, int *index, int count)
{
	const char *value;
	if ((value = value_of("-n", words, index, count)) ||
	    (value = value_of("--runs", words, index, count)))
		return set_runs(options, value);
	if ((value = value_of("--keep", words, index, count))) {
		options->keep = value;
		return *value ? 0 : usage("no DIR behind --keep", "");
	}
	if ((value = value_of("--report", words, index, count))) {
		options->report = value;
		return *value ? 0 : usage("no FILE behind --report", "");
	}
	if ((value = value_of("--vary", words, index, count))) {
		options->vary_given = true;
		return parse_vary(value, &options->vary) == 0
			       ? 0
			       : usage("--vary has an unknown name: ", value);
	}
	if (value_of("-o", words, index, count) || value_of("--store", words, index, count))
		return usage("the traces go where --keep says, not to ", words[*index]);
	return -1;
}

/* What the runs share is decided here; record judges its options itself. */
static void note_record(struct twin_options *options, char **words, int index, int count)
{
	const char *value;
	int at = index;
	if ((value = value_of("--seed", words, &at, count)))
		options->seed = value;
	at = index;
	if ((value = value_of("--workdir-as", words, &at, count)))
		options->workdir = value;
}

static int parse(int argc, char **argv, struct twin_options *options)
{
	int count = 1;
	size_t kept = 0;
	while (count < argc && strcmp(argv[count], "--") != 0)
		count++;
	*options = (struct twin_options){ .runs = 2, .vary = VARY_ALL };
	for (int i = 1; i < count; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			fputs(help, stdout);
			exit(0);
		}
	if (count + 1 >= argc)
		return usage("no COMMAND behind --", "");
	options->command = argv + count + 1;
	options->record = calloc((size_t)argc, sizeof(*options->record));
	if (!options->record)
		return TWIN_UNKNOWN;
	for (int i = 1; i < count; i++) {
		int r = parse_own(options, argv, &i, count);
		if (r >= 0 && r != 0)
			return r;
		if (r == 0)
			continue;
		note_record(options, argv, i, count);
		options->record[kept++] = argv[i];
	}
	if (!options->workdir && options->vary_given && (options->vary & VARY_INPUTS))
		return usage("directory, environment and user vary only with --workdir-as", "");
	if (!options->workdir)
		options->vary &= ~(unsigned int)VARY_INPUTS;
	return 0;
}

static int choose_seed(struct twin *twin)
{
	uint8_t bytes[DIGEST_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	hex_encode(bytes, sizeof(bytes), twin->seed);
	return 0;
}

static int open_trace(const char *path, struct reader **ret_reader, int *ret_fd)
{
	int r;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		return -errno;
	r = reader_open(*ret_fd, -1, ret_reader);
	if (r < 0)
		close(*ret_fd);
	return r;
}

static void note_run(struct run *run, const struct reader *reader, uint64_t events)
{
	const struct trace_info *info = reader_info(reader);
	snprintf(run->cpu, sizeof(run->cpu), "%s", info->cpu);
	run->started_utc_ns = info->started_utc_ns;
	run->events = events;
}

/* Compares the first run with another; what came of it is in twin->found and twin->error. */
static void compare_runs(struct twin *twin, struct run *first, struct run *other)
{
	const struct compare_options options = { .other_directory = other->directory[0] != '\0' };
	struct reader *readers[2] = { NULL, NULL };
	int fds[2] = { -1, -1 };
	twin->error = open_trace(first->trace, &readers[0], &fds[0]);
	twin->found.bad = twin->error < 0 ? 0 : 1;
	if (twin->error == 0)
		twin->error = open_trace(other->trace, &readers[1], &fds[1]);
	if (twin->error == 0) {
		twin->error = compare_traces(readers[0], readers[1], &options, &twin->found);
		note_run(first, readers[0], twin->found.of[0]);
		note_run(other, readers[1], twin->found.of[1]);
		memcpy(first->state, twin->found.state, DIGEST_BYTES);
		twin->compared += twin->error == 0;
	}
	for (int i = 0; i < 2; i++) {
		if (!readers[i])
			continue;
		reader_close(readers[i]);
		close(fds[i]);
	}
}

static void show_progress(const struct twin *twin, unsigned int number)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Ksworn twin: run %u of %u", number, twin->options.runs);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static bool is_good(const struct twin *twin)
{
	return twin->error == 0 && twin->found.equal;
}

/* Records and compares until something is not as it should be. */
static void run_all(struct twin *twin)
{
	while (twin->made < twin->options.runs) {
		struct run *run = &twin->runs[twin->made++];
		run->number = twin->made;
		show_progress(twin, run->number);
		twin_record(twin, run);
		if (twin->signal || !run->recorded)
			return;
		if (twin->made == 1)
			continue;
		compare_runs(twin, &twin->runs[0], run);
		if (!is_good(twin))
			return;
		twin_settle(twin, run, false);
	}
}

static int write_report(const struct twin *twin, bool finished)
{
	int r = twin_report(twin, finished);
	if (r < 0)
		fprintf(stderr,
			"sworn twin: the report %s cannot be written: %s; name another file with --report\n",
			twin->options.report, error_text(r));
	return r;
}

/* Traces that differ stay, or all that are asked for; nothing else. */
static void settle(struct twin *twin)
{
	bool differ = twin->compared > 0 && twin->error == 0 && !twin->found.equal;
	if (twin->made > 1 && !is_good(twin))
		twin_settle(twin, &twin->runs[twin->made - 1], differ);
	twin_settle(twin, &twin->runs[0], differ);
	twin_close(twin, differ && !twin->options.keep);
}

static int run_twin(struct twin *twin)
{
	enum twin_code code;
	int r = choose_seed(twin);
	twin->runs = calloc(twin->options.runs, sizeof(*twin->runs));
	if (r == 0)
		r = !twin->runs ? -ENOMEM : twin_open(twin);
	if (r == 0 && twin->options.keep && mkdir(twin->options.keep, 0777) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0) {
		fprintf(stderr,
			"sworn twin: nothing can be set up: %s; free space in TMPDIR, or name another --keep\n",
			error_text(r));
		twin_close(twin, false);
		return TWIN_UNKNOWN;
	}
	run_all(twin);
	end_progress();
	settle(twin);
	if (twin->signal) {
		signal(twin->signal, SIG_DFL);
		raise(twin->signal);
		return 128 + twin->signal;
	}
	code = twin_code(twin);
	twin_print(code == TWIN_USAGE || (twin->options.report && !strcmp(twin->options.report, "-"))
			   ? stderr
			   : stdout,
		   twin);
	if (write_report(twin, true) < 0 || fflush(stdout) != 0)
		return code == TWIN_IDENTICAL ? TWIN_UNKNOWN : (int)code;
	return (int)code;
}

int cmd_twin(int argc, char **argv)
{
	static struct twin twin;
	int r = parse(argc, argv, &twin.options);
	if (r == 0) {
		r = report_open(twin.options.report, &twin.report);
		if (r < 0)
			fprintf(stderr,
				"sworn twin: the report %s cannot be written: %s; name another file with --report\n",
				twin.options.report, error_text(r));
		r = r < 0 || write_report(&twin, false) < 0 ? TWIN_USAGE : run_twin(&twin);
	}
	free(twin.options.record);
	free(twin.runs);
	return r;
}
