#include "bpf.h"

#include <string.h>

#define SHIFT_MASK 31U

/* The instructions that seccomp(2) knows, but for their constants. */
static bool is_known(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_JMP | BPF_JA:
	case BPF_ALU | BPF_NEG: return true;
	default: break;
	}
	if (code & ~(BPF_CLASS(0xff) | BPF_OP(0xff) | BPF_X))
		return false;
	switch (BPF_CLASS(code)) {
	case BPF_ALU: return BPF_OP(code) <= BPF_RSH || BPF_OP(code) == BPF_XOR;
	case BPF_JMP: return BPF_OP(code) >= BPF_JEQ && BPF_OP(code) <= BPF_JSET;
	default: return false;
	}
}

/* The constants of one instruction; `left` instructions come after it. */
static bool is_bounded(const struct sock_filter *at, size_t left)
{
	switch (at->code) {
	case BPF_LD | BPF_W | BPF_ABS: return at->k < sizeof(struct seccomp_data) && at->k % 4 == 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return at->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K: return at->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K: return at->k <= SHIFT_MASK;
	case BPF_JMP | BPF_JA: return at->k < left;
	default: return BPF_CLASS(at->code) != BPF_JMP || (at->jt < left && at->jf < left);
	}
}

/* Every scratch word is written on each way to where it is read. Jumps go forward, so one pass is enough. */
static bool scratch_is_written(const struct sock_filter *code, size_t count)
{
	uint16_t reached[BPF_MAXINSNS]; /* words that are written on every jump to the instruction */
	uint16_t written = 0;

	memset(reached, 0xff, sizeof(reached));
	for (size_t i = 0; i < count; i++) {
		const struct sock_filter *at = &code[i];

		written &= reached[i];
		switch (at->code) {
		case BPF_ST:
		case BPF_STX: written |= (uint16_t)(1U << at->k); break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(written & 1U << at->k))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			reached[i + 1 + at->k] &= written;
			written = 0xffff;
			break;
		default:
			if (BPF_CLASS(at->code) != BPF_JMP)
				break;
			reached[i + 1 + at->jt] &= written;
			reached[i + 1 + at->jf] &= written;
			written = 0xffff;
			break;
		}
	}
	return true;
}

bool bpf_valid(const struct sock_filter *code, size_t count)
{
	if (count == 0 || count > BPF_MAXINSNS)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_known(code[i].code) || !is_bounded(&code[i], count - i - 1))
			return false;
	}
	return BPF_CLASS(code[count - 1].code) == BPF_RET && scratch_is_written(code, count);
}

static bool holds(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return a & b;
	}
}

static uint32_t compute(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return a / b;
	case BPF_OR: return a | b;
	case BPF_AND: return a & b;
	case BPF_LSH: return a << (b & SHIFT_MASK);
	case BPF_RSH: return a >> (b & SHIFT_MASK);
	case BPF_XOR: return a ^ b;
	default: return -a;
	}
}

static uint32_t load(const struct sock_filter *at, const struct seccomp_data *data,
		     const uint32_t *scratch)
{
	uint32_t word;

	switch (BPF_MODE(at->code)) {
	case BPF_ABS: memcpy(&word, (const uint8_t *)data + at->k, sizeof(word)); return word;
	case BPF_LEN: return sizeof(*data);
	case BPF_MEM: return scratch[at->k];
	default: return at->k;
	}
}

uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, scratch[BPF_MEMWORDS] = { 0 };

	for (const struct sock_filter *at = code;; at++) {
		uint32_t operand = BPF_SRC(at->code) == BPF_X ? x : at->k;

		switch (BPF_CLASS(at->code)) {
		case BPF_LD: a = load(at, data, scratch); break;
		case BPF_LDX: x = load(at, data, scratch); break;
		case BPF_ST: scratch[at->k] = a; break;
		case BPF_STX: scratch[at->k] = x; break;
		case BPF_ALU:
			if (BPF_OP(at->code) == BPF_DIV && operand == 0)
				return 0;
			a = compute(at->code, a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA)
				at += at->k;
			else
				at += holds(at->code, a, operand) ? at->jt : at->jf;
			break;
		case BPF_MISC:
			if (at->code == (BPF_MISC | BPF_TAX))
				x = a;
			else
				a = x;
			break;
		default: return BPF_RVAL(at->code) == BPF_A ? a : at->k;
		}
	}
}
