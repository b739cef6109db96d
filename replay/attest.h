/*
 * Signs what a replay came to. The replayer never has a key: a process of its own, started before the replay domain is entered,
 * waits outside for the verdict, gets the key only then, signs, and writes the file. Used by cmd_replay.c.
 */
#ifndef SWORN_REPLAY_ATTEST_H
#define SWORN_REPLAY_ATTEST_H

#include "report.h"
#include "../traces/statement.h"

/* As given on the command line; borrowed. */
struct attest {
	const char *path; /* "-": standard output; NULL: no attestation is wanted */
	const char *keystore, *passphrase_file;
	const char *tenant; /* whose attester key signs; NULL: that of the tenant whose trace it is */
	uint8_t challenge[STATEMENT_CHALLENGE_BYTES];
	int fd; /* of attest_start(): the way to the process that signs, or -1 */
};

/*
 * Sees that there is a place for the file and a key, as far as that is known yet, and starts the process. CODE_IDENTICAL, also when no
 * attestation is wanted; otherwise why not was printed.
 */
enum verdict_code attest_start(struct attest *attest);

/*
 * Has the outcome signed, if it is a verdict on a trace that has a seal. 0 written, 1 there is nothing that could be attested, and why
 * not was printed; negative when it could not be written, which was printed.
 */
int attest_outcome(const struct attest *attest, const struct outcome *outcome);

#endif
