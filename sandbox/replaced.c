#include "replaced.h"

#define FLAG_CARRY 0x001ULL
#define FLAGS_CLEARED 0x8d4ULL /* OF, SF, ZF, AF, PF */
#define CPUID_BYTES 2
#define PREFIX_OPERAND 0x66
#define PREFIX_RDPID 0xf3

bool replaced_may_be(const uint8_t *opcode)
{
	return opcode[0] == REPLACED_OPCODE &&
	       (opcode[1] == 0xa2 || (opcode[1] == 0xc7 && opcode[2] >= 0xf0));
}

bool replaced_decode(const uint8_t *code, struct replaced *ret)
{
	unsigned int rex = 0, at = 0, bits = 32;
	bool is_rdpid = code[0] == PREFIX_RDPID;

	if (code[0] == REPLACED_TRAP && code[1] == 0xa2) {
		*ret = (struct replaced){ .kind = TRAP_CPUID, .length = CPUID_BYTES };
		return true;
	}
	if (code[at] == PREFIX_OPERAND)
		bits = 16;
	if (bits == 16 || is_rdpid)
		at++;
	if ((code[at] & 0xf0) == 0x40)
		rex = code[at++];
	if (code[at] != REPLACED_TRAP || code[at + 1] != 0xc7 || code[at + 2] < (is_rdpid ? 0xf8 : 0xf0))
		return false;
	ret->kind = is_rdpid ? TRAP_RDPID : TRAP_RANDOM;
	ret->length = at + 3;
	ret->operand = (code[at + 2] & 7U) | (rex & 1U) << 3;
	ret->bits = is_rdpid || rex & 8U ? 64 : bits;
	return true;
}

static void answer_cpuid(const struct event *event, struct registers *registers)
{
	registers->rax = (uint32_t)event->trap.value;
	registers->rbx = event->trap.value >> 32;
	registers->rcx = (uint32_t)event->trap.more;
	registers->rdx = event->trap.more >> 32;
}

void replaced_answer(const struct replaced *replaced, const struct event *event,
		     struct registers *registers)
{
	uint64_t *const operands[] = {
		&registers->rax, &registers->rcx, &registers->rdx, &registers->rbx,
		&registers->rsp, &registers->rbp, &registers->rsi, &registers->rdi,
		&registers->r8,	 &registers->r9,  &registers->r10, &registers->r11,
		&registers->r12, &registers->r13, &registers->r14, &registers->r15,
	};
	uint64_t *operand = operands[replaced->operand], value = event->trap.value;

	registers->rip += replaced->length;
	if (replaced->kind == TRAP_CPUID) {
		answer_cpuid(event, registers);
		return;
	}
	if (replaced->bits == 16)
		*operand = (*operand & ~0xffffULL) | (value & 0xffff);
	else
		*operand = replaced->bits == 32 ? (uint32_t)value : value;
	if (replaced->kind == TRAP_RANDOM)
		registers->eflags = (registers->eflags & ~FLAGS_CLEARED) | FLAG_CARRY;
}
