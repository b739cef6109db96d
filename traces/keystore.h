/*
 * The keystore of one user: a directory with a file for each tenant (tenant.h), and beside it, under the same name with
 * ".root", the keyfile that wraps their secrets. Nobody but its owner may have any right to either. Files appear
 * complete or not at all, and never replace another, so that two recorders may create the same one at once.
 */
#ifndef SWORN_TRACES_KEYSTORE_H
#define SWORN_TRACES_KEYSTORE_H

#include "home.h"
#include "tenant.h"

#define KEYSTORE_TRUST "trust" /* the trust file in it (trust.h) */
#define KEYSTORE_REASON_BYTES (HOME_PATH_MAX + 512)

struct keystore {
	int fd; /* owned; -1: there is none */
	char path[HOME_PATH_MAX], root[HOME_PATH_MAX];
	bool named; /* by an option or $SWORN_KEYSTORE: not the default one */
	char reason[KEYSTORE_REASON_BYTES]; /* of the newest failure: what, where, and what to do */
};

/*
 * Opens the keystore at `path`, or $SWORN_KEYSTORE, or where home_path() has "keys". `create` makes the directory. 0; -ENOENT
 * when there is none; SWORN_EKEYSTORE for one that others may use; other -errno. keystore_close() in any case.
 */
int keystore_open(struct keystore *keystore, const char *path, bool create);
void keystore_close(struct keystore *keystore);

/* Reads the file of the tenant with that name or id; NULL is the default tenant. Public halves only. 0; -ENOENT;
 * SWORN_EKEYSTORE for a file that others may use or that is damaged; other errors of tenant_decode(). */
int keystore_find(struct keystore *keystore, const char *tenant, struct tenant_file *ret_file);

/* Calls `each` for every tenant, ordered by id; a non-zero return of it ends the walk with that value. */
int keystore_each(struct keystore *keystore,
		  int (*each)(void *context, const struct tenant_file *file), void *context);

/* Where a tenant's traces lie: the default store, or one of its own beside the keystore. 0, -ENAMETOOLONG, -ENOENT. */
int keystore_store(const struct keystore *keystore, const uint8_t id[TENANT_ID_SIZE],
		   char *ret_path, size_t size);
/* The directory of all tenants' own stores. Likewise. */
int keystore_stores(const struct keystore *keystore, char *ret_path, size_t size);

/* Adds the secret halves: with the keyfile, or with the passphrase (passphrase.h). 0; SWORN_EKEYSTORE when it is the wrong
 * one; other errors. tenant_erase() afterwards. */
int keystore_unlock(struct keystore *keystore, struct tenant_file *file, const char *passphrase_file);

/* How new files are wrapped. */
struct keystore_wrap {
	bool passphrase;	     /* else by the keyfile, which is made when there is none */
	const char *passphrase_file; /* as passphrase_read() takes it */
};

/* Writes the file of a tenant, whose keys have their secret halves. 0; -EEXIST when there is one of that id or name. */
int keystore_add(struct keystore *keystore, const struct tenant *tenant,
		 const struct keystore_wrap *wrap);

/* The default tenant with its secret halves, made when there is none yet. */
int keystore_default(struct keystore *keystore, const char *passphrase_file,
		     struct tenant_file *ret_file);

/* The tenant's file wrapped by a passphrase, in the place of the keystore's own wrapping, and back. */
int keystore_export(struct keystore *keystore, const struct tenant *tenant,
		    const char *passphrase_file, struct buffer *ret_buffer);
int keystore_import(struct keystore *keystore, const uint8_t *bytes, size_t length,
		    const char *passphrase_file, struct tenant_file *ret_file);

/* Writes a file of the keystore's directory, mode 0600, complete or not at all; `replace` false: -EEXIST for one that is
 * there. */
int keystore_write(struct keystore *keystore, const char *name, const struct buffer *content,
		   bool replace);
/* Reads one, whose mode and owner have to be as they should; at most `max` bytes. 0, -ENOENT, SWORN_EKEYSTORE, ... */
int keystore_read(struct keystore *keystore, const char *name, size_t max, struct buffer *ret_content);

#endif
