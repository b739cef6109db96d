/*
 * Programs to cut and the machinery around them, shared by test_cut.c (the counter is a watchpoint on
 * `ticks`: any host) and test_cut_hardware.c (the real counter). A guest is a fork of the test that runs one program
 * between two int3; two guests start with the same registers and do the same.
 */
#ifndef SWORN_TESTS_CUT_SCENARIO_H
#define SWORN_TESTS_CUT_SCENARIO_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../sandbox/counter.h"
#include "../../../sandbox/cut.h"
#include "../../../sandbox/guest.h"
#include "../../../sandbox/landmark.h"
#include "../../../sandbox/register.h"
#include "../../../traces/error.h"

#define WORDS 512

/* The guest's own count: next to each conditional branch of a program. */
static uint64_t ticks __attribute__((aligned(8)));
static uint32_t words[WORDS], copies[WORDS];

#define TICK() __asm__ volatile("incq %0" : "+m"(ticks) : : "cc")

typedef uint64_t program(uint64_t rounds);

static __attribute__((noinline)) uint64_t tight(uint64_t rounds)
{
	__asm__ volatile("1: incq %[ticks]\n\t"
			 "dec %[rounds]\n\t"
			 "jnz 1b"
			 : [rounds] "+r"(rounds), [ticks] "+m"(ticks)
			 :
			 : "cc");
	return ticks;
}

static __attribute__((noinline)) uint64_t nested(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i * 90 < rounds; i++) {
		for (uint64_t j = 0; j < 8; j++) {
			for (uint64_t k = 0; k < 10; k++) {
				TICK();
				sum = sum * 31 + (i ^ j ^ k);
			}
			TICK();
		}
	}
	return sum;
}

static __attribute__((noinline)) void sort_words(uint32_t *from, size_t count)
{
	size_t low = 0, high = count;

	if (count < 2)
		return;
	for (size_t i = 1; i < high;) {
		TICK();
		if (from[i] < from[low]) {
			uint32_t smaller = from[i];

			TICK();
			from[i] = from[low + 1];
			from[low + 1] = from[low];
			from[low++] = smaller;
			i++;
		} else if (from[i] > from[low]) {
			uint32_t larger = from[i];

			from[i] = from[--high];
			from[high] = larger;
		} else {
			i++;
		}
	}
	sort_words(from, low);
	sort_words(from + high, count - high);
}

static __attribute__((noinline)) uint64_t sort(uint64_t rounds)
{
	uint32_t state = 1, sum = 0;

	for (uint64_t done = 0; done < rounds; done += 6000) {
		for (size_t i = 0; i < WORDS; i++)
			words[i] = state = state * 1664525 + 1013904223;
		sort_words(words, WORDS);
		sum = sum * 31 + words[WORDS / 2];
	}
	return sum;
}

static __attribute__((noinline)) void mix(uint32_t state[8], const uint32_t block[16])
{
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t a = state[i & 7], b = state[(i + 3) & 7];

		TICK();
		state[(i + 5) & 7] += (a >> 6 | a << 26) ^ (b >> 11 | b << 21) ^ block[i & 15];
	}
}

static __attribute__((noinline)) uint64_t digest(uint64_t rounds)
{
	uint32_t state[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	for (uint64_t i = 0; i < rounds / 65; i++) {
		TICK();
		mix(state, words + (i * 16) % WORDS);
	}
	return state[0];
}

static __attribute__((noinline)) uint64_t copy(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		void *to = copies, *from = words;
		size_t length = 200 + i % 1500;

		TICK();
		words[i % WORDS] = (uint32_t)i;
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	}
	return copies[17];
}

static __attribute__((noinline)) uint64_t recurse(uint64_t depth)
{
	TICK();
	return depth < 2 ? depth : recurse(depth - 1) + recurse(depth - 2);
}

static __attribute__((noinline)) uint64_t recursion(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t done = 0; done < rounds; done += 2583)
		sum += recurse(16);
	return sum;
}

/* Mostly indirect jumps, which no counter sees: one address comes by many times between two branches. */
static __attribute__((noinline)) uint64_t interpret(uint64_t rounds)
{
	static const uint8_t code[] = { 0, 1, 1, 2, 1, 0, 2, 2, 1, 3 };
	static const void *const table[] = { &&add, &&shift, &&flip, &&loop };
	uint64_t sum = 1, at = 0;

#define NEXT() goto *table[code[at++]]
	NEXT();
add:
	sum += at;
	NEXT();
shift:
	sum = sum << 3 | sum >> 61;
	NEXT();
flip:
	sum ^= 0x5555;
	NEXT();
loop:
	at = 0;
	TICK();
	if (--rounds > 0)
		NEXT();
	return sum;
#undef NEXT
}

struct guest {
	pid_t tid;
	int mem_fd;
	struct counter *counter;
};

/* Anything to do in the guest before its first int3. */
typedef void guest_setup(void);

static _Noreturn void guest_main(program *run, uint64_t rounds, guest_setup *setup, int ready_fd)
{
	static uint8_t stack[65536] __attribute__((aligned(64)));
	char byte;

	if (read(ready_fd, &byte, 1) != 1)
		_exit(1);
	if (setup)
		setup();
	ticks = 0;
	/* Whatever the test did before, all guests start alike. */
	__asm__ volatile("mov %[top], %%rsp\n\t"
			 "xor %%ebx, %%ebx\n\t"
			 "xor %%ecx, %%ecx\n\t"
			 "xor %%edx, %%edx\n\t"
			 "xor %%esi, %%esi\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "xor %%r8d, %%r8d\n\t"
			 "xor %%r9d, %%r9d\n\t"
			 "xor %%r10d, %%r10d\n\t"
			 "xor %%r11d, %%r11d\n\t"
			 "xor %%r12d, %%r12d\n\t"
			 "xor %%r13d, %%r13d\n\t"
			 "xor %%r14d, %%r14d\n\t"
			 "xor %%r15d, %%r15d\n\t"
			 "int3\n\t"
			 "call *%%rax\n\t"
			 "int3\n\t"
			 "ud2"
			 :
			 : "a"(run), "D"(rounds), [top] "r"(stack + sizeof(stack))
			 : "memory");
	__builtin_unreachable();
}

#define AT_INT3 (SIGTRAP << 8 | 0x7f)

static bool guest_start(program *run, uint64_t rounds, guest_setup *setup, struct guest *ret)
{
	int ready[2], status;
	char path[64];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return false;
	ret->tid = fork();
	if (ret->tid == 0)
		guest_main(run, rounds, setup, ready[0]);
	if (ret->tid < 0 ||
	    ptrace(PTRACE_SEIZE, ret->tid, NULL,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD) < 0)
		return false;
	if (write(ready[1], "", 1) != 1 || waitpid(ret->tid, &status, __WALL) != ret->tid ||
	    status != AT_INT3)
		return false;
	close(ready[0]);
	close(ready[1]);
	snprintf(path, sizeof(path), "/proc/%d/mem", ret->tid);
	ret->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	return ret->mem_fd >= 0 && counter_open(ret->tid, &ret->counter) == 0;
}

static void guest_end(struct guest *guest)
{
	counter_close(guest->counter);
	close(guest->mem_fd);
	kill(guest->tid, SIGKILL);
	while (waitpid(guest->tid, NULL, __WALL) == guest->tid)
		;
}

static void guest_resume(struct guest *guest)
{
	ptrace(PTRACE_CONT, guest->tid, NULL, NULL);
}

/* What two guests must agree on besides registers: their own count and all they wrote. */
struct memory {
	uint64_t ticks;
	uint32_t words[WORDS], copies[WORDS];
};

static void guest_memory_get(const struct guest *guest, struct memory *ret)
{
	struct iovec local = { ret, sizeof(*ret) };
	struct iovec remote[] = { { &ticks, sizeof(ticks) },
				  { words, sizeof(words) },
				  { copies, sizeof(copies) } };

	memset(ret, 0, sizeof(*ret));
	process_vm_readv(guest->tid, &local, 1, remote, 3, 0);
}

struct cut {
	struct position position;
	struct memory memory;
};

#define CUTS_MAX 400

struct scenario {
	program *run;
	const char *name;
	uint64_t rounds;
	uint64_t period_min, period_max; /* of a turn, in branches */
	struct cut_tuning tuning;	 /* all 0 = as the counter comes */
	unsigned int seed;
	bool exact; /* turns end where `seed` says, not where the interrupt comes */
	struct cut cuts[CUTS_MAX];
	size_t cuts_count;
	uint64_t result; /* what the program computed */
	double seconds;	 /* replay */
	unsigned int addresses;
};

static unsigned int draw(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static void guest_tune(struct guest *guest, const struct cut_tuning *tuning)
{
	if (tuning->rare)
		guest->counter->tuning = *tuning;
}

#define FAIL(...)                             \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		return false;                 \
	} while (0)

/* The thread stands where its interrupt came: to the exact count. As cut_exactly(). */
static int guest_cut_exactly(struct guest *guest, uint64_t count, struct position *ret, int *ret_status)
{
	struct guests guests = { 0 };
	struct thread *thread = guest_first(&guests, guest->tid, (uint32_t)guest->tid);
	int r;

	if (!thread)
		return -ENOMEM;
	thread->counter = guest->counter;
	r = cut_exactly(thread, count, ret, ret_status);
	thread->counter = NULL;
	guest_exit(&guests, thread);
	guests_release(&guests);
	return r;
}

/* Ends a turn of `length` branches. 0 with the cut's position, 1 when another stop came (*ret_status). */
static int scenario_cut(struct scenario *s, struct guest *guest, uint64_t length, int *ret_status)
{
	struct position *position = &s->cuts[s->cuts_count].position;
	uint64_t bytes;
	int r;

	if (s->exact)
		return guest_cut_exactly(guest, length, position, ret_status);
	if (draw(&s->seed) % 4 == 0) {
		/* A cut without a choice, as for a signal in the middle of a turn. */
		position->kind = TURN_COUNT;
		r = counter_stop(guest->counter);
		if (r == 0)
			r = counter_read(guest->counter, &position->count);
		return r == 0 ? register_get(guest->tid, &position->registers) : r;
	}
	r = cut_choose(guest->tid, guest->mem_fd, guest->counter, position, ret_status);
	if (r == 0 && landmark_repeat(guest->mem_fd, position->registers.rip, &bytes) != REPEAT_NONE)
		return -EINVAL;
	s->addresses += r == 0 && position->kind == TURN_ADDRESS;
	return r;
}

static bool scenario_record(struct scenario *s)
{
	struct registers registers;
	struct guest guest;
	int status, r;

	if (!guest_start(s->run, s->rounds, NULL, &guest))
		FAIL("%s: no guest\n", s->name);
	guest_tune(&guest, &s->tuning);
	s->cuts_count = 0;
	for (;;) {
		uint64_t length = s->period_min + draw(&s->seed) % (s->period_max - s->period_min);

		r = s->exact ? cut_start(guest.counter, length) : counter_start(guest.counter, length);
		if (r < 0)
			FAIL("%s: counter does not start\n", s->name);
		guest_resume(&guest);
		r = cut_wait(guest.tid, guest.counter, &status);
		if (r == 0)
			break;
		if (r < 0)
			FAIL("%s: wait gives %d\n", s->name, r);
		r = scenario_cut(s, &guest, length, &status);
		if (r == 1)
			break;
		if (r != 0)
			FAIL("%s: cut %zu gives %d\n", s->name, s->cuts_count, r);
		guest_memory_get(&guest, &s->cuts[s->cuts_count].memory);
		if (++s->cuts_count == CUTS_MAX) {
			guest_resume(&guest);
			waitpid(guest.tid, &status, __WALL);
			break;
		}
	}
	if (status != AT_INT3 || register_get(guest.tid, &registers) < 0)
		FAIL("%s: ends with status %x\n", s->name, (unsigned int)status);
	s->result = registers.rax;
	guest_end(&guest);
	return true;
}

static bool cut_replay(struct scenario *s, struct guest *guest, const struct cut *cut)
{
	struct registers registers;
	struct memory memory;
	uint64_t count;
	int status = 0, r;

	r = cut_reach(guest->tid, guest->mem_fd, guest->counter, &cut->position, &status, &registers);
	if (r == SWORN_EDIVERGED) {
		const uint64_t *a = (const uint64_t *)&registers,
			       *b = (const uint64_t *)&cut->position.registers;

		for (unsigned int i = 0; i < REGISTERS_WORDS; i++)
			if (a[i] != b[i])
				fprintf(stderr, "word %u: %llx, not %llx\n", i,
					(unsigned long long)a[i], (unsigned long long)b[i]);
	}
	if (r != 0)
		FAIL("%s: cut %zu of %zu, %s at count %llu: %d, status %x\n", s->name,
		     (size_t)(cut - s->cuts), s->cuts_count,
		     cut->position.kind == TURN_ADDRESS ? "address" : "count",
		     (unsigned long long)cut->position.count, r, (unsigned int)status);
	if (register_get(guest->tid, &registers) < 0 || counter_read(guest->counter, &count) < 0)
		FAIL("%s: guest is gone\n", s->name);
	registers.orig_rax = cut->position.registers.orig_rax;
	guest_memory_get(guest, &memory);
	if (count != cut->position.count || memory.ticks != cut->memory.ticks)
		FAIL("%s: count %llu, not %llu\n", s->name, (unsigned long long)count,
		     (unsigned long long)cut->position.count);
	if (registers.eflags & 1U << 16)
		FAIL("%s: RF is left\n", s->name);
	registers.eflags = (registers.eflags & ~(1ULL << 16)) |
			   (cut->position.registers.eflags & 1U << 16);
	if (memcmp(&registers, &cut->position.registers, sizeof(registers)) != 0)
		FAIL("%s: registers differ\n", s->name);
	if (memcmp(&memory, &cut->memory, sizeof(memory)) != 0)
		FAIL("%s: memory differs\n", s->name);
	return true;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool scenario_replay(struct scenario *s)
{
	double start = seconds_now();
	struct registers registers;
	struct guest guest;
	int status;

	if (!guest_start(s->run, s->rounds, NULL, &guest))
		FAIL("%s: no guest\n", s->name);
	guest_tune(&guest, &s->tuning);
	for (size_t i = 0; i < s->cuts_count; i++) {
		if (!cut_replay(s, &guest, &s->cuts[i])) {
			guest_end(&guest);
			return false;
		}
	}
	guest_resume(&guest);
	if (waitpid(guest.tid, &status, __WALL) != guest.tid || status != AT_INT3 ||
	    register_get(guest.tid, &registers) < 0 || registers.rax != s->result)
		FAIL("%s: another end\n", s->name);
	guest_end(&guest);
	s->seconds += seconds_now() - start;
	return true;
}

static inline bool scenario_run(struct scenario *s)
{
	return scenario_record(s) && scenario_replay(s);
}

static pid_t busy_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			__asm__ volatile("");
	}
	return pid;
}

static void busy_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Recorder and guests share one CPU, as they do when recording. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Runs `body` in a process of its own, as uid 65534 where this is root. Its exit status. */
static int run_as_nobody(bool (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (getuid() == 0 &&
		    (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
			_exit(2);
		/* Changing the uid takes away what ptrace and perf ask for. */
		prctl(PR_SET_DUMPABLE, 1);
		_exit(body() ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
