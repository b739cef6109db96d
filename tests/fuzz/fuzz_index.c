/* The content of an INDEX frame: what is accepted for an empty file is what an encoder writes. */
#include "fuzz.h"
#include "traces/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct index found = { 0 }, filled = { 0 }, taken = { 0 };
	struct blob blob = { .name = { 1 }, .size = 5, .offset = 300 };
	struct buffer again = { 0 };

	if (index_check(bytes, length, &found) == 0) {
		fuzz_require(index_encode(&found, &again) == 0 && again.length == length);
		fuzz_require(memcmp(again.bytes, bytes, length) == 0);
		fuzz_require(index_take_stored(bytes, length, &taken) == 0 &&
			     taken.stored_count == found.stored_count);
	}
	index_release(&taken);
	index_take_stored(bytes, length, &taken);
	fuzz_require(index_add_block(&filled, 200, 0) == 0 && index_add_blob(&filled, &blob) == 0);
	index_check(bytes, length, &filled);
	buffer_release(&again);
	index_release(&found);
	index_release(&filled);
	index_release(&taken);
	return 0;
}
