#include "event.h"

#include <xxhash.h>

#define EFLAGS_TF 0x100u
#define EFLAGS_RF 0x10000u

const char *event_kind_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_CALL: return "call";
	case EVENT_PART: return "part";
	case EVENT_TURN: return "turn";
	case EVENT_EXEC: return "exec";
	case EVENT_CLONE: return "clone";
	case EVENT_EXIT: return "exit";
	case EVENT_SIGNAL: return "signal";
	case EVENT_SIGRETURN: return "sigreturn";
	case EVENT_TRAP: return "trap";
	case EVENT_CHECKPOINT: return "checkpoint";
	case EVENT_REFUSED: return "refused";
	case EVENT_MEMORY: return "memory";
	case EVENT_END: return "end";
	}
	return "unknown";
}

uint64_t registers_hash(const struct registers *registers)
{
	struct registers masked = *registers;
	masked.rax = 0;
	masked.orig_rax = 0;
	masked.rcx = 0;
	masked.r11 = 0;
	masked.eflags &= ~(uint64_t)(EFLAGS_TF | EFLAGS_RF);
	uint64_t hash = XXH3_64bits(&masked, sizeof(masked));
	return hash ? hash : 1;
}
