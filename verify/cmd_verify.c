#include "verify.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "list.h"
#include "result.h"
#include "../traces/error.h"
#include "../traces/report.h"
#include "../traces/store.h"
#include "../traces/trust.h"

static const char help[] =
	"usage: sworn verify [OPTIONS] TRACE...\n"
	"\n"
	"Examples:\n"
	"  sworn verify hello.sworn\n"
	"  sworn verify --list hello.sworn | grep ' nr=1 '    its writes\n"
	"\n"
	"Checks traces without executing anything: every frame, hash, link, count, blob, record\n"
	"and the seal of each TRACE. A TRACE is a path, @latest, or @NAME of a trace in the store.\n"
	"\n"
	"  --list         print every event to stdout, one line each; verdicts go to stderr\n"
	"  --store DIR    the store to look in, instead of the one the trace lies in or your own\n"
	"  --keystore DIR  whose keys count (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --trust FILE   keys that count as well, in lines as `sworn key export` prints them\n"
	"  --tenant ID|NAME  every TRACE has to be this tenant's; @NAME is looked for in its store\n"
	"  --allow-unsigned   a trace, or a part of one, that nobody signed is no failure\n"
	"  --allow-untrusted  one that is signed by an unknown or expired key is no failure\n"
	"  --allow-truncated  a trace that is cut off, but whole up to there, is no failure\n"
	"  --allow-repaired  a trace that `sworn repair` made of one is no failure\n"
	"  --attestation FILE  compare what `sworn replay --attest FILE` wrote with the one TRACE\n"
	"  --challenge HEX  the attestation has to answer this one, 32 digits that you chose for its replay\n"
	"  --report FILE  write a JSON report (- for stdout; verdicts then go to stderr)\n"
	"  --help         print this\n"
	"\n"
	"`unsigned` means that the seal shows the file to be whole, not who made it; `untrusted` that whoever\n"
	"signed it is nobody that your keystore or a trust file names. A tenant's own keys are trusted.\n"
	"Counter-signatures (`sworn sign`) and attestations that a trace carries are listed with who made them; they\n"
	"change no verdict.\n"
	"Exit codes: 0 all ok; 1 the attestation says that the replay diverged; 2 usage; 3 one could not be read or needs a newer sworn;\n"
	"4 one is not there; 5 one is truncated, repaired, corrupt, unsigned or untrusted, or the attestation is no\n"
	"good one of it.\n";

struct options {
	bool list;
	struct trust_allow allow;
	const char *keystore, *trust_file, *tenant; /* as given, or NULL */
	struct trust trust;
	uint8_t tenant_id[TENANT_ID_SIZE];   /* that --tenant names */
	const char *store;		     /* as given, or NULL */
	const char *attestation, *challenge; /* as given, or NULL */
	uint8_t challenge_bytes[STATEMENT_CHALLENGE_BYTES];
	const char *report; /* as given, or NULL */
	FILE *verdicts;	    /* stdout or stderr */
	struct json json;   /* out is NULL without a report */
};

static int usage(const char *problem)
{
	fprintf(stderr, "sworn verify: %s; `sworn verify --help` explains\n", problem);
	return VERIFY_USAGE;
}

struct listing {
	struct result *result;
	bool list;
};

static int note_event(void *context, const struct event *event)
{
	struct listing *listing = context;
	result_note(listing->result, event);
	return listing->list ? list_event(stdout, event) : 0;
}

static void print_result(struct options *options, const struct result *result, bool several)
{
	result_print(options->verdicts, result);
	if (!options->json.out)
		return;
	if (several)
		json_open(&options->json, NULL, '{');
	result_json(&options->json, result);
	if (several)
		json_close(&options->json, '}');
}

/* What the check found, given who signed it. */
static void judge(const struct options *options, const struct reader *reader, struct result *result)
{
	struct trace_report *report = &result->report;
	uint64_t events;
	result->found = result->error;
	if (result->error != 0 && result->error != SWORN_ETRUNCATED)
		return;
	int r = trust_judge_trace(&options->trust, reader, report, &result->judgement);
	if (r < 0)
		snprintf(report->reason, sizeof(report->reason),
			 "the header does not match its signature by %s",
			 result->judgement.signer.name);
	if (r == 0 && options->tenant && memcmp(options->tenant_id, report->tenant, TENANT_ID_SIZE)) {
		snprintf(result->judgement.text, sizeof(result->judgement.text),
			 "it is not a trace of tenant %s", options->tenant);
		result->judgement.state = TRUST_TENANT;
		r = SWORN_EUNTRUSTED;
	}
	result->error = r < 0 ? r
			      : trust_verdict(&result->judgement, report, result->error,
					      &options->allow, &events);
}

/* What others say of a trace whose bytes are whole. 0 or -ENOMEM. */
static int hear(const struct options *options, const struct reader *reader, struct result *result,
		struct attestation *attestation)
{
	struct witness *witnesses;
	struct attestation_claim claim = { .trust = &options->trust,
					   .report = &result->report,
					   .allow_untrusted = options->allow.untrusted,
					   .challenge = options->challenge ? options->challenge_bytes
									   : NULL };
	int r = witness_collect(&options->trust, reader, &result->report, &witnesses,
				&result->witnesses_count);
	if (r < 0)
		return r;
	result->witnesses = witnesses;
	if (!options->attestation)
		return 0;
	attestation->path = options->attestation;
	attestation_check(&claim, attestation);
	result->attestation = attestation;
	return 0;
}

/* Checks the open trace and prints what was found. */
static enum verify_code verify_fd(struct options *options, int trace_fd, int blobs_fd,
				  struct result *result, bool several)
{
	struct reader *reader = NULL;
	struct listing listing = { result, options->list };
	struct attestation attestation = { .path = NULL };
	uint64_t bytes;
	int r;
	result->error = reader_open(trace_fd, blobs_fd, &reader);
	if (result->error < 0)
		reader_reason(trace_fd, result->report.reason);
	if (result->error == 0) {
		result->info = reader_info(reader);
		result->error = reader_check(reader, &result->report, note_event, &listing);
		result->summary = reader_summary(reader);
		judge(options, reader, result);
		if (result_code(result) == VERIFY_OK &&
		    (r = hear(options, reader, result, &attestation)) < 0)
			result->error = r;
	}
	if (options->json.out)
		report_digest(trace_fd, result->file_digest, &bytes);
	print_result(options, result, several);
	reader_close(reader);
	enum verify_code code = result_code(result);
	free((void *)result->witnesses);
	result->attestation = NULL;
	return code;
}

static enum verify_code verify_trace(struct options *options, int store_fd, const char *name, bool several)
{
	struct result result = { .name = name,
				 .allow_truncated = options->allow.truncated,
				 .allow_repaired = options->allow.repaired };
	char *found = NULL;
	int trace_fd = name[0] == '@' && store_fd < 0 ? SWORN_ENOTRACE
						      : store_trace(store_fd, name, &found);
	if (trace_fd < 0) {
		result.error = trace_fd;
		if (result_code(&result) == VERIFY_NOTHING)
			input_missing_text(store_fd, name, result.report.reason,
					   sizeof(result.report.reason));
		print_result(options, &result, several);
		return result_code(&result);
	}
	int blobs_fd = store_find_blobs(store_fd, options->store != NULL, trace_fd);
	result.name = found;
	enum verify_code code = verify_fd(options, trace_fd, blobs_fd, &result, several);
	if (blobs_fd >= 0)
		close(blobs_fd);
	close(trace_fd);
	free(found);
	return code;
}

static void begin_report(struct options *options, bool several)
{
	struct json *json = &options->json;
	json_open(json, NULL, '{');
	report_head(json, "verify");
	if (several)
		json_open(json, "traces", '[');
}

static int end_report(struct options *options, bool several, enum verify_code code)
{
	struct json *json = &options->json;
	if (several) {
		json_close(json, ']');
		json_text(json, "verdict", code == VERIFY_OK ? "ok" : "failed");
		json_int(json, "code", code);
	}
	json_close(json, '}');
	fputc('\n', json->out);
	bool failed = ferror(json->out) != 0;
	if (json->out != stdout)
		failed |= fclose(json->out) != 0;
	return failed ? -EIO : 0;
}

static int verify_all(struct options *options, int store_fd, char **names, int count)
{
	enum verify_code code = VERIFY_OK;
	bool several = count > 1;
	if (options->json.out)
		begin_report(options, several);
	for (int i = 0; i < count; i++)
		code = result_worse(code, verify_trace(options, store_fd, names[i], several));
	int r = options->json.out ? end_report(options, several, code) : 0;
	if (r < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "sworn verify: the output could not be written; "
				"check the space and permissions there\n");
		code = result_worse(code, VERIFY_UNKNOWN);
	}
	return (int)code;
}

static int open_report(struct options *options)
{
	options->verdicts = options->list ? stderr : stdout;
	if (!options->report)
		return 0;
	if (!strcmp(options->report, "-")) {
		options->json.out = stdout;
		options->verdicts = stderr;
		return 0;
	}
	if (report_is_trace(options->report))
		return -EEXIST;
	options->json.out = fopen(options->report, "we");
	return options->json.out ? 0 : -errno;
}

/* 0 to go on, 1 when help was printed, else usage()'s. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "store", required_argument, NULL, 's' },
		{ "report", required_argument, NULL, 'r' },
		{ "allow-truncated", no_argument, NULL, 't' },
		{ "allow-repaired", no_argument, NULL, 'p' },
		{ "allow-unsigned", no_argument, NULL, 'u' },
		{ "allow-untrusted", no_argument, NULL, 'U' },
		{ "keystore", required_argument, NULL, 'K' },
		{ "trust", required_argument, NULL, 'T' },
		{ "tenant", required_argument, NULL, 'I' },
		{ "attestation", required_argument, NULL, 'A' },
		{ "challenge", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 'l': options->list = true; break;
		case 't': options->allow.truncated = true; break;
		case 'p': options->allow.repaired = true; break;
		case 'u': options->allow.is_unsigned = true; break;
		case 'U': options->allow.untrusted = true; break;
		case 'K': options->keystore = optarg; break;
		case 'T': options->trust_file = optarg; break;
		case 'I': options->tenant = optarg; break;
		case 'A': options->attestation = optarg; break;
		case 'C': options->challenge = optarg; break;
		case 's': options->store = optarg; break;
		case 'r': options->report = optarg; break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return usage("an option lacks its value");
		default: return input_unknown("verify", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return usage("no TRACE is named");
	if (options->attestation && argc - optind > 1)
		return usage("--attestation is of one TRACE");
	if (options->challenge && !options->attestation)
		return usage("--challenge is for an --attestation");
	if (options->challenge && attestation_challenge(options->challenge, options->challenge_bytes) < 0)
		return usage("--challenge wants 32 hexadecimal digits");
	if (options->list && options->report && !strcmp(options->report, "-"))
		return usage("--list and --report - both want stdout");
	return 0;
}

int cmd_verify(int argc, char **argv)
{
	struct options options = { 0 };
	static char tenant_store[HOME_PATH_MAX];
	const char *tenant_path = NULL;
	int r = parse(argc, argv, &options);
	if (r != 0)
		return r == 1 ? 0 : r;
	r = trust_load(&options.trust, options.keystore, options.trust_file);
	if (r < 0) {
		fprintf(stderr, "sworn verify: nothing was checked: %s\n", options.trust.reason);
		trust_release(&options.trust);
		return VERIFY_UNKNOWN;
	}
	if (options.tenant && trust_tenant(&options.trust, options.tenant, options.tenant_id) < 0) {
		trust_release(&options.trust);
		return usage("--tenant names no tenant of the keystore, and is no id");
	}
	if (options.tenant && !options.store &&
	    trust_store(options.keystore, options.tenant_id, tenant_store, sizeof(tenant_store)) == 0)
		tenant_path = tenant_store;
	int store_fd = store_find(options.store ? options.store : tenant_path);
	if (options.store && store_fd < 0) {
		fprintf(stderr,
			"sworn verify: no store at %s: %s; name the directory that holds "
			"traces/ and blobs/\n",
			options.store, error_text(store_fd));
		return VERIFY_UNKNOWN;
	}
	r = open_report(&options);
	if (r < 0) {
		fprintf(stderr, "sworn verify: %s cannot be written: %s; choose another --report\n",
			options.report, error_text(r));
		r = VERIFY_UNKNOWN;
	} else {
		r = verify_all(&options, store_fd, argv + optind, argc - optind);
	}
	if (store_fd >= 0)
		close(store_fd);
	trust_release(&options.trust);
	return r;
}
