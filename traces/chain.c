#include "chain.h"

#include <assert.h>
#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "digest.h"
#include "error.h"

/* Hashes of this file cover little and must not fail, so the state is on the stack. */
static void hash_parts(const struct part *parts, size_t count, uint8_t ret_hash[DIGEST_BYTES])
{
	crypto_hash_sha256_state state;
	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, parts[i].bytes, parts[i].length);
	crypto_hash_sha256_final(&state, ret_hash);
}

static size_t string_head(const struct part *part, uint8_t ret_head[CBOR_HEAD_BYTES])
{
	struct cbor_out out = { .bytes = ret_head, .capacity = CBOR_HEAD_BYTES };
	uint8_t major = part->text ? 3 << 5 : 2 << 5;
	cbor_put_uint(&out, part->length);
	ret_head[0] = (uint8_t)(ret_head[0] | major);
	return out.length;
}

void chain_hash(const char *label, const struct part *parts, size_t count,
		uint8_t ret_hash[DIGEST_BYTES])
{
	crypto_hash_sha256_state state;
	uint8_t head[CBOR_HEAD_BYTES];
	struct cbor_out out = { .bytes = head, .capacity = sizeof(head) };
	crypto_hash_sha256_init(&state);
	cbor_put_array(&out, count + 1);
	crypto_hash_sha256_update(&state, head, out.length);
	for (size_t i = 0; i <= count; i++) {
		struct part name = { label, strlen(label), true };
		const struct part *part = i ? &parts[i - 1] : &name;
		crypto_hash_sha256_update(&state, head, string_head(part, head));
		crypto_hash_sha256_update(&state, part->bytes, part->length);
	}
	crypto_hash_sha256_final(&state, ret_hash);
}

void chain_commit(const char *what, const void *value, size_t length, uint8_t ret_hash[DIGEST_BYTES])
{
	struct part parts[] = { { what, strlen(what), true }, { "", 0, false }, { value, length, false } };
	chain_hash("sworn/1/commit", parts, 3, ret_hash);
}

void link_encode(const struct link *link, struct cbor_out *out)
{
	cbor_put_map(out, 10);
	cbor_put_uint(out, 0);
	cbor_put_uint(out, link->seq);
	cbor_put_uint(out, 1);
	cbor_put_uint(out, link->kind);
	cbor_put_uint(out, 2);
	cbor_put_uint(out, link->stored_length);
	cbor_put_uint(out, 3);
	cbor_put_bytes(out, link->stored_hash, DIGEST_BYTES);
	cbor_put_uint(out, 4);
	cbor_put_uint(out, link->first_event);
	cbor_put_uint(out, 5);
	cbor_put_uint(out, link->events);
	cbor_put_uint(out, 6);
	cbor_put_uint(out, link->raw_length);
	cbor_put_uint(out, 7);
	cbor_put_bytes(out, link->prev, DIGEST_BYTES);
	cbor_put_uint(out, 9);
	cbor_put_uint(out, link->utc_ns);
	cbor_put_uint(out, 10);
	cbor_put_uint(out, link->mono_ns);
}

static int take_keyed(struct cbor_in *in, unsigned int key, uint64_t *ret_value)
{
	int r = cbor_expect_key(in, key);
	return r < 0 ? r : cbor_take_uint(in, ret_value);
}

int link_decode(const uint8_t *bytes, size_t length, struct link *ret_link)
{
	struct cbor_in in = { bytes, length };
	struct link link;
	int r = cbor_expect_map(&in, 10);
	if (r < 0 || (r = take_keyed(&in, 0, &link.seq)) < 0 ||
	    (r = take_keyed(&in, 1, &link.kind)) < 0 ||
	    (r = take_keyed(&in, 2, &link.stored_length)) < 0 || (r = cbor_expect_key(&in, 3)) < 0 ||
	    (r = cbor_take_exactly(&in, link.stored_hash, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed(&in, 4, &link.first_event)) < 0 ||
	    (r = take_keyed(&in, 5, &link.events)) < 0 ||
	    (r = take_keyed(&in, 6, &link.raw_length)) < 0 || (r = cbor_expect_key(&in, 7)) < 0 ||
	    (r = cbor_take_exactly(&in, link.prev, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed(&in, 9, &link.utc_ns)) < 0 || (r = take_keyed(&in, 10, &link.mono_ns)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_link = link;
	return 0;
}

static void merkle_node(const uint8_t *left, const uint8_t *right, uint8_t ret_hash[DIGEST_BYTES])
{
	struct part parts[] = { { "\x01", 1, false },
				{ left, DIGEST_BYTES, false },
				{ right, DIGEST_BYTES, false } };
	hash_parts(parts, 3, ret_hash);
}

void merkle_append(struct merkle *merkle, const void *leaf, size_t length)
{
	struct part parts[] = { { "\x00", 1, false }, { leaf, length, false } };
	unsigned int depth = (unsigned int)__builtin_popcountll(merkle->leaves);
	hash_parts(parts, 2, merkle->subtrees[depth]);
	/* Each trailing one bit of the count is a complete subtree as large as the newest. */
	for (uint64_t bits = merkle->leaves; bits & 1; bits >>= 1, depth--)
		merkle_node(merkle->subtrees[depth - 1], merkle->subtrees[depth],
			    merkle->subtrees[depth - 1]);
	merkle->leaves++;
}

void merkle_root(const struct merkle *merkle, uint8_t ret_root[DIGEST_BYTES])
{
	unsigned int depth = (unsigned int)__builtin_popcountll(merkle->leaves);
	if (depth == 0) {
		digest_of("", 0, ret_root);
		return;
	}
	uint8_t root[DIGEST_BYTES];
	memcpy(root, merkle->subtrees[--depth], DIGEST_BYTES);
	while (depth-- > 0)
		merkle_node(merkle->subtrees[depth], root, root);
	memcpy(ret_root, root, DIGEST_BYTES);
}

void chain_begin(struct chain *chain, const void *header_frame, size_t length)
{
	uint8_t stored[DIGEST_BYTES];
	memset(chain, 0, sizeof(*chain));
	digest_of(header_frame, length, stored);
	chain_hash("sworn/1/header", &(struct part){ stored, sizeof(stored), false }, 1, chain->header);
	memcpy(chain->last, chain->header, DIGEST_BYTES);
}

void chain_append(struct chain *chain, const struct link *link, const void *bytes, size_t length)
{
	assert(chain->merkle.leaves < UINT64_MAX);
	chain_hash("sworn/1/link", &(struct part){ bytes, length, false }, 1, chain->last);
	merkle_append(&chain->merkle, bytes, length);
	chain->links++;
	chain->events += link->events;
}
