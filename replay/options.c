#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "report.h"

#define JOBS_MAX 1024

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
	"  --keystore DIR   whose keys count (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --trust FILE     keys that count as well, in lines as `sworn key export` prints them\n"
	"  --tenant ID|NAME the trace has to be this tenant's; @NAME is looked for in its store\n"
	"  --allow-unsigned   replay a trace, or a part of one, that nobody signed\n"
	"  --allow-untrusted  replay one that is signed by an unknown or expired key\n"
	"  --allow-truncated  replay a trace that is cut off, as far as it goes; exit 0 when that is identical\n"
	"  --allow-repaired  the same for a trace that `sworn repair` made of such a one\n"
	"  --report FILE    write a JSON report (- for standard output; the verdict then goes to standard error)\n"
	"  --attest FILE    write a signed statement of the verdict (- for standard output); `sworn verify --attestation`\n"
	"                   checks it\n"
	"  --challenge HEX  32 digits that the attestation has to repeat: chosen by who asks for it\n"
	"  --attester ID|NAME  whose attester key signs (default: that of the tenant whose trace it is)\n"
	"  --passphrase-file FILE  a passphrase from its first line, instead of asking for it\n"
	"  --stop-at EVENT  stop behind this event and show where its thread stands; exit 3, as the rest is not compared\n"
	"  -j, --jobs N     play units that share no memory in N workers at a time (default 1)\n"
	"\n"
	"Exits 0 identical, 1 diverged, 2 wrong options, 3 could not tell or attest, 4 no trace, 5 integrity, truncation, or\n"
	"a signature that is missing or not trusted.\n";

int replay_options_problem(const char *problem, const char *detail)
{
	fprintf(stderr, "sworn replay: %s%s; `sworn replay --help` lists the options\n", problem,
		detail);
	return CODE_USAGE;
}

static bool is_number(const char *text, long max)
{
	char *end;
	long number = strtol(text, &end, 10);

	return end != text && *end == '\0' && number >= 1 && number <= max;
}

bool replay_options_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

int replay_options_parse(int argc, char **argv, struct replay_options *ret)
{
	static const struct option longs[] = {
		{ "store", 1, NULL, 'D' },	     { "report", 1, NULL, 'R' },
		{ "show-output", 0, NULL, 'O' },     { "help", 0, NULL, 'h' },
		{ "stop-at", 1, NULL, 'E' },	     { "jobs", 1, NULL, 'j' },
		{ "allow-truncated", 0, NULL, 'T' }, { "allow-unsigned", 0, NULL, 'u' },
		{ "allow-untrusted", 0, NULL, 'U' }, { "keystore", 1, NULL, 'K' },
		{ "trust", 1, NULL, 'F' },	     { "tenant", 1, NULL, 'I' },
		{ "allow-repaired", 0, NULL, 'P' },  { "attest", 1, NULL, 'A' },
		{ "attester", 1, NULL, 'W' },	     { "challenge", 1, NULL, 'C' },
		{ "passphrase-file", 1, NULL, 'S' }, { NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	ret->stop_at = UINT64_MAX;
	while ((c = getopt_long(argc, argv, ":hj:", longs, NULL)) != -1) {
		switch (c) {
		case 'h': fputs(help, stdout); return 1;
		case 'D': ret->store = optarg; break;
		case 'R': ret->report = optarg; break;
		case 'O': ret->show_output = true; break;
		case 'P': ret->allow.repaired = true; break;
		case 'T': ret->allow.truncated = true; break;
		case 'u': ret->allow.is_unsigned = true; break;
		case 'U': ret->allow.untrusted = true; break;
		case 'K': ret->keystore = optarg; break;
		case 'F': ret->trust_file = optarg; break;
		case 'I': ret->tenant = optarg; break;
		case 'A': ret->attest.path = optarg; break;
		case 'W': ret->attest.tenant = optarg; break;
		case 'S': ret->attest.passphrase_file = optarg; break;
		case 'C': ret->challenge = optarg; break;
		case 'j':
			if (!is_number(optarg, JOBS_MAX))
				return replay_options_problem("-j wants a number of workers, not ",
							      optarg);
			ret->jobs = (unsigned int)atoi(optarg);
			break;
		case 'E':
			if (strcmp(optarg, "0") != 0 && !is_number(optarg, LONG_MAX - 1))
				return replay_options_problem(
					"--stop-at wants the number of an event, not ", optarg);
			ret->stop_at = strtoull(optarg, NULL, 10);
			break;
		case ':':
			return replay_options_problem("a value is missing after ", argv[optind - 1]);
		default: return replay_options_problem("unknown option ", argv[optind - 1]);
		}
	}
	ret->trace = argv[optind];
	if (ret->stop_at != UINT64_MAX)
		ret->jobs = 1;
	ret->jobs = ret->jobs == 0 ? 1 : ret->jobs < WORKERS_MAX ? ret->jobs : WORKERS_MAX;
	if (ret->trace && argv[optind + 1])
		return replay_options_problem("one trace at a time, not also ", argv[optind + 1]);
	if (ret->show_output + replay_options_stdout(ret->report) +
		    replay_options_stdout(ret->attest.path) >
	    1)
		return replay_options_problem(
			"of --show-output, --report - and --attest - only one can have standard output",
			"");
	ret->attest.keystore = ret->keystore;
	if (!ret->attest.path && (ret->challenge || ret->attest.tenant || ret->attest.passphrase_file))
		return replay_options_problem(
			"--challenge, --attester and --passphrase-file are for --attest", "");
	if (ret->challenge && tenant_id_parse(ret->challenge, ret->attest.challenge) < 0)
		return replay_options_problem("--challenge wants 32 hexadecimal digits, not ",
					      ret->challenge);
	return 0;
}
