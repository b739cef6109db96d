/*
 * The records of one block in an otherwise good trace, so that they get past every hash. The first byte
 * says how many records the LINK promises.
 */
#include <fcntl.h>

#include "fuzz.h"
#include "traces/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const char *const argv[] = { "program", NULL };
	const struct trace_info info = { .table_version = 1, .seed = "1", .argv = argv, .directory = "/" };
	const struct trace_summary summary = { .isolation = "none", .complete = true };
	const uint8_t id[ARCHIVE_ID_BYTES] = { 1 };
	const struct archive_end end = { .state = NULL };
	struct archive archive;
	int fd;

	if (length < 1)
		return 0;
	fd = memfd_create("trace", MFD_CLOEXEC);
	fuzz_require(fd >= 0 && archive_begin(&archive, fd, &info, id, NULL) == 0);
	fuzz_require(archive_events(&archive, bytes + 1, length - 1, bytes[0]) == 0);
	fuzz_require(archive_finish(&archive, &summary, &end) == 0);
	archive_release(&archive);
	fuzz_read(fd);
	close(fd);
	return 0;
}
