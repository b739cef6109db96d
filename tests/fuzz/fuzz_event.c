/* Records: one that decodes encodes to the same bytes, and can be described for people. */
#include "fuzz.h"
#include "traces/describe.h"
#include "traces/record.h"

static void describe(const struct event *event)
{
	static struct past_event past;
	char text[DESCRIPTION_BYTES], again[DESCRIPTION_BYTES], shorter[16];

	describe_event(event, text, sizeof(text));
	describe_event(event, shorter, sizeof(shorter));
	describe_call(event, again, sizeof(again));
	fuzz_require(strlen(text) < sizeof(text) && strlen(shorter) < sizeof(shorter));
	for (const char *c = text; *c; c++)
		fuzz_require(*c >= ' ' && *c <= '~');
	describe_keep(event, &past);
	describe_event(&past.event, again, sizeof(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cbor_in in = { bytes, length };
	struct record_scratch scratch = { 0 };
	struct event event;
	uint8_t digest[DIGEST_BYTES];

	while (in.length > 0) {
		struct cbor_in before = in;

		if (record_decode(&in, &scratch, &event) < 0)
			break;
		size_t taken = before.length - in.length, bound = record_bound(&event);
		struct cbor_out out = { .bytes = malloc(bound), .capacity = bound };

		fuzz_require(out.bytes && taken <= bound && record_encode(&event, &out) == 0);
		fuzz_require(out.length == taken && memcmp(out.bytes, before.bytes, taken) == 0);
		free(out.bytes);
		describe(&event);
		if (event.kind == EVENT_END)
			record_outputs(&event, digest);
	}
	record_scratch_release(&scratch);
	return 0;
}
