/*
 * The table walk over any call, any arguments and any memory. The input is the call's number (2 bytes), the
 * result (2), six arguments of 4 bytes each, and the guest's memory from BASE on. Values with the top bit set are
 * taken as huge or negative ones.
 */
#include "fuzz.h"
#include "traces/extent.h"

#define BASE 0x10000u
#define HEAD 28

struct memory {
	const uint8_t *bytes;
	size_t length;
};

static size_t read_memory(void *context, uint64_t address, void *buffer, size_t length)
{
	const struct memory *memory = context;

	if (address < BASE || address - BASE >= memory->length)
		return 0;
	if (length > memory->length - (address - BASE))
		length = memory->length - (address - BASE);
	memcpy(buffer, memory->bytes + (address - BASE), length);
	return length;
}

static uint64_t number(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return bytes[size - 1] & 0x80 ? value | UINT64_MAX << 8 * size : value;
}

/* Each range after the call lies in one that the entry allows. */
static void require_inside(const struct range_list *entry, const struct range_list *after)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct range *range = &after->ranges[i];

		fuzz_require(range->arg < 6 && range->direction == DIRECTION_OUT);
		fuzz_require(extent_allows(entry, range->arg, range->address, range->length));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct memory memory = { bytes + HEAD, length - HEAD };
	struct range_list entry = { 0 }, after = { 0 };
	const struct row *row;
	uint64_t args[6];

	if (length < HEAD)
		return 0;
	for (size_t i = 0; i < 6; i++)
		args[i] = number(bytes + 4 + 4 * i, 4);
	row = syscall_resolve((uint32_t)number(bytes, 2) & 0x3ff, args);
	if (row && extent_entry(row, args, read_memory, &memory, &entry) == 0) {
		int64_t result = (int64_t)number(bytes + 2, 2);

		fuzz_require(entry.count <= EXTENT_RANGES_MAX);
		if (extent_exit(row, args, result, &entry, read_memory, &memory, &after) == 0)
			require_inside(&entry, &after);
	}
	range_list_release(&entry);
	range_list_release(&after);
	return 0;
}
