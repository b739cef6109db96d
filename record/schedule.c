#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/spin.h"
#include "../traces/error.h"

#define YIELDS_BEFORE_LOOK 2
#define SPIN_PATIENCE_NS \
	10000000000ULL /* computation without a call while others who share its memory wait */
#define SPIN_CODE_BYTES 1024
#define NR_EXECVE 59
#define NR_EXECVEAT 322

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

void schedule_resume(struct thread *thread, int request, int signal)
{
	thread->record->request = request;
	thread->record->deliver = signal;
}

/* Another thread of the same memory stands at a point without a name: only it may change that memory until its next
 * event. */
static bool is_frozen(const struct thread *thread)
{
	return thread->process->space->floating && thread->process->space->floating != thread->number;
}

static bool is_ready(const struct thread *thread)
{
	return thread->run == RUN_STOPPED && !thread->record->exiting && !is_frozen(thread) &&
	       (!thread->process->ending || thread->stop_status != 0);
}

bool schedule_others_ready(const struct recorder *rec, const struct thread *thread)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t != thread && is_ready(t))
			return true;
	}
	return false;
}

static int orphan_add(struct recorder *rec, pid_t tid, int status)
{
	if (rec->orphans_count == rec->orphans_capacity) {
		size_t capacity = rec->orphans_capacity ? rec->orphans_capacity * 2 : 16;
		int *grown = reallocarray(rec->orphans, capacity, 2 * sizeof(int));

		if (!grown)
			return -ENOMEM;
		rec->orphans = grown;
		rec->orphans_capacity = capacity;
	}
	rec->orphans[rec->orphans_count * 2] = tid;
	rec->orphans[rec->orphans_count * 2 + 1] = status;
	rec->orphans_count++;
	return 0;
}

int schedule_birth(struct recorder *rec, pid_t tid)
{
	int status;

	for (size_t i = 0; i < rec->orphans_count; i++) {
		if (rec->orphans[i * 2] != tid)
			continue;
		rec->orphans_count--;
		rec->orphans[i * 2] = rec->orphans[rec->orphans_count * 2];
		status = rec->orphans[i * 2 + 1];
		rec->orphans[i * 2 + 1] = rec->orphans[rec->orphans_count * 2 + 1];
		return stop_kind(status) == STOP_INTERRUPT ? 0 : SWORN_EGONE;
	}
	while (waitpid(tid, &status, __WALL) != tid) {
		if (errno != EINTR)
			return SWORN_EGONE;
	}
	return stop_kind(status) == STOP_INTERRUPT ? 0 : SWORN_EGONE;
}

/* exec from another thread than the leader comes back under the leader's tid. */
static struct thread *adopt_exec(struct recorder *rec, pid_t tid)
{
	unsigned long former;
	struct thread *thread;

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &former) < 0)
		return NULL;
	thread = guest_by_tid(&rec->guests, (pid_t)former);
	if (thread) {
		thread->tid = tid;
		thread->guest_tid = thread->process->pid;
	}
	return thread;
}

/* Takes one stop of any guest: deaths are handled at once, other stops wait for their thread's turn. 1
 * when something came, 0 when nothing was there, -ECHILD when there is nothing to wait for. */
static int collect(struct recorder *rec, int options)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL | options);

	if (tid < 0 && errno == EINTR && rec->interrupted) {
		rec->interrupted(rec);
		return 0;
	}
	if (tid <= 0)
		return tid == 0 || errno == EINTR ? 0 : -errno;
	if (tid == rec->init) {
		rec->init = 0;
		return 1;
	}
	return schedule_stopped(rec, tid, status);
}

int schedule_stopped(struct recorder *rec, pid_t tid, int status)
{
	struct thread *thread = guest_by_tid(&rec->guests, tid);

	if (!thread && stop_kind(status) == STOP_EXEC)
		thread = adopt_exec(rec, tid);
	if (!thread) {
		/* A leader whose EXIT event was written while its threads lived on is reaped here. */
		int r = stop_kind(status) == STOP_GONE ? 0 : orphan_add(rec, tid, status);

		return r < 0 ? r : 1;
	}
	switch (stop_kind(status)) {
	case STOP_EXIT: {
		int r = record_exit_stop(rec, thread);

		return r < 0 ? r : 1;
	}
	case STOP_GONE: {
		int r = record_gone(rec, thread, status);

		return r < 0 ? r : 1;
	}
	case STOP_ENTRY:
	case STOP_RETURN:
	case STOP_SIGNAL:
	case STOP_CLONE:
	case STOP_EXEC:
	case STOP_GROUP:
	case STOP_INTERRUPT:
		thread->stop_status = status;
		thread->run = RUN_STOPPED;
		return 1;
	}
	return 1;
}

static bool process_lives(const struct recorder *rec, const struct process *process)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t->process == process)
			return true;
	}
	return false;
}

int schedule_reap(struct recorder *rec, struct process *process)
{
	while (process_lives(rec, process)) {
		int r = collect(rec, 0);

		if (r < 0)
			return r == -ECHILD ? 0 : r;
	}
	return 0;
}

/* True when the thread sleeps inside the kernel. */
static bool is_asleep(struct thread *thread)
{
	struct record_thread *own = thread->record;
	char text[128], *state;
	ssize_t n;

	if (own->stat_fd < 0) {
		snprintf(text, sizeof(text), "/proc/%d/stat", thread->tid);
		own->stat_fd = open(text, O_RDONLY | O_CLOEXEC);
		if (own->stat_fd < 0)
			return false;
	}
	n = pread(own->stat_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state && (state[2] == 'S' || state[2] == 'D');
}

/* Ends the current turn; the event is written once it is known who goes on. */
static void end_turn(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;

	rec->turn = (struct event){ .kind = EVENT_TURN, .thread = thread->number };
	if (own->cut) {
		rec->turn.turn.end = own->position.kind;
		rec->turn.turn.count = own->position.count;
		rec->turn_registers = own->position.registers;
		rec->turn.registers = &rec->turn_registers;
		rec->turn.ip = own->position.registers.rip;
	} else if (own->in_call) {
		rec->turn.turn.end = TURN_ENTRY;
		rec->turn.nr = thread->call.nr;
		rec->turn.ip = thread->call.ip;
	} else {
		rec->turn.turn.end = TURN_BOUNDARY;
	}
	rec->last = thread;
	rec->last_number = thread->number;
	rec->current = NULL;
}

static int write_turn(struct recorder *rec, struct thread *next)
{
	int r;

	if (rec->last == next && !next->record->cut)
		return 0;
	if (rec->last && rec->last->record->in_call) {
		rec->last->record->turned = true;
		r = capture_flush(rec, rec->last);
		if (r < 0)
			return r;
	}
	if (rec->last && rec->last->record->cut) {
		rec->last->record->cut = false;
		if (rec->turn.turn.end != TURN_SPIN)
			rec->pmu_used = true;
	}
	rec->turn.turn.next = next->number;
	return record_event(rec, &rec->turn);
}

int schedule_mark(struct recorder *rec)
{
	struct thread *thread = rec->current ? rec->current : rec->last;
	struct event mark = { .kind = EVENT_TURN };
	int r;

	if (!thread)
		return 0;
	if (thread->record->cut) {
		r = write_turn(rec, thread);
		rec->turn = (struct event){ .kind = EVENT_TURN, .thread = thread->number };
		return r;
	}
	if (!thread->record->in_call || thread->record->turned)
		return 0;
	thread->record->turned = true;
	r = capture_flush(rec, thread);
	mark.thread = mark.turn.next = thread->number;
	mark.turn.end = TURN_ENTRY;
	mark.nr = thread->call.nr;
	mark.ip = thread->call.ip;
	return r < 0 ? r : record_event(rec, &mark);
}

/* The next ready thread after the last one, round robin by number. */
static struct thread *next_ready(const struct recorder *rec)
{
	struct thread *wrapped = NULL;

	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (!is_ready(t))
			continue;
		if (t->number > rec->last_number)
			return t;
		if (!wrapped)
			wrapped = t;
	}
	return wrapped;
}

static int pick(struct recorder *rec)
{
	struct thread *next;
	int r;

	while ((r = collect(rec, WNOHANG)) > 0)
		;
	if (r < 0 && r != -ECHILD)
		return r;
	next = next_ready(rec);
	if (!next) {
		if (rec->guests.alive == 0)
			return 0;
		r = collect(rec, 0);
		return r == -ECHILD ? SWORN_EGONE : r < 0 ? r : 0;
	}
	r = write_turn(rec, next);
	if (r < 0)
		return r;
	rec->current = next;
	rec->slice_start_ns = now_ns();
	return 0;
}

/* Something other than this thread's own calls may make another thread that shares its memory runnable, or
 * send it a signal, while it computes. */
static bool needs_counter(const struct recorder *rec, const struct thread *thread)
{
	if (!rec->use_counter || thread->record->in_call)
		return false;
	if (thread->process->timers)
		return true;
	if (thread->process->threads_count == 1 && thread->process->space->references == 1 &&
	    !rec->objects_count)
		return false;
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t == thread || t->record->exiting)
			continue;
		if (t->process->space != thread->process->space && !rec->objects_count)
			continue;
		if (is_ready(t))
			return true;
		/* An untimed futex wait ends only by a call of somebody who runs. */
		if (t->run == RUN_KERNEL && !(t->call.nr == 202 && t->call.args[3] == 0))
			return true;
	}
	return false;
}

static int start_counter(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	bool needed = needs_counter(rec, thread);
	int r;

	if (!needed) {
		if (own->counting)
			counter_stop(thread->counter);
		own->counting = false;
		return 0;
	}
	if (!thread->counter) {
		r = counter_open(thread->tid, &thread->counter);
		if (r < 0) {
			rec->use_counter = false;
			return 0;
		}
	}
	if (own->counting && own->no_event)
		return counter_resume(thread->counter);
	own->counting = true;
	return counter_start(thread->counter, SLICE_BRANCHES);
}

static int resume(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int r;

	if (own->request != PTRACE_LISTEN) {
		r = start_counter(rec, thread);
		if (r < 0)
			return r;
	}
	if (thread->process->space->floating == thread->number)
		thread->process->space->floating = 0;
	if (!own->in_call && !own->no_event) {
		own->boundary = thread->registers;
		own->resumed_ns = now_ns();
		own->next_look_ns = 0;
		own->lowest_ip = UINT64_MAX;
		own->highest_ip = 0;
	}
	r = stop_resume(thread, own->request, own->deliver);
	own->deliver = 0;
	own->no_event = false;
	if (r == SWORN_EGONE) {
		/* SIGKILL is on its way; what comes next is its exit stop. */
		thread->run = RUN_KERNEL;
		own->blocks = true;
		return 0;
	}
	thread->run = own->request == PTRACE_LISTEN ? RUN_LISTEN
		      : own->in_call		    ? RUN_KERNEL
						    : RUN_USER;
	return r;
}

static int wait_counted(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int status, r = cut_wait(thread->tid, thread->counter, &status);

	(void)rec;
	if (r < 0)
		return r;
	thread->run = RUN_STOPPED;
	if (r == 0) {
		thread->stop_status = status;
		return 0;
	}
	while ((r = collect(rec, WNOHANG)) > 0)
		;
	if (r < 0 && r != -ECHILD)
		return r;
	if (!schedule_others_ready(rec, thread)) {
		thread->run = RUN_USER;
		r = stop_resume(thread, PTRACE_CONT, 0);
		return r == SWORN_EGONE ? 0 : r;
	}
	r = cut_choose(thread->tid, guest_memory(thread), thread->counter, &own->position, &status);
	if (r < 0)
		return r;
	if (r > 0) {
		thread->stop_status = status;
		return 0;
	}
	thread->registers = own->position.registers;
	own->cut = true;
	schedule_resume(thread, PTRACE_CONT, 0);
	end_turn(rec, thread);
	return 0;
}

/* The thread may sleep in its call while others could run: watch it until it stops or sleeps. */
static int wait_asleep(struct recorder *rec, struct thread *thread)
{
	for (unsigned int looks = 0;; looks++) {
		int status;
		pid_t r = waitpid(thread->tid, &status, __WALL | WNOHANG);

		if (r == thread->tid) {
			thread->stop_status = status;
			thread->run = RUN_STOPPED;
			return 0;
		}
		if (r < 0 && errno != EINTR)
			return SWORN_EGONE;
		if (looks >= YIELDS_BEFORE_LOOK && is_asleep(thread)) {
			/* It may have stopped between the look and now. */
			r = waitpid(thread->tid, &status, __WALL | WNOHANG);
			if (r == thread->tid) {
				thread->stop_status = status;
				thread->run = RUN_STOPPED;
				return 0;
			}
			end_turn(rec, thread);
			return 0;
		}
		sched_yield();
	}
}

static bool others_alive(const struct recorder *rec, const struct thread *thread)
{
	return rec->guests.first != thread || thread->next != NULL;
}

static bool maps_shared(const struct space *space)
{
	for (size_t i = 0; i < space->table.count; i++) {
		if (space->table.entries[i].backing == BACKING_SHARED)
			return true;
	}
	return false;
}

/* Another thread that this one may be spinning on, or race with, waits for its turn. */
static bool keeps_others_waiting(const struct recorder *rec, const struct thread *thread)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t == thread || !is_ready(t))
			continue;
		if (t->process->space == thread->process->space ||
		    (maps_shared(t->process->space) && maps_shared(thread->process->space)))
			return true;
	}
	return false;
}

/* Takes the CPU from a thread that computes on. Nobody else sees its memory, so how far it came since its last event makes
 * no difference to anyone: the turn ends as if it had not run since. */
static void float_away(struct recorder *rec, struct thread *thread)
{
	thread->record->no_event = true;
	thread->process->space->floating = thread->number;
	schedule_resume(thread, PTRACE_CONT, 0);
	end_turn(rec, thread);
}

/* Without a counter: the thread computes on while others wait, or a signal is held back for it. When it spins the turn
 * can end; when it goes on without a call for too long, nothing but a counter could help. */
static int look_for_spin(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	bool shared;
	int status, r = 0;

	while ((r = collect(rec, WNOHANG)) > 0)
		;
	if ((r < 0 && r != -ECHILD) || thread->run != RUN_USER)
		return r == -ECHILD ? 0 : r;
	shared = keeps_others_waiting(rec, thread);
	if ((shared || own->held.signal) && now_ns() < own->next_look_ns)
		return 0;
	if (!shared && !own->held.signal && !schedule_others_ready(rec, thread))
		return 0;
	if (ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) < 0)
		return 0;
	do
		r = stop_wait(thread, &status);
	while (r == -EINTR);
	if (r < 0)
		return r;
	thread->run = RUN_STOPPED;
	if (stop_kind(status) != STOP_INTERRUPT) {
		thread->stop_status = status;
		return 0;
	}
	if (!shared && !own->held.signal) {
		float_away(rec, thread);
		return 0;
	}
	r = stop_get_registers(thread);
	if (r == 0)
		r = spin_find(&rec->guests, thread, &status);
	if (r < 0)
		return r == SWORN_EGONE ? 0 : r;
	if (r == 1) {
		thread->stop_status = status;
		return 0;
	}
	own->no_event = true;
	schedule_resume(thread, PTRACE_CONT, 0);
	if (r == 0) {
		own->position = (struct position){ .kind = TURN_SPIN, .registers = thread->registers };
		own->position.registers.orig_rax = (uint64_t)-1;
		own->cut = true;
		own->no_event = false;
		end_turn(rec, thread);
		return own->held.signal ? record_held_here(rec, thread) : 0;
	}
	if (thread->registers.rip < own->lowest_ip)
		own->lowest_ip = thread->registers.rip;
	if (thread->registers.rip > own->highest_ip)
		own->highest_ip = thread->registers.rip;
	/* Looking costs: the longer it computes, the less often. */
	own->next_look_ns = now_ns() + (now_ns() - own->resumed_ns) / 2;
	/* Work that wanders through much code comes to a call in the end; a small loop may never. */
	if (own->highest_ip - own->lowest_ip > SPIN_CODE_BYTES ||
	    now_ns() - own->resumed_ns < SPIN_PATIENCE_NS)
		return 0;
	rec->status = "needs_pmu";
	return SWORN_ENEEDSPMU;
}

static int wait_current(struct recorder *rec, struct thread *thread)
{
	int status, r;

	if (thread->run == RUN_USER && thread->record->counting)
		return wait_counted(rec, thread);
	if (thread->run == RUN_KERNEL && thread->record->blocks &&
	    (others_alive(rec, thread) || thread->call.nr == NR_EXECVE ||
	     thread->call.nr == NR_EXECVEAT)) {
		if (schedule_others_ready(rec, thread))
			return wait_asleep(rec, thread);
		r = collect(rec, 0);
		if (r == -ECHILD)
			return SWORN_EGONE;
		return r < 0 ? r : 0;
	}
	r = stop_wait(thread, &status);
	if (r == -EINTR) {
		if (rec->interrupted)
			rec->interrupted(rec);
		/* The ticker: a call that was not expected to sleep may wait for another guest. */
		if (thread->run == RUN_KERNEL)
			thread->record->blocks = true;
		return thread->run == RUN_USER && !thread->record->counting
			       ? look_for_spin(rec, thread)
			       : 0;
	}
	if (r < 0)
		return r;
	thread->stop_status = status;
	thread->run = RUN_STOPPED;
	return 0;
}

static bool slice_over(const struct recorder *rec, const struct thread *thread)
{
	return !thread->record->in_call && !thread->record->no_event &&
	       now_ns() - rec->slice_start_ns >= SLICE_NS;
}

/* One step of the current thread's turn; 1 when its stop is in thread->stop_status. */
static int advance(struct recorder *rec, struct thread *thread)
{
	int r = 0;

	if (thread->stop_status)
		return 1;
	if (thread->run == RUN_STOPPED) {
		if (thread->record->request == PTRACE_LISTEN) {
			r = resume(rec, thread);
			end_turn(rec, thread);
			return r;
		}
		if (slice_over(rec, thread)) {
			while ((r = collect(rec, WNOHANG)) > 0)
				;
			if (r < 0 && r != -ECHILD)
				return r;
			rec->slice_start_ns = now_ns();
			if (rec->current == thread && schedule_others_ready(rec, thread))
				end_turn(rec, thread);
			return 0;
		}
		return resume(rec, thread);
	}
	if (thread->run == RUN_LISTEN || thread->record->exiting) {
		end_turn(rec, thread);
		return 0;
	}
	return wait_current(rec, thread);
}

int schedule_next(struct recorder *rec, struct thread **ret_thread, int *ret_status)
{
	for (;;) {
		struct thread *thread = rec->current;
		int r;

		if (rec->guests.alive == 0)
			return 0;
		r = thread ? advance(rec, thread) : pick(rec);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret_thread = thread;
			*ret_status = thread->stop_status;
			thread->stop_status = 0;
			thread->run = RUN_STOPPED;
			return 1;
		}
	}
}
