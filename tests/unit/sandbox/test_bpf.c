#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../sandbox/bpf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define JUMP(test, k, jt, jf) BPF_JUMP(BPF_JMP | (test), k, jt, jf)
#define STORE(k) BPF_STMT(BPF_ST, k)
#define FETCH(k) BPF_STMT(BPF_LD | BPF_MEM, k)

/* Whether this kernel takes the program. */
static bool kernel_takes(const struct sock_filter *code, size_t count)
{
	struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)code };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0
		      : errno == EINVAL						      ? 1
										      : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true; /* taken, and it forbids to say so */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void judge(const struct sock_filter *code, size_t count)
{
	bool ours = bpf_valid(code, count), theirs = kernel_takes(code, count);

	if (ours != theirs)
		fail_msg("code 0x%x k %u of %zu: %d here, %d in the kernel", code[0].code,
			 code[0].k, count, ours, theirs);
}

static void every_opcode_is_judged_as_the_kernel_does(void **state)
{
	(void)state;
	for (unsigned int op = 0; op < 0x120; op++) {
		struct sock_filter code[] = { { (uint16_t)op, 0, 0, 4 }, RETURN(SECCOMP_RET_ALLOW),
					      RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ALLOW),
					      RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ALLOW) };

		judge(code, COUNT(code));
	}
}

static void constants_are_judged_as_the_kernel_does(void **state)
{
	static const uint16_t opcodes[] = {
		BPF_LD | BPF_W | BPF_ABS,
		BPF_ST,
		BPF_STX,
		BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_RSH | BPF_K,
		BPF_ALU | BPF_DIV | BPF_K,
		BPF_JMP | BPF_JA,
		BPF_LD | BPF_IMM,
	};
	static const uint32_t values[] = { 0, 1, 2, 3, 15, 16, 31, 32, 60, 62, 64, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < COUNT(opcodes); i++) {
		for (size_t j = 0; j < COUNT(values); j++) {
			struct sock_filter code[] = { { opcodes[i], 0, 0, values[j] },
						      RETURN(SECCOMP_RET_ALLOW),
						      RETURN(SECCOMP_RET_ALLOW) };

			judge(code, COUNT(code));
		}
	}
}

static void jumps_and_scratch_are_judged_as_the_kernel_does(void **state)
{
	const struct sock_filter inside[] = { JUMP(BPF_JEQ, 0, 1, 0), RETURN(0), RETURN(0) };
	const struct sock_filter outside[] = { JUMP(BPF_JEQ, 0, 2, 0), RETURN(0), RETURN(0) };
	const struct sock_filter other[] = { JUMP(BPF_JGT | BPF_X, 0, 0, 2), RETURN(0), RETURN(0) };
	const struct sock_filter endless[] = { LOAD(0), LOAD(4) };
	const struct sock_filter written[] = { STORE(3), FETCH(3), RETURN(0) };
	const struct sock_filter unwritten[] = { STORE(3), FETCH(4), RETURN(0) };
	const struct sock_filter one_way[] = { JUMP(BPF_JEQ, 0, 1, 0), STORE(3), FETCH(3), RETURN(0) };
	const struct sock_filter both_ways[] = { JUMP(BPF_JEQ, 0, 2, 0),
						 STORE(3),
						 JUMP(BPF_JA, 1, 0, 0),
						 STORE(3),
						 FETCH(3),
						 RETURN(0) };
	const struct sock_filter skipped[] = { JUMP(BPF_JA, 1, 0, 0), STORE(3), FETCH(3), RETURN(0) };

	(void)state;
	judge(inside, COUNT(inside));
	judge(outside, COUNT(outside));
	judge(other, COUNT(other));
	judge(endless, COUNT(endless));
	judge(written, COUNT(written));
	judge(unwritten, COUNT(unwritten));
	judge(one_way, COUNT(one_way));
	judge(both_ways, COUNT(both_ways));
	judge(skipped, COUNT(skipped));
	assert_true(bpf_valid(both_ways, COUNT(both_ways)));
	assert_false(bpf_valid(one_way, COUNT(one_way)));
}

static void the_length_is_bounded(void **state)
{
	static struct sock_filter code[BPF_MAXINSNS + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(code); i++)
		code[i] = (struct sock_filter)RETURN(0);
	assert_false(bpf_valid(code, 0));
	assert_true(bpf_valid(code, BPF_MAXINSNS));
	assert_false(bpf_valid(code, BPF_MAXINSNS + 1));
}

static uint32_t run(const struct sock_filter *code, size_t count)
{
	struct seccomp_data data = { .nr = 7,
				     .arch = 0xc000003e,
				     .instruction_pointer = 0x1122334455667788 };

	for (unsigned int i = 0; i < 6; i++)
		data.args[i] = 0x100000000ULL * (i + 1) + i;
	assert_true(bpf_valid(code, count));
	return bpf_run(code, &data);
}

static uint32_t compute(uint16_t op, uint32_t a, uint32_t b, bool with_x)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, b),
		BPF_STMT(BPF_LD | BPF_IMM, a),
		BPF_STMT((uint16_t)(BPF_ALU | op | (with_x ? BPF_X : BPF_K)), with_x ? 0 : b),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	return run(code, COUNT(code));
}

static void arithmetic_has_32_bits(void **state)
{
	(void)state;
	for (int with_x = 0; with_x < 2; with_x++) {
		assert_int_equal(compute(BPF_ADD, 0xffffffff, 2, with_x), 1);
		assert_int_equal(compute(BPF_SUB, 1, 2, with_x), 0xffffffff);
		assert_int_equal(compute(BPF_MUL, 0x10001, 0x10001, with_x), 0x20001);
		assert_int_equal(compute(BPF_DIV, 0xfffffffe, 2, with_x), 0x7fffffff);
		assert_int_equal(compute(BPF_AND, 6, 3, with_x), 2);
		assert_int_equal(compute(BPF_OR, 6, 3, with_x), 7);
		assert_int_equal(compute(BPF_XOR, 6, 3, with_x), 5);
		assert_int_equal(compute(BPF_LSH, 3, 31, with_x), 0x80000000);
		assert_int_equal(compute(BPF_RSH, 0x80000000, 31, with_x), 1);
	}
	assert_int_equal(compute(BPF_NEG, 1, 0, false), 0xffffffff);
	assert_int_equal(compute(BPF_LSH, 3, 33, true), 6);
	assert_int_equal(compute(BPF_RSH, 8, 34, true), 2);
	assert_int_equal(compute(BPF_DIV, 5, 0, true), 0);
}

static void loads_take_words_of_the_call(void **state)
{
	static const uint32_t words[] = { 7, 0xc000003e, 0x55667788, 0x11223344 };
	const struct sock_filter lengths[] = { BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
					       BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
					       BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
					       BPF_STMT(BPF_RET | BPF_A, 0) };
	const struct sock_filter moves[] = {
		BPF_STMT(BPF_LD | BPF_IMM, 9),		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 1),		BPF_STMT(BPF_STX, 15),
		BPF_STMT(BPF_MISC | BPF_TXA, 0),	STORE(0),
		BPF_STMT(BPF_LDX | BPF_MEM, 0),		FETCH(15),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0)
	};

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		const struct sock_filter code[] = { LOAD(i * 4), BPF_STMT(BPF_RET | BPF_A, 0) };
		uint32_t expected = i < 4 ? words[i] : i % 2 ? (i - 4) / 2 + 1 : (i - 4) / 2;

		assert_int_equal(run(code, COUNT(code)), expected);
	}
	assert_int_equal(run(lengths, COUNT(lengths)), 128);
	assert_int_equal(run(moves, COUNT(moves)), 81);
}

static uint32_t branch(uint16_t test, uint32_t a, uint32_t b)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, b),
		BPF_STMT(BPF_LD | BPF_IMM, a),
		JUMP(test, b, 1, 0),
		RETURN(0),
		JUMP(BPF_JA, 1, 0, 0),
		RETURN(2),
		RETURN(1),
	};

	return run(code, COUNT(code));
}

static void jumps_compare_without_sign(void **state)
{
	static const uint16_t sources[] = { BPF_K, BPF_X };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint16_t with = sources[i];

		assert_true(branch(BPF_JEQ | with, 5, 5) && !branch(BPF_JEQ | with, 5, 6));
		assert_true(branch(BPF_JGT | with, 0x80000000, 1) && !branch(BPF_JGT | with, 5, 5));
		assert_true(branch(BPF_JGE | with, 5, 5) && !branch(BPF_JGE | with, 5, 6));
		assert_true(branch(BPF_JSET | with, 6, 4) && !branch(BPF_JSET | with, 6, 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_is_judged_as_the_kernel_does),
		cmocka_unit_test(constants_are_judged_as_the_kernel_does),
		cmocka_unit_test(jumps_and_scratch_are_judged_as_the_kernel_does),
		cmocka_unit_test(the_length_is_bounded),
		cmocka_unit_test(arithmetic_has_32_bits),
		cmocka_unit_test(loads_take_words_of_the_call),
		cmocka_unit_test(jumps_compare_without_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
