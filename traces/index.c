#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "frame.h"

#define BLOCK_BOUND (1 + 2 * CBOR_HEAD_BYTES)
#define BLOB_BOUND (1 + 2 + DIGEST_BYTES + 2 * CBOR_HEAD_BYTES)
#define FIXED_BOUND 64

/* Room for one more entry in a growing array. */
static int make_room(void **array, size_t count, size_t *capacity, size_t entry_bytes)
{
	if (count < *capacity)
		return 0;
	size_t wanted = *capacity ? 2 * *capacity : 64;
	void *grown = reallocarray(*array, wanted, entry_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = wanted;
	return 0;
}

int index_add_block(struct index *index, uint64_t offset, uint64_t first_event)
{
	int r = make_room((void **)&index->blocks, index->blocks_count, &index->blocks_capacity,
			  sizeof(struct index_block));
	if (r == 0)
		index->blocks[index->blocks_count++] = (struct index_block){ offset, first_event };
	return r;
}

int index_add_blob(struct index *index, const struct blob *blob)
{
	int r = make_room((void **)&index->blobs, index->blobs_count, &index->blobs_capacity,
			  sizeof(struct blob));
	if (r == 0)
		index->blobs[index->blobs_count++] = *blob;
	return r;
}

int index_add_stored(struct index *index, const struct blob *blob)
{
	int r = make_room((void **)&index->stored, index->stored_count, &index->stored_capacity,
			  sizeof(struct blob));
	if (r == 0)
		index->stored[index->stored_count++] = *blob;
	return r;
}

void index_release(struct index *index)
{
	free(index->blocks);
	free(index->blobs);
	free(index->stored);
	memset(index, 0, sizeof(*index));
}

int index_encode(const struct index *index, struct buffer *buffer)
{
	size_t bound = FIXED_BOUND + index->blocks_count * BLOCK_BOUND +
		       (index->blobs_count + index->stored_count) * BLOB_BOUND;
	int r = buffer_reserve(buffer, bound);
	if (r < 0)
		return r;
	struct cbor_out out = { .bytes = buffer->bytes, .capacity = buffer->capacity };
	cbor_put_map(&out, 3);
	cbor_put_uint(&out, 0);
	cbor_put_array(&out, index->blocks_count);
	for (size_t i = 0; i < index->blocks_count; i++) {
		cbor_put_array(&out, 2);
		cbor_put_uint(&out, index->blocks[i].offset);
		cbor_put_uint(&out, index->blocks[i].first_event);
	}
	cbor_put_uint(&out, 1);
	cbor_put_array(&out, index->blobs_count);
	for (size_t i = 0; i < index->blobs_count; i++) {
		cbor_put_array(&out, 3);
		cbor_put_bytes(&out, index->blobs[i].name, DIGEST_BYTES);
		cbor_put_uint(&out, index->blobs[i].size);
		cbor_put_uint(&out, index->blobs[i].offset);
	}
	cbor_put_uint(&out, 2);
	cbor_put_array(&out, index->stored_count);
	for (size_t i = 0; i < index->stored_count; i++) {
		cbor_put_array(&out, 2);
		cbor_put_bytes(&out, index->stored[i].name, DIGEST_BYTES);
		cbor_put_uint(&out, index->stored[i].size);
	}
	if (out.full || out.length > FRAME_INDEX_MAX)
		return SWORN_ELIMIT;
	buffer->length = out.length;
	return 0;
}

static int check_blocks(struct cbor_in *in, const struct index *found)
{
	uint64_t count;
	int r = cbor_expect_key(in, 0);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	if (count != found->blocks_count)
		return SWORN_EINTEGRITY;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset, first;
		if ((r = cbor_expect_array(in, 2)) < 0 || (r = cbor_take_uint(in, &offset)) < 0 ||
		    (r = cbor_take_uint(in, &first)) < 0)
			return r;
		if (offset != found->blocks[i].offset || first != found->blocks[i].first_event)
			return SWORN_EINTEGRITY;
	}
	return 0;
}

static int take_blob(struct cbor_in *in, uint64_t fields, struct blob *ret_blob)
{
	int r = cbor_expect_array(in, fields);
	if (r < 0 || (r = cbor_take_exactly(in, ret_blob->name, DIGEST_BYTES)) < 0 ||
	    (r = cbor_take_uint_max(in, BLOB_BYTES_MAX, &ret_blob->size)) < 0)
		return r;
	ret_blob->offset = 0;
	return fields == 3 ? cbor_take_uint(in, &ret_blob->offset) : 0;
}

static int check_blobs(struct cbor_in *in, const struct index *found)
{
	uint64_t count;
	struct blob blob;
	int r = cbor_expect_key(in, 1);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	if (count != found->blobs_count)
		return SWORN_EINTEGRITY;
	for (uint64_t i = 0; i < count; i++) {
		if ((r = take_blob(in, 3, &blob)) < 0)
			return r;
		if (!digest_equal(blob.name, found->blobs[i].name) ||
		    blob.size != found->blobs[i].size || blob.offset != found->blobs[i].offset)
			return SWORN_EINTEGRITY;
	}
	return 0;
}

static int take_stored(struct cbor_in *in, struct index *found)
{
	struct blob blob;
	uint64_t count;
	int r = cbor_expect_key(in, 2);
	if (r < 0 || (r = cbor_take_array(in, &count)) < 0)
		return r;
	for (uint64_t i = 0; i < count; i++)
		if ((r = take_blob(in, 2, &blob)) < 0 || (r = index_add_stored(found, &blob)) < 0)
			return r;
	return in->length ? SWORN_EFORMAT : 0;
}

int index_check(const uint8_t *bytes, size_t length, struct index *found)
{
	struct cbor_in in = { bytes, length };
	int r = cbor_expect_map(&in, 3);
	if (r < 0 || (r = check_blocks(&in, found)) < 0 || (r = check_blobs(&in, found)) < 0)
		return r;
	return take_stored(&in, found);
}

int index_take_stored(const uint8_t *bytes, size_t length, struct index *ret_index)
{
	struct cbor_in in = { bytes, length };
	struct blob blob;
	uint64_t count, first;
	int r = cbor_expect_map(&in, 3);
	if (r < 0 || (r = cbor_expect_key(&in, 0)) < 0 || (r = cbor_take_array(&in, &count)) < 0)
		return r;
	for (uint64_t i = 0; i < count; i++)
		if ((r = cbor_expect_array(&in, 2)) < 0 || (r = cbor_take_uint(&in, &first)) < 0 ||
		    (r = cbor_take_uint(&in, &first)) < 0)
			return r;
	if ((r = cbor_expect_key(&in, 1)) < 0 || (r = cbor_take_array(&in, &count)) < 0)
		return r;
	for (uint64_t i = 0; i < count; i++)
		if ((r = take_blob(&in, 3, &blob)) < 0)
			return r;
	return take_stored(&in, ret_index);
}
