/* The content of INFO and SUMMARY frames: what decodes encodes to the same bytes. */
#include "fuzz.h"
#include "traces/info.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct info info = { 0 };
	struct summary summary = { 0 };
	struct buffer again = { 0 };

	if (info_decode(bytes, length, &info) == 0) {
		fuzz_require(info_encode(&info.info, &again) == 0 && again.length == length);
		fuzz_require(memcmp(again.bytes, bytes, length) == 0);
		info_release(&info);
	}
	if (summary_decode(bytes, length, &summary) == 0) {
		fuzz_require(summary_encode(&summary.summary, &again) == 0 && again.length == length);
		fuzz_require(memcmp(again.bytes, bytes, length) == 0);
		summary_release(&summary);
	}
	buffer_release(&again);
	return 0;
}
