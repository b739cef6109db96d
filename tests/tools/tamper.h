/*
 * What tamper.c works with: the frames of small archives, and pieces of which a changed file is put together. Included by
 * that program only.
 */
#ifndef SWORN_TESTS_TAMPER_H
#define SWORN_TESTS_TAMPER_H

#include "../../traces/chain.h"
#include "../../traces/digest.h"
#include "../../traces/error.h"
#include "../../traces/frame.h"
#include "../../traces/reader.h"
#include "../../traces/seal.h"
#include "../../traces/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX 64
#define SETS 3
#define OTHERS 4

struct piece {
	enum frame_kind kind;
	const uint8_t *bytes; /* the whole frame */
	size_t length;
};

/* An archive, or what becomes of one. */
struct original {
	uint8_t *bytes; /* owned */
	size_t length;
	struct piece pieces[FRAMES_MAX];
	size_t count, seal; /* trailers are behind the seal */
	size_t sealed_length;
};

/* Archives that changes are tried on: `a` is changed, pieces of `b`, of another tenant, are put into it. */
struct set {
	const char *name, *suffix; /* of the file names */
	struct original a, b;
	bool is_signed;
};

struct trial {
	uint64_t random;
	const struct set *set;
	const struct original *a, *b; /* of the set */
	const struct original *others; /* OTHERS: of the same events as the signed ones, made by somebody else */
	const struct trust *trust;
	struct buffer file;   /* what is handed to the reader */
	enum frame_kind kind; /* of the frame that was changed */
};

static inline uint64_t draw(struct trial *trial, uint64_t below)
{
	uint64_t x = trial->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	trial->random = x;
	return (x >> 11) % below;
}

static inline void put(struct trial *trial, const void *bytes, size_t length)
{
	if (buffer_append(&trial->file, bytes, length) < 0)
		abort();
}

static inline void put_pieces(struct trial *trial, const struct original *from, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		put(trial, from->pieces[i].bytes, from->pieces[i].length);
}

/* Appends a skippable frame; gives where its content begins. */
static inline void put_frame(struct trial *trial, enum frame_kind kind, const void *content, size_t length)
{
	uint8_t head[FRAME_HEAD_BYTES];
	frame_head(kind, length, head);
	put(trial, head, sizeof(head));
	put(trial, content, length);
}

/* The envelope around a changed payload, with the hash that an unsigned one has. */
static inline void put_envelope(struct trial *trial, const struct piece *piece,
				const uint8_t *payload, size_t length)
{
	struct cbor_in in = { piece->bytes + FRAME_HEAD_BYTES, piece->length - FRAME_HEAD_BYTES };
	const uint8_t *protected, *old;
	size_t protected_length, old_length;
	uint8_t hash[DIGEST_BYTES], bytes[2048];
	struct cbor_out out = { .bytes = bytes, .capacity = sizeof(bytes) };
	if (cbor_expect_array(&in, 4) < 0 || cbor_take_bytes(&in, &protected, &protected_length) < 0 ||
	    cbor_expect_map(&in, 0) < 0 || cbor_take_bytes(&in, &old, &old_length) < 0)
		abort();
	struct part parts[] = { { protected, protected_length, false }, { payload, length, false } };
	chain_hash("sworn/1/unsigned", parts, 2, hash);
	cbor_put_array(&out, 4);
	cbor_put_bytes(&out, protected, protected_length);
	cbor_put_map(&out, 0);
	cbor_put_bytes(&out, payload, length);
	cbor_put_bytes(&out, hash, sizeof(hash));
	put_frame(trial, piece->kind, bytes, out.length);
}

/* Copy of an envelope's payload in `ret_bytes`. */
static inline size_t payload_of(const struct piece *piece, uint8_t ret_bytes[1024])
{
	struct cbor_in in = { piece->bytes + FRAME_HEAD_BYTES, piece->length - FRAME_HEAD_BYTES };
	const uint8_t *bytes;
	size_t length;
	if (cbor_expect_array(&in, 4) < 0 || cbor_take_bytes(&in, &bytes, &length) < 0 ||
	    cbor_expect_map(&in, 0) < 0 || cbor_take_bytes(&in, &bytes, &length) < 0 || length > 1024)
		abort();
	memcpy(ret_bytes, bytes, length);
	return length;
}

/* Where the value of a key of the map begins. Values are small numbers, byte strings, and one map of such. */
static inline size_t find_key(const uint8_t *map, size_t length, unsigned int wanted)
{
	struct cbor_in in = { map, length };
	unsigned int pairs;
	if (cbor_take_map(&in, &pairs) < 0)
		abort();
	for (unsigned int key = 0;; key++) {
		const uint8_t *bytes;
		uint64_t number;
		size_t n;
		if (cbor_expect_key(&in, key) < 0)
			abort();
		if (key == wanted)
			return (size_t)(in.bytes - map);
		if (cbor_take_bytes(&in, &bytes, &n) == 0 || cbor_take_uint(&in, &number) == 0)
			continue;
		for (unsigned int inner = cbor_expect_map(&in, 4) < 0 ? 4 : 0; inner < 4; inner++)
			if (cbor_expect_key(&in, inner) < 0 || cbor_take_uint(&in, &number) < 0)
				abort();
	}
}

static inline void split(struct original *original, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct frame_source source = { fd, (uint64_t)lseek(fd, 0, SEEK_END) };
	struct buffer buffer = { 0 };
	struct frame frame;
	original->length = source.size;
	original->bytes = malloc(source.size);
	if (fd < 0 || !original->bytes || frame_pread(&source, 0, original->bytes, source.size) < 0)
		abort();
	for (uint64_t at = 0; at < source.size; at += frame.length) {
		if (original->count == FRAMES_MAX || frame_read(&source, at, &buffer, &frame) < 0)
			abort();
		original->pieces[original->count++] = (struct piece){ frame.kind, original->bytes + at,
								      frame.length };
	}
	original->seal = original->count - 1;
	while (original->pieces[original->seal].kind != FRAME_SEAL)
		original->seal--;
	const struct piece *seal = &original->pieces[original->seal];
	original->sealed_length = (size_t)(seal->bytes - original->bytes) + seal->length;
	buffer_release(&buffer);
	close(fd);
}

#endif
