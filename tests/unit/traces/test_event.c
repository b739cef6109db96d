#include "sample.h"

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < EVENT_KINDS; kind++)
		assert_string_not_equal(event_kind_name((enum event_kind)kind), "unknown");
	assert_string_equal(event_kind_name(EVENT_CALL), "call");
	assert_string_equal(event_kind_name((enum event_kind)99), "unknown");
}

static void the_registers_hash_leaves_out_what_a_call_changes(void **state)
{
	struct sample sample = { .seed = 3 };
	struct registers registers, other;
	(void)state;
	sample_bytes(&sample, (uint8_t *)&registers, sizeof(registers));
	uint64_t hash = registers_hash(&registers);
	other = registers;
	other.rax ^= 1;
	other.orig_rax ^= 1;
	other.rcx ^= 1;
	other.r11 ^= 1;
	other.eflags ^= 0x10100;
	assert_int_equal(registers_hash(&other), hash);
	for (size_t i = 0; i < sizeof(registers) / 8; i++) {
		uint64_t *word = (uint64_t *)&other + i;
		other = registers;
		*word ^= UINT64_C(1) << 40;
		bool left_out = word == &other.rax || word == &other.orig_rax ||
				word == &other.rcx || word == &other.r11;
		assert_int_equal(registers_hash(&other) == hash, left_out);
	}
}

static void errors_have_a_sentence(void **state)
{
	(void)state;
	for (int error = SWORN_EDEADLOCK; error <= SWORN_EFORMAT; error++)
		assert_string_not_equal(error_text(error), error_text(-1000000));
	assert_string_equal(error_text(-2), "No such file or directory");
	assert_non_null(error_text(0));
	assert_non_null(error_text(5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(the_registers_hash_leaves_out_what_a_call_changes),
		cmocka_unit_test(errors_have_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
