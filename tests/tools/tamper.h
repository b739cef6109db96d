/*
 * What tamper.c works with: small archives that are made here, their frames, pieces of which a changed file is
 * put together, and the check that the file is handed to. Included by that program only.
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
#define BLOCKS 6
#define LARGE_BLOB ((1u << 20) + 1000) /* two chunks */

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
	size_t count;
};

struct trial {
	uint64_t random;
	const struct original *a, *b;
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
	buffer_release(&buffer);
	close(fd);
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

static inline void make(struct original *original, const char *path, uint64_t seed)
{
	static uint8_t content[LARGE_BLOB];
	static const char *const argv[] = { "/bin/true", "one", NULL };
	const struct trace_info info = {
		.table_version = 1, .seed = "7", .argv = argv, .directory = "/", .cpu = "a cpu"
	};
	const struct trace_summary summary = { .isolation = "ambient", .complete = true };
	struct writer *writer;
	char *made;
	if (writer_open(path, -1, &info, &writer) < 0)
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

static inline int check(const uint8_t *bytes, size_t length, struct trace_report *ret_report)
{
	struct reader *reader = NULL;
	int fd = memfd_create("tampered", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
		abort();
	memset(ret_report, 0, sizeof(*ret_report));
	int r = reader_open(fd, -1, &reader);
	if (r < 0)
		reader_reason(fd, ret_report->reason);
	else
		r = reader_check(reader, ret_report, NULL, NULL);
	reader_close(reader);
	close(fd);
	return r;
}

#endif
