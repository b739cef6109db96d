#include "landmark.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <Zydis/Zydis.h>

#define STACK_WORDS 1024
#define STACK_LOOKS 256		 /* words whose target is read */
#define STACK_NEAR (64ULL << 20) /* pointers into the stack are no code */
#define USER_END 0x7ffffffff000ULL
#define USER_START 0x10000ULL
#define AHEAD_BYTES 1024	   /* of code decoded for loops around an address */
#define BEHIND_BYTES 512	   /* length of a loop that landmark_loop() understands */
#define LOOP_BYTES_MAX (64U << 10) /* length of a loop whose exit is looked for */
#define LOOPS_INNER 4		   /* loops taken around the thread's own position */
#define LOOPS_OUTER 2		   /* and around each return address */
#define CALL_BYTES_MAX 7

struct code {
	uint64_t start;
	size_t length;
	uint8_t bytes[AHEAD_BYTES + ZYDIS_MAX_INSTRUCTION_LENGTH];
};

struct instruction {
	ZydisDecodedInstruction decoded;
	uint64_t address, end;
	bool relative; /* a branch or call to `target` */
	uint64_t target;
};

static void code_read(int mem_fd, uint64_t start, size_t length, struct code *ret)
{
	ssize_t got = pread(mem_fd, ret->bytes, length, (off_t)start);

	ret->start = start;
	ret->length = got < 0 ? 0 : (size_t)got;
}

static bool decode(const struct code *code, uint64_t address, struct instruction *ret)
{
	ZydisDecoder decoder;
	uint64_t offset = address - code->start;
	ZydisDecodedInstruction *decoded = &ret->decoded;

	if (address < code->start || offset >= code->length)
		return false;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, code->bytes + offset,
						      code->length - offset, decoded)))
		return false;
	ret->address = address;
	ret->end = address + decoded->length;
	ret->relative = decoded->raw.imm[0].is_relative &&
			(decoded->meta.category == ZYDIS_CATEGORY_COND_BR ||
			 decoded->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
			 decoded->meta.category == ZYDIS_CATEGORY_CALL);
	ret->target = ret->relative ? ret->end + (uint64_t)decoded->raw.imm[0].value.s : 0;
	return true;
}

static bool is_branch(const struct instruction *instruction)
{
	return instruction->relative && instruction->decoded.meta.category != ZYDIS_CATEGORY_CALL;
}

static bool is_repeat(const struct instruction *instruction)
{
	return instruction->decoded.attributes &
	       (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

enum landmark_repeat landmark_repeat(int mem_fd, uint64_t address, uint64_t *ret_length)
{
	struct instruction instruction;
	struct code code;

	*ret_length = 0;
	code_read(mem_fd, address, ZYDIS_MAX_INSTRUCTION_LENGTH, &code);
	if (!decode(&code, address, &instruction))
		return REPEAT_NONE;
	*ret_length = instruction.decoded.length;
	if (!is_repeat(&instruction))
		return REPEAT_NONE;
	switch (instruction.decoded.mnemonic) {
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ: return REPEAT_PLAIN;
	default: return REPEAT_UNTIL;
	}
}

struct list {
	uint64_t *addresses;
	size_t count, max;
};

static void list_add(struct list *list, const struct code *code, uint64_t address)
{
	struct instruction instruction;

	if (list->count == list->max)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->addresses[i] == address)
			return;
	if (decode(code, address, &instruction) && is_repeat(&instruction))
		return;
	list->addresses[list->count++] = address;
}

/* A branch back over `address` ends a loop around it: the loop is left behind that branch. */
static void add_loop_exits(struct list *list, const struct code *code, unsigned int loops)
{
	struct instruction instruction;
	uint64_t address = code->start;

	while (loops > 0 && decode(code, address, &instruction)) {
		if (is_branch(&instruction) && instruction.target <= code->start &&
		    code->start - instruction.target < LOOP_BYTES_MAX) {
			list_add(list, code, instruction.end);
			loops--;
		}
		address = instruction.end;
	}
}

/* Does a call end right before this? `bytes` are the CALL_BYTES_MAX bytes before it. */
static bool follows_call(const uint8_t *bytes)
{
	const uint8_t *end = bytes + CALL_BYTES_MAX;
	static const struct {
		uint8_t length, mode; /* of `call *...`; mode: the top bits of ModRM */
		bool sib;
	} forms[] = { { 2, 3, false }, { 2, 0, false }, { 3, 0, true }, { 3, 1, false },
		      { 4, 1, true },  { 6, 2, false }, { 7, 2, true } };

	if (end[-5] == 0xe8)
		return true;
	if (end[-6] == 0xff && end[-5] == 0x15) /* through a word next to the code */
		return true;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const uint8_t *call = end - forms[i].length;
		uint8_t base = call[1] & 7;

		if (call[0] != 0xff || (call[1] >> 3 & 7) != 2 || call[1] >> 6 != forms[i].mode)
			continue;
		if (forms[i].mode == 3 || (base == 4) == forms[i].sib)
			return true;
	}
	return false;
}

static bool is_return_address(pid_t tid, uint64_t word)
{
	uint8_t bytes[CALL_BYTES_MAX];
	struct iovec local = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)(word - CALL_BYTES_MAX),
				.iov_len = sizeof(bytes) };

	/* Unlike /proc/PID/mem this never grows a stack when the guess is wrong. */
	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == sizeof(bytes) && follows_call(bytes);
}

size_t landmark_collect(pid_t tid, int mem_fd, const struct registers *registers, uint64_t *ret,
			size_t max)
{
	struct list list = { .addresses = ret, .max = max };
	uint64_t stack[STACK_WORDS], seen = 0;
	unsigned int looks = 0;
	struct code code;
	ssize_t length;

	code_read(mem_fd, registers->rip, AHEAD_BYTES, &code);
	add_loop_exits(&list, &code, LOOPS_INNER);
	length = pread(mem_fd, stack, sizeof(stack), (off_t)registers->rsp);
	for (ssize_t i = 0; i < length / 8 && looks < STACK_LOOKS && list.count < max; i++) {
		uint64_t word = stack[i];

		if (word < USER_START || word >= USER_END || word == seen ||
		    word - registers->rsp + STACK_NEAR < 2 * STACK_NEAR)
			continue;
		looks++;
		if (!is_return_address(tid, word))
			continue;
		seen = word;
		code_read(mem_fd, word, AHEAD_BYTES, &code);
		list_add(&list, &code, word);
		add_loop_exits(&list, &code, LOOPS_OUTER);
	}
	return list.count;
}

static bool stays_inside(const struct instruction *instruction)
{
	switch (instruction->decoded.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM: return false;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR: return instruction->relative;
	default: return true;
	}
}

/* The first branch back over `address`: where its loop starts and ends. */
static bool find_loop(const struct code *code, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	struct instruction instruction;

	while (decode(code, address, &instruction) && stays_inside(&instruction)) {
		if (is_branch(&instruction) && instruction.target <= address &&
		    instruction.target >= code->start && instruction.target <= instruction.address) {
			*ret_start = instruction.target;
			*ret_end = instruction.end;
			return true;
		}
		address = instruction.end;
	}
	return false;
}

static bool add_exit(struct landmark_loop *loop, uint64_t address)
{
	for (size_t i = 0; i < loop->exits_count; i++)
		if (loop->exits[i] == address)
			return true;
	if (loop->exits_count == LANDMARK_EXITS_MAX)
		return false;
	loop->exits[loop->exits_count++] = address;
	return true;
}

bool landmark_loop(int mem_fd, uint64_t address, struct landmark_loop *ret)
{
	struct landmark_loop loop = { 0 };
	bool boundary[AHEAD_BYTES] = { false }, wanted[AHEAD_BYTES] = { false };
	struct instruction instruction;
	uint64_t start, end;
	struct code code;

	code_read(mem_fd, address - BEHIND_BYTES, AHEAD_BYTES, &code);
	if (!find_loop(&code, address, &start, &end) || start > address)
		return false;
	for (uint64_t at = start; at < end; at = instruction.end) {
		if (!decode(&code, at, &instruction) || !stays_inside(&instruction) ||
		    instruction.end > end)
			return false;
		boundary[at - code.start] = true;
		loop.branches += instruction.decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
		if (!instruction.relative)
			continue;
		if (instruction.target < start || instruction.target >= end) {
			if (!add_exit(&loop, instruction.target))
				return false;
			continue;
		}
		wanted[instruction.target - code.start] = true;
		/* Back to the start only, and never past `address`: one round, one hit. */
		if (instruction.target <= at ? instruction.target != start || at < address
					     : at < address && instruction.target > address)
			return false;
	}
	for (size_t i = 0; i < AHEAD_BYTES; i++)
		if (wanted[i] && !boundary[i])
			return false;
	if (!boundary[address - code.start] || loop.branches == 0)
		return false;
	if (instruction.decoded.meta.category == ZYDIS_CATEGORY_COND_BR && !add_exit(&loop, end))
		return false;
	*ret = loop;
	return true;
}
