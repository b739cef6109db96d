#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../sandbox/replaced.h"

static struct replaced decode(const char *code)
{
	struct replaced replaced;

	assert_true(replaced_decode((const uint8_t *)code, &replaced));
	return replaced;
}

static void decodes_what_was_replaced_and_nothing_else(void **state)
{
	static const char *const others[] = { "\xf4\x90\x90\x90\x90", "\x0f\xc7\xf0\x90\x90",
					      "\xf4\xc7\x33\x90\x90", "\x0f\xa2\x90\x90\x90",
					      "\xf3\xf4\xc7\xf0\x90", "\x48\xf4\xa2\x90\x90" };
	struct replaced replaced = decode("\xf4\xc7\xf2\0\0");

	(void)state;
	assert_int_equal(replaced.kind, TRAP_RANDOM);
	assert_int_equal(replaced.length, 3);
	assert_int_equal(replaced.operand, 2);
	assert_int_equal(replaced.bits, 32);
	replaced = decode("\x49\xf4\xc7\xfd\0");
	assert_int_equal(replaced.length, 4);
	assert_int_equal(replaced.operand, 13);
	assert_int_equal(replaced.bits, 64);
	replaced = decode("\x66\x41\xf4\xc7\xf0");
	assert_int_equal(replaced.length, 5);
	assert_int_equal(replaced.operand, 8);
	assert_int_equal(replaced.bits, 16);
	replaced = decode("\xf4\xa2\x90\x90\x90");
	assert_int_equal(replaced.kind, TRAP_CPUID);
	assert_int_equal(replaced.length, 2);
	replaced = decode("\xf3\x41\xf4\xc7\xf9");
	assert_int_equal(replaced.kind, TRAP_RDPID);
	assert_int_equal(replaced.length, 5);
	assert_int_equal(replaced.operand, 9);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(replaced_decode((const uint8_t *)others[i], &replaced));
}

static void only_their_opcodes_may_be_replaced(void **state)
{
	(void)state;
	assert_true(replaced_may_be((const uint8_t *)"\x0f\xa2\x00"));
	assert_true(replaced_may_be((const uint8_t *)"\x0f\xc7\xf0"));
	assert_true(replaced_may_be((const uint8_t *)"\x0f\xc7\xff"));
	assert_false(replaced_may_be((const uint8_t *)"\x0f\xc7\x0f"));
	assert_false(replaced_may_be((const uint8_t *)"\x0f\x05\xff"));
	assert_false(replaced_may_be((const uint8_t *)"\xf4\xa2\x00"));
}

static void random_numbers_come_as_from_the_processor(void **state)
{
	struct registers registers = { .rip = 0x1000, .rdx = ~0ULL, .eflags = 0xad6 };
	struct event event = { .kind = EVENT_TRAP };

	(void)state;
	event.trap.value = 0x1122334455667788;
	replaced_answer(&(struct replaced){ TRAP_RANDOM, 4, 2, 16 }, &event, &registers);
	assert_int_equal(registers.rdx, 0xffffffffffff7788);
	assert_int_equal(registers.rip, 0x1004);
	assert_int_equal(registers.eflags, 0x203);
	replaced_answer(&(struct replaced){ TRAP_RANDOM, 3, 2, 32 }, &event, &registers);
	assert_int_equal(registers.rdx, 0x55667788);
	replaced_answer(&(struct replaced){ TRAP_RANDOM, 4, 15, 64 }, &event, &registers);
	assert_int_equal(registers.r15, 0x1122334455667788);
}

static void cpuid_and_rdpid_leave_the_flags(void **state)
{
	struct registers registers = { .rip = 0x1000, .rax = ~0ULL, .rcx = ~0ULL, .eflags = 0xad7 };
	struct event event = { .kind = EVENT_TRAP };

	(void)state;
	event.trap.value = 0x2222222211111111;
	event.trap.more = 0x4444444433333333;
	replaced_answer(&(struct replaced){ TRAP_CPUID, 2, 0, 0 }, &event, &registers);
	assert_int_equal(registers.rax, 0x11111111);
	assert_int_equal(registers.rbx, 0x22222222);
	assert_int_equal(registers.rcx, 0x33333333);
	assert_int_equal(registers.rdx, 0x44444444);
	assert_int_equal(registers.rip, 0x1002);
	event.trap.value = 0;
	replaced_answer(&(struct replaced){ TRAP_RDPID, 4, 1, 64 }, &event, &registers);
	assert_int_equal(registers.rcx, 0);
	assert_int_equal(registers.rip, 0x1006);
	assert_int_equal(registers.eflags, 0xad7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_was_replaced_and_nothing_else),
		cmocka_unit_test(only_their_opcodes_may_be_replaced),
		cmocka_unit_test(random_numbers_come_as_from_the_processor),
		cmocka_unit_test(cpuid_and_rdpid_leave_the_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
