#include "tenant.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "cbor.h"
#include "error.h"

#define FILE_VERSION 1
#define PASSES 3
#define PASSES_MAX 64
#define KIBIBYTES (64u << 10)
#define KIBIBYTES_MAX (1u << 20)
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

/* What a tenant does with a trace: record it, and vouch for it afterwards. */
static const enum key_purpose own_purposes[] = { KEY_RECORDER, KEY_ATTESTER };
#define OWN_PURPOSES (sizeof(own_purposes) / sizeof(own_purposes[0]))

int tenant_id_parse(const char *text, uint8_t ret_id[TENANT_ID_SIZE])
{
	uint8_t id[TENANT_ID_SIZE];
	size_t length;
	const char *end;
	if (sodium_hex2bin(id, sizeof(id), text, strlen(text), NULL, &length, &end) != 0 || *end ||
	    length != sizeof(id))
		return SWORN_EFORMAT;
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

bool tenant_name_is_valid(const char *name)
{
	uint8_t id[TENANT_ID_SIZE];
	size_t length = strlen(name);
	if (length == 0 || length > TENANT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isascii(name[i]) || (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])))
			return false;
	return tenant_id_parse(name, id) < 0;
}

int tenant_generate(const uint8_t *id, const char *name, struct tenant *ret_tenant)
{
	struct tenant *tenant = ret_tenant;
	memset(tenant, 0, sizeof(*tenant));
	if (sodium_init() < 0)
		return -ENOMEM;
	if (id)
		memcpy(tenant->id, id, sizeof(tenant->id));
	else
		randombytes_buf(tenant->id, sizeof(tenant->id));
	strncpy(tenant->name, name, TENANT_NAME_MAX);
	tenant->created = (uint64_t)time(NULL);
	for (size_t i = 0; i < OWN_PURPOSES; i++) {
		int r = key_generate(own_purposes[i], &tenant->keys[i]);
		if (r < 0)
			return r;
		tenant->keys_count++;
	}
	return 0;
}

const struct key *tenant_key(const struct tenant *tenant, enum key_purpose purpose)
{
	for (size_t i = 0; i < tenant->keys_count; i++)
		if (tenant->keys[i].purpose == purpose)
			return &tenant->keys[i];
	return NULL;
}

void tenant_erase(struct tenant *tenant)
{
	for (size_t i = 0; i < tenant->keys_count; i++)
		key_erase(&tenant->keys[i]);
}

void wrap_passphrase(struct wrap *ret_wrap)
{
	*ret_wrap = (struct wrap){ .kind = WRAP_PASSPHRASE, .passes = PASSES, .kibibytes = KIBIBYTES };
	randombytes_buf(ret_wrap->salt, sizeof(ret_wrap->salt));
}

int wrap_derive(const struct wrap *wrap, const char *passphrase, uint8_t *wrapping)
{
	static_assert(WRAP_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES, "Argon2id's salt");
	if (wrap->passes < 1 || wrap->passes > PASSES_MAX || wrap->kibibytes < 8 ||
	    wrap->kibibytes > KIBIBYTES_MAX)
		return SWORN_ELIMIT;
	return crypto_pwhash_argon2id(wrapping, KEY_BYTES, passphrase, strlen(passphrase),
				      wrap->salt, wrap->passes, (size_t)wrap->kibibytes << 10,
				      crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0
		       ? 0
		       : -ENOMEM;
}

static void put_open(struct cbor_out *out, const struct tenant *tenant, const struct wrap *wrap)
{
	cbor_put_map(out, 6);
	cbor_put_uint(out, 0);
	cbor_put_uint(out, FILE_VERSION);
	cbor_put_uint(out, 1);
	cbor_put_bytes(out, tenant->id, TENANT_ID_SIZE);
	cbor_put_uint(out, 2);
	cbor_put_text(out, tenant->name);
	cbor_put_uint(out, 3);
	cbor_put_uint(out, tenant->created);
	cbor_put_uint(out, 4);
	cbor_put_array(out, 4);
	cbor_put_uint(out, wrap->kind);
	cbor_put_bytes(out, wrap->salt, WRAP_SALT_BYTES);
	cbor_put_uint(out, wrap->passes);
	cbor_put_uint(out, wrap->kibibytes);
	cbor_put_uint(out, 5);
	cbor_put_array(out, tenant->keys_count);
	for (size_t i = 0; i < tenant->keys_count; i++) {
		cbor_put_array(out, 2);
		cbor_put_uint(out, tenant->keys[i].purpose);
		cbor_put_bytes(out, tenant->keys[i].public_key, KEY_BYTES);
	}
}

int tenant_encode(const struct tenant *tenant, const struct wrap *wrap, const uint8_t *wrapping,
		  struct buffer *buffer)
{
	uint8_t open[1024], nonce[WRAP_NONCE_BYTES], sealed[TENANT_KEYS_MAX * KEY_BYTES + TAG_BYTES];
	struct cbor_out out = { .bytes = open, .capacity = sizeof(open) };
	unsigned long long sealed_length;
	uint8_t *seeds = secret_new(TENANT_KEYS_MAX * KEY_BYTES);
	int r = seeds ? buffer_reserve(buffer, TENANT_FILE_MAX) : -ENOMEM;
	if (r < 0) {
		secret_free(seeds);
		return r;
	}
	put_open(&out, tenant, wrap);
	for (size_t i = 0; i < tenant->keys_count; i++)
		crypto_sign_ed25519_sk_to_seed(seeds + i * KEY_BYTES, tenant->keys[i].secret);
	randombytes_buf(nonce, sizeof(nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, &sealed_length, seeds,
						   tenant->keys_count * KEY_BYTES, open, out.length,
						   NULL, nonce, wrapping);
	secret_free(seeds);
	struct cbor_out file = { .bytes = buffer->bytes, .capacity = buffer->capacity };
	cbor_put_array(&file, 3);
	cbor_put_bytes(&file, open, out.length);
	cbor_put_bytes(&file, nonce, sizeof(nonce));
	cbor_put_bytes(&file, sealed, sealed_length);
	assert(!out.full && !file.full);
	buffer->length = file.length;
	return 0;
}

static int take_keys(struct cbor_in *in, struct tenant *tenant)
{
	uint64_t count;
	int r = cbor_take_array(in, &count);
	if (r < 0 || count > TENANT_KEYS_MAX)
		return r < 0 ? r : SWORN_ELIMIT;
	for (size_t i = 0; i < count; i++) {
		uint8_t public_key[KEY_BYTES];
		uint64_t purpose;
		if ((r = cbor_expect_array(in, 2)) < 0 || (r = cbor_take_uint(in, &purpose)) < 0 ||
		    (r = cbor_take_exactly(in, public_key, KEY_BYTES)) < 0)
			return r;
		if (!key_purpose_name(purpose))
			return SWORN_EVERSION;
		key_from_public((enum key_purpose)purpose, public_key, &tenant->keys[i]);
		tenant->keys_count++;
	}
	return 0;
}

static int take_wrap(struct cbor_in *in, struct wrap *wrap)
{
	uint64_t kind;
	int r = cbor_expect_array(in, 4);
	if (r < 0 || (r = cbor_take_uint_max(in, WRAP_PASSPHRASE, &kind)) < 0 ||
	    (r = cbor_take_exactly(in, wrap->salt, WRAP_SALT_BYTES)) < 0 ||
	    (r = cbor_take_uint(in, &wrap->passes)) < 0 ||
	    (r = cbor_take_uint(in, &wrap->kibibytes)) < 0)
		return r;
	wrap->kind = (enum wrap_kind)kind;
	return 0;
}

static int take_open(struct cbor_in in, struct tenant_file *file)
{
	struct tenant *tenant = &file->tenant;
	const char *name;
	uint64_t version;
	size_t length;
	int r = cbor_expect_map(&in, 6);
	if (r < 0 || (r = cbor_expect_key(&in, 0)) < 0 || (r = cbor_take_uint(&in, &version)) < 0)
		return r;
	if (version != FILE_VERSION)
		return SWORN_EVERSION;
	if ((r = cbor_expect_key(&in, 1)) < 0 ||
	    (r = cbor_take_exactly(&in, tenant->id, TENANT_ID_SIZE)) < 0 ||
	    (r = cbor_expect_key(&in, 2)) < 0 || (r = cbor_take_text(&in, &name, &length)) < 0)
		return r;
	if (length > TENANT_NAME_MAX)
		return SWORN_ELIMIT;
	memcpy(tenant->name, name, length);
	if (!tenant_name_is_valid(tenant->name))
		return SWORN_EFORMAT;
	if ((r = cbor_expect_key(&in, 3)) < 0 || (r = cbor_take_uint(&in, &tenant->created)) < 0 ||
	    (r = cbor_expect_key(&in, 4)) < 0 || (r = take_wrap(&in, &file->wrap)) < 0 ||
	    (r = cbor_expect_key(&in, 5)) < 0 || (r = take_keys(&in, tenant)) < 0)
		return r;
	return in.length ? SWORN_EFORMAT : 0;
}

int tenant_decode(const uint8_t *bytes, size_t length, struct tenant_file *ret_file)
{
	struct cbor_in in = { bytes, length };
	struct tenant_file *file = ret_file;
	const uint8_t *open, *sealed;
	int r = length > TENANT_FILE_MAX ? SWORN_ELIMIT : cbor_expect_array(&in, 3);
	memset(file, 0, sizeof(*file));
	if (r < 0 || (r = cbor_take_bytes(&in, &open, &file->open_length)) < 0 ||
	    (r = cbor_take_exactly(&in, file->nonce, WRAP_NONCE_BYTES)) < 0 ||
	    (r = cbor_take_bytes(&in, &sealed, &file->sealed_length)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	memcpy(file->open, open, file->open_length);
	memcpy(file->sealed, sealed, file->sealed_length);
	r = take_open((struct cbor_in){ file->open, file->open_length }, file);
	if (r == 0 && file->sealed_length != file->tenant.keys_count * KEY_BYTES + TAG_BYTES)
		r = SWORN_EFORMAT;
	return r;
}

/* The secret half of one key; its public half has to be the one in the file. */
static int open_key(struct key *key, const uint8_t *seed)
{
	struct key whole;
	int r = key_from_seed(key->purpose, seed, &whole);
	if (r == 0 && memcmp(whole.public_key, key->public_key, KEY_BYTES))
		r = SWORN_EKEYSTORE;
	if (r < 0)
		key_erase(&whole);
	else
		*key = whole;
	return r;
}

int tenant_open(struct tenant_file *file, const uint8_t *wrapping)
{
	struct tenant *tenant = &file->tenant;
	uint8_t *seeds = secret_new(TENANT_KEYS_MAX * KEY_BYTES);
	int r = 0;
	if (!seeds)
		return -ENOMEM;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(seeds, NULL, NULL, file->sealed,
						       file->sealed_length, file->open,
						       file->open_length, file->nonce, wrapping) != 0)
		r = SWORN_EKEYSTORE;
	for (size_t i = 0; r == 0 && i < tenant->keys_count; i++)
		r = open_key(&tenant->keys[i], seeds + i * KEY_BYTES);
	secret_free(seeds);
	if (r < 0)
		tenant_erase(tenant);
	return r;
}
