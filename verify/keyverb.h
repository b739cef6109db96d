/*
 * What the verbs about keys have in common: how they name a keystore, complain and end. Used by key, tenant and sign.
 */
#ifndef SWORN_VERIFY_KEYVERB_H
#define SWORN_VERIFY_KEYVERB_H

#include "../traces/keystore.h"

/* As given; borrowed from argv. */
struct key_place {
	const char *keystore, *passphrase_file;
	bool passphrase; /* wanted for what is made */
};

/* Says what is wrong with the command line; returns the exit code. */
int key_usage(const char *verb, const char *problem, const char *detail);

/* Says why it failed, unless it did not, sees that standard output took everything, and gives the exit code. */
int key_conclude(const char *verb, int error, const char *reason);

#endif
