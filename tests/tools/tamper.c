/*
 * The tamper matrix: makes small archives (unsigned, signed, signed with trailers), changes each in every way that there is (frames
 * flipped, swapped, dropped, doubled, spliced; seals, headers, keys and trailers of others; signatures taken away; formats of other
 * versions; cut anywhere; bytes behind the end; forged fields whose hashes fit), and wants each refused for the reason that
 * belongs to the change. Only trailers may go, and stand in another order: then the archive has to be taken as before.
 *
 *   tamper DIRECTORY COUNT [SEED]     COUNT changes; the archives stay in DIRECTORY, 0 changes only make them
 *
 * Prints how often each change met which reason; exits 1 when one was taken, or refused for another reason.
 */
#include "tamper_make.h"

#include <inttypes.h>

#define REASONS_MAX 48

/* What a change has to meet: any of the texts; without one the archive is as good as before. */
struct answer {
	const char *texts[24];
};
static const struct answer taken = { { NULL } };

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
						"the header is malformed",
						"the header is signed with" } };
	/* Its signature is checked last: the chain is another before. */
	static const struct answer signed_header = {
		{ "the header is malformed", "the header is signed with",
		  "does not continue the chain", "the header does not match its own hash" }
	};
	static const struct answer seal = { { "the seal does not match its own hash",
					      "the seal is malformed", "the seal is signed with" } };
	static const struct answer checkpoint = { { "the CHECKPOINT does not match its own hash",
						    "the CHECKPOINT is malformed",
						    "the CHECKPOINT is signed with" } };
	static const struct answer trailer = { { "the trailer does not match its own hash",
						 "the trailer is malformed",
						 "the trailer is signed with" } };
	static const struct answer linked = { { "a frame does not match its hash" } };
	static const struct answer link = {
		{ "a LINK is malformed", "does not continue the chain", "counts do not match",
		  "a frame does not match its hash", "the seal is of another chain",
		  "another size than its LINK says", "a chunk of a blob has the wrong length",
		  "more than its events", "a record is malformed", "the seal counts other",
		  "INFO is not the one", "events behind END", "a CHECKPOINT is of another place" }
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
	case FRAME_HEADER: return trial->set->is_signed ? &signed_header : &header;
	case FRAME_LINK: return &link;
	case FRAME_SEAL: return &seal;
	case FRAME_CHECKPOINT: return &checkpoint;
	case FRAME_TRAILER: return &trailer;
	case FRAME_EVENTS: return &any;
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
	  "a frame does not match its hash", "the seal is of another chain",
	  "the seal names another end", "a CHECKPOINT is of another place",
	  "a CHECKPOINT is not behind a block", "the INDEX does not match the file" }
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
	const size_t seal = trial->a->seal;
	size_t i = draw(trial, trial->a->count), width = 1 + draw(trial, 2);
	if (i + width > trial->a->count)
		width = 1;
	put_pieces(trial, trial->a, 0, i);
	put_pieces(trial, trial->a, i + width, trial->a->count);
	trial->kind = trial->a->pieces[i].kind;
	return i > seal ? &taken : i + width == trial->a->count ? &end : &grammar;
}

static const struct answer *twice(struct trial *trial)
{
	static const struct answer behind = { { "bytes behind the seal" } };
	static const struct answer again = { { "is there twice" } };
	const size_t seal = trial->a->seal;
	size_t i = draw(trial, trial->a->count), width = 1 + draw(trial, 2);
	if (i + width > trial->a->count)
		width = 1;
	put_pieces(trial, trial->a, 0, i + width);
	put_pieces(trial, trial->a, i, trial->a->count);
	trial->kind = trial->a->pieces[i].kind;
	return i > seal ? &again : i + width > seal ? &behind : &grammar;
}

/* The beginning of one and the end of another: of the same length, so that both fit the other's grammar, or of any. */
static const struct answer *spliced(struct trial *trial)
{
	static const struct answer answer = {
		{ "does not continue the chain", "not where the grammar has it", "no INFO frame",
		  "no LINK behind", "no HEADER frame", "the seal is of another header",
		  "no SEAL behind", "counts do not match", "a frame does not match its hash",
		  "does not match its own hash or signature", "a CHECKPOINT is not behind a block" }
	};
	static const struct answer end = { { "a trailer is of another trace", "bytes behind the seal" } };
	size_t i = 1 + draw(trial, trial->a->count - 1),
	       j = draw(trial, 4) ? i : draw(trial, trial->b->count);
	if (j >= trial->b->count)
		return NULL;
	put_pieces(trial, trial->a, 0, i);
	put_pieces(trial, trial->b, j, trial->b->count);
	trial->kind = trial->b->pieces[j].kind;
	return i > trial->a->seal ? &end : &answer;
}

static const struct answer *others_seal(struct trial *trial)
{
	static const struct answer answer = { { "the seal is of another header" } };
	static const struct answer other_key = { { "the seal does not match its own hash or signature" } };
	put_pieces(trial, trial->a, 0, trial->a->seal);
	put_pieces(trial, trial->b, trial->b->seal, trial->b->count);
	trial->kind = FRAME_SEAL;
	return trial->set->is_signed ? &other_key : &answer;
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
	static const struct answer behind_seal = { { "behind the seal" } };
	const struct original *a = trial->a;
	bool in_trailers = a->sealed_length < a->length && draw(trial, 2);
	size_t length = in_trailers ? a->sealed_length + draw(trial, a->length - a->sealed_length)
				    : draw(trial, a->sealed_length);
	put(trial, a->bytes, length);
	for (size_t i = a->seal + 1; i < a->count; i++)
		if (a->pieces[i].bytes == a->bytes + length)
			return &taken;
	return in_trailers ? &behind_seal : &answer;
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
	case 2: put_pieces(trial, trial->b, trial->b->seal, trial->b->seal + 1); break;
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
	static const struct answer other_key = { { "the seal does not match its own hash or signature" } };
	const struct piece *seal = &trial->a->pieces[trial->a->seal];
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
	put_pieces(trial, trial->a, 0, trial->a->seal);
	trial->kind = FRAME_SEAL;
	if (!trial->set->is_signed) {
		put_envelope(trial, seal, payload, length);
		return &answers[key];
	}
	/* Whoever changes it has not the archive's key, which was erased. */
	put_signed(trial, SEAL_TYPE_SEAL, payload, length);
	return &other_key;
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
		{ "the seal is of another chain", "the INDEX does not match", "the SUMMARY is malformed",
		  "INFO is not the one", "does not decompress", "another size than its LINK",
		  "not a frame of this format", "the head of a BLOB frame", "are not in order",
		  "has the wrong length", "counts do not match", "no LINK behind",
		  "a blob has other bytes", "a frame is longer than the file", "over the limit",
		  "newer format", "a CHECKPOINT is of another place" }
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
	static const struct answer answer = { { "the header is malformed", "the seal is malformed",
						"the CHECKPOINT is malformed",
						"the trailer is malformed" } };
	const struct original *a = trial->a;
	const struct piece *piece;
	size_t i;
	uint8_t bytes[2048], inner[2048];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	struct cbor_out statement = { .bytes = inner, .capacity = sizeof(inner) };
	const uint8_t *key, *content;
	size_t length;
	do {
		i = draw(trial, 2) ? draw(trial, a->count) : draw(trial, 2) ? a->seal : 0;
		piece = &a->pieces[i];
	} while (piece->kind != FRAME_HEADER && piece->kind != FRAME_SEAL &&
		 piece->kind != FRAME_CHECKPOINT && piece->kind != FRAME_TRAILER);
	struct cbor_in in = { piece->bytes + FRAME_HEAD_BYTES, piece->length - FRAME_HEAD_BYTES };
	if (piece->kind != FRAME_TRAILER) {
		put_stripped(&out, in.bytes, in.length, draw(trial, 2));
	} else {
		if (cbor_expect_array(&in, 2) < 0 || cbor_take_bytes(&in, &key, &length) < 0 ||
		    cbor_take_bytes(&in, &content, &length) < 0)
			abort();
		put_stripped(&statement, content, length, draw(trial, 2));
		trailer_encode(inner, statement.length, key, &out);
	}
	put_pieces(trial, a, 0, i);
	put_frame(trial, piece->kind, bytes, out.length);
	put_pieces(trial, a, i + 1, a->count);
	trial->kind = piece->kind;
	return &answer;
}

/* An archive that somebody else made of the same events: without signatures, with a key that is not trusted, with one that is
 * trusted for another tenant, or with a header that names a trusted key and is signed by another. */
static const struct answer *others(struct trial *trial)
{
	static const struct answer answers[OTHERS] = { { { "nobody signed it" } },
						       { { "signed by the unknown key" } },
						       { { "whose key is not trusted for tenant" } },
						       { { "the header does not match its signature" } } };
	size_t which = draw(trial, OTHERS);
	if (!trial->set->is_signed)
		return NULL;
	put_pieces(trial, &trial->others[which], 0, trial->others[which].count);
	return &answers[which];
}

/* One envelope of the signed archive gives way to that of the unsigned one. */
static const struct answer *half(struct trial *trial)
{
	static const struct answer answer = { { "does not continue the chain",
						"the seal does not match its own hash or signature" } };
	const struct original *a = trial->a, *plain = &trial->others[0];
	bool seal = draw(trial, 2);
	if (!trial->set->is_signed)
		return NULL;
	put_pieces(trial, seal ? a : plain, 0, 1);
	put_pieces(trial, a, 1, a->seal);
	put_pieces(trial, seal ? plain : a, seal ? plain->seal : a->seal,
		   (seal ? plain->seal : a->seal) + 1);
	put_pieces(trial, a, a->seal + 1, a->count);
	trial->kind = seal ? FRAME_SEAL : FRAME_HEADER;
	return &answer;
}

/* Trailers in another order, at another place, or one more: of this archive, or of another one. */
static const struct answer *trailers(struct trial *trial)
{
	static const struct answer of_another = { { "a trailer is of another trace" } };
	static const struct answer misplaced = { { "not where the grammar has it", "no LINK behind",
						   "no INFO frame", "no SEAL behind",
						   "no HEADER frame" } };
	const struct original *a = trial->a;
	size_t seal = a->seal, at = draw(trial, seal + 1);
	uint8_t bytes[FRAME_TRAILER_MAX], id[DIGEST_BYTES];
	const struct piece *sealed = &a->pieces[seal];
	if (seal_id(sealed->bytes + FRAME_HEAD_BYTES, sealed->length - FRAME_HEAD_BYTES, id) < 0)
		abort();
	uint64_t choice = draw(trial, 4);
	id[0] ^= choice == 0;
	size_t length = make_trailer(id, (uint8_t)(TENANT_A + draw(trial, 3)),
				     10 + draw(trial, 100), bytes);
	trial->kind = FRAME_TRAILER;
	put_pieces(trial, a, 0, choice == 1 ? at : seal + 1);
	if (choice == 3)
		for (size_t i = a->count - 1; i > seal; i--)
			put_pieces(trial, a, i, i + 1);
	put_frame(trial, FRAME_TRAILER, bytes, length);
	put_pieces(trial, a, choice == 1 ? at : choice == 3 ? a->count : seal + 1, a->count);
	return choice == 0 ? &of_another : choice == 1 ? &misplaced : &taken;
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
	{ "no signature", stripped, 2, false },
	{ "others'", others, 1, false },
	{ "half signed", half, 1, false },
	{ "trailers", trailers, 2, false },
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

/* How often each change met each reason. */
static struct {
	uint64_t count;
	char reason[96];
} met[CHANGES][REASONS_MAX];
static bool kinds[CHANGES][FRAME_TRAILER + 1];

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
	case SWORN_EALGORITHM:
	case SWORN_EUNSIGNED:
	case SWORN_EUNTRUSTED:
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
	int error = check(trial->trust, &trial->file, trial->set->is_signed, &report);
	note(change, error ? report.reason : "taken, and has to be");
	kinds[change][trial->kind] = true;
	while (answer->texts[i] && !strstr(report.reason, answer->texts[i]))
		i++;
	if (answer == &taken && error == 0)
		return 0;
	if (is_code_5(trial, error) && report.reason[0] && answer->texts[i])
		return 0;
	printf("change %" PRIu64 ", %s of %s in the %s: error %d, %s\n", number, changes[change].name,
	       frame_kind_name(trial->kind), trial->set->name, error, report.reason);
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
		for (size_t kind = 0; kind <= FRAME_TRAILER; kind++) {
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
	static struct set sets[SETS] = {
		{ .name = "unsigned archive", .suffix = "" },
		{ .name = "signed archive", .suffix = "-signed", .is_signed = true },
		{ .name = "archive with trailers", .suffix = "-trailed", .is_signed = true }
	};
	static struct original others_made[OTHERS];
	struct trust trust;
	uint64_t wrong = 0;
	if (argc < 3)
		return 2;
	uint64_t count = strtoull(argv[2], NULL, 10), seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct trial trial = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1,
			       .others = others_made,
			       .trust = &trust };
	tamper_trust(&trust);
	if (make_all(argv[1], seed % 200, &trust, sets, others_made) != 0)
		return 1;
	for (uint64_t i = 0; i < count; i++) {
		trial.set = &sets[i < SETS * CHANGES ? i / CHANGES : draw(&trial, SETS)];
		trial.a = &trial.set->a;
		trial.b = &trial.set->b;
		wrong += (uint64_t)try(&trial, i < SETS * CHANGES ? i % CHANGES : pick(&trial), i);
	}
	if (count > 0)
		wrong += print_matrix();
	printf("%" PRIu64 " changes, %" PRIu64 " not refused as they have to be\n", count, wrong);
	buffer_release(&trial.file);
	for (size_t i = 0; i < 2 * SETS; i++)
		free(i % 2 ? sets[i / 2].b.bytes : sets[i / 2].a.bytes);
	for (size_t i = 0; i < OTHERS; i++)
		free(others_made[i].bytes);
	trust_release(&trust);
	return wrong > 0;
}
