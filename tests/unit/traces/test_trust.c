#include "tests/unit/traces/sample.h"

#include "traces/trust.h"

static const uint8_t acme[TENANT_ID_SIZE] = { 0xac, 0x3e };

/* A trace that `key` signed for the tenant acme; its check is in `report`. */
static struct reader *signed_trace(const struct key *key, struct trace_report *report)
{
	struct sample sample = { .seed = 7 };
	struct signer signer = { .key = key };
	struct writer *writer;
	struct reader *reader;
	char *path;
	memcpy(signer.tenant, acme, sizeof(acme));
	assert_int_equal(writer_open_signed("s.sworn", -1, &sample_info, &signer, &writer), 0);
	sample_write(writer, &sample, 2, true);
	assert_int_equal(writer_close(writer, &sample_summary, &path), 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	assert_int_equal(reader_check(reader, report, NULL, NULL), 0);
	return reader;
}

static enum trust_state judged(const char *line, const struct reader *reader,
			       const struct trace_report *report)
{
	struct trust trust = { 0 };
	struct judgement judgement;
	assert_int_equal(trust_parse(&trust, "line", line, strlen(line)), 0);
	assert_int_equal(trust_judge_trace(&trust, reader, report, &judgement), 0);
	trust_release(&trust);
	return judgement.state;
}

static void a_key_counts_for_its_purpose_tenants_and_time(void **state)
{
	struct trace_report report;
	char hex[2 * KEY_BYTES + 1], line[TRUST_LINE_BYTES];
	struct key key;
	(void)state;
	assert_int_equal(key_generate(KEY_RECORDER, &key), 0);
	hex_encode(key.public_key, KEY_BYTES, hex);
	struct reader *reader = signed_trace(&key, &report);
	assert_true(report.is_signed);
	assert_memory_equal(report.kid, key.id, DIGEST_BYTES);
	assert_memory_equal(report.tenant, acme, sizeof(acme));
	assert_int_equal(report.signed_events, report.events);
#define LINE(rest) (snprintf(line, sizeof(line), "recorder %s %s", hex, rest), line)
	assert_int_equal(judged("", reader, &report), TRUST_UNKNOWN);
	assert_int_equal(judged(LINE("* - - somebody"), reader, &report), TRUST_OK);
	assert_int_equal(judged(LINE("ac3e0000000000000000000000000000 - -"), reader, &report),
			 TRUST_OK);
	assert_int_equal(
		judged(LINE("00000000000000000000000000000000,ac3e0000000000000000000000000000 - -"),
		       reader, &report),
		TRUST_OK);
	assert_int_equal(judged(LINE("00000000000000000000000000000000 - -"), reader, &report),
			 TRUST_TENANT);
	assert_int_equal(judged(LINE("* 2000-01-01 2010-01-01"), reader, &report), TRUST_TIME);
	assert_int_equal(judged(LINE("* 2900-01-01 -"), reader, &report), TRUST_TIME);
	/* A later line may say more than an earlier one. */
	snprintf(line, sizeof(line), "recorder %s * - 2000-01-01\nrecorder %s * - -\n", hex, hex);
	assert_int_equal(judged(line, reader, &report), TRUST_OK);
	/* As an attester's the same bytes are another key. */
	snprintf(line, sizeof(line), "attester %s * - -", hex);
	assert_int_equal(judged(line, reader, &report), TRUST_UNKNOWN);
	reader_close(reader);
	key_erase(&key);
}

static void lines_of_a_trust_file_come_out_as_they_were(void **state)
{
	static const char text[] = "recorder d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a "
				   "ac3e0000000000000000000000000000,00000000000000000000000000000000 2026-01-01T00:00:00Z "
				   "2027-02-28T23:59:59Z build";
	struct trust trust = { 0 };
	char line[TRUST_LINE_BYTES];
	(void)state;
	assert_int_equal(trust_parse(&trust, "text", text, sizeof(text) - 1), 0);
	assert_int_equal(trust.count, 1);
	trust_format(&trust.entries[0], line);
	assert_string_equal(line, text);
	trust_release(&trust);
}

static void what_is_no_line_is_refused_with_its_number(void **state)
{
#define KEY "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	static const char *const bad[] = {
		"recorder",
		"recorder " KEY " * -",
		"nonsense " KEY " * - -",
		"recorder " KEY "00 * - -",
		"recorder zz" KEY " * - -",
		"recorder " KEY " acme - -",
		"recorder " KEY " , - -",
		"recorder " KEY " * 2026-13-01 -",
		"recorder " KEY " * 2026-02-30 -",
		"recorder " KEY " * 2026-2-3 -",
		"recorder " KEY " * yesterday -",
		"recorder " KEY " * - - na/me",
		"recorder " KEY " * - - a b",
	};
	struct trust trust = { 0 };
	char text[256];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "# comment\n\n%s\n", bad[i]);
		assert_int_equal(trust_parse(&trust, "f", text, strlen(text)), SWORN_EKEYSTORE);
		assert_non_null(strstr(trust.reason, "f, line 3: "));
	}
	assert_int_equal(trust_parse(&trust, "f", "a\0b", 3), SWORN_EKEYSTORE);
	trust_release(&trust);
}

static int verdict(enum trust_state state, int error, unsigned int allowed, uint64_t *ret_events)
{
	struct judgement judgement = { .state = state };
	struct trace_report report = { .events = 10, .signed_events = 4 };
	struct trust_allow allow = { .is_unsigned = allowed & 1,
				     .untrusted = allowed & 2,
				     .truncated = allowed & 4 };
	return trust_verdict(&judgement, &report, error, &allow, ret_events);
}

static void nothing_is_used_that_was_not_allowed(void **state)
{
	static const enum trust_state untrusted[] = { TRUST_UNKNOWN, TRUST_PURPOSE, TRUST_TENANT,
						      TRUST_TIME };
	uint64_t events;
	(void)state;
	for (unsigned int allowed = 0; allowed < 8; allowed++) {
		bool is_unsigned = allowed & 1, is_untrusted = allowed & 2, is_truncated = allowed & 4;
		assert_int_equal(verdict(TRUST_OK, 0, allowed, &events), 0);
		assert_int_equal(verdict(TRUST_UNSIGNED, 0, allowed, &events),
				 is_unsigned ? 0 : SWORN_EUNSIGNED);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(verdict(untrusted[i], 0, allowed, &events),
					 is_untrusted ? 0 : SWORN_EUNTRUSTED);
		assert_int_equal(verdict(TRUST_OK, SWORN_ETRUNCATED, allowed, &events),
				 is_truncated ? 0 : SWORN_ETRUNCATED);
		if (is_truncated)
			assert_int_equal(events, is_unsigned ? 10 : 4);
		int r = verdict(TRUST_UNSIGNED, SWORN_ETRUNCATED, allowed, &events);
		assert_true((r == 0) == (is_unsigned && is_truncated));
		r = verdict(TRUST_TIME, SWORN_ETRUNCATED, allowed, &events);
		assert_true((r == 0) == (is_untrusted && is_truncated));
	}
}

static void a_known_key_that_did_not_sign_is_damage(void **state)
{
	struct trace_report report;
	struct trust trust = { 0 };
	struct judgement judgement;
	struct key key;
	uint8_t byte;
	(void)state;
	assert_int_equal(key_generate(KEY_RECORDER, &key), 0);
	struct trust_entry entry = { .key = key, .until = UINT64_MAX };
	assert_int_equal(trust_add(&trust, &entry), 0);
	reader_close(signed_trace(&key, &report));
	/* The last byte of the HEADER frame is in its signature. */
	int fd = open("s.sworn", O_RDWR | O_CLOEXEC);
	uint32_t length;
	assert_int_equal(pread(fd, &length, 4, 4), 4);
	assert_int_equal(pread(fd, &byte, 1, 7 + length), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 7 + length), 1);
	struct reader *reader;
	assert_int_equal(reader_open(fd, -1, &reader), SWORN_EINTEGRITY);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 7 + length), 1);
	/* Somebody else's key under the trusted id cannot be had; another signature over the same header can. */
	assert_int_equal(reader_open(fd, -1, &reader), 0);
	memset(&report, 0, sizeof(report));
	assert_int_equal(reader_check(reader, &report, NULL, NULL), 0);
	assert_int_equal(trust_judge_trace(&trust, reader, &report, &judgement), 0);
	assert_int_equal(judgement.state, TRUST_OK);
	trust.entries[0].key.public_key[0] ^= 1;
	assert_int_equal(trust_judge_trace(&trust, reader, &report, &judgement), SWORN_EINTEGRITY);
	reader_close(reader);
	close(fd);
	trust_release(&trust);
	key_erase(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_counts_for_its_purpose_tenants_and_time),
		cmocka_unit_test(lines_of_a_trust_file_come_out_as_they_were),
		cmocka_unit_test(what_is_no_line_is_refused_with_its_number),
		cmocka_unit_test(nothing_is_used_that_was_not_allowed),
		cmocka_unit_test(a_known_key_that_did_not_sign_is_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
