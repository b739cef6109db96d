/*
 * The table walk: turns a row and its arguments into the memory ranges that the call reads and
 * writes. The recorder captures what the walk names, the replayer compares inputs with it and refuses
 * payloads outside it, so one function decides for both. Reads guest memory only through the
 * callback it is given; never ptrace.
 */
#ifndef SWORN_TRACES_EXTENT_H
#define SWORN_TRACES_EXTENT_H

#include "syscall.h"
#include "event.h"

#define EXTENT_RANGES_MAX 65536	       /* a full batch of messages with 60 buffers each */
#define EXTENT_STRING_MAX (128 * 1024) /* MAX_ARG_STRLEN */
#define EXTENT_STRINGS_MAX 900 /* ranges for the strings of one vector; later ones are left out */
#define EXTENT_VECTOR_MAX \
	1024 /* iovecs of one call or message, messages of one call (UIO_MAXIOV) */
#define EXTENT_LENGTH_MAX 0x7ffff000u /* bytes one call moves at most (MAX_RW_COUNT) */

struct range {
	uint8_t arg;
	uint8_t direction; /* DIRECTION_IN or DIRECTION_OUT */
	uint64_t address;
	uint64_t length; /* bytes; a range the guest cannot back in full is captured as far as it is readable */

	/* How extent_exit() cuts an OUT range; set by extent_entry() alone. */
	uint8_t trim;	  /* enum range_trim */
	uint32_t base;	  /* TRIM_RESULT: bytes written besides those that the result counts */
	uint32_t unit;	  /* TRIM_RESULT, TRIM_WORD32: bytes per unit of the number */
	uint32_t message; /* number from 1 of the mmsghdr it belongs to; 0 = none */
	uint64_t measure; /* TRIM_WORD32, TRIM_WORD64, TRIM_MESSAGE: where the kernel stores the length */
};

enum range_trim {
	TRIM_NONE = 0, /* written whole */
	TRIM_RESULT,   /* base + result * unit bytes */
	TRIM_STREAM,   /* data of an iovec or msghdr: such ranges share `result` bytes in order */
	TRIM_MESSAGE, /* the same inside one mmsghdr: ranges of equal `measure` share *(uint32_t *)measure */
	TRIM_WORD32, /* *(uint32_t *)measure * unit bytes */
	TRIM_WORD64, /* *(uint64_t *)measure bytes */
};

struct range_list {
	struct range *ranges; /* owned; grows, reused between calls */
	size_t count, capacity;
};
void range_list_release(struct range_list *list);

/* Reads up to `length` bytes at `address` into `buffer`; returns how many were readable (0..length). */
typedef size_t guest_reader(void *context, uint64_t address, void *buffer, size_t length);

/*
 * At the entry of a call: appends to `list` (cleared first) every range the call reads, exactly (IN),
 * and every range it may write, at its largest (OUT). An INOUT argument gives one of each. NULL
 * pointers give none. Bad pointers are not errors: the range is what could be determined. IN ranges
 * that hold the data of an iovec or msghdr (not the arrays, names or control bytes around them) carry
 * TRIM_STREAM or TRIM_MESSAGE too.
 * 0, -ENOMEM, or SWORN_ELIMIT when EXTENT_RANGES_MAX would be passed.
 */
int extent_entry(const struct row *row, const uint64_t args[6], guest_reader *read, void *context,
		 struct range_list *list);

/*
 * After the call: from the OUT ranges of `entry` (that call's own list) appends to `list` (cleared
 * first) those that the result says were written, cut to length, and what may have been written
 * behind them before memory ended. A negative result in -4095..-1 gives
 * ranges only where failing calls write memory: all OUT ranges for EFAULT and EINTR, those of at most
 * 1,024 bytes otherwise. `read` sees memory after the call (for EXTENT_DEREF, msghdr).
 */
int extent_exit(const struct row *row, const uint64_t args[6], int64_t result,
		const struct range_list *entry, guest_reader *read, void *context,
		struct range_list *list);

/* True when [address, address + length) lies inside one OUT range of argument `arg` in `entry`. */
bool extent_allows(const struct range_list *entry, uint8_t arg, uint64_t address, uint64_t length);

#endif
