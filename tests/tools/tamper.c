/*
 * The tamper matrix: makes small archives, changes each in every way that there is (frames flipped, swapped, dropped, doubled,
 * spliced; seals and headers of others; formats of other versions; cut anywhere; bytes behind the end; forged
 * fields whose hashes fit), and wants each refused for the reason that belongs to the change.
 *
 *   tamper DIRECTORY COUNT [SEED]     COUNT changes; the archives stay in DIRECTORY, 0 changes only make them
 *
 * Prints how often each change met which reason; exits 1 when one was taken, or refused for another reason.
 */
#include "tamper.h"

#include <inttypes.h>

#define REASONS_MAX 24

/* What a change has to meet: any of the texts. */
struct answer {
	const char *texts[20];
};

/* A frame that has a LINK behind it. */
static size_t draw_linked(struct trial *trial)
{
	for (;;) {
		size_t i = draw(trial, trial->a->count - 1);
		if (trial->a->pieces[i + 1].kind == FRAME_LINK)
			return i;
	}
}

static const struct answer *flip(struct trial *trial)
{
	static const struct answer header = { { "the header does not match its own hash",
						"the header is malformed" } };
	static const struct answer seal = { { "the seal does not match its own hash",
					      "the seal is malformed" } };
	static const struct answer linked = { { "a frame does not match its hash" } };
	static const struct answer link = {
		{ "a LINK is malformed", "does not continue the chain", "counts do not match",
		  "a frame does not match its hash", "the seal is of another chain",
		  "another size than its LINK says", "a chunk of a blob has the wrong length",
		  "more than its events", "a record is malformed", "the seal counts other",
		  "INFO is not the one", "events behind END" }
	};
	/* What says how long the frame is: anything may come of it. */
	static const struct answer any = { { "" } };
	size_t i = draw(trial, trial->a->count);
	const struct piece *piece = &trial->a->pieces[i];
	size_t at = draw(trial, piece->length);
	put_pieces(trial, trial->a, 0, trial->a->count);
	trial->file.bytes[(size_t)(piece->bytes - trial->a->bytes) + at] ^= (uint8_t)(1u << draw(trial,
												 8));
	trial->kind = piece->kind;
	if (at < FRAME_HEAD_BYTES)
		return &any;
	switch (piece->kind) {
	case FRAME_HEADER: return &header;
	case FRAME_LINK: return &link;
	case FRAME_SEAL: return &seal;
	case FRAME_EVENTS:
	case FRAME_CHECKPOINT:
	case FRAME_TRAILER: return &any;
	case FRAME_INFO:
	case FRAME_BLOB:
	case FRAME_SUMMARY:
	case FRAME_INDEX: break;
	}
	return &linked;
}

static const struct answer grammar = {
	{ "does not continue the chain", "not where the grammar has it", "no INFO frame",
	  "no LINK behind", "no HEADER frame", "no SEAL behind", "counts do not match",
	  "a frame does not match its hash", "the seal is of another chain" }
};

static const struct answer *swap(struct trial *trial)
{
	const struct original *a = trial->a;
	size_t i = draw_linked(trial), j = draw_linked(trial), width = 1 + draw(trial, 2);
	if (i > j) {
		size_t k = i;
		i = j;
		j = k;
	}
	if (j < i + width)
		return NULL;
	put_pieces(trial, a, 0, i);
	put_pieces(trial, a, j, j + width);
	put_pieces(trial, a, i + width, j);
	put_pieces(trial, a, i, i + width);
	put_pieces(trial, a, j + width, a->count);
	trial->kind = a->pieces[i].kind;
	return &grammar;
}

static const struct answer *drop(struct trial *trial)
{
	static const struct answer end = { { "without a seal" } };
	size_t i = draw(trial, trial->a->count), width = 1 + draw(trial, 2);
	if (i + width > trial->a->count)
		width = 1;
	put_pieces(trial, trial->a, 0, i);
	put_pieces(trial, trial->a, i + width, trial->a->count);
	trial->kind = trial->a->pieces[i].kind;
	return i + width == trial->a->count ? &end : &grammar;
}

static const struct answer *twice(struct trial *trial)
{
	static const struct answer behind = { { "bytes behind the seal" } };
	size_t i = draw(trial, trial->a->count), width = 1 + draw(trial, 2);
	if (i + width > trial->a->count)
		width = 1;
	put_pieces(trial, trial->a, 0, i + width);
	put_pieces(trial, trial->a, i, trial->a->count);
	trial->kind = trial->a->pieces[i].kind;
	return trial->kind == FRAME_SEAL || i + width == trial->a->count ? &behind : &grammar;
}

/* The beginning of one and the end of another: of the same length, so that both fit the other's grammar, or of any. */
static const struct answer *spliced(struct trial *trial)
{
	static const struct answer answer = {
		{ "does not continue the chain", "not where the grammar has it", "no INFO frame",
		  "no LINK behind", "no HEADER frame", "the seal is of another header",
		  "no SEAL behind", "counts do not match", "a frame does not match its hash" }
	};
	size_t i = 1 + draw(trial, trial->a->count - 1),
	       j = draw(trial, 4) ? i : draw(trial, trial->b->count);
	if (j >= trial->b->count)
		return NULL;
	put_pieces(trial, trial->a, 0, i);
	put_pieces(trial, trial->b, j, trial->b->count);
	trial->kind = trial->b->pieces[j].kind;
	return &answer;
}

static const struct answer *others_seal(struct trial *trial)
{
	static const struct answer answer = { { "the seal is of another header" } };
	put_pieces(trial, trial->a, 0, trial->a->count - 1);
	put_pieces(trial, trial->b, trial->b->count - 1, trial->b->count);
	trial->kind = FRAME_SEAL;
	return &answer;
}

static const struct answer *others_header(struct trial *trial)
{
	static const struct answer answer = { { "does not continue the chain" } };
	put_pieces(trial, trial->b, 0, 1);
	put_pieces(trial, trial->a, 1, trial->a->count);
	trial->kind = FRAME_HEADER;
	return &answer;
}

static const struct answer *cut(struct trial *trial)
{
	static const struct answer answer = { { "the file ends at byte" } };
	put(trial, trial->a->bytes, draw(trial, trial->a->length));
	return &answer;
}

static const struct answer *behind(struct trial *trial)
{
	static const struct answer answer = { { "bytes behind the seal" } };
	uint8_t bytes[64];
	put_pieces(trial, trial->a, 0, trial->a->count);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)draw(trial, 256);
	switch (draw(trial, 4)) {
	case 0: put(trial, bytes, 1 + draw(trial, sizeof(bytes))); break;
	case 1: put_pieces(trial, trial->a, 0, trial->a->count); break;
	case 2: put_pieces(trial, trial->b, trial->b->count - 1, trial->b->count); break;
	default: frame_head(FRAME_INFO, 0, bytes); put(trial, bytes, FRAME_HEAD_BYTES);
	}
	trial->kind = FRAME_SEAL;
	return &answer;
}

/* One field of the seal is another, and the seal's own hash fits. */
static const struct answer *forged_seal(struct trial *trial)
{
	static const struct answer answers[] = {
		{ { "the seal is of another header" } },
		{ { "the seal is of another chain" } },
		{ { "the seal is of another chain" } },
		{ { "the seal counts other events" } },
		{ { "the seal names another end" } },
		{ { "the seal has another Merkle root" } },
		{ { "another state or other outputs" } },
		{ { "another state or other outputs" } },
		{ { "the seal is of another SUMMARY" } },
		{ { "sealed a prefix" } },
	};
	const struct piece *seal = &trial->a->pieces[trial->a->count - 1];
	uint8_t payload[1024];
	size_t length = payload_of(seal, payload);
	unsigned int key = (unsigned int)draw(trial, sizeof(answers) / sizeof(answers[0]));
	size_t at = find_key(payload, length, key);
	bool is_bytes = payload[at] == 0x58;
	bool is_long = payload[at] >= 0x18 && payload[at] <= 0x1b;
	/* Byte strings of 32; numbers, by their last byte; completeness 0 becomes 1. */
	payload[at + (is_bytes	? 2 + draw(trial, DIGEST_BYTES)
		      : is_long ? (size_t)1 << (payload[at] - 0x18)
				: 0)] ^= 1;
	put_pieces(trial, trial->a, 0, trial->a->count - 1);
	put_envelope(trial, seal, payload, length);
	trial->kind = FRAME_SEAL;
	return &answers[key];
}

/* Everything from the header on is linked anew, so that only what is wrong inside can be found. */
static void relink(struct trial *trial, struct original *changed)
{
	struct chain chain = { .links = 0 };
	const struct piece *before = NULL;
	for (size_t i = 0; i < changed->count; i++) {
		const struct piece *piece = &changed->pieces[i];
		uint8_t bytes[LINK_BYTES_MAX];
		struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
		struct link link;
		if (piece->kind == FRAME_HEADER)
			chain_begin(&chain, piece->bytes, piece->length);
		if (piece->kind != FRAME_LINK) {
			put(trial, piece->bytes, piece->length);
			before = piece;
			continue;
		}
		if (link_decode(piece->bytes + FRAME_HEAD_BYTES, piece->length - FRAME_HEAD_BYTES,
				&link) < 0)
			abort();
		link.stored_length = before->length;
		if (before->kind == FRAME_INFO || before->kind == FRAME_SUMMARY ||
		    before->kind == FRAME_INDEX)
			link.raw_length = before->length - FRAME_HEAD_BYTES;
		digest_of(before->bytes, before->length, link.stored_hash);
		memcpy(link.prev, chain.last, DIGEST_BYTES);
		link_encode(&link, &out);
		put_frame(trial, FRAME_LINK, bytes, out.length);
		chain_append(&chain, &link, bytes, out.length);
	}
}

/* A frame is another, and all links fit; the seal is the old one. */
static const struct answer *relinked(struct trial *trial)
{
	static const struct answer answer = {
		{ "the seal is of another chain", "the INDEX does not match",
		  "the SUMMARY is malformed", "INFO is not the one", "does not decompress",
		  "another size than its LINK", "not a frame of this format",
		  "the head of a BLOB frame", "are not in order", "has the wrong length",
		  "counts do not match", "no LINK behind", "a blob has other bytes",
		  "a frame is longer than the file", "over the limit", "newer format" }
	};
	struct original changed = *trial->a;
	size_t i = draw_linked(trial);
	struct piece *piece = &changed.pieces[i];
	uint8_t *copy = malloc(piece->length);
	if (!copy)
		abort();
	memcpy(copy, piece->bytes, piece->length);
	copy[FRAME_HEAD_BYTES + draw(trial, piece->length - FRAME_HEAD_BYTES)] ^= (uint8_t)(1u
											    << draw(trial,
												    8));
	piece->bytes = copy;
	trial->kind = piece->kind;
	relink(trial, &changed);
	free(copy);
	return &answer;
}

/* Another version of the format: an older one than there ever was is damage. */
static const struct answer *old_version(struct trial *trial)
{
	static const struct answer answer = { { "the header is malformed" } };
	const struct piece *header = &trial->a->pieces[0];
	uint8_t payload[1024];
	size_t length = payload_of(header, payload);
	payload[find_key(payload, length, 0)] = 0;
	put_envelope(trial, header, payload, length);
	put_pieces(trial, trial->a, 1, trial->a->count);
	trial->kind = FRAME_HEADER;
	return &answer;
}

/* An envelope without its signature, or with half of one. */
static const struct answer *stripped(struct trial *trial)
{
	static const struct answer answers[] = { { { "the header is malformed" } },
						 { { "the seal is malformed" } } };
	const struct original *a = trial->a;
	size_t i = draw(trial, 2) ? a->count - 1 : 0;
	const struct piece *piece = &a->pieces[i];
	struct cbor_in in = { piece->bytes + FRAME_HEAD_BYTES, piece->length - FRAME_HEAD_BYTES };
	const uint8_t *parts[3];
	size_t lengths[3];
	uint8_t bytes[2048];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	if (cbor_expect_array(&in, 4) < 0 || cbor_take_bytes(&in, &parts[0], &lengths[0]) < 0 ||
	    cbor_expect_map(&in, 0) < 0 || cbor_take_bytes(&in, &parts[1], &lengths[1]) < 0 ||
	    cbor_take_bytes(&in, &parts[2], &lengths[2]) < 0)
		abort();
	cbor_put_array(&out, 4);
	cbor_put_bytes(&out, parts[0], lengths[0]);
	cbor_put_map(&out, 0);
	cbor_put_bytes(&out, parts[1], lengths[1]);
	cbor_put_bytes(&out, parts[2], draw(trial, 2) ? 0 : lengths[2] / 2);
	put_pieces(trial, a, 0, i);
	put_frame(trial, piece->kind, bytes, out.length);
	put_pieces(trial, a, i + 1, a->count);
	trial->kind = piece->kind;
	return &answers[i > 0];
}

static const struct change {
	const char *name;
	const struct answer *(*apply)(struct trial *trial);
	int weight;
	bool every; /* frames of every kind have to be met by it */
} changes[] = {
	{ "flip", flip, 6, true },
	{ "swap", swap, 2, false },
	{ "drop", drop, 2, true },
	{ "double", twice, 2, true },
	{ "splice", spliced, 2, false },
	{ "seal of another", others_seal, 1, false },
	{ "header of another", others_header, 1, false },
	{ "cut", cut, 3, false },
	{ "behind the end", behind, 1, false },
	{ "forged seal", forged_seal, 2, false },
	{ "relinked", relinked, 3, false },
	{ "old version", old_version, 1, false },
	{ "no signature", stripped, 1, false },
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

/* How often each change met each reason. */
static struct {
	uint64_t count;
	char reason[96];
} met[CHANGES][REASONS_MAX];
static bool kinds[CHANGES][FRAME_SEAL + 1];

/* The reason without the numbers in it. */
static void note(size_t change, const char *reason)
{
	char text[sizeof(met[0][0].reason)];
	size_t length = strcspn(reason, "(0123456789"), i = 0;
	snprintf(text, sizeof(text), "%.*s", (int)length, reason);
	while (i < REASONS_MAX - 1 && met[change][i].count && strcmp(met[change][i].reason, text))
		i++;
	memcpy(met[change][i].reason, text, sizeof(text));
	met[change][i].count++;
}

static bool is_code_5(const struct trial *trial, int error)
{
	switch (error) {
	case SWORN_EFORMAT:
	case SWORN_EINTEGRITY:
	case SWORN_ETRUNCATED:
	case SWORN_ELIMIT:
	case SWORN_EBLOB: return true;
	/* A word of a SUMMARY that this version does not know, in an archive whose links fit. */
	case SWORN_EVERSION: return trial->kind == FRAME_SUMMARY;
	}
	return false;
}

/* 1 when the change was not met as it has to be. */
static int try(struct trial *trial, size_t change, uint64_t number)
{
	struct trace_report report;
	size_t i = 0;
	trial->file.length = 0;
	trial->kind = FRAME_HEADER;
	const struct answer *answer = changes[change].apply(trial);
	bool same = trial->file.length == trial->a->length &&
		    !memcmp(trial->file.bytes, trial->a->bytes, trial->a->length);
	if (!answer || same)
		return 0;
	int error = check(trial->file.bytes, trial->file.length, &report);
	note(change, report.reason);
	kinds[change][trial->kind] = true;
	while (answer->texts[i] && !strstr(report.reason, answer->texts[i]))
		i++;
	if (is_code_5(trial, error) && report.reason[0] && answer->texts[i])
		return 0;
	printf("change %" PRIu64 ", %s of %s: error %d, %s\n", number, changes[change].name,
	       frame_kind_name(trial->kind), error, report.reason);
	return 1;
}

static size_t pick(struct trial *trial)
{
	uint64_t sum = 0, drawn;
	size_t i = 0;
	for (size_t k = 0; k < CHANGES; k++)
		sum += (uint64_t)changes[k].weight;
	drawn = draw(trial, sum);
	for (; drawn >= (uint64_t)changes[i].weight; i++)
		drawn -= (uint64_t)changes[i].weight;
	return i;
}

/* Prints it; counts what was never tried, which shows nothing. */
static uint64_t print_matrix(void)
{
	uint64_t missing = 0;
	for (size_t change = 0; change < CHANGES; change++) {
		uint64_t sum = 0;
		for (size_t i = 0; i < REASONS_MAX; i++) {
			sum += met[change][i].count;
			if (met[change][i].count)
				printf("%-18s %7" PRIu64 "  %s\n", changes[change].name,
				       met[change][i].count, met[change][i].reason);
		}
		for (size_t kind = 0; kind <= FRAME_SEAL; kind++) {
			if (sum && (kinds[change][kind] || !changes[change].every))
				continue;
			printf("%s: no frame of kind %s was changed so: make more changes\n",
			       changes[change].name, frame_kind_name((enum frame_kind)kind));
			missing++;
		}
	}
	return missing;
}

int main(int argc, char **argv)
{
	struct original a = { .count = 0 }, b = { .count = 0 };
	struct trace_report report;
	char path[4096];
	uint64_t wrong = 0;
	if (argc < 3)
		return 2;
	uint64_t count = strtoull(argv[2], NULL, 10), seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct trial trial = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1, .a = &a, .b = &b };
	snprintf(path, sizeof(path), "%s/a.sworn", argv[1]);
	make(&a, path, seed % 200);
	snprintf(path, sizeof(path), "%s/b.sworn", argv[1]);
	make(&b, path, seed % 200 + 17);
	if (check(a.bytes, a.length, &report) < 0 || check(b.bytes, b.length, &report) < 0) {
		printf("an archive that nobody changed is refused: %s\n", report.reason);
		return 1;
	}
	for (uint64_t i = 0; i < count; i++)
		wrong += (uint64_t)try(&trial, i < CHANGES ? i : pick(&trial), i);
	if (count > 0)
		wrong += print_matrix();
	printf("%" PRIu64 " changes, %" PRIu64 " not refused as they have to be\n", count, wrong);
	buffer_release(&trial.file);
	free(a.bytes);
	free(b.bytes);
	return wrong > 0;
}
