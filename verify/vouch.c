#include "vouch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../traces/digest.h"
#include "../traces/error.h"

/* Why what is made is not signed; NULL: its source is trusted as a whole. */
static const char *doubt(struct judgement *judgement, const struct input *input, int *ret_error)
{
	const struct trace_report *report = &input->result.report;
	struct trust trust;
	const char *reason = NULL;
	*ret_error = 0;
	if (trust_load(&trust, NULL, NULL) < 0)
		reason = "the keystore cannot be read; `sworn verify` says why";
	else if (trust_judge_trace(&trust, input->reader, report, judgement) < 0)
		*ret_error = SWORN_EINTEGRITY;
	else if (judgement->state != TRUST_OK)
		reason = judgement->text;
	else if (report->signed_events < report->events)
		reason = "its last events are not signed";
	trust_release(&trust);
	return reason;
}

int vouch_prepare(struct vouch *vouch, const struct input *input)
{
	char id[2 * TENANT_ID_SIZE + 1];
	struct judgement judgement;
	int r;
	memset(vouch, 0, sizeof(*vouch));
	vouch->keystore.fd = -1;
	const char *reason = doubt(&judgement, input, &r);
	if (r < 0)
		return r;
	hex_encode(input->result.report.tenant, TENANT_ID_SIZE, id);
	if (!reason) {
		r = keystore_open(&vouch->keystore, NULL, false);
		if (r == 0)
			r = keystore_find(&vouch->keystore, id, &vouch->file);
		if (r == 0)
			r = keystore_unlock(&vouch->keystore, &vouch->file, NULL);
		reason = r < 0 ? vouch->keystore.reason : NULL;
	}
	vouch->signer.key = reason ? NULL : tenant_key(&vouch->file.tenant, KEY_RECORDER);
	memcpy(vouch->signer.tenant, vouch->file.tenant.id, TENANT_ID_SIZE);
	vouch->is_signed = vouch->signer.key != NULL;
	if (!vouch->is_signed)
		fprintf(stderr, "sworn %s: what is made of %s is not signed: %s\n", input->verb,
			input->name, reason ? reason : "its tenant has no recorder key");
	return 0;
}

const struct signer *vouch_signer(const struct vouch *vouch)
{
	return vouch->is_signed ? &vouch->signer : NULL;
}

void vouch_release(struct vouch *vouch)
{
	tenant_erase(&vouch->file.tenant);
	keystore_close(&vouch->keystore);
}
