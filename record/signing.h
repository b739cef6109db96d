/*
 * Who signs a recording: opens the keystore, makes the default tenant's keys the first time, and finds the tenant's store.
 * The recorder's secret key is in this process only until the header is written; what signs after that is the
 * archive's own.
 */
#ifndef SWORN_RECORD_SIGNING_H
#define SWORN_RECORD_SIGNING_H

#include "../traces/keystore.h"
#include "options.h"

#define SIGNING_HIDDEN_MAX 4

struct signing {
	bool is_signed;
	struct keystore keystore;
	struct tenant_file file;   /* with its secret halves until signing_release() */
	char store[HOME_PATH_MAX]; /* of a tenant that is not the default one; else empty */
	char places[SIGNING_HIDDEN_MAX][HOME_PATH_MAX];
};

/*
 * 0, with is_signed false (and a line to stderr) when no keystore can be made in the default place; negative when one that is
 * there, or that was asked for, cannot be used: signing->keystore.reason says why.
 */
int signing_prepare(const struct record_options *options, struct signing *ret_signing);

/* The store of the tenant, for store_open(); NULL is the default tenant's. */
const char *signing_store(const struct signing *signing, const struct record_options *options);

/* What guests must not see of it, appended to a NULL-terminated list that has room for SIGNING_HIDDEN_MAX more. */
void signing_hide(struct signing *signing, const char **hidden);

/* Wipes the secret keys. */
void signing_release(struct signing *signing);

#endif
