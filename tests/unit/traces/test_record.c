#include "sample.h"

static uint8_t space[1 << 20];

static size_t encode(const struct event *event)
{
	struct cbor_out out = { .bytes = space, .capacity = sizeof(space) };
	assert_true(record_bound(event) <= sizeof(space));
	assert_int_equal(record_encode(event, &out), 0);
	assert_true(out.length <= record_bound(event));
	return out.length;
}

static int decode(const uint8_t *bytes, size_t length)
{
	struct cbor_in in = { bytes, length };
	struct record_scratch scratch = { 0 };
	struct event event;
	int r = record_decode(&in, &scratch, &event);
	if (r == 0 && in.length > 0)
		r = 1;
	record_scratch_release(&scratch);
	return r;
}

static void records_give_back_every_field(void **state)
{
	struct sample sample = { .seed = 7 };
	struct record_scratch scratch = { 0 };
	struct event event;
	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		sample_next(&sample, (enum event_kind)(i % EVENT_KINDS));
		struct cbor_in in = { space, encode(&sample.event) };
		assert_int_equal(record_decode(&in, &scratch, &event), 0);
		assert_int_equal(in.length, 0);
		assert_same_event(&sample.event, &event);
	}
	record_scratch_release(&scratch);
}

static void decoded_records_encode_to_the_same_bytes(void **state)
{
	struct sample sample = { .seed = 9 };
	struct record_scratch scratch = { 0 };
	static uint8_t again[1 << 16];
	struct event event;
	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		sample_next(&sample, (enum event_kind)(i % EVENT_KINDS));
		size_t length = encode(&sample.event);
		struct cbor_in in = { space, length };
		struct cbor_out out = { .bytes = again, .capacity = sizeof(again) };
		assert_int_equal(record_decode(&in, &scratch, &event), 0);
		assert_int_equal(record_encode(&event, &out), 0);
		assert_int_equal(out.length, length);
		assert_memory_equal(again, space, length);
	}
	record_scratch_release(&scratch);
}

static void a_call_has_the_bytes_of_the_specification(void **state)
{
	static const uint8_t expected[] = { 0xa6, 0x01, 0x01, 0x02, 0x1b, 0x00, 0x00, 0x7f, 0xff,
					    0xf7, 0xe0, 0x01, 0x23, 0x03, 0x1b, 0x01, 0x23, 0x45,
					    0x67, 0x89, 0xab, 0xcd, 0xef, 0x05, 0x83, 0x03, 0x1b,
					    0x00, 0x00, 0x7f, 0xfe, 0x00, 0x00, 0x10, 0x00, 0x19,
					    0x10, 0x00, 0x06, 0x2a, 0x09, 0x81, 0x84, 0x01, 0x02,
					    0x1b, 0x00, 0x00, 0x7f, 0xfe, 0x00, 0x00, 0x10, 0x00,
					    0x42, 0x68, 0x69 };
	struct payload payload = { 1, DIRECTION_OUT, 0x7ffe00001000, 2, (const uint8_t *)"hi" };
	struct event event = { .kind = EVENT_CALL,
			       .thread = 1,
			       .ip = 0x7ffff7e00123,
			       .registers_hash = 0x0123456789abcdef,
			       .args = { 3, 0x7ffe00001000, 4096 },
			       .result = -11,
			       .payloads = &payload,
			       .payloads_count = 1 };
	(void)state;
	assert_int_equal(encode(&event), sizeof(expected));
	assert_memory_equal(space, expected, sizeof(expected));
}

static void an_event_of_defaults_is_an_empty_map(void **state)
{
	struct event event = { .kind = EVENT_CALL };
	(void)state;
	assert_int_equal(encode(&event), 1);
	assert_int_equal(space[0], 0xa0);
	assert_int_equal(decode(space, 1), 0);
}

#define REFUSED(...)                                                             \
	do {                                                                     \
		const uint8_t bytes_[] = { __VA_ARGS__ };                        \
		assert_int_equal(decode(bytes_, sizeof(bytes_)), SWORN_EFORMAT); \
	} while (0)

static void defaults_that_are_spelled_out_are_refused(void **state)
{
	(void)state;
	REFUSED(0xa1, 0, 0);				       /* kind */
	REFUSED(0xa1, 1, 0);				       /* thread */
	REFUSED(0xa1, 2, 0);				       /* ip */
	REFUSED(0xa1, 5, 0x80);				       /* args: empty */
	REFUSED(0xa1, 5, 0x82, 1, 0);			       /* args: trailing zero */
	REFUSED(0xa1, 6, 0);				       /* result */
	REFUSED(0xa1, 9, 0x80);				       /* payloads: empty */
	REFUSED(0xa1, 10, 0x80);			       /* mappings: empty */
	REFUSED(0xa2, 0, 2, 13, 0);			       /* turn.end */
	REFUSED(0xa2, 0, 5, 14, 0);			       /* exit.process_gone */
	REFUSED(0xa2, 0, 6, 15, 0x40);			       /* siginfo: empty */
	REFUSED(0xa2, 0, 6, 15, 0x42, 1, 0);		       /* siginfo: trailing zero */
	REFUSED(0xa2, 0, 12, 17, 0x80);			       /* sinks: empty */
	REFUSED(0xa1, 10, 0x81, 0xa2, 1, 0x19, 0x10, 0, 2, 0); /* prot of a mapping */
	uint8_t digest[5 + DIGEST_BYTES + 1] = { 0xa2, 0, 9, 16, 0x58, 0x20 };
	assert_int_equal(decode(digest, sizeof(digest)), SWORN_EFORMAT);
	digest[6] = 1;
	assert_int_equal(decode(digest, sizeof(digest)), 0);
}

static void values_out_of_range_are_refused(void **state)
{
	(void)state;
	REFUSED(0xa1, 0, 13);						   /* kind */
	REFUSED(0xa1, 1, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0);			   /* thread: 33 bits */
	REFUSED(0xa1, 7, 16);						   /* flags */
	REFUSED(0xa2, 0, 2, 13, 6);					   /* turn.end */
	REFUSED(0xa2, 0, 5, 13, 5);					   /* exit.cause */
	REFUSED(0xa2, 0, 5, 14, 2);					   /* exit.process_gone */
	REFUSED(0xa1, 9, 0x81, 0x84, PAYLOAD_SOURCE_LAST + 1, 1, 0, 0x40); /* source */
	REFUSED(0xa1, 9, 0x81, 0x84, 1, 0, 0, 0x40);			   /* direction */
	REFUSED(0xa1, 9, 0x81, 0x84, 1, 3, 0, 0x40);			   /* direction */
	REFUSED(0xa1, 9, 0x81, 0x83, 1, 1, 0);		 /* payload without bytes */
	REFUSED(0xa1, 5, 0x87, 1, 1, 1, 1, 1, 1, 1);	 /* seven arguments */
	REFUSED(0xa1, 10, 0x81, 0xa1, 1, 0x19, 0x10, 1); /* end not page-aligned */
	REFUSED(0xa1, 10, 0x81, 0xa2, 0, 0x19, 0x10, 0, 1, 0x19, 0x10, 0); /* empty mapping */
	REFUSED(0xa1, 10, 0x81, 0xa2, 1, 0x19, 0x10, 0, 2, 8);		   /* prot */
	REFUSED(0xa1, 10, 0x81, 0xa2, 1, 0x19, 0x10, 0, 3, 0x18, 0x20);	   /* MAP_ANONYMOUS */
	REFUSED(0xa1, 10, 0x81, 0xa2, 1, 0x19, 0x10, 0, 9, 0x41, 0);	   /* NUL in a path */
	REFUSED(0xa1, 11, 0x41, 0);					   /* registers: length */
}

static void keys_of_other_kinds_are_refused(void **state)
{
	(void)state;
	REFUSED(0xa1, 13, 1);	    /* a call has no key 13 */
	REFUSED(0xa2, 0, 2, 16, 1); /* a turn has no key 16 */
	REFUSED(0xa1, 23, 1);
	REFUSED(0xa2, 2, 1, 1, 1); /* not ascending */
	REFUSED(0xa2, 1, 1, 1, 1); /* twice */
	REFUSED(0xa2, 1, 1, 0, 2); /* kind not first */
	REFUSED(0xa1, 10, 0x81, 0xa2, 1, 0x19, 0x10, 0, 10, 1);
	REFUSED(0x80);
	REFUSED(0xa1, 1);
}

static void counts_over_their_limit_are_refused_before_memory_is_taken(void **state)
{
	static const uint8_t payloads[] = { 0xa1, 9, 0x9a, 0x7f, 0xff, 0xff, 0xff };
	static uint8_t many[8 + EVENT_PAYLOADS_MAX * 8];
	(void)state;
	assert_int_equal(decode(payloads, sizeof(payloads)), SWORN_EFORMAT);
	memcpy(many, (uint8_t[]){ 0xa1, 9, 0x99, 0x10, 0x01 }, 5);
	assert_int_equal(decode(many, sizeof(many)), SWORN_ELIMIT);
}

static void payload_bytes_over_the_limit_are_refused_on_both_sides(void **state)
{
	static uint8_t bytes[EVENT_PART_BYTES + 1];
	struct payload payload = { 1, DIRECTION_IN, 0x1000, EVENT_PART_BYTES, bytes };
	struct event event = { .payloads = &payload, .payloads_count = 1 };
	struct cbor_out out = { .bytes = space, .capacity = sizeof(space) };
	(void)state;
	size_t length = encode(&event);
	assert_int_equal(decode(space, length), 0);
	payload.length++;
	assert_int_equal(record_encode(&event, &out), SWORN_ELIMIT);
	assert_int_equal(out.length, 0);
	/* The same record with one byte more than allowed, made by hand. */
	encode(&(struct event){ 0 });
	struct cbor_out hand = { .bytes = space, .capacity = sizeof(space) };
	cbor_put_map(&hand, 1);
	cbor_put_uint(&hand, 9);
	cbor_put_array(&hand, 1);
	cbor_put_array(&hand, 4);
	cbor_put_uint(&hand, 1);
	cbor_put_uint(&hand, 1);
	cbor_put_uint(&hand, 1);
	cbor_put_bytes(&hand, bytes, sizeof(bytes));
	assert_int_equal(decode(space, hand.length), SWORN_ELIMIT);
}

static void events_that_no_reader_accepts_are_not_encoded(void **state)
{
	struct payload payload = { 1, DIRECTION_INOUT, 0, 0, NULL };
	struct mapping mapping = { .start = 0x1000, .end = 0x2000, .flags = MAP_ANONYMOUS };
	char path[PATH_BYTES_MAX + 1];
	struct event events[] = {
		{ .kind = (enum event_kind)13 },
		{ .flags = 16 },
		{ .payloads = &payload, .payloads_count = 1 },
		{ .mappings = &mapping, .mappings_count = 1 },
		{ .kind = EVENT_TURN, .turn.end = (enum turn_end)6 },
	};
	struct cbor_out out = { .bytes = space, .capacity = sizeof(space) };
	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		assert_int_equal(record_encode(&events[i], &out), SWORN_EFORMAT);
		assert_int_equal(out.length, 0);
	}
	memset(path, 'a', sizeof(path));
	path[PATH_BYTES_MAX] = '\0';
	struct event event = { .kind = EVENT_EXEC, .exec.path = path };
	assert_int_equal(record_encode(&event, &out), SWORN_ELIMIT);
	path[PATH_BYTES_MAX - 1] = '\0';
	assert_int_equal(record_encode(&event, &out), 0);
	assert_int_equal(decode(space, out.length), 0);
}

static void cut_and_altered_records_never_crash_the_decoder(void **state)
{
	struct sample sample = { .seed = 5 };
	int refused = 0;
	(void)state;
	for (unsigned int i = 0; i < 10 * EVENT_KINDS; i++) {
		sample_next(&sample, (enum event_kind)(i % EVENT_KINDS));
		size_t length = encode(&sample.event);
		uint8_t *copy = malloc(length);
		for (size_t cut = 0; cut < length; cut++) {
			/* A copy of exact size, so that a sanitizer sees a read behind it. */
			uint8_t *exact = malloc(cut ? cut : 1);
			memcpy(exact, space, cut);
			assert_true(decode(exact, cut) < 0);
			free(exact);
		}
		for (size_t at = 0; at < length; at++) {
			memcpy(copy, space, length);
			copy[at] ^= (uint8_t)(1u << (sample_random(&sample) % 8));
			refused += decode(copy, length) != 0;
		}
		free(copy);
	}
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_give_back_every_field),
		cmocka_unit_test(decoded_records_encode_to_the_same_bytes),
		cmocka_unit_test(a_call_has_the_bytes_of_the_specification),
		cmocka_unit_test(an_event_of_defaults_is_an_empty_map),
		cmocka_unit_test(defaults_that_are_spelled_out_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(keys_of_other_kinds_are_refused),
		cmocka_unit_test(counts_over_their_limit_are_refused_before_memory_is_taken),
		cmocka_unit_test(payload_bytes_over_the_limit_are_refused_on_both_sides),
		cmocka_unit_test(events_that_no_reader_accepts_are_not_encoded),
		cmocka_unit_test(cut_and_altered_records_never_crash_the_decoder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
