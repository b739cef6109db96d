/*
 * The final state hash of a domain: what a whole run comes down to. Recorder and replayer compute it from
 * the same facts; it holds no time, path or pid of the host. Pure code.
 */
#ifndef SWORN_TRACES_FINAL_H
#define SWORN_TRACES_FINAL_H

#include "event.h"

struct final_input {
	const char *seed;
	const char *const *argv; /* NULL-terminated */
	const uint8_t (*units)[DIGEST_BYTES]; /* last checkpoint of each unit in order; zeros where there was none */
	size_t units_count;
	const struct sink *sinks;
	size_t sinks_count;
	uint32_t status; /* of the command, as wait(2) reports it */
};

/* SHA-256 over the deterministic CBOR of ["sworn/1/state", version, tenant, domain, grants, seed, command, units,
 * outputs, status]; tenant and domain are zeros and grants empty in the ambient domain. 0 or -ENOMEM. */
int final_state(const struct final_input *input, uint8_t ret_state[DIGEST_BYTES]);

#endif
