#include "register.h"

#include <assert.h>
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "../traces/error.h"

/* The XSAVE area, standard format: Intel SDM volume 1, chapter 13. */
#define LEGACY_BYTES 512
#define HEADER_OFFSET 512 /* XSTATE_BV, then XCOMP_BV */
#define EXTENDED_OFFSET 576
#define MXCSR_OFFSET 24
#define ST_OFFSET 32
#define XMM_OFFSET 160
#define ST_COUNT 8
#define ST_BYTES 10 /* of 16 */
#define XMM_BYTES 256
#define FCW_INITIAL 0x37f
#define MXCSR_INITIAL 0x1f80
#define MXCSR_RESERVED 0xffff0000U

/* What the kernel leaves in a signal frame's area: asm/sigcontext.h, struct _fpx_sw_bytes. */
#define FRAME_MAGIC_OFFSET 464
#define FRAME_FEATURES_OFFSET 472
#define FRAME_SIZE_OFFSET 480
#define FRAME_MAGIC1 0x46505853U
#define FRAME_MAGIC2 0x46505845U

#define COMPONENT_X87 0
#define COMPONENT_SSE 1
#define COMPONENT_OPMASK 5
#define COMPONENT_HI16_ZMM 7
#define COMPONENTS 63
#define X87_BYTES (ST_OFFSET - 8 + ST_COUNT * 16)
#define SSE_BYTES (4 + XMM_BYTES)
#define ENTRY_HEADER_BYTES 8

static_assert(sizeof(struct registers) == sizeof(struct user_regs_struct), "kernel's order");
static_assert(offsetof(struct registers, rip) == offsetof(struct user_regs_struct, rip),
	      "kernel's order");

/* What this CPU says of itself: never changes, and asking costs an exit from a virtual machine. */
struct layout {
	uint64_t components; /* XCR0 */
	uint32_t area_bytes; /* 512 without XSAVE */
	int regset;
	uint32_t offset[COMPONENTS], length[COMPONENTS]; /* 2 and up */
};

static struct layout host_layout;
static pthread_once_t host_layout_once = PTHREAD_ONCE_INIT;

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void layout_probe(void)
{
	struct layout *layout = &host_layout;
	uint32_t a, b, c, d;

	layout->components = 3;
	layout->area_bytes = LEGACY_BYTES;
	layout->regset = NT_PRFPREG;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return;
	layout->components = read_xcr0() & ((1ULL << COMPONENTS) - 1);
	layout->regset = NT_X86_XSTATE;
	__cpuid_count(0xd, 0, a, b, c, d);
	layout->area_bytes = b;
	for (unsigned int i = 2; i < COMPONENTS; i++) {
		if (!(layout->components >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		layout->length[i] = a;
		layout->offset[i] = b;
	}
}

static const struct layout *layout_get(void)
{
	pthread_once(&host_layout_once, layout_probe);
	return &host_layout;
}

static int ptrace_error(void)
{
	return errno == ESRCH ? SWORN_EGONE : -errno;
}

int register_get(pid_t tid, struct registers *ret)
{
	struct registers registers;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) < 0)
		return ptrace_error();
	*ret = registers;
	return 0;
}

int register_set(pid_t tid, const struct registers *registers)
{
	return ptrace(PTRACE_SETREGS, tid, NULL, registers) < 0 ? ptrace_error() : 0;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static bool is_initial(unsigned int number, const uint8_t *bytes, size_t length)
{
	static const uint8_t fcw[2] = { FCW_INITIAL & 0xff, FCW_INITIAL >> 8 };
	static const uint8_t mxcsr[4] = { MXCSR_INITIAL & 0xff, MXCSR_INITIAL >> 8, 0, 0 };

	if (number == COMPONENT_X87)
		return memcmp(bytes, fcw, sizeof(fcw)) == 0 &&
		       is_zero(bytes + sizeof(fcw), length - sizeof(fcw));
	if (number == COMPONENT_SSE)
		return memcmp(bytes, mxcsr, sizeof(mxcsr)) == 0 &&
		       is_zero(bytes + sizeof(mxcsr), length - sizeof(mxcsr));
	return is_zero(bytes, length);
}

/* The canonical bytes of x87: FCW, FSW, FTW, zeros for FOP, FIP and FDP, then ST0..7. */
static void x87_from_area(const uint8_t *area, uint8_t bytes[X87_BYTES])
{
	memset(bytes, 0, X87_BYTES);
	memcpy(bytes, area, 5);
	for (size_t i = 0; i < ST_COUNT; i++)
		memcpy(bytes + 24 + i * 16, area + ST_OFFSET + i * 16, ST_BYTES);
}

static void put_entry(uint8_t *buffer, size_t *length, unsigned int number, const uint8_t *bytes,
		      size_t bytes_length)
{
	uint16_t number16 = (uint16_t)number;
	uint32_t length32 = (uint32_t)bytes_length;
	uint8_t *entry = buffer + *length;

	if (is_initial(number, bytes, bytes_length))
		return;
	memset(entry, 0, ENTRY_HEADER_BYTES);
	memcpy(entry, &number16, sizeof(number16));
	memcpy(entry + 4, &length32, sizeof(length32));
	memcpy(entry + ENTRY_HEADER_BYTES, bytes, bytes_length);
	*length += ENTRY_HEADER_BYTES + bytes_length;
}

/*
 * MXCSR is taken whatever the mask says: XSAVE stores it and XRSTOR loads it without regard to
 * XSTATE_BV (SDM volume 1, 13.7 and 13.8).
 */
static int canonical(const uint8_t *area, size_t area_length, uint64_t mask, uint8_t *buffer,
		     size_t *ret_length)
{
	const struct layout *layout = layout_get();
	uint8_t bytes[SSE_BYTES > X87_BYTES ? SSE_BYTES : X87_BYTES];
	size_t length = 0;

	if (mask & ~layout->components)
		return SWORN_EFORMAT;
	if (mask & 1U << COMPONENT_X87) {
		x87_from_area(area, bytes);
		put_entry(buffer, &length, COMPONENT_X87, bytes, X87_BYTES);
	}
	memset(bytes, 0, SSE_BYTES);
	memcpy(bytes, area + MXCSR_OFFSET, 4);
	if (mask & 1U << COMPONENT_SSE)
		memcpy(bytes + 4, area + XMM_OFFSET, XMM_BYTES);
	put_entry(buffer, &length, COMPONENT_SSE, bytes, SSE_BYTES);
	for (unsigned int i = 2; i < COMPONENTS; i++) {
		if (!(mask >> i & 1))
			continue;
		if (layout->offset[i] > area_length ||
		    layout->length[i] > area_length - layout->offset[i])
			return SWORN_EFORMAT;
		if (length + ENTRY_HEADER_BYTES + layout->length[i] > VECTOR_BYTES_MAX)
			return SWORN_ELIMIT;
		put_entry(buffer, &length, i, area + layout->offset[i], layout->length[i]);
	}
	*ret_length = length;
	return 0;
}

static uint64_t word_at(const uint8_t *area, size_t offset)
{
	uint64_t word;

	memcpy(&word, area + offset, sizeof(word));
	return word;
}

static uint32_t word32_at(const uint8_t *area, size_t offset)
{
	uint32_t word;

	memcpy(&word, area + offset, sizeof(word));
	return word;
}

static int canonical_xsave(const uint8_t *area, size_t area_length, uint64_t restored,
			   uint8_t *buffer, size_t *ret_length)
{
	if (word_at(area, HEADER_OFFSET + 8) != 0)
		return SWORN_EFORMAT; /* the compacted format */
	return canonical(area, area_length, word_at(area, HEADER_OFFSET) & restored, buffer, ret_length);
}

int vector_get(pid_t tid, uint8_t *buffer, size_t *ret_length)
{
	uint8_t area[VECTOR_BYTES_MAX];
	struct iovec io = { .iov_base = area, .iov_len = sizeof(area) };
	const struct layout *layout = layout_get();

	if (ptrace(PTRACE_GETREGSET, tid, (void *)(intptr_t)layout->regset, &io) < 0)
		return ptrace_error();
	if (io.iov_len < LEGACY_BYTES)
		return SWORN_EHOST;
	if (io.iov_len < EXTENDED_OFFSET)
		return canonical(area, io.iov_len, 3, buffer, ret_length);
	return canonical_xsave(area, io.iov_len, UINT64_MAX, buffer, ret_length);
}

/* Sets one byte of a component that is all zero, and marks it in use. */
static bool mark(const struct layout *layout, unsigned int number, uint32_t byte, uint8_t *area)
{
	bool legacy = number == COMPONENT_SSE;
	uint32_t start = legacy ? XMM_OFFSET : layout->offset[number];
	uint32_t length = legacy ? XMM_BYTES : layout->length[number];
	uint64_t mask = word_at(area, HEADER_OFFSET);

	if (!(layout->components >> number & 1) || byte >= length)
		return false;
	if (mask >> number & 1) {
		for (uint32_t i = 0; i < length; i++) {
			if (area[start + i])
				return false;
		}
	} else {
		memset(area + start, 0, length);
	}
	area[start + byte] = 1;
	mask |= 1ULL << number;
	memcpy(area + HEADER_OFFSET, &mask, sizeof(mask));
	return true;
}

int vector_mark(pid_t tid)
{
	const struct layout *layout = layout_get();
	uint8_t area[VECTOR_BYTES_MAX];
	struct iovec io = { area, layout->area_bytes };
	bool changed;

	if (layout->area_bytes < EXTENDED_OFFSET || layout->area_bytes > sizeof(area))
		return 0;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)(intptr_t)layout->regset, &io) < 0)
		return ptrace_error();
	changed = mark(layout, COMPONENT_SSE, 15 * 16, area);
	changed |= mark(layout, COMPONENT_OPMASK, 7 * 8, area);
	changed |= mark(layout, COMPONENT_HI16_ZMM, 15 * 64, area);
	if (changed && ptrace(PTRACE_SETREGSET, tid, (void *)(intptr_t)layout->regset, &io) < 0)
		return ptrace_error();
	return 0;
}

int vector_from_xsave(const uint8_t *area, size_t area_length, uint8_t *buffer, size_t *ret_length)
{
	uint32_t size;

	if (area_length < LEGACY_BYTES)
		return SWORN_EFORMAT;
	if (word32_at(area, FRAME_MAGIC_OFFSET) != FRAME_MAGIC1) {
		if (area_length < EXTENDED_OFFSET)
			return canonical(area, area_length, 3, buffer, ret_length);
		return canonical_xsave(area, area_length, UINT64_MAX, buffer, ret_length);
	}
	/* The kernel takes a frame whose magic words do not agree for one without extended state. */
	size = word32_at(area, FRAME_SIZE_OFFSET);
	if (size < EXTENDED_OFFSET || area_length < 4 || size > area_length - 4 ||
	    word32_at(area, size) != FRAME_MAGIC2)
		return canonical(area, area_length, 3, buffer, ret_length);
	return canonical_xsave(area, size, word_at(area, FRAME_FEATURES_OFFSET), buffer, ret_length);
}

/* One entry of the canonical form, its bytes checked against what this CPU knows of the component. */
static int entry_check(const struct layout *layout, unsigned int number, const uint8_t *bytes,
		       size_t length)
{
	uint8_t canonical_x87[X87_BYTES];
	uint8_t area[LEGACY_BYTES] = { 0 };

	if (number >= COMPONENTS || !(layout->components >> number & 1))
		return SWORN_EHOST;
	if (number == COMPONENT_X87 && length == X87_BYTES) {
		memcpy(area, bytes, 24);
		memcpy(area + ST_OFFSET, bytes + 24, ST_COUNT * 16);
		x87_from_area(area, canonical_x87);
		if (memcmp(canonical_x87, bytes, X87_BYTES) != 0)
			return SWORN_EFORMAT;
	} else if (number == COMPONENT_SSE && length == SSE_BYTES) {
		if (word32_at(bytes, 0) & MXCSR_RESERVED)
			return SWORN_EFORMAT;
	} else if (number < 2 || length != layout->length[number]) {
		return SWORN_EFORMAT;
	}
	return is_initial(number, bytes, length) ? SWORN_EFORMAT : 0;
}

static void entry_place(const struct layout *layout, unsigned int number, const uint8_t *bytes,
			size_t length, uint8_t *area)
{
	uint64_t mask;

	if (number == COMPONENT_X87) {
		memcpy(area, bytes, 24);
		memcpy(area + ST_OFFSET, bytes + 24, ST_COUNT * 16);
	} else if (number == COMPONENT_SSE) {
		memcpy(area + MXCSR_OFFSET, bytes, 4);
		memcpy(area + XMM_OFFSET, bytes + 4, XMM_BYTES);
	} else {
		memcpy(area + layout->offset[number], bytes, length);
	}
	if (layout->area_bytes < EXTENDED_OFFSET)
		return;
	mask = word_at(area, HEADER_OFFSET) | 1ULL << number;
	memcpy(area + HEADER_OFFSET, &mask, sizeof(mask));
}

static int area_fill(const struct layout *layout, const uint8_t *bytes, size_t length, uint8_t *area)
{
	static const uint16_t fcw = FCW_INITIAL;
	static const uint32_t mxcsr = MXCSR_INITIAL;
	int host = 0, previous = -1;

	memset(area, 0, layout->area_bytes);
	memcpy(area, &fcw, sizeof(fcw));
	memcpy(area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	while (length > 0) {
		unsigned int number;
		uint32_t entry_length;
		int r;

		if (length < ENTRY_HEADER_BYTES || word32_at(bytes, 0) >> 16 != 0)
			return SWORN_EFORMAT;
		number = word32_at(bytes, 0);
		entry_length = word32_at(bytes, 4);
		bytes += ENTRY_HEADER_BYTES;
		length -= ENTRY_HEADER_BYTES;
		if (entry_length > length || (int)number <= previous)
			return SWORN_EFORMAT;
		r = entry_check(layout, number, bytes, entry_length);
		if (r == SWORN_EFORMAT)
			return r;
		if (r == 0)
			entry_place(layout, number, bytes, entry_length, area);
		else
			host = r;
		previous = (int)number;
		bytes += entry_length;
		length -= entry_length;
	}
	return host;
}

int vector_set(pid_t tid, const uint8_t *bytes, size_t length)
{
	const struct layout *layout = layout_get();
	uint8_t area[VECTOR_BYTES_MAX];
	struct iovec io = { .iov_base = area, .iov_len = layout->area_bytes };
	int r;

	if (layout->area_bytes > sizeof(area))
		return SWORN_EHOST;
	if (length > VECTOR_BYTES_MAX)
		return SWORN_EFORMAT;
	r = area_fill(layout, bytes, length, area);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETREGSET, tid, (void *)(intptr_t)layout->regset, &io) < 0)
		return ptrace_error();
	return 0;
}

uint64_t vector_components(void)
{
	return layout_get()->components;
}
