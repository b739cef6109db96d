/*
 * A tenant: its id, name and keys, and the file that a keystore has of it. Names and public keys are readable in
 * that file, so that whoever only checks needs no secret; the secret halves are wrapped, and the wrapping covers
 * everything else too. Knows bytes, not files.
 */
#ifndef SWORN_TRACES_TENANT_H
#define SWORN_TRACES_TENANT_H

#include "buffer.h"
#include "key.h"

#define TENANT_ID_SIZE 16
#define TENANT_NAME_MAX 64
#define TENANT_KEYS_MAX 8
#define TENANT_FILE_MAX 4096
#define WRAP_SALT_BYTES 16
#define WRAP_NONCE_BYTES 24

struct tenant {
	uint8_t id[TENANT_ID_SIZE]; /* zeros: the default tenant */
	char name[TENANT_NAME_MAX + 1];
	uint64_t created; /* Unix seconds */
	struct key keys[TENANT_KEYS_MAX];
	size_t keys_count;
};

/* What the secret halves are wrapped with. */
enum wrap_kind { WRAP_KEYFILE = 0, WRAP_PASSPHRASE = 1 };
struct wrap {
	enum wrap_kind kind;
	uint8_t salt[WRAP_SALT_BYTES]; /* of a passphrase; zeros for a keyfile */
	uint64_t passes, kibibytes;    /* Argon2id's cost; 0 for a keyfile */
};

/* A tenant's file, taken apart. */
struct tenant_file {
	struct tenant tenant; /* public halves until it is opened */
	struct wrap wrap;
	uint8_t nonce[WRAP_NONCE_BYTES];
	uint8_t open[TENANT_FILE_MAX]; /* what the wrapping covers beside the secrets */
	size_t open_length;
	uint8_t sealed[TENANT_FILE_MAX];
	size_t sealed_length;
};

/* Letters, digits, dot, dash and underscore, at most TENANT_NAME_MAX, not beginning with a dot or dash, and no id. */
bool tenant_name_is_valid(const char *name);
/* 32 hexadecimal digits. 0 or SWORN_EFORMAT. */
int tenant_id_parse(const char *text, uint8_t ret_id[TENANT_ID_SIZE]);

/* A new tenant with one key of each purpose that tenants have. `id` NULL: a random one. 0 or -ENOMEM; tenant_erase(). */
int tenant_generate(const uint8_t *id, const char *name, struct tenant *ret_tenant);
/* The tenant's key of that purpose, or NULL. */
const struct key *tenant_key(const struct tenant *tenant, enum key_purpose purpose);
/* Wipes the secret halves. Harmless when done twice. */
void tenant_erase(struct tenant *tenant);

/* Argon2id of the passphrase into the guarded 32 bytes at `wrapping`. 0, SWORN_ELIMIT for a cost over the limit, -ENOMEM. */
int wrap_derive(const struct wrap *wrap, const char *passphrase, uint8_t *wrapping);
/* A new salt and the cost for new files. */
void wrap_passphrase(struct wrap *ret_wrap);

/* Replaces the content of `buffer` by the tenant's file, its secrets wrapped by the 32 bytes. 0 or -ENOMEM. */
int tenant_encode(const struct tenant *tenant, const struct wrap *wrap, const uint8_t *wrapping,
		  struct buffer *buffer);
/* 0; SWORN_EFORMAT, SWORN_EVERSION, SWORN_ELIMIT. Nothing in it is known to be true before tenant_open(). */
int tenant_decode(const uint8_t *bytes, size_t length, struct tenant_file *ret_file);
/* Adds the secret halves to file->tenant. 0; SWORN_EKEYSTORE when the key is another or the file was changed; -ENOMEM. */
int tenant_open(struct tenant_file *file, const uint8_t *wrapping);

#endif
