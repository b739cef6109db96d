/* A signal frame's vector state, which is guest memory: what comes out of it is canonical and bounded. */
#include "fuzz.h"
#include "sandbox/register.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t canonical[VECTOR_BYTES_MAX];
	size_t canonical_length, at = 0;
	int previous = -1;

	if (vector_from_xsave(bytes, length, canonical, &canonical_length) < 0)
		return 0;
	fuzz_require(canonical_length <= sizeof(canonical));
	while (at < canonical_length) {
		uint32_t size;
		int number = canonical[at] | canonical[at + 1] << 8;

		memcpy(&size, canonical + at + 4, sizeof(size));
		fuzz_require(number > previous && size <= canonical_length - at - 8);
		previous = number;
		at += 8 + size;
	}
	return 0;
}
