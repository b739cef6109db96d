/* A new program image, rebuilt from the event alone. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"
#include "crew.h"

/* Reaps a thread that was killed, through its exit stop. */
static void reap(pid_t tid)
{
	int status;

	/* Its exit stop may have been seen already. */
	ptrace(PTRACE_CONT, tid, NULL, NULL);
	for (;;) {
		pid_t r = waitpid(tid, &status, __WALL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r != tid || !WIFSTOPPED(status))
			return;
		ptrace(PTRACE_CONT, tid, NULL, NULL);
	}
}

void replay_kill(struct replayer *rep, struct process *process)
{
	(void)rep;
	if (process->threads_count == 0 || process->unit->elsewhere)
		return;
	kill(process->leader, SIGKILL);
	for (struct thread *t = process->threads; t; t = t->sibling) {
		if (t->tid != process->leader && t->stand != STAND_GONE)
			reap(t->tid);
		t->stand = STAND_GONE;
	}
	reap(process->leader);
}

static int write_image(struct thread *thread, const struct payload *payloads, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct payload *p = &payloads[i];
		int r;

		if (p->arg != PAYLOAD_IMAGE)
			continue;
		if (p->address < CALL_PAGE + CALL_PAGE_BYTES && p->address + p->length > CALL_PAGE)
			return SWORN_EREFUSED;
		if (!mapping_find(&thread->process->space->table, p->address))
			return SWORN_EREFUSED;
		r = guest_write(thread, p->address, p->bytes, p->length);
		if (r < 0)
			return r == -EFAULT ? SWORN_EREFUSED : r;
	}
	return 0;
}

/* Maps and fills the empty guest. */
static int build(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	struct space *space = thread->process->space;
	uint64_t above = 0;
	int r = 0;

	for (size_t i = 0; i < event->mappings_count; i++) {
		const struct mapping *m = &event->mappings[i];

		if (m->start < above)
			return SWORN_EREFUSED;
		above = m->end;
		r = replay_place(rep, thread, m);
		if (r == 0)
			r = mapping_insert(&space->table, m);
		if (r < 0)
			return r;
	}
	space->brk_start = space->brk = event->exec.brk;
	r = write_image(thread, rep->image_payloads, rep->image_count);
	if (r == 0)
		r = write_image(thread, event->payloads, event->payloads_count);
	replay_forget_image(rep);
	return r < 0 ? r : replay_set_state(thread, event);
}

/* The process that calls exec: checked, then ended; the image comes into a fresh one. */
static int leave_old(struct replayer *rep, struct thread *thread)
{
	int r = replay_to_call(rep, thread);

	if (r == 0)
		r = replay_check_inputs(rep, thread, true);
	if (r < 0)
		return r;
	if (!thread->call.row || thread->call.row->family != FAMILY_EXEC)
		return SWORN_EFORMAT;
	replay_kill(rep, thread->process);
	counter_close(thread->counter);
	thread->counter = NULL;
	return 0;
}

/* The model's part. `tid` is 0 for an image that another process plays. */
static int enter_model(struct replayer *rep, struct thread **thread, pid_t tid)
{
	const struct event *event = rep->event;
	struct thread *t = *thread;
	int r = 0;

	if (t) {
		r = guest_exec(&rep->guests, t);
		t->tid = t->process->leader = tid;
	} else {
		*thread = t = guest_first(&rep->guests, tid, event->exec.process);
		rep->running = 1;
		rep->command = t ? t->process : NULL;
		r = t ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	t->guest_tid = t->process->pid;
	t->process->stack_limit = event->exec.stack_limit;
	t->process->unit->elsewhere = tid == 0;
	return event->exec.unit == t->process->unit->number && event->exec.process == t->process->pid
		       ? 0
		       : SWORN_EFORMAT;
}

static int start_image(struct replayer *rep, struct thread *thread)
{
	int r = stop_get_registers(thread);

	if (r == 0)
		r = build(rep, thread);
	if (r == 0 && rep->crew)
		crew_send_home(rep->crew, thread);
	return r;
}

int replay_exec(struct replayer *rep, struct thread *thread)
{
	const struct event *event = rep->event;
	bool leaves = thread && !is_elsewhere(thread);
	bool mine = !rep->crew || crew_owns(rep->crew, rep->guests.units_count + 1);
	bool handed_over = rep->crew && thread;
	pid_t tid = 0;
	int r;

	if (!event->registers || event->mappings_count == 0 ||
	    (thread && thread->process->threads_count != 1))
		return SWORN_EFORMAT;
	r = leaves ? leave_old(rep, thread) : 0;
	if (r == 0 && mine)
		r = stub_start(arena_fd(rep->guests.arena), object_arena_fd(rep->objects),
			       event->exec.stack_limit, &tid);
	if (r == 0)
		r = enter_model(rep, &thread, tid);
	if (r < 0)
		return r;
	rep->left += leaves;
	if (handed_over && leaves)
		crew_gave(rep->crew, thread);
	if (handed_over && mine)
		crew_took(rep->crew, thread);
	if (mine)
		return start_image(rep, thread);
	thread->stand = STAND_BOUNDARY;
	replay_forget_image(rep);
	return 0;
}
