/* A whole trace file of any bytes. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	int fd = fuzz_file(bytes, length);

	fuzz_read(fd);
	close(fd);
	return 0;
}
