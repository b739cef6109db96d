#include "signing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/error.h"

/* Whether the user asked for keys by name, so that going on without them would be wrong. */
static bool is_wanted(const struct record_options *options, const struct keystore *keystore)
{
	return keystore->named || options->tenant || options->passphrase_file;
}

static int open_tenant(const struct record_options *options, struct signing *signing)
{
	struct keystore *keystore = &signing->keystore;
	static const uint8_t zeros[TENANT_ID_SIZE];
	int r = keystore_open(keystore, options->keystore, true);

	if (r < 0)
		return r;
	if (!options->tenant)
		return keystore_default(keystore, options->passphrase_file, &signing->file);
	r = keystore_find(keystore, options->tenant, &signing->file);
	if (r == 0)
		r = keystore_unlock(keystore, &signing->file, options->passphrase_file);
	if (r == -ENOENT && !strcmp(options->tenant, "default"))
		r = keystore_default(keystore, options->passphrase_file, &signing->file);
	if (r < 0 || !memcmp(signing->file.tenant.id, zeros, TENANT_ID_SIZE))
		return r;
	return keystore_store(keystore, signing->file.tenant.id, signing->store, sizeof(signing->store));
}

int signing_prepare(const struct record_options *options, struct signing *ret_signing)
{
	struct signing *signing = ret_signing;
	int r;

	memset(signing, 0, sizeof(*signing));
	r = open_tenant(options, signing);
	if (r == 0 && !tenant_key(&signing->file.tenant, KEY_RECORDER)) {
		snprintf(signing->keystore.reason, sizeof(signing->keystore.reason),
			 "tenant %s has no recorder key; record for another tenant",
			 signing->file.tenant.name);
		r = SWORN_EKEYSTORE;
	}
	signing->is_signed = r == 0;
	/* A keystore that is there but must not be used is no reason to go on without signing. */
	if (r == 0 || r <= SWORN_EFORMAT || is_wanted(options, &signing->keystore))
		return r;
	fprintf(stderr, "sworn: the trace will not be signed: %s\n",
		signing->keystore.reason[0] ? signing->keystore.reason : error_text(r));
	return 0;
}

const char *signing_store(const struct signing *signing, const struct record_options *options)
{
	return options->store ? options->store : signing->store[0] ? signing->store : NULL;
}

/* What lies in a hidden directory is hidden with it, and would not be found any more. */
static bool is_covered(const char *path, const char *const *hidden)
{
	for (; *hidden; hidden++) {
		size_t length = strlen(*hidden);

		if (!strncmp(path, *hidden, length) && (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

void signing_hide(struct signing *signing, const char **hidden)
{
	const struct keystore *keystore = &signing->keystore;
	char stores[HOME_PATH_MAX], store[HOME_PATH_MAX];
	const char *wanted[SIGNING_HIDDEN_MAX] = { keystore->path, keystore->root, NULL, NULL };
	size_t n = 0;

	if (keystore_stores(keystore, stores, sizeof(stores)) == 0)
		wanted[2] = stores;
	if (home_path("store", store, sizeof(store)) == 0)
		wanted[3] = store;
	while (hidden[n])
		n++;
	for (size_t i = 0; i < SIGNING_HIDDEN_MAX; i++) {
		char *path = wanted[i] && *wanted[i] ? realpath(wanted[i], NULL) : NULL;

		if (path && strlen(path) < HOME_PATH_MAX && !is_covered(path, hidden)) {
			strcpy(signing->places[i], path);
			hidden[n++] = signing->places[i];
			hidden[n] = NULL;
		}
		free(path);
	}
}

void signing_release(struct signing *signing)
{
	tenant_erase(&signing->file.tenant);
}
