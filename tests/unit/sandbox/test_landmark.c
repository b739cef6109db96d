/* Reading code for places to stop at: machine code written by hand, in this process. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../sandbox/landmark.h"

static uint8_t *page; /* code goes into its middle */
static int mem_fd;

#define CODE ((uint64_t)(uintptr_t)page + 2048)
#define ALL_NOP 0x90

static void put(const void *bytes, size_t length)
{
	memset(page, ALL_NOP, 4096);
	memcpy(page + 2048, bytes, length);
}
#define PUT(...) put((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static int open_page(void **state)
{
	(void)state;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem_fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	return page == MAP_FAILED || mem_fd < 0;
}

static int close_page(void **state)
{
	(void)state;
	close(mem_fd);
	return munmap(page, 4096);
}

static void a_straight_loop_is_known_with_its_exit(void **state)
{
	struct landmark_loop loop;

	(void)state;
	PUT(0x48, 0xff, 0xc0, 0x48, 0xff, 0xc9, 0x75, 0xf8); /* 1: inc rax; dec rcx; jnz 1b */
	for (uint64_t at = CODE; at < CODE + 8; at += 3) {
		assert_true(landmark_loop(mem_fd, at, &loop));
		assert_int_equal(loop.branches, 1);
		assert_int_equal(loop.exits_count, 1);
		assert_int_equal(loop.exits[0], CODE + 8);
	}
}

static void a_loop_with_a_branch_out_has_two_exits(void **state)
{
	struct landmark_loop loop;

	(void)state;
	/* 1: dec rcx; jz +16; inc rax; jmp 1b */
	PUT(0x48, 0xff, 0xc9, 0x74, 0x10, 0x48, 0xff, 0xc0, 0xeb, 0xf6);
	assert_true(landmark_loop(mem_fd, CODE + 5, &loop));
	assert_int_equal(loop.branches, 1);
	assert_int_equal(loop.exits_count, 1);
	assert_int_equal(loop.exits[0], CODE + 5 + 16);
	/* 1: dec rcx; jz +16; inc rax; jnz 1b */
	PUT(0x48, 0xff, 0xc9, 0x74, 0x10, 0x48, 0xff, 0xc0, 0x75, 0xf6);
	assert_true(landmark_loop(mem_fd, CODE, &loop));
	assert_int_equal(loop.branches, 2);
	assert_int_equal(loop.exits_count, 2);
}

static void a_loop_that_may_skip_the_address_is_refused(void **state)
{
	struct landmark_loop loop;

	(void)state;
	/* 1: dec rcx; jz +3; inc rax; nop; jnz 1b */
	PUT(0x48, 0xff, 0xc9, 0x74, 0x03, 0x48, 0xff, 0xc0, 0x90, 0x75, 0xf5);
	assert_true(landmark_loop(mem_fd, CODE + 8, &loop));
	assert_false(landmark_loop(mem_fd, CODE + 5, &loop));
}

static void a_loop_that_calls_or_loops_inside_is_refused(void **state)
{
	struct landmark_loop loop;

	(void)state;
	PUT(0xe8, 0, 0, 0, 0, 0x48, 0xff, 0xc9, 0x75, 0xf6); /* 1: call; dec rcx; jnz 1b */
	assert_false(landmark_loop(mem_fd, CODE, &loop));
	assert_false(landmark_loop(mem_fd, CODE + 5, &loop));
	/* 1: nop; 2: dec rcx; jnz 2b; dec rdx; jnz 1b */
	PUT(0x90, 0x48, 0xff, 0xc9, 0x75, 0xfb, 0x48, 0xff, 0xca, 0x75, 0xf5);
	assert_false(landmark_loop(mem_fd, CODE, &loop));
	assert_true(landmark_loop(mem_fd, CODE + 1, &loop));
	assert_false(landmark_loop(mem_fd, CODE + 6, &loop));
}

static void a_loop_without_branches_is_refused(void **state)
{
	struct landmark_loop loop;

	(void)state;
	PUT(0x48, 0xff, 0xc0, 0xeb, 0xfb); /* 1: inc rax; jmp 1b */
	assert_false(landmark_loop(mem_fd, CODE, &loop));
}

static void an_address_inside_an_instruction_has_no_loop(void **state)
{
	struct landmark_loop loop;

	(void)state;
	/* 1: mov eax, 0x90909090; dec rcx; jnz 1b */
	PUT(0xb8, 0x90, 0x90, 0x90, 0x90, 0x48, 0xff, 0xc9, 0x75, 0xf6);
	assert_true(landmark_loop(mem_fd, CODE, &loop));
	assert_false(landmark_loop(mem_fd, CODE + 2, &loop));
}

static void repeated_instructions_are_told_apart(void **state)
{
	uint64_t length;

	(void)state;
	PUT(0xf3, 0xa4); /* rep movsb */
	assert_int_equal(landmark_repeat(mem_fd, CODE, &length), REPEAT_PLAIN);
	assert_int_equal(length, 2);
	PUT(0xf3, 0x48, 0xab); /* rep stosq */
	assert_int_equal(landmark_repeat(mem_fd, CODE, &length), REPEAT_PLAIN);
	assert_int_equal(length, 3);
	PUT(0xf2, 0xae); /* repne scasb */
	assert_int_equal(landmark_repeat(mem_fd, CODE, &length), REPEAT_UNTIL);
	PUT(0xf3, 0x90); /* pause */
	assert_int_equal(landmark_repeat(mem_fd, CODE, &length), REPEAT_NONE);
	PUT(0xa4); /* movsb */
	assert_int_equal(landmark_repeat(mem_fd, CODE, &length), REPEAT_NONE);
	assert_int_equal(length, 1);
	assert_int_equal(landmark_repeat(mem_fd, 0, &length), REPEAT_NONE);
	assert_int_equal(length, 0);
}

static void return_addresses_and_loop_exits_are_collected(void **state)
{
	uint64_t stack[64] = { 0 }, found[24];
	struct registers registers = { .rip = CODE, .rsp = (uint64_t)(uintptr_t)stack };
	size_t count;

	(void)state;
	/* 1: inc rax; dec rcx; jnz 1b; then far away call; nop, and call [rip+0]; rep movsb */
	PUT(0x48, 0xff, 0xc0, 0x48, 0xff, 0xc9, 0x75, 0xf8);
	memcpy(page + 3500, "\xe8\0\0\0\0\x90", 6);
	memcpy(page + 3600, "\xff\x15\0\0\0\0\xf3\xa4", 8);
	stack[3] = CODE - 2048 + 3505;
	stack[4] = CODE + 100;	   /* no call before it */
	stack[5] = 0x123456789000; /* nothing there */
	stack[6] = CODE - 2048 + 3606;
	stack[9] = CODE - 2048 + 3505;
	count = landmark_collect(getpid(), mem_fd, &registers, found, 24);
	assert_true(count >= 2);
	assert_int_equal(found[0], CODE + 8);
	assert_int_equal(found[1], CODE - 2048 + 3505);
	/* Nothing twice, nothing at a rep. What follows on this process's real stack may be anything. */
	for (size_t i = 0; i < count; i++) {
		assert_int_not_equal(found[i], CODE - 2048 + 3606);
		assert_int_not_equal(found[i], CODE + 100);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(found[i], found[j]);
	}
	assert_int_equal(landmark_collect(getpid(), mem_fd, &registers, found, 1), 1);
}

static void every_form_of_an_indirect_call_is_known(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} calls[] = {
		{ "\xff\xd0", 2 },
		{ "\x41\xff\xd3", 3 },
		{ "\xff\x13", 2 },
		{ "\xff\x14\xc3", 3 },
		{ "\xff\x50\x18", 3 },
		{ "\xff\x54\x24\x08", 4 },
		{ "\xff\x15\x01\x02\x03\x04", 6 },
		{ "\xff\x90\x01\x02\x03\x04", 6 },
		{ "\xff\x94\x24\x01\x02\x03\x04", 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		uint64_t stack[64], found[1];
		struct registers registers = { .rip = 0, .rsp = (uint64_t)(uintptr_t)stack };

		memset(stack, 0, sizeof(stack));
		stack[0] = CODE;
		put("", 0);
		memcpy(page + 2048 - calls[i].length, calls[i].bytes, calls[i].length);
		assert_int_equal(landmark_collect(getpid(), mem_fd, &registers, found, 1), 1);
		assert_int_equal(found[0], CODE);
		*(uint8_t *)memchr(page + 2048 - calls[i].length, 0xff, calls[i].length) = 0x0f;
		if (landmark_collect(getpid(), mem_fd, &registers, found, 1) == 1)
			assert_int_not_equal(found[0], CODE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_straight_loop_is_known_with_its_exit),
		cmocka_unit_test(a_loop_with_a_branch_out_has_two_exits),
		cmocka_unit_test(a_loop_that_may_skip_the_address_is_refused),
		cmocka_unit_test(a_loop_that_calls_or_loops_inside_is_refused),
		cmocka_unit_test(a_loop_without_branches_is_refused),
		cmocka_unit_test(an_address_inside_an_instruction_has_no_loop),
		cmocka_unit_test(repeated_instructions_are_told_apart),
		cmocka_unit_test(return_addresses_and_loop_exits_are_collected),
		cmocka_unit_test(every_form_of_an_indirect_call_is_known),
	};

	return cmocka_run_group_tests(tests, open_page, close_page);
}
