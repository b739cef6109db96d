#include "code.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <Zydis/Zydis.h>

#include "../traces/error.h"
#include "stop.h"

#define PENDING_MAX 256 /* branch targets not yet followed */

static bool is_own_code(const struct mapping *mapping)
{
	return mapping->backing == BACKING_ANON && (mapping->prot & PROT_EXEC);
}

static int protect(struct thread *thread, bool trap, const struct code_window *window, uint32_t prot)
{
	uint64_t args[6] = { window->start, window->end - window->start, prot };
	int64_t result;
	int r = stop_inject(thread, trap, SYS_mprotect, args, &result);

	if (r < 0)
		return r;
	return result < 0 ? SWORN_EHOST : 0;
}

int code_hide(struct thread *thread, bool trap, uint64_t start, uint64_t end)
{
	const struct mapping_table *table = &thread->process->space->table;
	int r = 0, count = 0;

	if (thread->process->reads_execute)
		return 0; /* the kernel would give it back */
	for (size_t i = 0; r == 0 && i < table->count; i++) {
		const struct mapping *m = &table->entries[i];
		struct code_window part = { m->start > start ? m->start : start,
					    m->end < end ? m->end : end };

		if (part.start >= part.end || !is_own_code(m))
			continue;
		/* Without this no byte of it could be read. */
		r = protect(thread, trap, &part, (m->prot & ~(uint32_t)PROT_EXEC) | PROT_READ);
		count++;
	}
	return r < 0 ? r : count;
}

bool code_window(const struct thread *thread, uint64_t address, struct code_window *ret)
{
	const struct mapping *m = mapping_find(&thread->process->space->table, address);
	uint64_t start = address & ~(uint64_t)(CODE_WINDOW_BYTES - 1), end = start + CODE_WINDOW_BYTES;

	if (!m || address < m->start || !is_own_code(m))
		return false;
	ret->start = start > m->start ? start : m->start;
	ret->end = end < m->end ? end : m->end;
	return true;
}

int code_reveal(struct thread *thread, bool trap, const struct code_window *window)
{
	const struct mapping *m = mapping_find(&thread->process->space->table, window->start);

	if (!m || m->start > window->start || m->end < window->end ||
	    window->start >= window->end || !is_own_code(m))
		return SWORN_EREFUSED;
	return protect(thread, trap, window, m->prot);
}

struct walk {
	const uint8_t *bytes;
	size_t length;
	uint8_t seen[CODE_WINDOW_BYTES / 8]; /* a bit for each byte where an instruction starts */
	uint32_t pending[PENDING_MAX];
	size_t count;
};

/* True the first time. */
static bool visit(struct walk *walk, size_t at)
{
	uint8_t bit = (uint8_t)(1U << at % 8);
	bool first = !(walk->seen[at / 8] & bit);

	walk->seen[at / 8] |= bit;
	return first;
}

static void follow(struct walk *walk, const ZydisDecodedInstruction *instruction, size_t next)
{
	int64_t target = (int64_t)next + instruction->raw.imm[0].value.s;

	if (instruction->raw.imm[0].is_relative && target >= 0 && target < (int64_t)walk->length &&
	    walk->count < PENDING_MAX)
		walk->pending[walk->count++] = (uint32_t)target;
}

/* How many bytes of the instruction are its opcode and what follows; 0: it is none to replace. */
static size_t opcode_bytes(const ZydisDecodedInstruction *instruction)
{
	switch (instruction->mnemonic) {
	case ZYDIS_MNEMONIC_CPUID: return instruction->length == 2 ? 2 : 0;
	case ZYDIS_MNEMONIC_RDRAND:
	case ZYDIS_MNEMONIC_RDSEED:
	case ZYDIS_MNEMONIC_RDPID: return 3;
	default: return 0;
	}
}

/* Whether the instruction behind is executed, too. */
static bool goes_on(const ZydisDecodedInstruction *instruction)
{
	return instruction->meta.category != ZYDIS_CATEGORY_UNCOND_BR &&
	       instruction->meta.category != ZYDIS_CATEGORY_RET &&
	       instruction->mnemonic != ZYDIS_MNEMONIC_UD2 &&
	       instruction->mnemonic != ZYDIS_MNEMONIC_HLT;
}

size_t code_find(const uint8_t *bytes, size_t length, size_t entry, uint32_t *ret, size_t max)
{
	struct walk walk = { .bytes = bytes,
			     .length = length < CODE_WINDOW_BYTES ? length : CODE_WINDOW_BYTES };
	ZydisDecodedInstruction instruction;
	ZydisDecoder decoder;
	size_t found = 0;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	walk.pending[walk.count++] = (uint32_t)entry;
	while (walk.count > 0) {
		size_t at = walk.pending[--walk.count], opcode;

		while (at < walk.length && visit(&walk, at)) {
			if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes + at,
								      walk.length - at, &instruction)))
				break;
			at += instruction.length;
			opcode = opcode_bytes(&instruction);
			if (opcode > 0 && found < max)
				ret[found++] = (uint32_t)(at - opcode);
			follow(&walk, &instruction, at);
			if (!goes_on(&instruction))
				break;
		}
	}
	return found;
}

size_t code_length(const uint8_t *bytes, size_t length)
{
	ZydisDecodedInstruction instruction;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, length, &instruction)))
		return 0;
	return instruction.length;
}
