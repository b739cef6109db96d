/*
 * The signal model: what the kernel would otherwise hide. Dispositions per process, masks and alternate
 * stacks per thread, kept by the same functions in record and replay. In replay it is the only
 * place where they exist. Pure code.
 */
#ifndef SWORN_SANDBOX_SIGNAL_H
#define SWORN_SANDBOX_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNALS 64

/* The kernel's struct sigaction, as rt_sigaction(2) passes it. */
struct signal_disposition {
	uint64_t handler, flags, restorer, mask;
};

/* Dispositions of one process (or of several, after CLONE_SIGHAND). */
struct signal_table {
	unsigned int references;
	struct signal_disposition actions[SIGNALS]; /* [signal - 1] */
};

/* Alternate stack of a thread, the kernel's stack_t. */
struct signal_stack {
	uint64_t base;
	uint32_t flags, padding;
	uint64_t size;
};

enum signal_effect { EFFECT_IGNORE, EFFECT_HANDLE, EFFECT_FATAL, EFFECT_STOP, EFFECT_CONTINUE };

struct signal_table *signal_table_new(void);
struct signal_table *signal_table_copy(const struct signal_table *from);
void signal_table_release(struct signal_table *table);

/* What `signal` does to a process with this table (signal(7)'s default actions). */
enum signal_effect signal_effect(const struct signal_table *table, int signal);

/* After exec: handlers become default, ignored ones stay. */
void signal_table_exec(struct signal_table *table);

/* rt_sigprocmask's effect on `mask`; SIGKILL and SIGSTOP are never blocked. */
uint64_t signal_mask_change(uint64_t mask, int how, uint64_t set);

/* si_signo of siginfo bytes, which need not be aligned. */
int signal_number(const void *siginfo);

/* True for signals that an instruction raises (si_code of the kernel, not of kill or a timer). */
bool signal_is_synchronous(const void *siginfo);

static inline uint64_t signal_bit(int signal)
{
	return 1ULL << (signal - 1);
}

#endif
