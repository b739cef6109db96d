/*
 * Makes the archives that tamper.c changes: unsigned, signed by one of two tenants, and with trailers; and those that somebody
 * else made. Judges what becomes of them as the verbs do, for somebody who trusts the two tenants. Included by that program only.
 */
#ifndef SWORN_TESTS_TAMPER_MAKE_H
#define SWORN_TESTS_TAMPER_MAKE_H

#include "tamper.h"

#include "../../traces/statement.h"
#include "../../traces/trust.h"

#define BLOCKS 6
#define LARGE_BLOB ((1u << 20) + 1000) /* two chunks */
#define TRAILERS 3

/* Whose keys there are: two tenants that are trusted, and nobody's. */
enum { TENANT_A = 1, TENANT_B = 2, NOBODY = 3 };

static inline struct key tamper_key(enum key_purpose purpose, uint8_t owner)
{
	struct key key;
	uint8_t seed[KEY_BYTES] = { owner, (uint8_t)purpose };
	if (key_from_seed(purpose, seed, &key) < 0)
		abort();
	return key;
}

/* Both tenants' recorders, each for its own tenant. */
static inline void tamper_trust(struct trust *trust)
{
	memset(trust, 0, sizeof(*trust));
	for (uint8_t owner = TENANT_A; owner <= TENANT_B; owner++) {
		struct trust_entry entry = { .tenants_count = 1,
					     .tenants = { { owner } },
					     .until = UINT64_MAX };
		struct key key = tamper_key(KEY_RECORDER, owner);
		key_from_public(KEY_RECORDER, key.public_key, &entry.key);
		key_erase(&key);
		if (trust_add(trust, &entry) < 0)
			abort();
	}
}

static inline void write_event(struct writer *writer, struct event event)
{
	event.thread = 1;
	if (writer_event(writer, &event) < 0)
		abort();
}

/* A block that begins a unit which maps the blob, and some calls that wrote what the seed says. */
static inline void write_block(struct writer *writer, uint64_t number, const struct mapping *mapping)
{
	uint8_t bytes[64];
	struct registers registers = { .rip = number + 1 };
	write_event(writer, (struct event){ .kind = EVENT_EXEC,
					    .nr = 59,
					    .registers = &registers,
					    .mappings = mapping,
					    .mappings_count = 1,
					    .exec = { .unit = (uint32_t)number + 1, .process = 1 } });
	for (size_t i = 0; i < 20; i++) {
		struct payload payload = {
			.arg = 1, .direction = 2, .address = 4096, .length = sizeof(bytes), .bytes = bytes
		};
		memset(bytes, (int)(number * 20 + i), sizeof(bytes));
		write_event(writer, (struct event){ .kind = EVENT_CALL,
						    .ip = number,
						    .args = { 3, 4096, sizeof(bytes) },
						    .result = sizeof(bytes),
						    .payloads = &payload,
						    .payloads_count = 1 });
	}
	if (writer_flush(writer) < 0)
		abort();
}

/* `signer` NULL: unsigned. */
static inline void make(struct original *original, const char *path, uint64_t seed,
			const struct signer *signer)
{
	static uint8_t content[LARGE_BLOB];
	static const char *const argv[] = { "/bin/true", "one", NULL };
	const struct trace_info info = {
		.table_version = 1, .seed = "7", .argv = argv, .directory = "/", .cpu = "a cpu"
	};
	const struct trace_summary summary = { .isolation = "ambient", .complete = true };
	struct writer *writer;
	char *made;
	if (writer_open_signed(path, -1, &info, signer, &writer) < 0)
		abort();
	for (uint64_t i = 0; i < BLOCKS; i++) {
		struct mapping mapping = {
			.start = 4096, .end = 8192, .prot = 1, .flags = 2, .backing = BACKING_BLOB
		};
		size_t length = i == 1 ? LARGE_BLOB : 100 * (i % 3);
		memset(content, (int)(seed + i), sizeof(content));
		digest_of(content, length, mapping.digest);
		mapping.length = length;
		if (writer_blob(writer, mapping.digest, content, length) < 0)
			abort();
		write_block(writer, seed + i, &mapping);
	}
	struct event end = { .kind = EVENT_END, .end = { .units = BLOCKS, .threads = 1 } };
	memset(end.end.state, (int)(seed + 1), sizeof(end.end.state));
	write_event(writer, end);
	if (writer_close(writer, &summary, &made) < 0)
		abort();
	split(original, made);
	free(made);
}

/* An archive of `tenant`, with the key of `owner`, which says to be the key of `claimed`. */
static inline void make_signed(struct original *original, const char *path, uint64_t seed,
			       const uint8_t who[3])
{
	struct key key = tamper_key(KEY_RECORDER, who[1]), claimed = tamper_key(KEY_RECORDER, who[2]);
	struct signer signer = { .key = &key, .tenant = { who[0] } };
	memcpy(key.id, claimed.id, DIGEST_BYTES);
	make(original, path, seed, &signer);
	key_erase(&key);
	key_erase(&claimed);
}

/* A TRAILER frame's content: a statement of `owner` about the archive with that seal. */
static inline size_t make_trailer(const uint8_t seal[DIGEST_BYTES], uint8_t owner, uint64_t at,
				  uint8_t ret_bytes[FRAME_TRAILER_MAX])
{
	struct key key = tamper_key(KEY_ATTESTER, owner);
	struct statement statement = { .kind = at % 2 ? STATEMENT_SIGNATURE : STATEMENT_ATTESTATION,
				       .at = at,
				       .state = { owner },
				       .events = 5 };
	uint8_t bytes[STATEMENT_BYTES_MAX];
	struct cbor_out envelope = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct cbor_out out = { .bytes = ret_bytes, .capacity = FRAME_TRAILER_MAX };
	memcpy(statement.seal_id, seal, DIGEST_BYTES);
	statement_encode(&statement, &key, &envelope);
	trailer_encode(bytes, envelope.length, key.public_key, &out);
	key_erase(&key);
	return out.length;
}

/* Another file at `path` with the archive and its trailers. */
static inline void make_trailed(struct original *original, const char *path, const struct original *from)
{
	const struct piece *seal = &from->pieces[from->seal];
	uint8_t id[DIGEST_BYTES], bytes[FRAME_TRAILER_MAX], head[FRAME_HEAD_BYTES];
	FILE *file = fopen(path, "we");
	if (!file || seal_id(seal->bytes + FRAME_HEAD_BYTES, seal->length - FRAME_HEAD_BYTES, id) < 0)
		abort();
	fwrite(from->bytes, 1, from->length, file);
	for (uint8_t i = 0; i < TRAILERS; i++) {
		size_t length = make_trailer(id, (uint8_t)(TENANT_A + i % 3), i + 1u, bytes);
		frame_head(FRAME_TRAILER, length, head);
		fwrite(head, 1, sizeof(head), file);
		fwrite(bytes, 1, length, file);
	}
	if (fclose(file) != 0)
		abort();
	split(original, path);
}

/* What came of a file, as for `sworn verify`: 0, or an error and why. */
static inline int judge(const struct trust *trust, struct reader *reader, bool is_signed,
			struct trace_report *report)
{
	const struct trust_allow allow = { .is_unsigned = !is_signed };
	struct judgement judgement;
	uint64_t events;
	int r = trust_judge_trace(trust, reader, report, &judgement);
	if (r == 0)
		r = trust_verdict(&judgement, report, 0, &allow, &events);
	if (r == SWORN_EINTEGRITY)
		snprintf(report->reason, sizeof(report->reason),
			 "the header does not match its signature");
	else if (r < 0)
		memcpy(report->reason, judgement.text, sizeof(report->reason));
	return r;
}

static inline int check(const struct trust *trust, const struct buffer *file, bool is_signed,
			struct trace_report *ret_report)
{
	struct reader *reader = NULL;
	int fd = memfd_create("tampered", MFD_CLOEXEC);
	if (fd < 0 || write(fd, file->bytes, file->length) != (ssize_t)file->length)
		abort();
	memset(ret_report, 0, sizeof(*ret_report));
	int r = reader_open(fd, -1, &reader);
	if (r < 0)
		reader_reason(fd, ret_report->reason);
	else
		r = reader_check(reader, ret_report, NULL, NULL);
	if (r == 0)
		r = judge(trust, reader, is_signed, ret_report);
	reader_close(reader);
	close(fd);
	return r;
}

/* A SEAL frame with somebody else's signature. */
static inline void put_signed(struct trial *trial, const char *type, uint8_t *payload, size_t length)
{
	struct key key = tamper_key(KEY_ARCHIVE, NOBODY);
	struct cbor_out in = { .bytes = payload, .length = length, .capacity = length };
	uint8_t bytes[SEAL_BYTES_MAX];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	envelope_encode(&out, type, &in, &key);
	put_frame(trial, FRAME_SEAL, bytes, out.length);
	key_erase(&key);
}

/* The envelope without its signature, or with half of it. */
static inline void put_stripped(struct cbor_out *out, const uint8_t *bytes, size_t length, bool half)
{
	struct cbor_in in = { bytes, length };
	const uint8_t *parts[3];
	size_t lengths[3];
	if (cbor_expect_array(&in, 4) < 0 || cbor_take_bytes(&in, &parts[0], &lengths[0]) < 0 ||
	    cbor_expect_map(&in, 0) < 0 || cbor_take_bytes(&in, &parts[1], &lengths[1]) < 0 ||
	    cbor_take_bytes(&in, &parts[2], &lengths[2]) < 0)
		abort();
	cbor_put_array(out, 4);
	cbor_put_bytes(out, parts[0], lengths[0]);
	cbor_put_map(out, 0);
	cbor_put_bytes(out, parts[1], lengths[1]);
	cbor_put_bytes(out, parts[2], half ? lengths[2] / 2 : 0);
}

/* All archives; 0 when those that nobody changed are taken. */
static inline int make_all(const char *directory, uint64_t seed, const struct trust *trust,
			   struct set sets[SETS], struct original others[OTHERS])
{
	static const uint8_t who[OTHERS][3] = { [1] = { TENANT_A, NOBODY, NOBODY },
						{ TENANT_A, TENANT_B, TENANT_B },
						{ TENANT_A, NOBODY, TENANT_A } };
	char path[4096];
	for (size_t i = 0; i < 2 * SETS; i++) {
		struct set *set = &sets[i / 2];
		struct original *original = i % 2 ? &set->b : &set->a;
		uint8_t owner = i % 2 ? TENANT_B : TENANT_A;
		uint64_t number = seed + 17 * (i % 2);
		snprintf(path, sizeof(path), "%s/%s%s.sworn", directory, i % 2 ? "b" : "a", set->suffix);
		if (!set->is_signed)
			make(original, path, number, NULL);
		else if (i / 2 + 1 < SETS)
			make_signed(original, path, number, (uint8_t[]){ owner, owner, owner });
		else
			make_trailed(original, path, i % 2 ? &sets[SETS - 2].b : &sets[SETS - 2].a);
	}
	for (size_t i = 0; i < OTHERS; i++) {
		snprintf(path, sizeof(path), "%s/other%zu.sworn", directory, i);
		if (i == 0)
			make(&others[i], path, seed, NULL);
		else
			make_signed(&others[i], path, seed, who[i]);
	}
	for (size_t i = 0; i < 2 * SETS; i++) {
		struct original *original = i % 2 ? &sets[i / 2].b : &sets[i / 2].a;
		struct buffer file = { .bytes = original->bytes, .length = original->length };
		struct trace_report report;
		if (check(trust, &file, sets[i / 2].is_signed, &report) < 0) {
			printf("an archive that nobody changed is refused: %s\n", report.reason);
			return 1;
		}
	}
	return 0;
}

#endif
