#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/error.h"
#include "gate.h"
#include "gate_show.h"
#include "input.h"
#include "verify.h"

#define TIMEOUT_S 1800

static const char help[] =
	"usage: sworn gate run --mode replay [OPTIONS] TRACE|DIR...\n"
	"       sworn gate run --mode rerun [--with OLD=NEW]... [OPTIONS] TRACE|DIR...\n"
	"       sworn gate list [OPTIONS] TRACE|DIR...       what a run would begin with\n"
	"       sworn gate explain [OPTIONS] TRACE           how it is started again, and what is compared\n"
	"       sworn gate diff [OPTIONS] TRACE TRACE        compares two runs as rerun does\n"
	"\n"
	"  sworn gate run --mode replay -j 4 --junit gate.xml traces/\n"
	"  sworn gate run --mode rerun --with build/old/service=build/service traces/service/\n"
	"\n"
	"Decides in a CI whether recorded runs still hold. `replay` executes each trace again as it was recorded; it\n"
	"does not run the code of the checkout. `rerun` starts each recorded command again, in today's files, and\n"
	"compares what it did: exit status, outputs, files written, programs started, connections and bytes sent.\n"
	"\n"
	"  --mode replay|rerun  required: nothing is assumed\n"
	"  --with OLD=NEW       rerun: the file or directory NEW is shown where the recording had OLD; one that no\n"
	"                       run used is an error\n"
	"  --repeat N           rerun: N times, each with another order of threads; a difference is a race\n"
	"  --keep DIR           rerun: keep the new trace of each run that is not identical\n"
	"  --passphrase-file FILE  rerun: the passphrase of a keystore that has one, which signs the new traces\n"
	"  -j, --jobs N         traces at work at a time (default 1)\n"
	"  --shard I/N          only every Nth trace, from the Ith\n"
	"  --timeout S          for one run of one trace (default 1800; 0: none)\n"
	"  --report FILE        write a JSON report (- for standard output)\n"
	"  --junit FILE         write a report in the form of JUnit\n"
	"\n"
	"and, for all four:\n"
	"\n"
	"  --tenant ID|NAME     only traces of this tenant, and of others so named; @NAME is looked for in its store\n"
	"  --store DIR          the store with the blobs of the traces (default: each tenant's own)\n"
	"  --keystore DIR, --trust FILE  whose signatures count, as for `sworn verify`\n"
	"  --allow-unsigned, --allow-untrusted, --allow-truncated, --allow-repaired  as for `sworn verify`\n"
	"  --help               print this\n"
	"\n"
	"Every trace is checked first, with the keys of its tenant; nothing is executed for one that is not whole. `list` reads\n"
	"the heads of files only, and checks nothing. With GITHUB_ACTIONS=true failures\n"
	"become annotations and a step summary.\n"
	"\n"
	"Exit codes: 0 all identical; 1 one changed, diverged or is not deterministic; 2 usage; 3 could not tell;\n"
	"4 nothing selected, or a --with that was not used; 5 a trace is refused. When they mix: 2, 5, 1, 3, 4, 0.\n";

static int usage(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn gate: %s%s; `sworn gate --help` explains\n", problem, detail);
	return GATE_USAGE;
}

static bool parse_count(const char *text, unsigned int least, unsigned int most, unsigned int *ret)
{
	char *end;
	unsigned long value;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno || value < least || value > most)
		return false;
	*ret = (unsigned int)value;
	return true;
}

static bool parse_shard(const char *text, struct gate_options *options)
{
	char *slash = strchr(text, '/'), first[12];
	size_t length = slash ? (size_t)(slash - text) : 0;
	if (!slash || length >= sizeof(first))
		return false;
	memcpy(first, text, length);
	first[length] = '\0';
	return parse_count(slash + 1, 1, GATE_TRACES_MAX, &options->shards) &&
	       parse_count(first, 1, options->shards, &options->shard);
}

/* Adds to a NULL-terminated list with GATE_WITH_MAX places. */
static bool append(const char **list, const char *text)
{
	size_t n = 0;
	while (list[n])
		n++;
	if (n == GATE_WITH_MAX)
		return false;
	list[n] = text;
	return true;
}

static int add_with(struct gate_options *options, const char *text)
{
	const char *sign = strchr(text, '=');
	if (!sign || sign == text || !sign[1])
		return usage("--with wants OLD=NEW, not ", text);
	return append(options->with, text) ? 0 : usage("more than 64 --with", "");
}

static int add_tenant(struct gate_options *options, const char *text)
{
	return append(options->tenants, text) ? 0 : usage("more than 64 --tenant", "");
}

static int set_mode(struct gate_options *options, const char *word, bool *ret_given)
{
	bool rerun = !strcmp(word, "rerun");
	if (!rerun && strcmp(word, "replay") != 0)
		return usage("--mode is replay or rerun, not ", word);
	if (*ret_given && (options->mode == GATE_RERUN) != rerun)
		return usage("--mode is given twice, with different words", "");
	options->mode = rerun ? GATE_RERUN : GATE_REPLAY;
	*ret_given = true;
	return 0;
}

/* What does not go together. */
static int check(const struct gate_options *options, bool mode_given)
{
	if (!mode_given)
		return usage("--mode replay or --mode rerun has to be said", "");
	if (options->mode == GATE_REPLAY && options->with[0])
		return usage("--with is for --mode rerun: a replay runs nothing of this checkout", "");
	if (options->mode == GATE_REPLAY && options->repeat > 1)
		return usage("--repeat is for --mode rerun: a replay cannot come out in another way",
			     "");
	if (options->mode == GATE_REPLAY && options->keep)
		return usage("--keep is for --mode rerun: a replay makes no trace", "");
	if (options->mode == GATE_REPLAY && options->passphrase_file)
		return usage("--passphrase-file is for --mode rerun: a replay signs nothing", "");
	for (size_t i = 0; options->with[i]; i++) {
		const char *shown = strchr(options->with[i], '=') + 1;
		if (access(shown, F_OK) == 0)
			continue;
		fprintf(stderr, "sworn gate: --with %s: %s: %s; build it first, or correct the path\n",
			options->with[i], shown, strerror(errno));
		return GATE_USAGE;
	}
	if (options->report && options->junit && !strcmp(options->report, options->junit))
		return usage("--report and --junit want the same file ", options->report);
	if (options->paths_count == 0)
		return usage("no TRACE or DIR is named", "");
	if (options->junit && report_is_trace(options->junit))
		return usage("--junit would take the place of the trace ", options->junit);
	return 0;
}

/* What `sworn verify` and `sworn replay` are to judge by. */
static int hand_over(struct gate_options *options, const char *option, const char *value)
{
	bool fits = append(options->allow, option) && (!value || append(options->allow, value));
	return fits ? 0 : usage("too many options like ", option);
}

/* Options of all verbs. */
static int set_common(struct gate_options *options, int option, const char *value)
{
	switch (option) {
	case 's': options->store = value; return 0;
	case 'I': return add_tenant(options, value);
	case 'T': return hand_over(options, "--allow-truncated", NULL);
	case 'P': return hand_over(options, "--allow-repaired", NULL);
	case 'U': return hand_over(options, "--allow-unsigned", NULL);
	case 'N': return hand_over(options, "--allow-untrusted", NULL);
	case 'K': options->keystore = value; return hand_over(options, "--keystore", value);
	case 'F': options->trust_file = value; return hand_over(options, "--trust", value);
	}
	return -1;
}

/* Options of `sworn gate run` alone. */
static int set_option(struct gate_options *options, int option, const char *value, bool *mode_given)
{
	switch (option) {
	case 'm': return set_mode(options, value, mode_given);
	case 'w': return add_with(options, value);
	case 'j':
		return parse_count(value, 1, GATE_WORKERS_MAX, &options->workers)
			       ? 0
			       : usage("-j is from 1 to 256, not ", value);
	case 'n':
		return parse_count(value, 1, GATE_REPEAT_MAX, &options->repeat)
			       ? 0
			       : usage("--repeat is from 1 to 1000, not ", value);
	case 't':
		return parse_count(value, 0, 1000000, &options->timeout_s)
			       ? 0
			       : usage("--timeout is a number of seconds, not ", value);
	case 'S': return parse_shard(value, options) ? 0 : usage("--shard is I/N, not ", value);
	case 'k': options->keep = value; return 0;
	case 'p': options->passphrase_file = value; return 0;
	case 'r': options->report = value; return 0;
	case 'u': options->junit = value; return 0;
	}
	return -1;
}

/* What to call an option in a message. */
static const char *option_name(const struct option *longs, int option, const char *word)
{
	for (; longs->name; longs++)
		if (longs->val == option)
			return longs->name;
	return word;
}

/* `run` false: the options of the other verbs. */
static int parse(int argc, char **argv, bool run, struct gate_options *options)
{
	static const struct option longs[] = {
		{ "mode", 1, NULL, 'm' },
		{ "with", 1, NULL, 'w' },
		{ "repeat", 1, NULL, 'n' },
		{ "jobs", 1, NULL, 'j' },
		{ "shard", 1, NULL, 'S' },
		{ "timeout", 1, NULL, 't' },
		{ "store", 1, NULL, 's' },
		{ "report", 1, NULL, 'r' },
		{ "junit", 1, NULL, 'u' },
		{ "keep", 1, NULL, 'k' },
		{ "help", 0, NULL, 'h' },
		{ "allow-truncated", 0, NULL, 'T' },
		{ "allow-repaired", 0, NULL, 'P' },
		{ "allow-unsigned", 0, NULL, 'U' },
		{ "allow-untrusted", 0, NULL, 'N' },
		{ "keystore", 1, NULL, 'K' },
		{ "trust", 1, NULL, 'F' },
		{ "tenant", 1, NULL, 'I' },
		{ "passphrase-file", 1, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	bool mode_given = false;
	int option;
	*options = (struct gate_options){ .workers = 1, .repeat = 1, .timeout_s = TIMEOUT_S };
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":hj:", longs, NULL)) >= 0) {
		if (option == 'h') {
			fputs(help, stdout);
			exit(0);
		}
		const char *word = option_name(longs, option, argv[optind - 1]);
		int r = set_common(options, option, optarg);
		if (r < 0 && option != ':' && option != '?' && !run)
			return usage("this option is for `sworn gate run`: ", word);
		if (r < 0)
			r = set_option(options, option, optarg, &mode_given);
		if (r < 0)
			return usage(option == ':' ? "a value is missing after " : "unknown option ",
				     word);
		if (r != 0)
			return r;
	}
	options->paths = argv + optind;
	options->paths_count = argc - optind;
	return run ? check(options, mode_given) : 0;
}

static int cannot_write(const char *what, const char *path, int error)
{
	fprintf(stderr, "sworn gate: the %s %s cannot be written: %s; name another file\n", what,
		path, error_text(error));
	return GATE_USAGE;
}

/* Everything that can fail before a trace is more than looked at. */
static int set_up(struct gate *gate)
{
	const struct gate_options *options = &gate->options;
	int r = gate_tenants_load(gate);
	if (r != 0)
		return r;
	r = gate_select(gate);
	gate->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (r == 0 && gate->program < 0)
		r = -errno;
	if (r == 0 && options->mode == GATE_RERUN)
		r = gate_scratch_open(gate);
	if (r < 0) {
		fprintf(stderr,
			"sworn gate: nothing can be set up: %s; free memory and space in TMPDIR\n",
			error_text(r));
		return GATE_UNKNOWN;
	}
	r = report_open(options->report, &gate->report);
	if (r == 0)
		r = gate_report(gate, GATE_UNKNOWN, false);
	return r < 0 ? cannot_write("report", options->report, r) : 0;
}

static int run(struct gate *gate)
{
	const struct gate_options *options = &gate->options;
	bool to_stdout = options->report && !strcmp(options->report, "-");
	FILE *out = to_stdout ? stderr : stdout;
	enum gate_code code;
	int r = set_up(gate);
	if (r != 0)
		return r;
	code = (enum gate_code)gate_run(gate);
	gate_print(out, gate, code);
	for (size_t i = 0; gate->count && options->with[i]; i++)
		if (!gate_with_used(gate, i))
			fprintf(stderr,
				"sworn gate: --with %s: no run executed or read OLD; correct the path\n",
				options->with[i]);
	if (gate->count == 0)
		fprintf(stderr,
			"sworn gate: no trace was selected, %zu of other tenants were left out; name another TRACE, DIR, "
			"--tenant or --shard\n",
			gate->left_out);
	r = gate_github(out, gate, code);
	if (r < 0)
		code = gate_worse(code, (enum gate_code)cannot_write(
						"summary", getenv("GITHUB_STEP_SUMMARY"), r));
	r = options->junit ? gate_junit(options->junit, gate) : 0;
	if (r < 0)
		code = gate_worse(code, (enum gate_code)cannot_write("report", options->junit, r));
	r = gate_report(gate, code, true);
	if (r < 0)
		code = gate_worse(code, (enum gate_code)cannot_write("report", options->report, r));
	if (fflush(stdout) != 0) {
		fputs("sworn gate: the output could not be written; check the space there\n", stderr);
		code = gate_worse(code, GATE_UNKNOWN);
	}
	return (int)code;
}

static int run_verb(int argc, char **argv)
{
	static struct gate gate;
	int r;
	gate.report.fd = -1;
	r = parse(argc, argv, true, &gate.options);
	if (r == 0)
		r = run(&gate);
	gate_scratch_close(&gate);
	gate_release(&gate);
	return r;
}

/* The verbs that execute nothing: what they are about is selected in the same way. */
static int show_verb(int argc, char **argv, int (*show)(struct gate *gate))
{
	static struct gate gate;
	int r;
	gate.report.fd = -1;
	r = parse(argc, argv, false, &gate.options);
	if (r == 0 && gate.options.paths_count == 0)
		r = usage("a TRACE has to follow ", argv[0]);
	if (r == 0)
		r = set_up(&gate);
	if (r == 0)
		r = show(&gate);
	gate_release(&gate);
	return r;
}

static int list_verb(int argc, char **argv)
{
	return show_verb(argc, argv, gate_list);
}

static int explain_verb(int argc, char **argv)
{
	return show_verb(argc, argv, gate_explain);
}

static int diff_verb(int argc, char **argv)
{
	return show_verb(argc, argv, gate_diff);
}

int cmd_gate(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*function)(int argc, char **argv);
	} verbs[] = {
		{ "run", run_verb },
		{ "list", list_verb },
		{ "explain", explain_verb },
		{ "diff", diff_verb },
	};
	const char *name = argc > 1 ? argv[1] : "";
	size_t nearest = 0;
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		fputs(help, stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(name, verbs[i].name))
			return verbs[i].function(argc - 1, argv + 1);
	if (!*name)
		return usage("run, list, explain or diff has to follow", "");
	for (size_t i = 1; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (input_distance(name, verbs[i].name) < input_distance(name, verbs[nearest].name))
			nearest = i;
	fprintf(stderr,
		"sworn gate: no verb %s; the nearest is `sworn gate %s`, `sworn gate --help` lists all\n",
		name, verbs[nearest].name);
	return GATE_USAGE;
}
