/*
 * Guests that loop in a program of a few instructions, for test_seek.c and test_spin.c: two that run the same program
 * start with the same registers. Included behind cmocka.h.
 */
#ifndef SWORN_TESTS_LOOP_SCENARIO_H
#define SWORN_TESTS_LOOP_SCENARIO_H

#include <sys/mman.h>
#include <time.h>

#include "../../../sandbox/seek.h"
#include "traced_child.h"

#define PAGE 4096

/* One page that test and guests share: what the guests wait for or count in. */
static volatile uint64_t *shared;

/* Every register is the same at the int3, also those that a fork hands down: an empty image resets the vector state.
 * The program behind it never returns. */
#define PROGRAM(text)                                                                          \
	__asm__ volatile("mov $-1, %%eax\n\tmov $-1, %%edx\n\txrstor 1024(%%rdi)\n\t"          \
			 "xor %%eax, %%eax\n\txor %%ebx, %%ebx\n\txor %%ecx, %%ecx\n\t"        \
			 "xor %%edx, %%edx\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\t"        \
			 "xor %%r10d, %%r10d\n\txor %%r11d, %%r11d\n\txor %%r12d, %%r12d\n\t"  \
			 "xor %%r13d, %%r13d\n\txor %%r14d, %%r14d\n\txor %%r15d, %%r15d\n\t"  \
			 "xor %%ebp, %%ebp\n\tint3\n\t" text                                   \
			 :                                                                     \
			 : "D"(shared), "S"(0)                                                 \
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", \
			   "r14", "r15", "cc", "memory")

/* Stands at the program's first instruction; its model knows the shared page. */
static inline void loop_start(struct traced *traced, void (*program)(void))
{
	struct mapping mapping = {
		.start = (uint64_t)(uintptr_t)shared,
		.end = (uint64_t)(uintptr_t)shared + PAGE,
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_SHARED,
		.backing = BACKING_SHARED,
		.length = PAGE,
		.object = 1,
	};

	memset((void *)(uintptr_t)shared, 0, PAGE);
	traced_start(traced, program);
	traced_ready(traced);
	traced->thread->stand = STAND_BOUNDARY;
	assert_int_equal(mapping_insert(&traced->thread->process->space->table, &mapping), 0);
}

/* Lets it run on. */
static inline void loop_go(struct traced *traced)
{
	assert_int_equal(stop_resume(traced->thread, PTRACE_CONT, 0), 0);
}

/* Stops it wherever it is. */
static inline void loop_stop(struct traced *traced)
{
	assert_int_equal(ptrace(PTRACE_INTERRUPT, traced->thread->tid, NULL, NULL), 0);
	assert_int_equal(stop_kind(traced_wait(traced)), STOP_INTERRUPT);
	assert_int_equal(stop_get_registers(traced->thread), 0);
}

static inline int loop_share(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	shared = page;
	return page == MAP_FAILED ? -1 : 0;
}

#endif
