#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/trail.h"
#include "keyverb.h"
#include "input.h"
#include "verify.h"

#define ATTEMPTS_MAX 64

static const char help[] =
	"usage: sworn sign [OPTIONS] TRACE\n"
	"\n"
	"  sworn sign run.sworn                           vouch for a trace that somebody recorded\n"
	"  sworn sign --attestation run.att run.sworn     let the trace carry what a replay of it came to\n"
	"\n"
	"Adds a counter-signature to a trace: it names the trace's seal, says when, and is made with the attester key of the\n"
	"trace's tenant. Only a trace that `sworn verify` takes is signed. Nothing of it changes; what is added stands behind the\n"
	"seal, and `sworn verify` lists it with who made it. Anybody can take it off again. The trace is replaced in one\n"
	"step, so that it is never there half signed. Its name is printed.\n"
	"\n"
	"  --attestation FILE  add the attestation in FILE (`sworn replay --attest FILE`) instead; whoever made it has to be\n"
	"                     trusted here\n"
	"  --tenant ID|NAME   whose attester key signs (default: that of the tenant whose trace it is)\n"
	"  --passphrase-file FILE   a passphrase from its first line, instead of asking for it\n"
	"  --keystore DIR     the keystore (default: $SWORN_KEYSTORE, $XDG_DATA_HOME/sworn/keys)\n"
	"  --trust FILE       keys that count as well, in lines as `sworn key export` prints them\n"
	"  --store DIR        the store (default: $XDG_DATA_HOME/sworn/store)\n"
	"  --help             print this\n"
	"\n"
	"Exits 0 signed, or signed already; 2 wrong options; 3 it could not be read or written; 4 no such trace or tenant;\n"
	"5 the trace, or the attestation, is none that can be vouched for, or the keystore must not be used.\n";

struct options {
	const char *store, *tenant, *trust_file, *attestation, *trace;
	struct key_place place;
};

struct signing {
	const struct options *options;
	struct input input;
	struct trust trust;
	uint8_t trailer[FRAME_TRAILER_MAX];
	struct cbor_out out; /* over trailer */
};

/* 0 to go on, 1 when help was printed, else the exit code. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "attestation", required_argument, NULL, 'A' },
		{ "keystore", required_argument, NULL, 'K' },
		{ "passphrase-file", required_argument, NULL, 'F' },
		{ "tenant", required_argument, NULL, 'I' },
		{ "trust", required_argument, NULL, 'T' },
		{ "store", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (option) {
		case 'A': ret->attestation = optarg; break;
		case 'K': ret->place.keystore = optarg; break;
		case 'F': ret->place.passphrase_file = optarg; break;
		case 'I': ret->tenant = optarg; break;
		case 'T': ret->trust_file = optarg; break;
		case 's': ret->store = optarg; break;
		case 'h': fputs(help, stdout); return 1;
		case ':': return input_usage("sign", "an option lacks its value");
		default: return input_unknown("sign", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return input_usage("sign", "no TRACE is named");
	ret->trace = argv[optind];
	if (ret->attestation && ret->tenant)
		return input_usage("sign", "an attestation is signed already: --tenant has no use");
	return optind + 1 < argc ? input_usage("sign", "one TRACE at a time") : 0;
}

/* Only what is trusted here is vouched for. */
static enum verify_code judge(struct signing *signing)
{
	struct result *result = &signing->input.result;
	struct trust_allow allow = { .truncated = false };
	uint64_t events;
	int r = trust_judge_trace(&signing->trust, signing->input.reader, &result->report,
				  &result->judgement);
	if (r < 0)
		snprintf(result->report.reason, sizeof(result->report.reason),
			 "the header does not match its signature");
	else
		r = trust_verdict(&result->judgement, &result->report, 0, &allow, &events);
	result->error = r;
	if (r < 0) {
		fputs("sworn sign: ", stderr);
		result_print_problem(stderr, result);
	}
	return result_code(result);
}

/* The statement by the attester of the tenant, unless there is one. VERIFY_NOTHING: there is. */
static enum verify_code state(struct signing *signing)
{
	const struct options *options = signing->options;
	const struct input *input = &signing->input;
	struct statement statement = { .kind = STATEMENT_SIGNATURE, .at = (uint64_t)time(NULL) };
	uint8_t bytes[STATEMENT_BYTES_MAX];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	char id[2 * TENANT_ID_SIZE + 1];
	static struct keystore keystore;
	static struct tenant_file file;
	const struct key *key = NULL;
	hex_encode(input->result.report.tenant, TENANT_ID_SIZE, id);
	memcpy(statement.seal_id, input->result.report.seal_id, DIGEST_BYTES);
	int r = keystore_open(&keystore, options->place.keystore, false);
	if (r == 0)
		r = keystore_find(&keystore, options->tenant ? options->tenant : id, &file);
	if (r == 0)
		r = keystore_unlock(&keystore, &file, options->place.passphrase_file);
	if (r == 0 && !(key = tenant_key(&file.tenant, KEY_ATTESTER))) {
		snprintf(keystore.reason, sizeof(keystore.reason),
			 "%s has no attester key; name another tenant with --tenant", file.tenant.name);
		r = SWORN_EKEYSTORE;
	}
	if (r == 0) {
		statement_encode(&statement, key, &out);
		trailer_encode(bytes, out.length, key->public_key, &signing->out);
	}
	tenant_erase(&file.tenant);
	keystore_close(&keystore);
	return (enum verify_code)key_conclude("sign", r, keystore.reason);
}

static enum verify_code carry(struct signing *signing)
{
	struct attestation attestation = { .path = signing->options->attestation };
	struct attestation_claim claim = { .trust = &signing->trust,
					   .report = &signing->input.result.report };
	attestation_check(&claim, &attestation);
	/* That a replay diverged is as good to know. */
	if (attestation.error == 0 || attestation.error == SWORN_EDIVERGED) {
		trailer_encode(attestation.bytes, attestation.length,
			       attestation.witness.judgement.signer.key.public_key, &signing->out);
		return VERIFY_OK;
	}
	fprintf(stderr, "sworn sign: %s: %s; %s\n", attestation.path, attestation.reason,
		attestation_advice(attestation.error));
	return attestation_code(&attestation);
}

/* Whether the trace has what would be added: the same attestation, or a signature by the same key. */
static bool is_there(const struct signing *signing)
{
	size_t count;
	const struct trailer *trailers = reader_trailers(signing->input.reader, &count);
	struct trailer ours;
	if (trailer_decode(signing->trailer, signing->out.length, &ours) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct statement *theirs = &trailers[i].statement;
		if (trailer_is_same(&trailers[i], &ours) ||
		    (theirs->kind == STATEMENT_SIGNATURE && ours.statement.kind == STATEMENT_SIGNATURE &&
		     digest_equal(theirs->kid, ours.statement.kid)))
			return true;
	}
	return false;
}

static enum verify_code add(struct signing *signing)
{
	const struct input *input = &signing->input;
	struct trail trail = { .fd = input->fd,
			       .blobs_fd = input->blobs_fd,
			       .report = &input->result.report,
			       .trailer = signing->trailer,
			       .length = signing->out.length };
	if (is_there(signing)) {
		fprintf(stderr, "sworn sign: %s has it already; nothing was changed\n", input->name);
		printf("%s\n", input->name);
		return VERIFY_OK;
	}
	int r = trail_append(&trail);
	if (r == SWORN_ELIMIT) {
		fprintf(stderr,
			"sworn sign: %s carries %d statements already, which is all it may; take a copy without "
			"them: `sworn pack` makes one\n",
			input->name, FRAME_TRAILERS_MAX);
		return VERIFY_UNKNOWN;
	}
	if (r == -EPERM) {
		fprintf(stderr,
			"sworn sign: %s belongs to somebody else, who would lose it; sign a copy of it\n",
			input->name);
		return VERIFY_UNKNOWN;
	}
	if (r < 0)
		return input_fail("sign", input->name, r);
	printf("%s\n", input->name);
	return VERIFY_OK;
}

/* *ret_again: somebody else replaced the file since it was opened. */
static enum verify_code sign(struct signing *signing, bool *ret_again)
{
	const struct options *options = signing->options;
	struct input *input = &signing->input;
	*input = (struct input){ .verb = "sign" };
	signing->out = (struct cbor_out){ .bytes = signing->trailer,
					  .capacity = sizeof(signing->trailer) };
	enum verify_code code = input_open(input, options->store, options->trace, false);
	if (code == VERIFY_OK) {
		flock(input->fd, LOCK_EX);
		*ret_again = !trail_is_current(input->fd);
	}
	if (code != VERIFY_OK || *ret_again)
		return code;
	code = judge(signing);
	if (code == VERIFY_OK)
		code = options->attestation ? carry(signing) : state(signing);
	return code == VERIFY_OK ? add(signing) : code;
}

int cmd_sign(int argc, char **argv)
{
	struct options options = { 0 };
	static struct signing signing;
	enum verify_code code;
	bool again;
	int r = parse(argc, argv, &options), attempts = 0;
	if (r != 0)
		return r == 1 ? 0 : r;
	signing.options = &options;
	r = trust_load(&signing.trust, options.place.keystore, options.trust_file);
	if (r < 0) {
		fprintf(stderr, "sworn sign: nothing was signed: %s\n", signing.trust.reason);
		trust_release(&signing.trust);
		return VERIFY_UNKNOWN;
	}
	do {
		again = false;
		code = sign(&signing, &again);
		input_release(&signing.input);
	} while (again && ++attempts < ATTEMPTS_MAX);
	trust_release(&signing.trust);
	if (again)
		return (int)input_fail("sign", options.trace, -EBUSY);
	return key_conclude("sign", 0, NULL) == VERIFY_OK ? (int)code : VERIFY_UNKNOWN;
}
