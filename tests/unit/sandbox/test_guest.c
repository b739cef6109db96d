#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "../../../sandbox/descriptor.h"
#include "traced_child.h"

#define PAGE 4096UL
#define HANDLER 0x401000
#define AT 0x10000000UL

/* A first thread, and what clone makes of it. Their tids are no processes unless a test says so. */
static struct thread *first_of(struct guests *guests)
{
	struct thread *thread;

	*guests = (struct guests){ 0 };
	thread = guest_first(guests, 1000, 2);
	assert_non_null(thread);
	return thread;
}

static struct thread *clone_of(struct guests *guests, struct thread *parent, uint64_t flags)
{
	uint32_t number = guests->threads + 1;
	struct clone_request request = { flags, (pid_t)(999 + number), 1 + number };
	struct thread *child = guest_clone(guests, parent, &request);

	assert_non_null(child);
	assert_int_equal(child->number, number);
	return child;
}

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define FORK SIGCHLD
#define VFORK (CLONE_VM | CLONE_VFORK | SIGCHLD)

static void add_mapping(struct thread *thread, uint64_t start, uint64_t pages, uint32_t flags)
{
	struct mapping mapping = {
		.start = start,
		.end = start + pages * PAGE,
		.prot = PROT_READ | PROT_WRITE,
		.flags = flags,
	};

	assert_int_equal(mapping_insert(&thread->process->space->table, &mapping), 0);
}

static const struct mapping_table *table_of(const struct thread *thread)
{
	return &thread->process->space->table;
}

static void the_first_guest_starts_the_first_unit(void **state)
{
	struct guests guests;
	struct thread *thread = first_of(&guests);

	(void)state;
	assert_int_equal(thread->number, 1);
	assert_int_equal(thread->guest_tid, 2);
	assert_int_equal(thread->process->pid, 2);
	assert_int_equal(thread->process->leader, 1000);
	assert_int_equal(thread->process->unit->number, 1);
	assert_int_equal(thread->process->space->references, 1);
	assert_int_equal(guests.alive, 1);
	assert_true(unit_ends_with(thread->process));
	assert_ptr_equal(guest_by_tid(&guests, 1000), thread);
	assert_ptr_equal(guest_by_number(&guests, 1), thread);
	assert_null(guest_by_tid(&guests, 2));
	assert_null(guest_by_number(&guests, 2));
	guests_release(&guests);
	assert_null(guests.first);
	assert_int_equal(guests.alive, 0);
}

static void a_thread_shares_its_process(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *thread;

	(void)state;
	first->mask = 6;
	first->stack = (struct signal_stack){ .base = AT, .size = 100 };
	first->clear_tid = first->robust_list = AT;
	thread = clone_of(&guests, first, THREAD);
	assert_ptr_equal(thread->process, first->process);
	assert_int_equal(first->process->threads_count, 2);
	assert_int_equal(first->process->space->references, 1);
	assert_int_equal(thread->mask, 6);
	assert_int_equal(thread->stack.size, 0);
	assert_int_equal(thread->clear_tid, 0);
	assert_int_equal(thread->robust_list, 0);
	assert_int_equal(guests.units_count, 1);
	assert_true(unit_ends_with(first->process));
	guests_release(&guests);
}

static void a_fork_has_copies_that_change_on_their_own(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *child;

	(void)state;
	add_mapping(first, AT, 4, MAP_PRIVATE);
	first->process->space->brk_start = first->process->space->brk = AT + PAGE;
	first->process->signals->actions[SIGUSR1 - 1].handler = HANDLER;
	first->process->dumpable = 0;
	first->process->timers = true;
	first->process->stack_limit = 77;
	first->mask = 6;
	first->stack = (struct signal_stack){ .base = AT, .size = 100 };
	child = clone_of(&guests, first, FORK);
	assert_ptr_not_equal(child->process, first->process);
	assert_int_equal(child->process->pid, 3);
	assert_int_equal(child->process->ppid, 2);
	assert_int_equal(child->process->leader, 1001);
	assert_int_equal(child->process->dumpable, 0);
	assert_false(child->process->timers);
	assert_int_equal(child->process->stack_limit, 77);
	assert_ptr_equal(child->process->unit, first->process->unit);
	assert_false(unit_ends_with(first->process));
	assert_int_equal(child->mask, 6);
	assert_int_equal(child->stack.size, 100);
	assert_int_equal(child->process->space->brk, AT + PAGE);
	assert_int_equal(mapping_remove(&child->process->space->table, AT, AT + PAGE), 0);
	assert_int_equal(child->process->signals->actions[SIGUSR1 - 1].handler, HANDLER);
	child->process->signals->actions[SIGUSR1 - 1].handler = 0;
	assert_non_null(mapping_find(table_of(first), AT));
	assert_null(mapping_find(table_of(child), AT));
	assert_int_equal(first->process->signals->actions[SIGUSR1 - 1].handler, HANDLER);
	guests_release(&guests);
}

static void a_vfork_child_borrows_the_space_until_it_execs(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *child;

	(void)state;
	add_mapping(first, AT, 4, MAP_PRIVATE);
	child = clone_of(&guests, first, VFORK);
	assert_ptr_equal(child->process->space, first->process->space);
	assert_int_equal(first->process->space->references, 2);
	assert_true(child->process->vfork_child);
	assert_ptr_not_equal(child->process->signals, first->process->signals);
	assert_int_equal(guest_exec(&guests, child), 0);
	assert_ptr_not_equal(child->process->space, first->process->space);
	assert_int_equal(first->process->space->references, 1);
	assert_false(child->process->vfork_child);
	assert_non_null(mapping_find(table_of(first), AT));
	guests_release(&guests);
}

static void what_clone_flags_share_is_shared(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *child, *brother;

	(void)state;
	child = clone_of(&guests, first, CLONE_VM | CLONE_SIGHAND | CLONE_FILES | SIGCHLD);
	assert_ptr_equal(child->process->signals, first->process->signals);
	assert_ptr_equal(child->process->fds, first->process->fds);
	assert_ptr_not_equal(child->process, first->process);
	assert_int_equal(child->stack.size, 0);
	brother = clone_of(&guests, child, CLONE_PARENT | SIGCHLD);
	assert_int_equal(brother->process->ppid, first->process->pid);
	assert_ptr_not_equal(brother->process->fds, first->process->fds);
	guest_exit(&guests, child);
	first->process->signals->actions[0].handler = HANDLER;
	assert_int_equal(fd_forget(first->process->fds, 1), 0);
	guests_release(&guests);
}

static void exec_starts_a_unit_with_an_empty_space(void **state)
{
	struct guests guests;
	struct thread *thread = first_of(&guests);
	struct signal_disposition *actions;

	(void)state;
	add_mapping(thread, AT, 4, MAP_PRIVATE);
	actions = thread->process->signals->actions;
	actions[SIGUSR1 - 1].handler = HANDLER;
	actions[SIGPIPE - 1].handler = 1;
	thread->mask = 6;
	thread->stack.size = 100;
	thread->clear_tid = thread->robust_list = AT;
	thread->process->dumpable = 0;
	assert_int_equal(guest_exec(&guests, thread), 0);
	actions = thread->process->signals->actions;
	assert_int_equal(thread->process->unit->number, 2);
	assert_int_equal(guests.units_count, 2);
	assert_int_equal(guests.units->processes, 0);
	assert_ptr_equal(guests.units->next, thread->process->unit);
	assert_int_equal(table_of(thread)->count, 0);
	assert_int_equal(thread->process->space->brk, 0);
	assert_int_equal(actions[SIGUSR1 - 1].handler, 0);
	assert_int_equal(actions[SIGPIPE - 1].handler, 1);
	assert_int_equal(thread->mask, 6);
	assert_int_equal(thread->stack.size, 0);
	assert_int_equal(thread->clear_tid, 0);
	assert_int_equal(thread->robust_list, 0);
	assert_int_equal(thread->process->dumpable, 1);
	guests_release(&guests);
}

static void exec_in_one_process_leaves_the_unit_to_the_others(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *child = clone_of(&guests, first, FORK);

	(void)state;
	assert_int_equal(first->process->unit->processes, 2);
	assert_int_equal(guest_exec(&guests, child), 0);
	assert_true(unit_ends_with(first->process));
	assert_true(unit_ends_with(child->process));
	assert_int_equal(child->process->pid, 3);
	assert_int_equal(child->process->ppid, 2);
	guests_release(&guests);
}

static void the_last_thread_takes_its_process_along(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests);
	struct thread *thread = clone_of(&guests, first, THREAD);
	struct thread *child = clone_of(&guests, first, FORK);
	struct thread *other = clone_of(&guests, child, FORK);

	(void)state;
	assert_false(guest_exit(&guests, first));
	assert_ptr_equal(thread->process->threads, thread);
	assert_int_equal(child->process->ppid, 2);
	assert_true(guest_exit(&guests, thread));
	/* Orphans ask the kernel who took them in; the others keep their parent. */
	assert_int_equal(child->process->ppid, 0);
	assert_int_equal(other->process->ppid, 4);
	assert_int_equal(guests.alive, 2);
	assert_int_equal(child->process->unit->processes, 2);
	assert_ptr_equal(guests.first, child);
	assert_ptr_equal(guests.last, other);
	assert_null(guest_by_number(&guests, 1));
	assert_true(guest_exit(&guests, other));
	assert_ptr_equal(guests.last, child);
	assert_true(unit_ends_with(child->process));
	/* Numbers are never given twice. */
	assert_int_equal(clone_of(&guests, child, FORK)->number, 5);
	guests_release(&guests);
}

/* The test as its own guest: its memory is that of the calls it pretends to make. */
static struct thread *self_of(struct guests *guests)
{
	struct thread *thread;

	*guests = (struct guests){ 0 };
	thread = guest_first(guests, getpid(), 2);
	assert_non_null(thread);
	return thread;
}

static void enter(struct thread *thread, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	thread->registers = (struct registers){
		.orig_rax = nr,
		.rax = (uint64_t)-ENOSYS,
		.rip = 0x401002,
		.rsp = AT,
		.rdi = a,
		.rsi = b,
		.rdx = c,
	};
	assert_int_equal(guest_enter_call(thread), 0);
}

static void a_call_at_its_entry_is_resolved(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);
	char text[] = "hello";

	(void)state;
	thread->in_cursor_range = thread->in_cursor_offset = 9;
	enter(thread, SYS_write, 1, (uint64_t)(uintptr_t)text, 5);
	assert_int_equal(thread->stand, STAND_ENTRY);
	assert_int_equal(thread->call.nr, SYS_write);
	assert_string_equal(thread->call.row->name, "write");
	assert_int_equal(thread->call.ip, 0x401002);
	assert_int_equal(thread->call.frame, AT);
	assert_int_equal(thread->call.registers_hash, registers_hash(&thread->registers));
	assert_int_equal(thread->call.args[2], 5);
	assert_int_equal(thread->call.entry.count, 1);
	assert_int_equal(thread->call.entry.ranges[0].address, (uintptr_t)text);
	assert_int_equal(thread->call.entry.ranges[0].length, 5);
	assert_int_equal(thread->in_cursor_range, 0);
	assert_int_equal(thread->in_cursor_offset, 0);
	enter(thread, 100000, 1, 2, 3);
	assert_null(thread->call.row);
	assert_int_equal(thread->call.entry.count, 0);
	guests_release(&guests);
}

static void the_mapping_table_follows_mprotect_and_munmap(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);

	(void)state;
	add_mapping(thread, AT, 4, MAP_PRIVATE);
	enter(thread, SYS_mprotect, AT, PAGE + 1, PROT_READ);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(mapping_find(table_of(thread), AT + PAGE)->prot, PROT_READ);
	assert_int_equal(mapping_find(table_of(thread), AT + 2 * PAGE)->prot, PROT_READ | PROT_WRITE);
	enter(thread, SYS_munmap, AT + PAGE, 1, 0);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_null(mapping_find(table_of(thread), AT + PAGE));
	assert_non_null(mapping_find(table_of(thread), AT + 2 * PAGE));
	enter(thread, SYS_mprotect, AT, 0, PROT_NONE);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(mapping_find(table_of(thread), AT)->prot, PROT_READ);
	guests_release(&guests);
}

static void a_call_that_failed_changes_nothing(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);
	struct signal_disposition action = { .handler = HANDLER };

	(void)state;
	add_mapping(thread, AT, 4, MAP_PRIVATE);
	enter(thread, SYS_munmap, AT, 4 * PAGE, 0);
	assert_int_equal(guest_finish_call(thread, -EINVAL), 0);
	assert_non_null(mapping_find(table_of(thread), AT));
	enter(thread, SYS_rt_sigaction, SIGUSR1, (uint64_t)(uintptr_t)&action, 0);
	assert_int_equal(guest_finish_call(thread, -EFAULT), 0);
	assert_int_equal(thread->process->signals->actions[SIGUSR1 - 1].handler, 0);
	enter(thread, SYS_set_tid_address, AT, 0, 0);
	assert_int_equal(guest_finish_call(thread, -1), 0);
	assert_int_equal(thread->clear_tid, 0);
	guests_release(&guests);
}

/* What an argument pointed at counts as it was at the entry: the old value may be written over it. */
static void the_signal_model_follows_from_what_was_read_at_the_entry(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);
	struct signal_disposition action = { HANDLER, SA_RESTART, 0x402000, 5 };
	struct signal_stack stack = { .base = AT, .size = 8192 };
	uint64_t set = 1ULL << (SIGUSR1 - 1) | 1ULL << (SIGKILL - 1);

	(void)state;
	enter(thread, SYS_rt_sigaction, SIGUSR1, (uint64_t)(uintptr_t)&action,
	      (uint64_t)(uintptr_t)&action);
	memset(&action, 0, sizeof(action));
	assert_int_equal(guest_finish_call(thread, 0), 0);
	action = (struct signal_disposition){ HANDLER, SA_RESTART, 0x402000, 5 };
	assert_memory_equal(&thread->process->signals->actions[SIGUSR1 - 1], &action, sizeof(action));
	enter(thread, SYS_rt_sigprocmask, SIG_BLOCK, (uint64_t)(uintptr_t)&set, 0);
	set = 0;
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(thread->mask, 1ULL << (SIGUSR1 - 1));
	enter(thread, SYS_sigaltstack, (uint64_t)(uintptr_t)&stack, 0, 0);
	memset(&stack, 0, sizeof(stack));
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(thread->stack.base, AT);
	assert_int_equal(thread->stack.size, 8192);
	guests_release(&guests);
}

static void asking_for_the_signal_state_changes_nothing(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);
	uint64_t old[4] = { 9, 9, 9, 9 }, at = (uint64_t)(uintptr_t)old;

	(void)state;
	thread->mask = 6;
	thread->stack.size = 100;
	thread->process->signals->actions[SIGUSR1 - 1].handler = HANDLER;
	enter(thread, SYS_rt_sigaction, SIGUSR1, 0, at);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	enter(thread, SYS_rt_sigprocmask, SIG_SETMASK, 0, at);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	/* Nor what the call before had read. */
	enter(thread, SYS_rt_sigprocmask, SIG_SETMASK, at, 0);
	assert_int_equal(guest_finish_call(thread, -EINVAL), 0);
	enter(thread, SYS_rt_sigprocmask, SIG_BLOCK, 0, at);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	enter(thread, SYS_sigaltstack, 0, at, 0);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(thread->process->signals->actions[SIGUSR1 - 1].handler, HANDLER);
	assert_int_equal(thread->mask, 6);
	assert_int_equal(thread->stack.size, 100);
	guests_release(&guests);
}

static void words_that_the_kernel_would_write_at_the_end_are_noted(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);

	(void)state;
	enter(thread, SYS_set_tid_address, AT, 0, 0);
	assert_int_equal(guest_finish_call(thread, 2), 0);
	enter(thread, SYS_set_robust_list, AT + 8, 24, 0);
	assert_int_equal(guest_finish_call(thread, 0), 0);
	assert_int_equal(thread->clear_tid, AT);
	assert_int_equal(thread->robust_list, AT + 8);
	guests_release(&guests);
}

static void the_heap_grows_and_shrinks_by_whole_pages(void **state)
{
	struct guests guests;
	struct thread *thread = first_of(&guests);
	struct space *space = thread->process->space;

	(void)state;
	space->brk_start = space->brk = AT + 100;
	assert_int_equal(guest_brk(thread, AT + 100), 0);
	assert_int_equal(table_of(thread)->count, 0);
	assert_int_equal(guest_brk(thread, AT + PAGE + 1), 0);
	assert_int_equal(space->brk, AT + PAGE + 1);
	assert_int_equal(table_of(thread)->count, 1);
	assert_int_equal(table_of(thread)->entries[0].start, AT + PAGE);
	assert_int_equal(table_of(thread)->entries[0].end, AT + 2 * PAGE);
	assert_int_equal(table_of(thread)->entries[0].prot, PROT_READ | PROT_WRITE);
	assert_int_equal(guest_brk(thread, AT + 3 * PAGE), 0);
	assert_int_equal(table_of(thread)->entries[0].end, AT + 3 * PAGE);
	assert_int_equal(guest_brk(thread, AT + PAGE), 0);
	assert_int_equal(table_of(thread)->count, 0);
	guests_release(&guests);
}

static void mremap_moves_what_was_mapped(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);

	(void)state;
	add_mapping(thread, AT, 2, MAP_PRIVATE);
	enter(thread, SYS_mremap, AT, 2 * PAGE, 2 * PAGE + 1);
	thread->call.args[3] = MREMAP_MAYMOVE;
	assert_int_equal(guest_mremap(thread, AT + 16 * PAGE), 0);
	assert_int_equal(table_of(thread)->count, 1);
	assert_int_equal(table_of(thread)->entries[0].start, AT + 16 * PAGE);
	assert_int_equal(table_of(thread)->entries[0].end, AT + 19 * PAGE);
	enter(thread, SYS_mremap, AT + 16 * PAGE, 3 * PAGE, 3 * PAGE);
	thread->call.args[3] = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
	assert_int_equal(guest_mremap(thread, AT), 0);
	assert_int_equal(table_of(thread)->count, 2);
	guests_release(&guests);
}

static void add_object(struct thread *thread, uint64_t start, uint64_t offset, uint64_t object)
{
	struct mapping mapping = {
		.start = start,
		.end = start + PAGE,
		.prot = PROT_READ,
		.flags = MAP_SHARED,
		.backing = BACKING_SHARED,
		.offset = offset,
		.length = 3 * PAGE,
		.object = object,
	};

	assert_int_equal(mapping_insert(&thread->process->space->table, &mapping), 0);
}

static void shmdt_takes_all_of_the_segment_and_nothing_else(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);

	(void)state;
	add_object(thread, AT, 0, 4);
	add_object(thread, AT + PAGE, PAGE, 4);
	assert_int_equal(mapping_protect(&thread->process->space->table, AT, AT + PAGE, PROT_NONE), 0);
	add_object(thread, AT + 2 * PAGE, 0, 5);
	enter(thread, SYS_shmdt, AT + PAGE / 2, 0, 0);
	assert_int_equal(guest_shmdt(thread), 0);
	assert_int_equal(table_of(thread)->count, 3);
	enter(thread, SYS_shmdt, AT, 0, 0);
	assert_int_equal(guest_shmdt(thread), 0);
	assert_int_equal(table_of(thread)->count, 1);
	assert_int_equal(table_of(thread)->entries[0].object, 5);
	guests_release(&guests);
}

static void an_object_has_one_length_in_every_space(void **state)
{
	struct guests guests;
	struct thread *first = first_of(&guests), *child;

	(void)state;
	add_object(first, AT, 0, 4);
	add_object(first, AT + 8 * PAGE, 0, 5);
	child = clone_of(&guests, first, FORK);
	guests_object_length(&guests, 4, 7);
	assert_int_equal(mapping_find(table_of(first), AT)->length, 7);
	assert_int_equal(mapping_find(table_of(child), AT)->length, 7);
	assert_int_equal(mapping_find(table_of(child), AT + 8 * PAGE)->length, 3 * PAGE);
	guests_release(&guests);
}

static void a_handler_takes_its_mask_and_may_be_for_once_only(void **state)
{
	struct guests guests;
	struct thread *thread = first_of(&guests);
	struct signal_disposition *actions = thread->process->signals->actions;

	(void)state;
	actions[SIGUSR1 - 1] = (struct signal_disposition){ .handler = HANDLER };
	actions[SIGUSR2 - 1] = (struct signal_disposition){ .handler = HANDLER, .flags = SA_RESETHAND };
	guest_handled(thread, SIGUSR1, 0x200);
	assert_int_equal(thread->mask, 0x200);
	assert_int_equal(actions[SIGUSR1 - 1].handler, HANDLER);
	guest_handled(thread, SIGUSR2, 0xa00);
	assert_int_equal(thread->mask, 0xa00);
	assert_int_equal(actions[SIGUSR2 - 1].handler, 0);
	guests_release(&guests);
}

static void sigreturn_takes_mask_and_stack_from_the_frame(void **state)
{
	struct guests guests;
	struct thread *thread = self_of(&guests);
	ucontext_t frame;
	uint64_t mask = UINT64_MAX;

	(void)state;
	memset(&frame, 0, sizeof(frame));
	frame.uc_stack.ss_sp = (void *)AT;
	frame.uc_stack.ss_size = 8192;
	memcpy(&frame.uc_sigmask, &mask, sizeof(mask));
	guest_sigreturn(thread, (uint64_t)(uintptr_t)&frame);
	assert_int_equal(thread->mask, ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)));
	assert_int_equal(thread->stack.base, AT);
	assert_int_equal(thread->stack.size, 8192);
	guest_sigreturn(thread, 8); /* nothing is mapped there */
	assert_int_equal(thread->stack.size, 8192);
	guests_release(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_guest_starts_the_first_unit),
		cmocka_unit_test(a_thread_shares_its_process),
		cmocka_unit_test(a_fork_has_copies_that_change_on_their_own),
		cmocka_unit_test(a_vfork_child_borrows_the_space_until_it_execs),
		cmocka_unit_test(what_clone_flags_share_is_shared),
		cmocka_unit_test(exec_starts_a_unit_with_an_empty_space),
		cmocka_unit_test(exec_in_one_process_leaves_the_unit_to_the_others),
		cmocka_unit_test(the_last_thread_takes_its_process_along),
		cmocka_unit_test(a_call_at_its_entry_is_resolved),
		cmocka_unit_test(the_mapping_table_follows_mprotect_and_munmap),
		cmocka_unit_test(a_call_that_failed_changes_nothing),
		cmocka_unit_test(the_signal_model_follows_from_what_was_read_at_the_entry),
		cmocka_unit_test(asking_for_the_signal_state_changes_nothing),
		cmocka_unit_test(words_that_the_kernel_would_write_at_the_end_are_noted),
		cmocka_unit_test(the_heap_grows_and_shrinks_by_whole_pages),
		cmocka_unit_test(mremap_moves_what_was_mapped),
		cmocka_unit_test(shmdt_takes_all_of_the_segment_and_nothing_else),
		cmocka_unit_test(an_object_has_one_length_in_every_space),
		cmocka_unit_test(a_handler_takes_its_mask_and_may_be_for_once_only),
		cmocka_unit_test(sigreturn_takes_mask_and_stack_from_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
