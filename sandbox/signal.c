#include "signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct signal_table *signal_table_new(void)
{
	struct signal_table *table = calloc(1, sizeof(*table));

	if (table)
		table->references = 1;
	return table;
}

struct signal_table *signal_table_copy(const struct signal_table *from)
{
	struct signal_table *table = signal_table_new();

	if (table)
		memcpy(table->actions, from->actions, sizeof(table->actions));
	return table;
}

void signal_table_release(struct signal_table *table)
{
	if (table && --table->references == 0)
		free(table);
}

static enum signal_effect default_effect(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH: return EFFECT_IGNORE;
	case SIGCONT: return EFFECT_CONTINUE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU: return EFFECT_STOP;
	default: return EFFECT_FATAL;
	}
}

enum signal_effect signal_effect(const struct signal_table *table, int signal)
{
	uint64_t handler;

	if (signal < 1 || signal > SIGNALS)
		return EFFECT_IGNORE;
	handler = table->actions[signal - 1].handler;
	if (signal == SIGKILL || signal == SIGSTOP || handler == (uint64_t)(uintptr_t)SIG_DFL)
		return default_effect(signal);
	return handler == (uint64_t)(uintptr_t)SIG_IGN ? EFFECT_IGNORE : EFFECT_HANDLE;
}

void signal_table_exec(struct signal_table *table)
{
	for (int i = 0; i < SIGNALS; i++) {
		struct signal_disposition *action = &table->actions[i];

		if (action->handler == (uint64_t)(uintptr_t)SIG_IGN)
			*action = (struct signal_disposition){ .handler = action->handler };
		else
			*action = (struct signal_disposition){ 0 };
	}
}

uint64_t signal_mask_change(uint64_t mask, int how, uint64_t set)
{
	switch (how) {
	case SIG_BLOCK: mask |= set; break;
	case SIG_UNBLOCK: mask &= ~set; break;
	case SIG_SETMASK: mask = set; break;
	default: break;
	}
	return mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
}

int signal_number(const void *siginfo)
{
	int number;

	memcpy(&number, siginfo, sizeof(number));
	return number;
}

bool signal_is_synchronous(const void *siginfo)
{
	siginfo_t info;

	memcpy(&info, siginfo, sizeof(info));
	switch (info.si_signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP: return info.si_code > 0;
	default: return false;
	}
}
