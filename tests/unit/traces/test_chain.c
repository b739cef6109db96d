#include "sample.h"
#include "traces/chain.h"

static void assert_hex(const uint8_t *bytes, size_t length, const char *expected)
{
	char text[1024];
	assert_true(2 * length < sizeof(text));
	hex_encode(bytes, length, text);
	assert_string_equal(text, expected);
}

static void hashes_are_over_the_labelled_array(void **state)
{
	uint8_t hash[DIGEST_BYTES], value[DIGEST_BYTES];
	(void)state;
	chain_hash("sworn/1/link", &(struct part){ "abc", 3, false }, 1, hash);
	assert_hex(hash, sizeof(hash),
		   "63bb4bd5b055eb6a0fa896b936e8df1691bf2db8cd1eec963a62b8bbe336ecd4");
	for (uint8_t i = 0; i < DIGEST_BYTES; i++)
		value[i] = i;
	chain_commit("state", value, sizeof(value), hash);
	assert_hex(hash, sizeof(hash),
		   "23928c8c870a33816971274f2339b8054491ea9dcb4a2e48c2e139f6b19335b1");
}

static struct link a_link(void)
{
	struct link link = { .seq = 3,
			     .kind = 1,
			     .stored_length = 300,
			     .first_event = 1000,
			     .events = 70000,
			     .raw_length = 262144,
			     .utc_ns = 1700000000000000000,
			     .mono_ns = 5 };
	memset(link.stored_hash, 0x11, DIGEST_BYTES);
	memset(link.prev, 0x22, DIGEST_BYTES);
	return link;
}

static void a_link_has_the_bytes_of_the_specification(void **state)
{
	uint8_t bytes[LINK_BYTES_MAX];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct link link = a_link(), found;
	(void)state;
	link_encode(&link, &out);
	assert_hex(bytes, out.length,
		   "aa000301010219012c03582011111111111111111111111111111111111111111111111111111111"
		   "11111111041903e8051a00011170061a0004000007582022222222222222222222222222222222"
		   "22222222222222222222222222222222091b17979cfe362a00000a05");
	memset(&found, 0, sizeof(found));
	assert_int_equal(link_decode(bytes, out.length, &found), 0);
	assert_memory_equal(&found, &link, sizeof(link));
}

static void links_with_other_bytes_are_refused(void **state)
{
	uint8_t bytes[LINK_BYTES_MAX + 1] = { 0 };
	struct cbor_out out = { .bytes = bytes, .capacity = LINK_BYTES_MAX };
	struct link link = a_link();
	(void)state;
	link_encode(&link, &out);
	assert_int_equal(link_decode(bytes, out.length + 1, &link), SWORN_EFORMAT);
	for (size_t cut = 0; cut < out.length; cut++)
		assert_int_equal(link_decode(bytes, cut, &link), SWORN_EFORMAT);
	bytes[0] = 0xa9;
	assert_int_equal(link_decode(bytes, out.length, &link), SWORN_EFORMAT);
	bytes[0] = 0xaa;
	bytes[1] = 1;
	assert_int_equal(link_decode(bytes, out.length, &link), SWORN_EFORMAT);
}

/* The leaves and roots that Certificate Transparency implementations test with. */
static void merkle_roots_are_those_of_rfc_9162(void **state)
{
	static const struct {
		const char *leaf;
		size_t length;
		const char *root;
	} cases[] = {
		{ "", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
		{ "\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
		{ "\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
		{ "\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
		{ "\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
		{ "\x40\x41\x42\x43", 4,
		  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
		{ "PQRSTUVW", 8, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
		{ "`abcdefghijklmno", 16,
		  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
	};
	struct merkle merkle = { 0 };
	uint8_t root[DIGEST_BYTES];
	(void)state;
	merkle_root(&merkle, root);
	assert_hex(root, sizeof(root),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		merkle_append(&merkle, cases[i].leaf, cases[i].length);
		merkle_root(&merkle, root);
		assert_hex(root, sizeof(root), cases[i].root);
	}
}

static void each_link_depends_on_the_header_and_all_before(void **state)
{
	uint8_t bytes[LINK_BYTES_MAX], first[DIGEST_BYTES];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct link link = a_link();
	struct chain a, b;
	(void)state;
	chain_begin(&a, "header", 6);
	chain_begin(&b, "Header", 6);
	assert_memory_equal(a.header, a.last, DIGEST_BYTES);
	assert_memory_not_equal(a.header, b.header, DIGEST_BYTES);
	memcpy(first, a.last, DIGEST_BYTES);
	link_encode(&link, &out);
	chain_append(&a, &link, bytes, out.length);
	assert_memory_not_equal(a.last, first, DIGEST_BYTES);
	assert_int_equal(a.links, 1);
	assert_int_equal(a.events, 70000);
	chain_hash("sworn/1/link", &(struct part){ bytes, out.length, false }, 1, first);
	assert_memory_equal(a.last, first, DIGEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_over_the_labelled_array),
		cmocka_unit_test(a_link_has_the_bytes_of_the_specification),
		cmocka_unit_test(links_with_other_bytes_are_refused),
		cmocka_unit_test(merkle_roots_are_those_of_rfc_9162),
		cmocka_unit_test(each_link_depends_on_the_header_and_all_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
