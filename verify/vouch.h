/*
 * Who signs a trace that is made of another one. Only what was trusted before is signed again: whoever packs or repairs
 * a trace must not put their name under bytes that anybody could have made.
 */
#ifndef SWORN_VERIFY_VOUCH_H
#define SWORN_VERIFY_VOUCH_H

#include "../traces/trust.h"
#include "input.h"

struct vouch {
	bool is_signed;
	struct signer signer;
	struct keystore keystore;
	struct tenant_file file; /* with its secret halves until vouch_release() */
};

/*
 * 0, with is_signed false and a line to stderr where the new trace will not be signed: its source is not, or not to its last event,
 * or by somebody unknown, or this keystore has no key of its tenant. SWORN_EINTEGRITY for a source whose signature is wrong.
 */
int vouch_prepare(struct vouch *vouch, const struct input *input);
/* For struct rewrite; NULL: unsigned. */
const struct signer *vouch_signer(const struct vouch *vouch);
void vouch_release(struct vouch *vouch);

#endif
