/*
 * The command line: one row per verb drives dispatch and help. A verb gets its own name as argv[0]
 * and prints its own options on --help; everything else lives in the folder that owns it.
 */
#include <stdio.h>
#include <string.h>
#include "record/record.h"
#include "replay/replay.h"
#include "sandbox/doctor.h"
#include "verify/input.h"
#include "verify/verify.h"

enum { EXIT_USAGE = 2 };

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct verb {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *group;
	const char *description;
} verbs[] = {
	{ "record", cmd_record, "Everyday", "run a command and write a trace of it" },
	{ "replay", cmd_replay, "Everyday",
	  "execute a trace again and compare every event and state hash" },
	{ "verify", cmd_verify, "Everyday", "check a trace and who signed it without executing anything" },
	{ "audit", cmd_audit, "Everyday", "what a recorded run did: processes, files, network, events" },
	{ "twin", cmd_twin, "Everyday", "record a command several times and compare what it did" },
	{ "gate", cmd_gate, "Everyday", "whether recorded runs still hold: replayed, or run again" },
	{ "list", cmd_list, "Everyday", "the traces of a store" },
	{ "rm", cmd_rm, "Everyday", "remove traces from a store, and what only they needed" },
	{ "key", cmd_key, "Sharing", "make keys, move them, say whose signatures count" },
	{ "tenant", cmd_tenant, "Sharing", "owners of keys and stores: make, list, show" },
	{ "sign", cmd_sign, "Sharing", "vouch for a trace that somebody recorded" },
	{ "pack", cmd_pack, "Sharing", "make one self-contained file of a trace of the store" },
	{ "unpack", cmd_unpack, "Sharing", "take such a file apart again, into a store" },
	{ "import", cmd_import, "Sharing", "take trace files into a store as they are" },
	{ "repair", cmd_repair, "Sharing", "make a trace of what is whole of one that was cut off" },
	{ "doctor", cmd_doctor, "Internals",
	  "what this host can do, what each gap costs, what closes it" },
	{ "help", cmd_help, "Internals", "this text, or the options of one verb" },
	{ "version", cmd_version, "Internals", "print the version" },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *find_verb(const char *name)
{
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void print_usage(FILE *out)
{
	const char *group = "";

	fputs("usage: sworn VERB [ARGUMENT...]\n", out);
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(group, verbs[i].group))
			fprintf(out, "\n%s\n", verbs[i].group);
		group = verbs[i].group;
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].description);
	}
	fputs("\n`sworn VERB --help` lists a verb's options; the manual is sworn(1).\n", out);
}

static int unknown_verb(const char *name)
{
	size_t nearest = 0;

	for (size_t i = 1; i < VERBS; i++)
		if (input_distance(name, verbs[i].name) < input_distance(name, verbs[nearest].name))
			nearest = i;
	fprintf(stderr, "sworn: no verb '%s'; the nearest is `sworn %s`, `sworn help` lists all\n",
		name, verbs[nearest].name);
	return EXIT_USAGE;
}

static int cmd_help(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	char option[] = "--help";
	char *arguments[] = { argv[argc > 1 ? 1 : 0], option, NULL };

	if (argc > 1 && !verb)
		return unknown_verb(argv[1]);
	if (verb && verb->function != cmd_help && verb->function != cmd_version)
		return verb->function(2, arguments);
	print_usage(stdout);
	return 0;
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("sworn " SWORN_VERSION);
	return 0;
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	verb = find_verb(argv[1]);
	return verb ? verb->function(argc - 1, argv + 1) : unknown_verb(argv[1]);
}
