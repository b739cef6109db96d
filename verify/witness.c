#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../traces/chain.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/report.h"
#include "../traces/tenant.h"

_Static_assert(STATEMENT_CHALLENGE_BYTES == TENANT_ID_SIZE, "both are read by one function");

static const char *outcome_word(enum attested outcome)
{
	switch (outcome) {
	case ATTESTED_IDENTICAL: return "identical";
	case ATTESTED_DIVERGED: return "diverged";
	case ATTESTED_PREFIX: return "identical prefix";
	}
	return "unknown";
}

void witness_judge(const struct trust *trust, const struct trace_report *report,
		   const struct statement *statement, struct witness *ret_witness)
{
	struct trust_claim claim = { .kid = statement->kid,
				     .tenant = report->tenant,
				     .purpose = KEY_ATTESTER,
				     .from = statement->at,
				     .until = statement->at };
	ret_witness->statement = *statement;
	trust_judge(trust, &claim, &ret_witness->judgement);
}

void witness_print(FILE *out, const struct witness *witness)
{
	const struct statement *s = &witness->statement;
	char time[48];
	report_time(s->at, time, sizeof(time));
	fprintf(out, "  %-12s %s, at %s", s->kind == STATEMENT_SIGNATURE ? "vouched by" : "attested by",
		witness->judgement.text, time[0] ? time : "no time");
	if (s->kind == STATEMENT_ATTESTATION)
		fprintf(out, ": %s, %" PRIu64 " of %" PRIu64 " events, %" PRIu64 " of %" PRIu64 " units",
			outcome_word(s->outcome), s->events_checked, s->events, s->units_checked,
			s->units);
	fputc('\n', out);
}

static void print_attested(struct json *json, const struct statement *s)
{
	char challenge[2 * STATEMENT_CHALLENGE_BYTES + 1];
	hex_encode(s->challenge, STATEMENT_CHALLENGE_BYTES, challenge);
	json_text(json, "outcome", outcome_word(s->outcome));
	json_digest(json, "state_commitment", s->state);
	json_open(json, "checked", '{');
	json_uint(json, "events", s->events_checked);
	json_uint(json, "of", s->events);
	json_uint(json, "units", s->units_checked);
	json_uint(json, "of_units", s->units);
	json_close(json, '}');
	json_digest(json, "engine", s->engine);
	json_digest(json, "machine", s->machine);
	json_text(json, "challenge", challenge);
}

void witness_json(struct json *json, const char *name, const struct witness *witness)
{
	const struct statement *s = &witness->statement;
	const struct judgement *judgement = &witness->judgement;
	char time[48];
	report_time(s->at, time, sizeof(time));
	json_open(json, name, '{');
	json_text(json, "kind", s->kind == STATEMENT_SIGNATURE ? "signature" : "attestation");
	json_digest(json, "seal", s->seal_id);
	json_digest(json, "kid", s->kid);
	json_text(json, "trust", trust_state_text(judgement->state));
	json_text(json, "signer", judgement->signer.name[0] ? judgement->signer.name : NULL);
	json_text(json, "at", time[0] ? time : NULL);
	if (s->kind == STATEMENT_ATTESTATION)
		print_attested(json, s);
	json_close(json, '}');
}

int witness_collect(const struct trust *trust, const struct reader *reader,
		    const struct trace_report *report, struct witness **ret_witnesses, size_t *ret_count)
{
	size_t count;
	const struct trailer *trailers = reader_trailers(reader, &count);
	struct witness *witnesses = calloc(count + 1, sizeof(*witnesses));
	if (!witnesses)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		witness_judge(trust, report, &trailers[i].statement, &witnesses[i]);
	*ret_witnesses = witnesses;
	*ret_count = count;
	return 0;
}

int attestation_challenge(const char *text, uint8_t ret_challenge[STATEMENT_CHALLENGE_BYTES])
{
	return tenant_id_parse(text, ret_challenge);
}

/* Bytes of the file: their number, SWORN_ELIMIT for more than an envelope has, or -errno. */
static ssize_t read_file(const char *path, uint8_t bytes[STATEMENT_BYTES_MAX])
{
	uint8_t more;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -errno : read(fd, bytes, STATEMENT_BYTES_MAX);
	if (fd < 0)
		return n;
	if (n < 0)
		n = -errno;
	else if (n == STATEMENT_BYTES_MAX && read(fd, &more, 1) != 0)
		n = SWORN_ELIMIT;
	close(fd);
	return n;
}

static int refuse(struct attestation *attestation, int error, const char *text)
{
	snprintf(attestation->reason, sizeof(attestation->reason), "%s", text);
	return error;
}

/* Whether what it says fits what the trace says of itself. */
static int compare(const struct attestation_claim *claim, struct attestation *attestation)
{
	const struct statement *s = &attestation->witness.statement;
	const struct trace_report *report = claim->report;
	uint8_t state[DIGEST_BYTES];
	bool all = s->events_checked == s->events && s->units_checked == s->units;
	if (!report->sealed || !digest_equal(s->seal_id, report->seal_id))
		return refuse(attestation, SWORN_EINTEGRITY, "it is of another trace");
	if (claim->challenge && memcmp(claim->challenge, s->challenge, STATEMENT_CHALLENGE_BYTES) != 0)
		return refuse(attestation, SWORN_EINTEGRITY, "it answers another challenge");
	if (s->events != report->events || s->units != report->units)
		return refuse(attestation, SWORN_EINTEGRITY,
			      "it counts other events or units than the trace has");
	if (s->outcome == ATTESTED_DIVERGED)
		return refuse(attestation, SWORN_EDIVERGED, "it says that the replay diverged");
	chain_commit("state", report->state, DIGEST_BYTES, state);
	if (!all || (s->outcome == ATTESTED_PREFIX) != (report->completeness == COMPLETE_PREFIX) ||
	    (s->outcome == ATTESTED_IDENTICAL && !digest_equal(s->state, state)))
		return refuse(attestation, SWORN_EINTEGRITY,
			      "it says identical, and not that all of the trace was compared");
	return 0;
}

static int check(const struct attestation_claim *claim, struct attestation *attestation)
{
	uint8_t *bytes = attestation->bytes;
	struct witness *witness = &attestation->witness;
	struct statement statement;
	ssize_t length = read_file(attestation->path, bytes);
	if (length < 0 && length != SWORN_ELIMIT)
		return refuse(attestation, (int)length, error_text((int)length));
	if (length < 0 || statement_decode(bytes, (size_t)length, &statement) < 0 ||
	    statement.kind != STATEMENT_ATTESTATION)
		return refuse(attestation, SWORN_EFORMAT, "it is no attestation");
	witness_judge(claim->trust, claim->report, &statement, witness);
	attestation->is_read = true;
	attestation->length = (size_t)length;
	const struct key *key = &witness->judgement.signer.key;
	bool is_known = witness->judgement.state != TRUST_UNKNOWN;
	if (is_known && (key->purpose != KEY_ATTESTER ||
			 statement_check(bytes, (size_t)length, key->public_key) < 0))
		return refuse(attestation, SWORN_EINTEGRITY, "it does not match its signature");
	if (witness->judgement.state != TRUST_OK && !claim->allow_untrusted)
		return refuse(attestation, SWORN_EUNTRUSTED, witness->judgement.text);
	return compare(claim, attestation);
}

void attestation_check(const struct attestation_claim *claim, struct attestation *attestation)
{
	attestation->error = check(claim, attestation);
}

enum verify_code attestation_code(const struct attestation *attestation)
{
	switch (attestation->error) {
	case 0: return VERIFY_OK;
	case SWORN_EDIVERGED: return VERIFY_REFUTED;
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_EUNTRUSTED: return VERIFY_INTEGRITY;
	}
	return VERIFY_UNKNOWN;
}

const char *attestation_advice(int error)
{
	switch (error) {
	case SWORN_EDIVERGED:
		return "replay the trace yourself: `sworn replay` shows the difference";
	case SWORN_EUNTRUSTED:
		return "if you know whose key it is, `sworn key trust` the line that `sworn key export` prints "
		       "there; or take it as it is with --allow-untrusted";
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY: return "get the attestation of this trace from who replayed it";
	}
	return "check the path and its permissions";
}
