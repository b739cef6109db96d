/*
 * Published test vectors, where they are: $SWORN_VECTORS, or ../shared/vectors beside the source tree. None of them is in the
 * tree; without them this test is a skip (77). Each group prints how many it had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/cose.h"
#include "traces/error.h"

static char place[PATH_MAX];

/* The file as text; freed by the caller. NULL: not there. */
static char *slurp(const char *name, size_t *ret_length)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", place, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *text = malloc(8 << 20);
	size_t length = text ? fread(text, 1, (8 << 20) - 1, file) : 0;
	fclose(file);
	assert_non_null(text);
	text[length] = '\0';
	*ret_length = length;
	return text;
}

/*
 * The next string member of that name from `at` on, without its quotes, in a buffer of its own for each slot; NULL when there is
 * none before `end`. These files escape nothing in what is looked for.
 */
static const char *member(const char *at, const char *end, const char *name, int slot)
{
	static char values[4][1 << 16];
	char key[64];
	snprintf(key, sizeof(key), "\"%s\"", name);
	at = strstr(at, key);
	if (!at || (end && at > end))
		return NULL;
	at = strchr(at + strlen(key), '"') + 1;
	size_t length = (size_t)(strchr(at, '"') - at);
	assert_true(length < sizeof(values[0]));
	memcpy(values[slot], at, length);
	values[slot][length] = '\0';
	return values[slot];
}

static size_t unhex(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t length = strlen(text) / 2;
	assert_true(length <= size);
	for (size_t i = 0; i < length; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };
		ret_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return length;
}

/* The parts of a COSE_Sign1 with its tag, whose unprotected header is skipped. */
static int take_sign1(struct cbor_in in, struct envelope *ret)
{
	const uint8_t *kid;
	size_t length;
	int key;
	if (in.length == 0 || in.bytes[0] != 0xd2)
		return SWORN_EFORMAT;
	in = (struct cbor_in){ in.bytes + 1, in.length - 1 };
	int r = cbor_expect_array(&in, 4);
	if (r < 0 || (r = cbor_take_bytes(&in, &ret->protected, &ret->protected_length)) < 0 ||
	    (r = cbor_expect_map(&in, 1)) < 0 || (r = cbor_take_key(&in, -1, &key)) < 0 ||
	    (r = cbor_take_bytes(&in, &kid, &length)) < 0 ||
	    (r = cbor_take_bytes(&in, &ret->payload, &ret->payload_length)) < 0 ||
	    (r = cbor_take_bytes(&in, &ret->signature, &ret->signature_length)) < 0)
		return r;
	return in.length ? SWORN_EFORMAT : 0;
}

static void an_eddsa_example_verifies_and_signs_to_the_same_bytes(void **state)
{
	uint8_t bytes[512], seed[KEY_BYTES], covered[512], wanted[512], signature[KEY_SIGNATURE_BYTES];
	struct cbor_out out = { .bytes = covered, .capacity = sizeof(covered) };
	struct envelope envelope = { 0 };
	struct key key;
	size_t length;
	char *text = slurp("cose/eddsa-sig-01.json", &length);
	(void)state;
	if (!text)
		skip();
	struct cbor_in in = { bytes, unhex(member(strstr(text, "\"output\""), NULL, "cbor", 0),
					   bytes, sizeof(bytes)) };
	assert_int_equal(take_sign1(in, &envelope), 0);
	unhex(member(text, NULL, "d_hex", 1), seed, sizeof(seed));
	assert_int_equal(key_from_seed(KEY_RECORDER, seed, &key), 0);
	cose_signed_bytes(&envelope, &out);
	length = unhex(member(text, NULL, "ToBeSign_hex", 2), wanted, sizeof(wanted));
	assert_int_equal(out.length, length);
	assert_memory_equal(covered, wanted, length);
	assert_int_equal(envelope.signature_length, KEY_SIGNATURE_BYTES);
	assert_int_equal(key_check(key.public_key, covered, out.length, envelope.signature), 0);
	key_sign(&key, covered, out.length, signature);
	assert_memory_equal(signature, envelope.signature, sizeof(signature));
	signature[5] ^= 1;
	assert_int_equal(key_check(key.public_key, covered, out.length, signature), SWORN_EINTEGRITY);
	key_erase(&key);
	free(text);
}

/* None of these may be taken: by its tag, its header, or its algorithm, which is named where it is a number. */
static void examples_of_other_algorithms_and_shapes_are_refused(void **state)
{
	static const char *const names[] = { "sign-fail-01", "sign-fail-02", "sign-fail-03",
					     "sign-fail-04", "sign-fail-06", "sign-fail-07",
					     "sign-pass-01", "sign-pass-02", "sign-pass-03" };
	size_t checked = 0, named = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		uint8_t bytes[512];
		struct envelope envelope = { 0 };
		size_t length;
		int64_t algorithm = 0;
		snprintf(path, sizeof(path), "cose/%s.json", names[i]);
		char *text = slurp(path, &length);
		if (!text)
			continue;
		struct cbor_in in = { bytes, unhex(member(strstr(text, "\"output\""), NULL, "cbor", 0),
						   bytes, sizeof(bytes)) };
		checked++;
		assert_true(envelope_decode(in.bytes, in.length, "text/plain", &envelope) < 0);
		if (take_sign1(in, &envelope) == 0 &&
		    cose_algorithm(envelope.protected, envelope.protected_length, &algorithm) == 0) {
			assert_int_not_equal(algorithm, COSE_ALGORITHM_EDDSA);
			assert_string_equal(cose_algorithm_name(algorithm),
					    algorithm == -7 ? "ES256" : "an unknown algorithm");
			named++;
		}
		free(text);
	}
	if (checked == 0)
		skip();
	printf("cose: %zu examples refused, the algorithm of %zu named\n", checked, named);
	assert_true(named >= 4);
}

static void wycheproof_signatures_are_judged_strictly(void **state)
{
	uint8_t public_key[KEY_BYTES], message[1 << 14], signature[256];
	size_t length, checked = 0, valid = 0;
	char *text = slurp("wycheproof/ed25519.json", &length);
	(void)state;
	if (!text)
		skip();
	for (char *at = strstr(text, "\"tcId\""), *next; at; at = next) {
		next = strstr(at + 1, "\"tcId\"");
		/* The key stands at the head of the group, before its tests. */
		for (char *head = text, *found; (found = strstr(head, "\"pk\"")) && found < at;
		     head = found + 1)
			unhex(member(found, NULL, "pk", 0), public_key, sizeof(public_key));
		size_t size = unhex(member(at, next, "msg", 1), message, sizeof(message));
		size_t signature_size = unhex(member(at, next, "sig", 2), signature, sizeof(signature));
		bool expected = !strcmp(member(at, next, "result", 3), "valid");
		int r = signature_size == KEY_SIGNATURE_BYTES
				? key_check(public_key, message, size, signature)
				: SWORN_EINTEGRITY;
		if ((r == 0) != expected)
			print_error("wycheproof %.40s: %d\n", at, r);
		assert_true((r == 0) == expected);
		checked++;
		valid += expected;
	}
	free(text);
	printf("wycheproof: %zu signatures, %zu valid\n", checked, valid);
	assert_true(checked >= 100 && valid >= 50 && valid < checked);
}

/* Reads any one item of our subset. 0 or SWORN_EFORMAT. */
static int take_any(struct cbor_in *in, unsigned int depth)
{
	const uint8_t *bytes;
	const char *text;
	uint64_t items, number;
	int64_t negative;
	unsigned int pairs;
	size_t length;
	int key = -1;
	if (depth > 16)
		return SWORN_EFORMAT;
	if (cbor_take_uint(in, &number) == 0 || cbor_take_int(in, &negative) == 0 ||
	    cbor_take_bytes(in, &bytes, &length) == 0 || cbor_take_text(in, &text, &length) == 0)
		return 0;
	if (cbor_take_array(in, &items) == 0) {
		for (; items > 0; items--)
			if (take_any(in, depth + 1) < 0)
				return SWORN_EFORMAT;
		return 0;
	}
	int r = cbor_take_map(in, &pairs);
	for (; r == 0 && pairs > 0; pairs--)
		if ((r = cbor_take_key(in, key, &key)) == 0)
			r = take_any(in, depth + 1);
	return r;
}

static int take_whole(const char *hex)
{
	static uint8_t bytes[1 << 15];
	struct cbor_in in = { bytes, unhex(hex, bytes, sizeof(bytes)) };
	int r = take_any(&in, 0);
	return r == 0 && in.length ? SWORN_EFORMAT : r;
}

/* The heads of these are of our subset and in their shortest form, or else of another type. */
static void good_cbor_is_read_or_refused_as_not_ours(void **state)
{
	size_t length, taken = 0, refused = 0;
	char *text = slurp("cbor/appendix_a.json", &length);
	(void)state;
	if (!text)
		skip();
	for (char *at = strstr(text, "\"hex\""), *next; at; at = next) {
		const char *hex = member(at, NULL, "hex", 0);
		unsigned int first = (unsigned int)strtoul((char[]){ hex[0], hex[1], '\0' }, NULL, 16);
		int r = take_whole(hex);
		next = strstr(at + 1, "\"hex\"");
		if (r == 0)
			taken++;
		else
			refused++;
		/* Tags, floats, simple values and indefinite lengths are never taken, plain numbers always. */
		if (first >> 5 >= 6 || (first & 31) == 31)
			assert_int_equal(r, SWORN_EFORMAT);
		if (first >> 5 == 0)
			assert_int_equal(r, 0);
	}
	free(text);
	printf("cbor: %zu good items taken, %zu refused as not of the subset\n", taken, refused);
	assert_true(taken >= 20 && refused >= 20);
}

static void bad_cbor_is_refused(void **state)
{
	size_t length, checked = 0;
	char *text = slurp("cbor/rfc8949-bad.edn", &length);
	(void)state;
	if (!text)
		skip();
	for (char *at = text; (at = strstr(at, "h'")); at++) {
		char hex[4096];
		size_t size = strcspn(at + 2, "'");
		assert_true(size < sizeof(hex));
		memcpy(hex, at + 2, size);
		hex[size] = '\0';
		assert_int_equal(take_whole(hex), SWORN_EFORMAT);
		checked++;
	}
	free(text);
	printf("cbor: %zu bad items refused\n", checked);
	assert_true(checked >= 20);
}

int main(void)
{
	const char *named = getenv("SWORN_VECTORS"), *source = getenv("SOURCE");
	snprintf(place, sizeof(place), "%s%s",
		 named	  ? named
		 : source ? source
			  : ".",
		 named ? "" : "/../shared/vectors");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_eddsa_example_verifies_and_signs_to_the_same_bytes),
		cmocka_unit_test(examples_of_other_algorithms_and_shapes_are_refused),
		cmocka_unit_test(wycheproof_signatures_are_judged_strictly),
		cmocka_unit_test(good_cbor_is_read_or_refused_as_not_ours),
		cmocka_unit_test(bad_cbor_is_refused),
	};
	if (access(place, R_OK) < 0) {
		printf("SKIP: no vectors at %s: 5 groups were not checked\n", place);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
