#include "entropy.h"

#include <string.h>
#include <Zydis/Zydis.h>

#include "replaced.h"

#define OPCODE_BYTES 3 /* with the byte that names the register */
#define PREFIXES_MAX 2
#define BEHIND_BYTES 64U /* decoding from different places so far away meets at one instruction */
#define STARTS 24U	 /* places to begin at */
#define STARTS_AGREE 16U
#define AHEAD_INSTRUCTIONS 6 /* one of them looks whether it succeeded */

static bool is_opcode(const uint8_t *at)
{
	return at[0] == REPLACED_OPCODE && at[1] == 0xc7 && at[2] >= 0xf0;
}

static bool decode(const uint8_t *text, size_t length, size_t at, ZydisDecodedInstruction *ret)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return !ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, text + at, length - at, ret));
}

static bool is_random(const ZydisDecodedInstruction *instruction)
{
	return instruction->mnemonic == ZYDIS_MNEMONIC_RDRAND ||
	       instruction->mnemonic == ZYDIS_MNEMONIC_RDSEED;
}

/* Decodes from `start`: where the instruction that holds the opcode at `at` starts, `length` when it is another one. */
static size_t walk(const uint8_t *text, size_t length, size_t start, size_t at)
{
	ZydisDecodedInstruction instruction;

	while (start <= at) {
		if (!decode(text, length, start, &instruction)) {
			start++;
			continue;
		}
		if (start + instruction.length == at + OPCODE_BYTES && is_random(&instruction))
			return start;
		start += instruction.length;
	}
	return length;
}

/* Its result may be missing, which the carry flag says: nobody leaves that unread. */
static bool is_examined(const uint8_t *text, size_t length, size_t at)
{
	ZydisDecodedInstruction instruction;

	for (int i = 0; i < AHEAD_INSTRUCTIONS && at < length; i++) {
		if (!decode(text, length, at, &instruction))
			return false;
		if (instruction.cpu_flags && (instruction.cpu_flags->tested & ZYDIS_CPUFLAG_CF))
			return true;
		at += instruction.length;
	}
	return false;
}

static bool is_instruction(const uint8_t *text, size_t length, size_t at)
{
	size_t nearest = at > PREFIXES_MAX ? at - PREFIXES_MAX : 0;
	unsigned int agree = 0, starts = 0;

	for (; starts < STARTS && starts + BEHIND_BYTES <= nearest; starts++) {
		if (walk(text, length, nearest - BEHIND_BYTES - starts, at) != length)
			agree++;
	}
	if (starts < STARTS) /* too near to the beginning: from there */
		agree = walk(text, length, 0, at) != length ? STARTS_AGREE : 0;
	return agree >= STARTS_AGREE && is_examined(text, length, at + OPCODE_BYTES);
}

size_t entropy_find(const uint8_t *text, size_t length, size_t from)
{
	static const uint8_t opcode[] = { REPLACED_OPCODE, 0xc7 };

	while (from + OPCODE_BYTES <= length) {
		const uint8_t *found = memmem(text + from, length - from, opcode, sizeof(opcode));
		size_t at = found ? (size_t)(found - text) : length;

		if (at + OPCODE_BYTES > length)
			break;
		if (is_opcode(found) && is_instruction(text, length, at))
			return at;
		from = at + 1;
	}
	return length;
}
