#include "statement.h"

#include <string.h>

#include "digest.h"
#include "error.h"
#include "keyed.h"

#define STATEMENT_VERSION 1
#define PAYLOAD_MAX 384

static const char *type_of(enum statement_kind kind)
{
	return kind == STATEMENT_SIGNATURE ? STATEMENT_TYPE_SIGNATURE : STATEMENT_TYPE_ATTESTATION;
}

static void put_counts(struct cbor_out *out, const struct statement *s)
{
	const uint64_t counts[] = { s->events_checked, s->events, s->units_checked, s->units };
	cbor_put_array(out, 4);
	for (size_t i = 0; i < 4; i++)
		cbor_put_uint(out, counts[i]);
}

static int take_counts(struct cbor_in *in, struct statement *ret)
{
	uint64_t *counts[] = { &ret->events_checked, &ret->events, &ret->units_checked, &ret->units };
	int r = cbor_expect_array(in, 4);
	for (size_t i = 0; i < 4 && r == 0; i++)
		r = cbor_take_uint(in, counts[i]);
	return r;
}

static void put_attestation(struct cbor_out *out, const struct statement *s)
{
	cbor_put_map(out, 9);
	put_keyed_uint(out, 0, STATEMENT_VERSION);
	put_keyed_bytes(out, 1, s->seal_id, DIGEST_BYTES);
	put_keyed_uint(out, 2, s->outcome);
	put_keyed_bytes(out, 3, s->state, DIGEST_BYTES);
	cbor_put_uint(out, 4);
	put_counts(out, s);
	put_keyed_bytes(out, 5, s->engine, DIGEST_BYTES);
	put_keyed_bytes(out, 6, s->machine, DIGEST_BYTES);
	put_keyed_bytes(out, 7, s->challenge, STATEMENT_CHALLENGE_BYTES);
	put_keyed_uint(out, 8, s->at);
}

static int take_attestation(struct cbor_in *in, struct statement *ret)
{
	uint64_t version, outcome = 0;
	int r = cbor_expect_map(in, 9);
	if (r < 0 || (r = take_keyed_uint(in, 0, STATEMENT_VERSION, &version)) < 0 ||
	    (r = take_keyed_bytes(in, 1, ret->seal_id, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(in, 2, ATTESTED_PREFIX, &outcome)) < 0 ||
	    (r = take_keyed_bytes(in, 3, ret->state, DIGEST_BYTES)) < 0 ||
	    (r = cbor_expect_key(in, 4)) < 0 || (r = take_counts(in, ret)) < 0 ||
	    (r = take_keyed_bytes(in, 5, ret->engine, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(in, 6, ret->machine, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(in, 7, ret->challenge, STATEMENT_CHALLENGE_BYTES)) < 0 ||
	    (r = take_keyed_uint(in, 8, UINT64_MAX, &ret->at)) < 0)
		return r;
	ret->outcome = (enum attested)outcome;
	return version == STATEMENT_VERSION ? 0 : SWORN_EFORMAT;
}

static void put_signature(struct cbor_out *out, const struct statement *s)
{
	cbor_put_map(out, 3);
	put_keyed_uint(out, 0, STATEMENT_VERSION);
	put_keyed_bytes(out, 1, s->seal_id, DIGEST_BYTES);
	put_keyed_uint(out, 2, s->at);
}

static int take_signature(struct cbor_in *in, struct statement *ret)
{
	uint64_t version;
	int r = cbor_expect_map(in, 3);
	if (r < 0 || (r = take_keyed_uint(in, 0, STATEMENT_VERSION, &version)) < 0 ||
	    (r = take_keyed_bytes(in, 1, ret->seal_id, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(in, 2, UINT64_MAX, &ret->at)) < 0)
		return r;
	return version == STATEMENT_VERSION ? 0 : SWORN_EFORMAT;
}

void statement_encode(const struct statement *statement, const struct key *key, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	if (statement->kind == STATEMENT_SIGNATURE)
		put_signature(&payload, statement);
	else
		put_attestation(&payload, statement);
	envelope_encode(out, type_of(statement->kind), &payload, key);
}

/* The envelope of one of the two types. */
static int open_statement(const uint8_t *bytes, size_t length, struct envelope *ret_envelope,
			  enum statement_kind *ret_kind)
{
	const char *type;
	size_t type_length;
	int r = envelope_type(bytes, length, &type, &type_length);
	if (r < 0)
		return r;
	enum statement_kind kind = type_length == strlen(STATEMENT_TYPE_SIGNATURE)
					   ? STATEMENT_SIGNATURE
					   : STATEMENT_ATTESTATION;
	*ret_kind = kind;
	return envelope_decode(bytes, length, type_of(kind), ret_envelope);
}

int statement_decode(const uint8_t *bytes, size_t length, struct statement *ret_statement)
{
	struct statement statement = { .at = 0 };
	struct envelope envelope;
	int r = open_statement(bytes, length, &envelope, &statement.kind);
	if (r < 0)
		return r;
	if (digest_is_zero(envelope.kid))
		return SWORN_EFORMAT;
	memcpy(statement.kid, envelope.kid, DIGEST_BYTES);
	struct cbor_in in = { envelope.payload, envelope.payload_length };
	r = statement.kind == STATEMENT_SIGNATURE ? take_signature(&in, &statement)
						  : take_attestation(&in, &statement);
	if (r < 0 || in.length)
		return SWORN_EFORMAT;
	*ret_statement = statement;
	return 0;
}

int statement_check(const uint8_t *bytes, size_t length, const uint8_t public_key[KEY_BYTES])
{
	struct envelope envelope;
	enum statement_kind kind;
	int r = open_statement(bytes, length, &envelope, &kind);
	return r < 0 ? SWORN_EINTEGRITY : envelope_check(&envelope, KEY_ATTESTER, public_key);
}

void trailer_encode(const uint8_t *statement, size_t length, const uint8_t public_key[KEY_BYTES],
		    struct cbor_out *out)
{
	cbor_put_array(out, 2);
	cbor_put_bytes(out, public_key, KEY_BYTES);
	cbor_put_bytes(out, statement, length);
}

int trailer_decode(const uint8_t *bytes, size_t length, struct trailer *ret_trailer)
{
	struct cbor_in in = { bytes, length };
	struct trailer trailer;
	const uint8_t *statement;
	size_t statement_length;
	int r = cbor_expect_array(&in, 2);
	if (r < 0 || (r = cbor_take_exactly(&in, trailer.public_key, KEY_BYTES)) < 0 ||
	    (r = cbor_take_bytes(&in, &statement, &statement_length)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	if ((r = statement_decode(statement, statement_length, &trailer.statement)) < 0 ||
	    (r = statement_check(statement, statement_length, trailer.public_key)) < 0)
		return r;
	*ret_trailer = trailer;
	return 0;
}

bool trailer_is_same(const struct trailer *a, const struct trailer *b)
{
	const struct statement *s = &a->statement, *t = &b->statement;
	bool same = s->kind == t->kind && s->at == t->at && digest_equal(s->kid, t->kid) &&
		    digest_equal(s->seal_id, t->seal_id);
	if (!same || s->kind == STATEMENT_SIGNATURE)
		return same;
	return s->outcome == t->outcome && digest_equal(s->state, t->state) &&
	       s->events_checked == t->events_checked && s->events == t->events &&
	       s->units_checked == t->units_checked && s->units == t->units &&
	       digest_equal(s->engine, t->engine) && digest_equal(s->machine, t->machine) &&
	       !memcmp(s->challenge, t->challenge, STATEMENT_CHALLENGE_BYTES);
}
