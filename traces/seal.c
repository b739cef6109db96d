#include "seal.h"

#include <string.h>

#include "digest.h"
#include "error.h"
#include "keyed.h"

#define HEADER_VERSION 1
#define PAYLOAD_MAX 768

static const uint8_t zeros[DIGEST_BYTES];

int seal_id(const uint8_t *bytes, size_t length, uint8_t ret_id[DIGEST_BYTES])
{
	struct envelope envelope;
	int r = envelope_decode(bytes, length, SEAL_TYPE_SEAL, &envelope);
	if (r == 0)
		envelope_id(&envelope, "sworn/1/seal", ret_id);
	return r;
}

/* Opens an envelope that the archive's key signed, if the header names one. */
static int open_envelope(const uint8_t *bytes, size_t length, const char *type,
			 const uint8_t *archive_key, struct cbor_in *ret_payload)
{
	struct envelope envelope;
	int r = envelope_decode(bytes, length, type, &envelope);
	if (r < 0)
		return r;
	if (archive_key && digest_is_zero(archive_key) != digest_is_zero(envelope.kid))
		return SWORN_EINTEGRITY;
	if (archive_key && !digest_is_zero(archive_key) &&
	    (r = envelope_check(&envelope, KEY_ARCHIVE, archive_key)) < 0)
		return r;
	*ret_payload = (struct cbor_in){ envelope.payload, envelope.payload_length };
	return 0;
}

/* Header fields 4 to 6 (last block, verdict digest, log head) have no source yet. */
static int take_keyed_zeros(struct cbor_in *in, unsigned int key)
{
	uint8_t bytes[DIGEST_BYTES];
	int r = take_keyed_bytes(in, key, bytes, sizeof(bytes));
	return r == 0 && !digest_is_zero(bytes) ? SWORN_EVERSION : r;
}

void header_encode(const struct header *header, const struct key *key, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_map(&payload, 9);
	put_keyed_uint(&payload, 0, HEADER_VERSION);
	put_keyed_bytes(&payload, 1, header->archive, ARCHIVE_ID_BYTES);
	put_keyed_bytes(&payload, 2, header->tenant, TENANT_ID_BYTES);
	put_keyed_bytes(&payload, 3, header->archive_key, KEY_BYTES);
	for (unsigned int field = 4; field <= 6; field++)
		put_keyed_bytes(&payload, field, zeros, DIGEST_BYTES);
	put_keyed_bytes(&payload, 7, header->private_digest, DIGEST_BYTES);
	put_keyed_uint(&payload, 8, header->started);
	envelope_encode(out, SEAL_TYPE_HEADER, &payload, key);
}

int header_decode(const uint8_t *bytes, size_t length, struct header *ret_header)
{
	struct envelope envelope;
	struct header header;
	uint64_t version;
	unsigned int pairs;
	int r = envelope_decode(bytes, length, SEAL_TYPE_HEADER, &envelope);
	if (r < 0)
		return r;
	struct cbor_in in = { envelope.payload, envelope.payload_length };
	if ((r = cbor_take_map(&in, &pairs)) < 0 ||
	    (r = take_keyed_uint(&in, 0, UINT64_MAX, &version)) < 0)
		return r;
	if (version != HEADER_VERSION)
		return version < HEADER_VERSION ? SWORN_EFORMAT : SWORN_EVERSION;
	if (pairs != 9)
		return SWORN_EFORMAT;
	if ((r = take_keyed_bytes(&in, 1, header.archive, ARCHIVE_ID_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 2, header.tenant, TENANT_ID_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 3, header.archive_key, KEY_BYTES)) < 0)
		return r;
	for (unsigned int field = 4; field <= 6; field++)
		if ((r = take_keyed_zeros(&in, field)) < 0)
			return r;
	if ((r = take_keyed_bytes(&in, 7, header.private_digest, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 8, UINT64_MAX, &header.started)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	/* Who signs names the key that closes the archive, and nobody else can. */
	if (digest_is_zero(envelope.kid) != digest_is_zero(header.archive_key))
		return SWORN_EINTEGRITY;
	memcpy(header.kid, envelope.kid, DIGEST_BYTES);
	*ret_header = header;
	return 0;
}

void checkpoint_encode(const struct checkpoint *checkpoint, const struct key *key, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_map(&payload, 6);
	put_keyed_bytes(&payload, 0, checkpoint->header_hash, DIGEST_BYTES);
	put_keyed_bytes(&payload, 1, checkpoint->last_link, DIGEST_BYTES);
	put_keyed_uint(&payload, 2, checkpoint->links);
	put_keyed_uint(&payload, 3, checkpoint->events);
	put_keyed_uint(&payload, 4, checkpoint->end_offset);
	put_keyed_uint(&payload, 5, checkpoint->at);
	envelope_encode(out, SEAL_TYPE_CHECKPOINT, &payload, key);
}

int checkpoint_decode(const uint8_t *bytes, size_t length, const uint8_t archive_key[KEY_BYTES],
		      struct checkpoint *ret_checkpoint)
{
	struct cbor_in in;
	struct checkpoint c;
	if (digest_is_zero(archive_key))
		return SWORN_EFORMAT;
	int r = open_envelope(bytes, length, SEAL_TYPE_CHECKPOINT, archive_key, &in);
	if (r < 0 || (r = cbor_expect_map(&in, 6)) < 0 ||
	    (r = take_keyed_bytes(&in, 0, c.header_hash, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 1, c.last_link, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 2, UINT64_MAX, &c.links)) < 0 ||
	    (r = take_keyed_uint(&in, 3, UINT64_MAX, &c.events)) < 0 ||
	    (r = take_keyed_uint(&in, 4, UINT64_MAX, &c.end_offset)) < 0 ||
	    (r = take_keyed_uint(&in, 5, UINT64_MAX, &c.at)) < 0)
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_checkpoint = c;
	return 0;
}

static void put_capture(struct cbor_out *out, const struct capture *capture)
{
	cbor_put_map(out, 4);
	put_keyed_uint(out, 0, capture->isolated);
	put_keyed_uint(out, 1, capture->buffered);
	put_keyed_uint(out, 2, capture->clock);
	put_keyed_uint(out, 3, capture->schedule);
}

static int take_capture(struct cbor_in *in, struct capture *ret_capture)
{
	uint64_t isolated, buffered, clock, schedule;
	int r = cbor_expect_map(in, 4);
	if (r < 0 || (r = take_keyed_uint(in, 0, 1, &isolated)) < 0 ||
	    (r = take_keyed_uint(in, 1, 1, &buffered)) < 0 ||
	    (r = take_keyed_uint(in, 2, 2, &clock)) < 0 ||
	    (r = take_keyed_uint(in, 3, 2, &schedule)) < 0)
		return r;
	*ret_capture = (struct capture){ .isolated = isolated == 1,
					 .buffered = buffered == 1,
					 .clock = (uint8_t)clock,
					 .schedule = (uint8_t)schedule };
	return 0;
}

void manifest_encode(const struct manifest *manifest, const struct key *key, struct cbor_out *out)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct cbor_out payload = { .bytes = bytes, .capacity = sizeof(bytes) };
	cbor_put_map(&payload, manifest->is_derived ? 13 : 12);
	put_keyed_bytes(&payload, 0, manifest->header_hash, DIGEST_BYTES);
	put_keyed_bytes(&payload, 1, manifest->last_link, DIGEST_BYTES);
	put_keyed_uint(&payload, 2, manifest->links);
	put_keyed_uint(&payload, 3, manifest->events);
	put_keyed_uint(&payload, 4, manifest->end_offset);
	put_keyed_bytes(&payload, 5, manifest->merkle_root, DIGEST_BYTES);
	put_keyed_bytes(&payload, 6, manifest->state, DIGEST_BYTES);
	put_keyed_bytes(&payload, 7, manifest->outputs, DIGEST_BYTES);
	put_keyed_bytes(&payload, 8, manifest->limits_of_proof, DIGEST_BYTES);
	put_keyed_uint(&payload, 9, manifest->completeness);
	cbor_put_uint(&payload, 10);
	put_capture(&payload, &manifest->capture);
	put_keyed_uint(&payload, 11, manifest->ended);
	if (manifest->is_derived)
		put_keyed_bytes(&payload, 12, manifest->derived, DIGEST_BYTES);
	envelope_encode(out, SEAL_TYPE_SEAL, &payload, key);
}

int manifest_decode(const uint8_t *bytes, size_t length, const uint8_t *archive_key,
		    struct manifest *ret_manifest)
{
	struct cbor_in in;
	struct manifest m;
	unsigned int pairs;
	int r = open_envelope(bytes, length, SEAL_TYPE_SEAL, archive_key, &in);
	if (r < 0 || (r = cbor_take_map(&in, &pairs)) < 0)
		return r;
	if (pairs != 12 && pairs != 13)
		return SWORN_EFORMAT;
	m.is_derived = pairs == 13;
	memset(m.derived, 0, DIGEST_BYTES);
	if ((r = take_keyed_bytes(&in, 0, m.header_hash, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 1, m.last_link, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 2, UINT64_MAX, &m.links)) < 0 ||
	    (r = take_keyed_uint(&in, 3, UINT64_MAX, &m.events)) < 0 ||
	    (r = take_keyed_uint(&in, 4, UINT64_MAX, &m.end_offset)) < 0 ||
	    (r = take_keyed_bytes(&in, 5, m.merkle_root, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 6, m.state, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 7, m.outputs, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_bytes(&in, 8, m.limits_of_proof, DIGEST_BYTES)) < 0 ||
	    (r = take_keyed_uint(&in, 9, 2, &m.completeness)) < 0 ||
	    (r = cbor_expect_key(&in, 10)) < 0 || (r = take_capture(&in, &m.capture)) < 0 ||
	    (r = take_keyed_uint(&in, 11, UINT64_MAX, &m.ended)) < 0 ||
	    (m.is_derived && (r = take_keyed_bytes(&in, 12, m.derived, DIGEST_BYTES)) < 0))
		return r;
	if (in.length)
		return SWORN_EFORMAT;
	*ret_manifest = m;
	return 0;
}
