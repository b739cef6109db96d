#include "final.h"

#include <string.h>

#include "cbor.h"
#include "digest.h"

#define PROTOCOL_VERSION 1
#define ITEM_BYTES 64
#define TENANT_BYTES 16

/* Hashes one encoded item at a time: the whole never stands in memory. */
static void feed(struct digest *digest, struct cbor_out *out)
{
	digest_append(digest, out->bytes, out->length);
	out->length = 0;
}

static void feed_bytes(struct digest *digest, struct cbor_out *out, const void *bytes, size_t length)
{
	uint8_t first = 0;
	struct cbor_out head = { out->bytes, 0, ITEM_BYTES, false };

	/* The head of a long string is what encoding it would begin with. */
	if (length <= DIGEST_BYTES) {
		cbor_put_bytes(out, length ? bytes : &first, length);
		feed(digest, out);
		return;
	}
	cbor_put_uint(&head, length);
	head.bytes[0] |= 0x40; /* major type 2 instead of 0 */
	feed(digest, &head);
	digest_append(digest, bytes, length);
}

static void feed_sinks(struct digest *digest, struct cbor_out *out, const struct final_input *input)
{
	cbor_put_array(out, input->sinks_count);
	feed(digest, out);
	for (size_t i = 0; i < input->sinks_count; i++) {
		const struct sink *sink = &input->sinks[i];

		cbor_put_array(out, 4);
		cbor_put_uint(out, sink->number);
		cbor_put_uint(out, sink->kind);
		cbor_put_uint(out, sink->bytes);
		feed(digest, out);
		feed_bytes(digest, out, sink->digest, DIGEST_BYTES);
	}
}

int final_state(const struct final_input *input, uint8_t ret_state[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	uint8_t item[ITEM_BYTES];
	struct cbor_out out = { item, 0, sizeof(item), false };
	struct digest digest = { 0 };
	size_t argc = 0;
	int r = digest_init(&digest);

	if (r < 0)
		return r;
	cbor_put_array(&out, 10);
	cbor_put_text(&out, "sworn/1/state");
	cbor_put_uint(&out, PROTOCOL_VERSION);
	feed(&digest, &out);
	feed_bytes(&digest, &out, zeros, TENANT_BYTES);
	feed_bytes(&digest, &out, zeros, DIGEST_BYTES);
	cbor_put_array(&out, 0);
	feed(&digest, &out);
	feed_bytes(&digest, &out, input->seed, strlen(input->seed));
	while (input->argv[argc])
		argc++;
	cbor_put_array(&out, argc);
	feed(&digest, &out);
	for (size_t i = 0; i < argc; i++)
		feed_bytes(&digest, &out, input->argv[i], strlen(input->argv[i]));
	cbor_put_array(&out, input->units_count);
	feed(&digest, &out);
	for (size_t i = 0; i < input->units_count; i++)
		feed_bytes(&digest, &out, input->units[i], DIGEST_BYTES);
	feed_sinks(&digest, &out, input);
	cbor_put_uint(&out, input->status);
	feed(&digest, &out);
	digest_end(&digest, ret_state);
	digest_release(&digest);
	return 0;
}
