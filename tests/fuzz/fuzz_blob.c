/* BLOB frames: the head in front of a chunk, and the chunk itself in a file whose chain fits. */
#include <zstd.h>

#include "fuzz.h"
#include "traces/blob.h"
#include "traces/cursor.h"

/* What a cursor makes of the chunk, when its LINK says any length. */
static void decompress(const uint8_t *bytes, size_t length, uint64_t raw_length)
{
	struct cursor cursor = { .zstd = ZSTD_createDCtx() };

	cursor.link.raw_length = raw_length;
	if (cursor_decompress(&cursor, bytes, length) == 0)
		fuzz_require(cursor.raw.length == raw_length);
	cursor_release(&cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cbor_in in = { bytes, length };
	uint8_t again[BLOB_HEAD_MAX];
	struct cbor_out out = { .bytes = again, .capacity = sizeof(again) };
	struct blob blob;
	uint64_t offset, chunk;

	if (blob_head_decode(&in, &blob, &offset) < 0)
		return 0;
	fuzz_require(blob.size <= BLOB_BYTES_MAX);
	blob_head_encode(&blob, offset, &out);
	fuzz_require(!out.full && out.length == length - in.length);
	fuzz_require(memcmp(again, bytes, out.length) == 0);
	chunk = blob_chunk_length(blob.size, offset);
	fuzz_require(chunk <= FRAME_CHUNK_BYTES);
	decompress(in.bytes, in.length, chunk);
	return 0;
}
