#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/event.h"
#include "report.h"

#define EPOCH_S \
	1893456000ULL /* 2030-01-01: later than the files of a host, so that what is cached by their times holds */
#define CPU_SEEDED "x86-64-v3"
#define EPOCH_MAX_S 9000000000ULL

static const char help[] =
	"usage: sworn record [OPTIONS] -- COMMAND [ARG...]\n"
	"\n"
	"Runs COMMAND and writes a trace from which `sworn replay` repeats the run without any of its files.\n"
	"\n"
	"  sworn record -- make test                 record into the store; then: sworn replay\n"
	"  sworn record -o run.sworn -- ./job a b    record into one self-contained file\n"
	"\n"
	"  -o FILE                   self-contained trace; default: the store, as its latest\n"
	"  --store DIR               the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --seed N|TEXT             where random bytes come from (default: 256 random bits, kept in the trace)\n"
	"  --schedule seeded|observed  threads take turns by the seed alone (default), or as it happens (default with\n"
	"                            --allow net, --clock real or --preempt pmu)\n"
	"  --clock virtual|real      answer from a virtual clock (default when seeded), on which sleeps take no time,\n"
	"                            or record the host's (default when observed)\n"
	"  --chaos                   seeded turns that a fair order would rarely give, to find races\n"
	"  --epoch T                 the virtual clock's start: Unix seconds (default 1893456000)\n"
	"  --cpu host|x86-64-v2|x86-64-v3|x86-64-v4  the processor that programs see (default: the host's when\n"
	"                            observed; x86-64-v3 when seeded, or what the host has of it); programs that\n"
	"                            translate machine code, as valgrind and qemu-user do, need host\n"
	"  --preempt auto|calls|pmu  how a thread that computes on is stopped for others (default auto); with --schedule\n"
	"                            seeded, pmu ends turns also after exact counts of branches, which needs a\n"
	"                            hardware counter here and in replay\n"
	"  --workdir-as DIR          show the working directory as DIR (/work), and set HOME, PWD and USER to match,\n"
	"                            LANG to C.UTF-8, TZ to UTC\n"
	"  --env NAME[=VALUE]        give COMMAND this variable, and no others than those so named (repeatable)\n"
	"  --private-tmp             an empty /tmp and /var/tmp of COMMAND's own\n"
	"  --allow net               let the program use the host's network\n"
	"  --checkpoint-interval N   hash the state every N events too (default: at exec and exit only)\n"
	"  --with OLD=NEW            show the file or directory NEW where OLD is\n"
	"  --order TEXT              with seeded: turns come from TEXT, all else from the seed\n"
	"  --tenant ID|NAME          whose trace it is: signed with that tenant's key, kept in its store\n"
	"  --keystore DIR            where the keys are (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --passphrase-file FILE    the passphrase of a keystore that has one, instead of asking for it\n"
	"  --report FILE             write a JSON report (- for standard output)\n"
	"\n"
	"Exits as COMMAND did (128+N after signal N); 125 when recording failed, 126 when COMMAND cannot be\n"
	"executed, 127 when it is not found, 2 for wrong options.\n";

/* Absolute, not the root directory, and nothing in it that leads elsewhere. */
static bool is_plain_path(const char *path)
{
	size_t length = strlen(path);

	return path[0] == '/' && length > 1 && length < PATH_BYTES_MAX && path[length - 1] != '/' &&
	       !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/..") &&
	       strcmp(path, "/.") != 0;
}

/* OLD=NEW, split in a copy that stays. */
static int add_substitute(struct record_options *options, const char *value)
{
	size_t n = 0;
	char *copy, *sign;

	if (!options->substitutes)
		options->substitutes = calloc(SUBSTITUTES_MAX + 1, sizeof(*options->substitutes));
	while (options->substitutes && options->substitutes[n].at)
		n++;
	copy = options->substitutes && n < SUBSTITUTES_MAX ? strdup(value) : NULL;
	sign = copy ? strchr(copy, '=') : NULL;
	if (!sign || sign == copy || !sign[1]) {
		free(copy);
		return -EINVAL;
	}
	*sign = '\0';
	options->substitutes[n] = (struct substitute){ copy, sign + 1 };
	return 0;
}

static int parse_long(int option, const char *value, struct record_options *ret)
{
	unsigned long long seconds;
	char *end = NULL;

	switch (option) {
	case 'C':
		ret->clock = value;
		return strcmp(value, "virtual") && strcmp(value, "real") ? -EINVAL : 0;
	case 'U':
		ret->schedule = value;
		return strcmp(value, "seeded") && strcmp(value, "observed") ? -EINVAL : 0;
	case 'E':
		seconds = strtoull(value, &end, 10);
		ret->epoch_ns = seconds * 1000000000ULL;
		return end != value && *end == '\0' && seconds <= EPOCH_MAX_S ? 0 : -EINVAL;
	case 'P':
		ret->preempt = value;
		return strcmp(value, "auto") && strcmp(value, "calls") && strcmp(value, "pmu") ? -EINVAL
											       : 0;
	case 'W': ret->workdir = value; return is_plain_path(value) ? 0 : -EINVAL;
	case 'M':
		ret->cpu_name = value;
		ret->cpu = cpu_model_find(value);
		return ret->cpu || strcmp(value, CPU_HOST) == 0 ? 0 : -EINVAL;
	case 'V':
		if (*value == '=' || *value == '\0' || ret->variables_count == VARIABLES_MAX)
			return -EINVAL;
		ret->variables[ret->variables_count++] = value;
		return 0;
	case 'B': return add_substitute(ret, value);
	case 'A': ret->allow_network = true; return strcmp(value, "net") ? -EINVAL : 0;
	case 'N':
		ret->checkpoint_interval = strtoull(value, &end, 10);
		return end != value && *end == '\0' ? 0 : -EINVAL;
	case 'S':
		ret->seed = value;
		for (const char *c = value; *c; c++) {
			if (*c < ' ' || *c > '~')
				return -EINVAL;
		}
		return *value && strlen(value) < SEED_BYTES_MAX ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

int options_problem(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn record: %s%s; `sworn record --help` lists the options\n", problem,
		detail);
	return RECORD_USAGE;
}

/*
 * Seeded, unless something is asked for that only an observed recording makes sense of: what comes over the network and by the
 * host's clock comes at its own time, and so do the interrupts of a counter, which only those who ask for both have run on to a count
 * that the seed chose.
 */
static int choose_defaults(struct record_options *options)
{
	static const char *const levels[] = { CPU_SEEDED, "x86-64-v2" };
	bool pmu = strcmp(options->preempt, "pmu") == 0;
	bool real = options->clock && strcmp(options->clock, "real") == 0;

	if (options->schedule)
		options->schedule_seeded = strcmp(options->schedule, "seeded") == 0;
	else
		options->schedule_seeded = options->chaos || !(options->allow_network || real || pmu);
	if (options->chaos && !options->schedule_seeded)
		return options_problem("--chaos needs --schedule seeded", "");
	if (options->order && !options->schedule_seeded)
		return options_problem("--order needs --schedule seeded", "");
	options->clock_virtual = options->clock ? !real : options->schedule_seeded;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]) && options->schedule_seeded &&
			   !options->cpu_name && !options->cpu;
	     i++) {
		const struct cpu_model *model = cpu_model_find(levels[i]);

		if (model && !cpu_model_missing(model))
			options->cpu = model;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct record_options *ret)
{
	static const struct option longs[] = {
		{ "store", 1, NULL, 'D' },
		{ "seed", 1, NULL, 'S' },
		{ "chaos", 0, NULL, 'X' },
		{ "clock", 1, NULL, 'C' },
		{ "schedule", 1, NULL, 'U' },
		{ "epoch", 1, NULL, 'E' },
		{ "cpu", 1, NULL, 'M' },
		{ "preempt", 1, NULL, 'P' },
		{ "allow", 1, NULL, 'A' },
		{ "report", 1, NULL, 'R' },
		{ "keystore", 1, NULL, 'K' },
		{ "tenant", 1, NULL, 'I' },
		{ "passphrase-file", 1, NULL, 'F' },
		{ "workdir-as", 1, NULL, 'W' },
		{ "env", 1, NULL, 'V' },
		{ "private-tmp", 0, NULL, 'T' },
		{ "with", 1, NULL, 'B' },
		{ "order", 1, NULL, 'O' },
		{ "help", 0, NULL, 'h' },
		{ "checkpoint-interval", 1, NULL, 'N' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*ret = (struct record_options){ .preempt = "auto", .epoch_ns = EPOCH_S * 1000000000ULL };
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:o:h", longs, NULL)) != -1) {
		switch (c) {
		case 'h': fputs(help, stdout); exit(0);
		case 'o': ret->output = optarg; break;
		case 'D': ret->store = optarg; break;
		case 'R': ret->report = optarg; break;
		case 'K': ret->keystore = optarg; break;
		case 'I': ret->tenant = optarg; break;
		case 'F': ret->passphrase_file = optarg; break;
		case 'X': ret->chaos = true; break;
		case 'T': ret->private_tmp = true; break;
		case 'O': ret->order = optarg; break;
		case ':': return options_problem("a value is missing after ", argv[optind - 1]);
		case '?': return options_problem("unknown option ", argv[optind - 1]);
		default:
			if (parse_long(c, optarg, ret) < 0)
				return options_problem("bad value ", optarg);
			break;
		}
	}
	ret->command = argv + optind;
	if (!*ret->command)
		return options_problem("no command given; try: sworn record -- COMMAND", "");
	return choose_defaults(ret);
}
