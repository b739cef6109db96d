/* Registers and vector state of a real stopped guest, and the canonical form of vector state. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../sandbox/register.h"
#include "../../../traces/error.h"

#define HAS(component) (vector_components() >> (component)&1)

static void need(unsigned int component_number)
{
	if (HAS(component_number))
		return;
	print_message("this CPU has no vector component %u\n", component_number);
	skip();
}

/* What guest and test share: the guest loads `in` into registers, stops, and stores them to `out`. */
struct shared {
	uint8_t in[64], out[64], high_out[64];
	uint64_t word;
	uint32_t mxcsr;
	uint16_t fcw;
};

static struct shared *shared;

typedef void guest_body(void);

static pid_t start(guest_body *body)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGTRAP, SIG_DFL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGTRAP);
	return pid;
}

static void finish(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const uint8_t *component(const uint8_t *bytes, size_t length, unsigned int number)
{
	while (length > 0) {
		uint16_t found;
		uint32_t size;

		assert_true(length >= 8);
		memcpy(&found, bytes, 2);
		memcpy(&size, bytes + 4, 4);
		if (found == number)
			return bytes + 8;
		assert_true(length >= 8 + size);
		bytes += 8 + size;
		length -= 8 + size;
	}
	return NULL;
}

static void general_body(void)
{
	__asm__ volatile("mov $0x1234567887654321, %%rbx\n\tint3\n\tmov %%rbx, %0"
			 : "=m"(shared->word)
			 :
			 : "rbx", "memory");
}

static void vector_body(void)
{
	__asm__ volatile("vmovdqu %2, %%ymm7\n\tint3\n\tvmovdqu %%ymm7, %0\n\tstmxcsr %1"
			 : "=m"(shared->out), "=m"(shared->mxcsr)
			 : "m"(shared->in)
			 : "xmm7", "memory");
}

static void wide_body(void)
{
	__asm__ volatile("mov $0xabcd, %%eax\n\tkmovw %%eax, %%k1\n\t"
			 "vmovdqu64 %3, %%zmm3\n\tvmovdqu64 %3, %%zmm17\n\tint3\n\t"
			 "vmovdqu64 %%zmm3, %0\n\tvmovdqu64 %%zmm17, %1\n\tkmovw %%k1, %%eax\n\tmov %%rax, %2"
			 : "=m"(shared->out), "=m"(shared->high_out), "=m"(shared->word)
			 : "m"(shared->in)
			 : "rax", "memory");
}

static void control_body(void)
{
	uint32_t mxcsr = 0x9fc0;
	uint16_t fcw = 0x27f;

	__asm__ volatile("ldmxcsr %2\n\tfldcw %3\n\tfld1\n\tvzeroall\n\tint3\n\tstmxcsr %0\n\tfnstcw %1"
			 : "=m"(shared->mxcsr), "=m"(shared->fcw)
			 : "m"(mxcsr), "m"(fcw)
			 : "memory");
}

static void clean_body(void)
{
	uint32_t mxcsr = 0x1f80;

	__asm__ volatile("ldmxcsr %0\n\tvzeroall\n\tint3" : : "m"(mxcsr) : "memory");
}

static void general_registers_are_read_and_written(void **state)
{
	struct registers registers, again;
	pid_t pid = start(general_body);

	(void)state;
	assert_int_equal(register_get(pid, &registers), 0);
	assert_int_equal(registers.rbx, 0x1234567887654321);
	assert_int_equal(registers.cs, 0x33);
	registers.rbx = 77;
	assert_int_equal(register_set(pid, &registers), 0);
	assert_int_equal(register_get(pid, &again), 0);
	assert_memory_equal(&registers, &again, sizeof(again));
	finish(pid);
	assert_int_equal(shared->word, 77);
}

static void a_thread_that_is_gone_is_reported_as_gone(void **state)
{
	struct registers registers = { .rbx = 5 };
	uint8_t buffer[VECTOR_BYTES_MAX];
	size_t length = 99;
	pid_t pid = start(general_body);

	(void)state;
	finish(pid);
	assert_int_equal(register_get(pid, &registers), SWORN_EGONE);
	assert_int_equal(registers.rbx, 5);
	assert_int_equal(register_set(pid, &registers), SWORN_EGONE);
	assert_int_equal(vector_get(pid, buffer, &length), SWORN_EGONE);
	assert_int_equal(length, 99);
	assert_int_equal(vector_set(pid, buffer, 0), SWORN_EGONE);
}

static void avx_state_is_visible_and_survives_a_round_trip(void **state)
{
	uint8_t buffer[VECTOR_BYTES_MAX], again[VECTOR_BYTES_MAX];
	const uint8_t *sse, *avx;
	size_t length, again_length;
	pid_t pid;

	(void)state;
	need(2);
	for (size_t i = 0; i < 32; i++)
		shared->in[i] = (uint8_t)(i * 7 + 1);
	pid = start(vector_body);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	sse = component(buffer, length, 1);
	avx = component(buffer, length, 2);
	assert_non_null(sse);
	assert_non_null(avx);
	assert_memory_equal(sse + 4 + 7 * 16, shared->in, 16);
	assert_memory_equal(avx + 7 * 16, shared->in + 16, 16);
	assert_int_equal(vector_set(pid, NULL, 0), 0);
	assert_int_equal(vector_set(pid, buffer, length), 0);
	assert_int_equal(vector_get(pid, again, &again_length), 0);
	assert_int_equal(length, again_length);
	assert_memory_equal(buffer, again, length);
	finish(pid);
	assert_memory_equal(shared->out, shared->in, 32);
}

static void a_component_that_is_set_reaches_the_guest(void **state)
{
	uint8_t buffer[VECTOR_BYTES_MAX], expected[32];
	size_t length;
	pid_t pid;

	(void)state;
	need(2);
	memset(shared->in, 0x55, sizeof(shared->in));
	memset(expected, 0x55, sizeof(expected));
	pid = start(vector_body);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	((uint8_t *)(uintptr_t)component(buffer, length, 2))[7 * 16 + 3] = 0xee;
	((uint8_t *)(uintptr_t)component(buffer, length, 1))[4 + 7 * 16 + 1] = 0xdd;
	expected[16 + 3] = 0xee;
	expected[1] = 0xdd;
	assert_int_equal(vector_set(pid, buffer, length), 0);
	finish(pid);
	assert_memory_equal(shared->out, expected, 32);
}

static void avx512_state_is_visible_and_survives_a_round_trip(void **state)
{
	uint8_t buffer[VECTOR_BYTES_MAX];
	const uint8_t *mask, *high, *upper;
	size_t length;
	pid_t pid;

	(void)state;
	need(7);
	for (size_t i = 0; i < 64; i++)
		shared->in[i] = (uint8_t)(200 - i);
	pid = start(wide_body);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	mask = component(buffer, length, 5);
	high = component(buffer, length, 6);
	upper = component(buffer, length, 7);
	assert_non_null(mask);
	assert_non_null(high);
	assert_non_null(upper);
	assert_memory_equal(mask + 8, "\xcd\xab", 2);
	assert_memory_equal(high + 3 * 32, shared->in + 32, 32);
	assert_memory_equal(upper + 64, shared->in, 64);
	assert_int_equal(vector_set(pid, NULL, 0), 0);
	assert_int_equal(vector_set(pid, buffer, length), 0);
	finish(pid);
	assert_memory_equal(shared->out, shared->in, 64);
	assert_memory_equal(shared->high_out, shared->in, 64);
	assert_int_equal(shared->word, 0xabcd);
}

static void control_words_are_kept_without_the_last_instruction(void **state)
{
	uint8_t buffer[VECTOR_BYTES_MAX], zeros[24] = { 0 };
	const uint8_t *x87, *sse;
	size_t length;
	pid_t pid;

	(void)state;
	need(2);
	pid = start(control_body);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	x87 = component(buffer, length, 0);
	sse = component(buffer, length, 1);
	assert_non_null(x87);
	assert_non_null(sse);
	assert_memory_equal(x87, "\x7f\x02", 2);
	assert_memory_equal(x87 + 5, zeros, 19);
	assert_memory_equal(x87 + 24, "\0\0\0\0\0\0\0\x80\xff\x3f", 10);
	assert_memory_equal(sse, "\xc0\x9f\0\0", 4);
	assert_int_equal(vector_set(pid, NULL, 0), 0);
	assert_int_equal(vector_set(pid, buffer, length), 0);
	finish(pid);
	assert_int_equal(shared->mxcsr, 0x9fc0);
	assert_int_equal(shared->fcw, 0x27f);
}

static void components_left_out_become_initial(void **state)
{
	static const uint8_t avx_only[8 + 256] = { 2, 0, 0, 0, 0, 1, 0, 0, 0xab };
	uint8_t buffer[VECTOR_BYTES_MAX], zeros[32] = { 0 };
	size_t length;
	pid_t pid;

	(void)state;
	need(2);
	memset(shared->in, 0x77, sizeof(shared->in));
	pid = start(vector_body);
	assert_int_equal(vector_set(pid, NULL, 0), 0);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	assert_int_equal(length, 0);
	finish(pid);
	assert_memory_equal(shared->out, zeros, 32);
	assert_int_equal(shared->mxcsr, 0x1f80);

	pid = start(control_body);
	assert_int_equal(vector_set(pid, NULL, 0), 0);
	finish(pid);
	assert_int_equal(shared->mxcsr, 0x1f80);
	assert_int_equal(shared->fcw, 0x37f);

	/* MXCSR is shared by SSE and AVX: the one without the other must not bring a wrong one. */
	pid = start(control_body);
	assert_int_equal(vector_set(pid, avx_only, sizeof(avx_only)), 0);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	assert_int_equal(length, sizeof(avx_only));
	assert_memory_equal(buffer, avx_only, length);
	finish(pid);
	assert_int_equal(shared->mxcsr, 0x1f80);
}

static void cleared_registers_are_left_out(void **state)
{
	uint8_t buffer[VECTOR_BYTES_MAX];
	size_t length;
	pid_t pid;

	(void)state;
	need(2);
	pid = start(clean_body);
	assert_int_equal(vector_get(pid, buffer, &length), 0);
	assert_null(component(buffer, length, 1));
	assert_null(component(buffer, length, 2));
	finish(pid);
}

static void area_init(uint8_t *area, size_t length, uint64_t mask)
{
	memset(area, 0, length);
	memcpy(area, "\x7f\x03", 2);
	memcpy(area + 24, "\x80\x1f", 2);
	memcpy(area + 512, &mask, sizeof(mask));
}

static void initial_bytes_are_left_out_whatever_the_mask_says(void **state)
{
	uint8_t area[1024], buffer[VECTOR_BYTES_MAX];
	size_t length = 1;

	(void)state;
	area_init(area, sizeof(area), HAS(2) ? 7 : 3);
	assert_int_equal(vector_from_xsave(area, sizeof(area), buffer, &length), 0);
	assert_int_equal(length, 0);
	/* Not in the mask: the bytes are leftovers. But MXCSR always counts. */
	area_init(area, sizeof(area), 0);
	area[170] = 9;
	area[33] = 9;
	assert_int_equal(vector_from_xsave(area, sizeof(area), buffer, &length), 0);
	assert_int_equal(length, 0);
	area[25] = 0x9f;
	assert_int_equal(vector_from_xsave(area, sizeof(area), buffer, &length), 0);
	assert_int_equal(length, 8 + 260);
	assert_int_equal(buffer[0], 1);
	assert_int_equal(buffer[8 + 4 + 10], 0);
}

static void odd_areas_are_refused(void **state)
{
	uint8_t area[1024], buffer[VECTOR_BYTES_MAX];
	size_t length = 42;

	(void)state;
	area_init(area, sizeof(area), 3);
	assert_int_equal(vector_from_xsave(area, 511, buffer, &length), SWORN_EFORMAT);
	area[527] = 0x80;
	assert_int_equal(vector_from_xsave(area, sizeof(area), buffer, &length), SWORN_EFORMAT);
	area_init(area, sizeof(area), 1ULL << 61);
	assert_int_equal(vector_from_xsave(area, sizeof(area), buffer, &length), SWORN_EFORMAT);
	if (HAS(2)) {
		area_init(area, sizeof(area), 4);
		assert_int_equal(vector_from_xsave(area, 700, buffer, &length), SWORN_EFORMAT);
	}
	assert_int_equal(length, 42);
}

static uint8_t frame_form[VECTOR_BYTES_MAX], legacy_form[VECTOR_BYTES_MAX],
	short_form[VECTOR_BYTES_MAX];
static size_t frame_length, legacy_length, short_length;
static int frame_result = -1;

static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	uint8_t *area = (uint8_t *)frame->uc_mcontext.fpregs, copy[VECTOR_BYTES_MAX];
	uint32_t size;

	(void)number;
	(void)info;
	memcpy(&size, area + 468, sizeof(size));
	frame_result = vector_from_xsave(area, size, frame_form, &frame_length);
	memcpy(copy, area, size);
	copy[size - 4] ^= 1;
	if (frame_result == 0)
		frame_result = vector_from_xsave(area, size - 1, short_form, &short_length);
	if (frame_result == 0)
		frame_result = vector_from_xsave(copy, size, legacy_form, &legacy_length);
	frame->uc_mcontext.gregs[REG_RIP] += 2;
}

static void the_state_in_a_signal_frame_is_understood(void **state)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO }, before;
	const uint8_t *avx, *sse;

	(void)state;
	need(2);
	for (size_t i = 0; i < 32; i++)
		shared->in[i] = (uint8_t)(i + 100);
	assert_int_equal(sigaction(SIGILL, &action, &before), 0);
	__asm__ volatile("vmovdqu %0, %%ymm7\n\tud2" : : "m"(shared->in) : "xmm7", "memory");
	assert_int_equal(sigaction(SIGILL, &before, NULL), 0);
	assert_int_equal(frame_result, 0);
	sse = component(frame_form, frame_length, 1);
	avx = component(frame_form, frame_length, 2);
	assert_non_null(sse);
	assert_non_null(avx);
	assert_memory_equal(sse + 4 + 7 * 16, shared->in, 16);
	assert_memory_equal(avx + 7 * 16, shared->in + 16, 16);
	/* Without its second magic word only x87 and SSE count. */
	assert_non_null(component(short_form, short_length, 1));
	assert_null(component(short_form, short_length, 2));
	assert_non_null(component(legacy_form, legacy_length, 1));
	assert_null(component(legacy_form, legacy_length, 2));
}

struct malformed {
	const char *bytes;
	size_t length;
	int expected;
};

static void malformed_bytes_are_refused(void **state)
{
	static uint8_t sse[2 * 268] = { 1, 0, 0, 0, 4, 1, 0, 0, 0x80, 0x9f };
	static uint8_t x87[160] = { 0, 0, 0, 0, 152, 0, 0, 0, 0x7f, 0x02 };
	const struct malformed cases[] = {
		{ "\1\0\0\0\4\1\0", 7, SWORN_EFORMAT },		  /* shorter than a header */
		{ "\1\0\0\0\4\1\0\0", 8, SWORN_EFORMAT },	  /* bytes missing */
		{ "\1\0\0\0\3\0\0\0abc", 11, SWORN_EFORMAT },	  /* wrong length */
		{ "\1\0\1\0\0\0\0\0", 8, SWORN_EFORMAT },	  /* not zero */
		{ "\1\0\0\0\xff\xff\xff\xff", 8, SWORN_EFORMAT }, /* length wraps */
		{ "\x3e\0\0\0\1\0\0\0a", 9, SWORN_EHOST },	  /* no CPU has component 62 */
		{ "\xff\xff\0\0\1\0\0\0a", 9, SWORN_EHOST },
	};
	pid_t pid = start(general_body);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(vector_set(pid, (const uint8_t *)cases[i].bytes, cases[i].length),
				 cases[i].expected);
	assert_int_equal(vector_set(pid, sse, 268), 0);
	memcpy(sse + 268, sse, 268);
	assert_int_equal(vector_set(pid, sse, 2 * 268), SWORN_EFORMAT); /* not ascending */
	sse[10] = 1;
	assert_int_equal(vector_set(pid, sse, 268), SWORN_EFORMAT); /* reserved bits of MXCSR */
	memcpy(sse + 8, "\x80\x1f\0", 3);
	assert_int_equal(vector_set(pid, sse, 268), SWORN_EFORMAT); /* initial, so not canonical */
	assert_int_equal(vector_set(pid, x87, 160), 0);
	x87[8 + 9] = 1;
	assert_int_equal(vector_set(pid, x87, 160), SWORN_EFORMAT); /* FIP */
	x87[8 + 9] = 0;
	x87[8 + 24 + 12] = 1;
	assert_int_equal(vector_set(pid, x87, 160), SWORN_EFORMAT); /* behind ST0 */
	finish(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(general_registers_are_read_and_written),
		cmocka_unit_test(a_thread_that_is_gone_is_reported_as_gone),
		cmocka_unit_test(avx_state_is_visible_and_survives_a_round_trip),
		cmocka_unit_test(a_component_that_is_set_reaches_the_guest),
		cmocka_unit_test(avx512_state_is_visible_and_survives_a_round_trip),
		cmocka_unit_test(control_words_are_kept_without_the_last_instruction),
		cmocka_unit_test(components_left_out_become_initial),
		cmocka_unit_test(cleared_registers_are_left_out),
		cmocka_unit_test(initial_bytes_are_left_out_whatever_the_mask_says),
		cmocka_unit_test(odd_areas_are_refused),
		cmocka_unit_test(the_state_in_a_signal_frame_is_understood),
		cmocka_unit_test(malformed_bytes_are_refused),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
