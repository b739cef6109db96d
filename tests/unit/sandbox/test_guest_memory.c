#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

#include "traced_child.h"

#define PAGE 4096UL
#define HANDLER 0x401000
#define AT 0x10000000UL

static void add_mapping(struct thread *thread, uint64_t start, uint64_t pages)
{
	struct mapping mapping = {
		.start = start,
		.end = start + pages * PAGE,
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_PRIVATE,
	};

	assert_int_equal(mapping_insert(&thread->process->space->table, &mapping), 0);
}

/* Memory of a real child: four pages, of which only the first and the last are there and plain. */
enum { PAGE_PLAIN, PAGE_HIDDEN, PAGE_MISSING, PAGE_CONSTANT, PAGES };
static uint8_t *area;

static int map_area(void **state)
{
	void *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	area = at;
	return at == MAP_FAILED ? -1 : 0;
}

static void body_with_area(void)
{
	memset(area, 'a', PAGE);
	memset(area + PAGE, 'b', PAGE);
	memset(area + 3 * PAGE, 'd', PAGE);
	mprotect(area + PAGE_HIDDEN * PAGE, PAGE, PROT_NONE);
	munmap(area + PAGE_MISSING * PAGE, PAGE);
	mprotect(area + PAGE_CONSTANT * PAGE, PAGE, PROT_READ);
	__asm__ volatile("int3");
}

static void start_with_area(struct traced *traced)
{
	traced_start(traced, body_with_area);
	traced_ready(traced);
	add_mapping(traced->thread, (uint64_t)(uintptr_t)area, 2);
	add_mapping(traced->thread, (uint64_t)(uintptr_t)area + 3 * PAGE, 1);
}

static void reading_gives_what_is_there_and_stops_at_what_is_not(void **state)
{
	struct traced traced;
	uint64_t at = (uint64_t)(uintptr_t)area;
	uint8_t bytes[3 * PAGE];

	(void)state;
	start_with_area(&traced);
	assert_int_equal(guest_read(traced.thread, at + 10, bytes, 20), 20);
	assert_int_equal(bytes[0], 'a');
	/* What the guest itself may not read is read all the same, up to the hole. */
	assert_int_equal(guest_read(traced.thread, at + PAGE - 1, bytes, sizeof(bytes)), PAGE + 1);
	assert_int_equal(bytes[0], 'a');
	assert_int_equal(bytes[1], 'b');
	assert_int_equal(bytes[PAGE], 'b');
	assert_int_equal(guest_read(traced.thread, at + 2 * PAGE, bytes, 1), 0);
	assert_int_equal(guest_read(traced.thread, at + 3 * PAGE, bytes, PAGE), PAGE);
	assert_int_equal(bytes[PAGE - 1], 'd');
	assert_int_equal(guest_read(traced.thread, at, bytes, 0), 0);
	traced_end(&traced);
}

static void writing_ignores_protection_and_refuses_holes(void **state)
{
	struct traced traced;
	uint64_t at = (uint64_t)(uintptr_t)area;
	uint8_t bytes[4] = "";

	(void)state;
	start_with_area(&traced);
	assert_int_equal(guest_write(traced.thread, at + 3 * PAGE, "new", 3), 0);
	assert_int_equal(guest_read(traced.thread, at + 3 * PAGE, bytes, 4), 4);
	assert_memory_equal(bytes, "newd", 4);
	assert_int_equal(guest_write(traced.thread, at + PAGE, "x", 1), 0);
	assert_int_equal(guest_write(traced.thread, at + 2 * PAGE, "x", 1), -EFAULT);
	assert_int_equal(guest_write(traced.thread, at + 2 * PAGE, "x", 0), 0);
	/* Nothing reached the test's own copy of the page. */
	assert_int_equal(area[3 * PAGE], 0);
	traced_end(&traced);
}

static void a_killed_guest_cannot_be_read_or_written(void **state)
{
	struct traced traced;
	uint8_t byte;

	(void)state;
	start_with_area(&traced);
	assert_int_equal(guest_read(traced.thread, (uint64_t)(uintptr_t)area + PAGE, &byte, 1), 1);
	launch_discard(traced.thread->tid);
	assert_int_equal(guest_read(traced.thread, (uint64_t)(uintptr_t)area, &byte, 1), 0);
	assert_int_equal(guest_write(traced.thread, (uint64_t)(uintptr_t)area, "x", 1), SWORN_EGONE);
	guests_release(&traced.guests);
}

static uint64_t stack_bottom(pid_t tid)
{
	char path[64], line[512];
	unsigned long start = 0, found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "[stack]") && sscanf(line, "%lx", &start) == 1)
			found = start;
	}
	fclose(file);
	assert_true(found != 0);
	return found;
}

static void reading_below_a_stack_does_not_grow_it(void **state)
{
	struct traced traced;
	uint64_t bottom, byte;
	struct mapping stack = { .prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE | MAP_GROWSDOWN };

	(void)state;
	start_with_area(&traced);
	bottom = stack_bottom(traced.thread->tid);
	stack.start = bottom;
	stack.end = bottom + PAGE;
	assert_int_equal(mapping_insert(&traced.thread->process->space->table, &stack), 0);
	assert_int_equal(guest_read(traced.thread, bottom - 2 * PAGE, &byte, 8), 0);
	assert_int_equal(stack_bottom(traced.thread->tid), bottom);
	/* Writing does: a payload below the stack is one that the kernel grew it for. */
	assert_int_equal(guest_write(traced.thread, bottom - 2 * PAGE, "grown", 5), 0);
	assert_true(stack_bottom(traced.thread->tid) <= bottom - 2 * PAGE);
	traced_end(&traced);
}

static void hash_of(struct traced *traced, bool with_memory, uint8_t hash[DIGEST_BYTES])
{
	const struct state_request request = { PAGE_XXH3, with_memory, NULL };

	assert_int_equal(guest_state(&traced->guests, traced->thread, &request, hash), 0);
}

static bool hash_changes(struct traced *traced, const uint8_t before[DIGEST_BYTES])
{
	uint8_t hash[DIGEST_BYTES];

	hash_of(traced, true, hash);
	return memcmp(hash, before, DIGEST_BYTES) != 0;
}

static void the_state_is_registers_memory_mapping_table_and_signals(void **state)
{
	struct traced traced;
	uint64_t at = (uint64_t)(uintptr_t)area;
	uint8_t before[DIGEST_BYTES], without[DIGEST_BYTES], again[DIGEST_BYTES];
	struct signal_disposition *action;

	(void)state;
	start_with_area(&traced);
	traced.thread->stand = STAND_BOUNDARY;
	action = &traced.thread->process->signals->actions[SIGUSR1 - 1];
	hash_of(&traced, true, before);
	assert_false(hash_changes(&traced, before));
	traced.thread->registers.rbx ^= 1;
	assert_true(hash_changes(&traced, before));
	traced.thread->registers.rbx ^= 1;
	action->handler = HANDLER;
	assert_true(hash_changes(&traced, before));
	action->handler = 0;
	traced.thread->mask = 2;
	assert_true(hash_changes(&traced, before));
	traced.thread->mask = 0;
	traced.thread->process->space->brk = AT;
	assert_true(hash_changes(&traced, before));
	traced.thread->process->space->brk = 0;
	assert_false(hash_changes(&traced, before));
	hash_of(&traced, false, without);
	assert_int_equal(guest_write(traced.thread, at + 100, "x", 1), 0);
	assert_true(hash_changes(&traced, before));
	hash_of(&traced, false, again);
	assert_memory_equal(again, without, DIGEST_BYTES);
	traced_end(&traced);
}

static void inside_a_call_rax_is_the_kernels_business(void **state)
{
	struct traced traced;
	uint8_t before[DIGEST_BYTES];

	(void)state;
	start_with_area(&traced);
	traced.thread->stand = STAND_ENTRY;
	traced.thread->registers.rax = 17;
	hash_of(&traced, true, before);
	traced.thread->registers.rax = 18;
	assert_false(hash_changes(&traced, before));
	traced.thread->stand = STAND_BOUNDARY;
	traced.thread->registers.rax = 17;
	hash_of(&traced, true, before);
	traced.thread->registers.rax = 18;
	assert_true(hash_changes(&traced, before));
	traced_end(&traced);
}

static void a_thread_killed_at_an_unknown_point_is_left_out(void **state)
{
	struct traced traced;
	uint8_t before[DIGEST_BYTES];

	(void)state;
	start_with_area(&traced);
	hash_of(&traced, true, before);
	traced.thread->unplaced = true;
	assert_true(hash_changes(&traced, before));
	hash_of(&traced, true, before);
	traced.thread->registers.rbx ^= 1;
	traced.thread->registers.rip ^= 1;
	assert_false(hash_changes(&traced, before));
	traced_end(&traced);
}

/* The order of births must not show: a process's threads are hashed by number. */
static void threads_are_hashed_in_order_of_their_numbers(void **state)
{
	struct traced traced;
	struct clone_request request = { .flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD };
	struct thread *other, *third;
	uint8_t before[DIGEST_BYTES];

	(void)state;
	start_with_area(&traced);
	request.tid = traced.thread->tid;
	other = guest_clone(&traced.guests, traced.thread, &request);
	third = guest_clone(&traced.guests, traced.thread, &request);
	assert_true(other && third);
	other->stand = third->stand = STAND_ENTRY;
	other->registers.rbx = 7;
	hash_of(&traced, true, before);
	assert_ptr_equal(traced.thread->process->threads, third);
	third->sibling = traced.thread;
	traced.thread->sibling = other;
	other->sibling = NULL;
	assert_false(hash_changes(&traced, before));
	other->registers.rbx = 0;
	third->registers.rbx = 7;
	assert_true(hash_changes(&traced, before));
	traced_end(&traced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_gives_what_is_there_and_stops_at_what_is_not),
		cmocka_unit_test(writing_ignores_protection_and_refuses_holes),
		cmocka_unit_test(a_killed_guest_cannot_be_read_or_written),
		cmocka_unit_test(reading_below_a_stack_does_not_grow_it),
		cmocka_unit_test(the_state_is_registers_memory_mapping_table_and_signals),
		cmocka_unit_test(inside_a_call_rax_is_the_kernels_business),
		cmocka_unit_test(a_thread_killed_at_an_unknown_point_is_left_out),
		cmocka_unit_test(threads_are_hashed_in_order_of_their_numbers),
	};

	return cmocka_run_group_tests(tests, map_area, NULL);
}
