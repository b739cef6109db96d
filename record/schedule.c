#include "outside.h"
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../traces/error.h"
#include "seeded.h"
#include "timers.h"

#define YIELDS_BEFORE_LOOK 2

uint64_t schedule_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* needs no rdtsc (tsc.h) */
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

bool schedule_ready(const struct thread *thread)
{
	return thread->run == RUN_STOPPED && !thread->record->exiting && !is_frozen(thread) &&
	       (!thread->process->ending || thread->stop_status != 0);
}

bool schedule_others_ready(const struct recorder *rec, const struct thread *thread)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (t != thread && schedule_ready(t))
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
		record_thread_forget(thread);
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

static bool is_death(int status)
{
	return stop_kind(status) == STOP_EXIT || stop_kind(status) == STOP_GONE;
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
	if (rec->seeded && is_death(status)) {
		thread->record->died = true;
		thread->record->death = status;
		return 1;
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

int schedule_sweep(struct recorder *rec)
{
	int r;

	while ((r = collect(rec, WNOHANG)) > 0)
		;
	return r == -ECHILD ? 0 : r;
}

char schedule_state(struct thread *thread)
{
	struct record_thread *own = thread->record;
	char text[128], *state;
	ssize_t n;

	if (own->stat_fd < 0) {
		snprintf(text, sizeof(text), "/proc/%d/stat", thread->tid);
		own->stat_fd = open(text, O_RDONLY | O_CLOEXEC);
		if (own->stat_fd < 0)
			return '?';
	}
	n = pread(own->stat_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return '?';
	text[n] = '\0';
	state = strrchr(text, ')');
	return state ? state[2] : '?';
}

bool schedule_vforks(const struct recorder *rec, const struct thread *thread)
{
	const struct thread *child = thread->record->vfork_child
					     ? guest_by_number(&rec->guests, thread->record->vfork_child)
					     : NULL;

	return child && child->process->space == thread->process->space;
}

/*
 * True when the thread sleeps inside the kernel until others act. A call that copies or moves memory may be put off the
 * processor half-way, by a busy host: what others wrote then would be in it or not. Only for a page of a file that a guest
 * serves does it wait for one.
 */
static bool is_asleep(const struct recorder *rec, struct thread *thread)
{
	char state = schedule_state(thread);

	if (state != 'D' || !thread->call.row)
		return state == 'S' || state == 'D';
	switch (thread->call.row->family) {
	case FAMILY_CLONE: return schedule_vforks(rec, thread);
	case FAMILY_MAP:
	case FAMILY_ADVICE:
	case FAMILY_FOREIGN: return outside_serves_files(rec);
	default: return true;
	}
}

/* Ends the current turn; the event is written once it is known who goes on. */
void schedule_end_turn(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;

	rec->turn = (struct event){ .kind = EVENT_TURN, .thread = thread->number };
	if (own->cut) {
		rec->turn.turn.end = own->position.kind;
		rec->turn.turn.count = own->position.count;
		memcpy(rec->turn.turn.state, own->position.state, DIGEST_BYTES);
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
		if (rec->turn.turn.end == TURN_COUNT || rec->turn.turn.end == TURN_ADDRESS)
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
		if (!schedule_ready(t))
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

	r = rec->seeded ? seeded_settle(rec) : schedule_sweep(rec);
	if (r == 0)
		r = record_detached(rec);
	if (r < 0)
		return r;
	next = rec->seeded ? seeded_choose(rec) : next_ready(rec);
	if (!next) {
		if (rec->guests.alive == 0)
			return 0;
		if (rec->seeded && !rec->detached)
			return seeded_idle(rec);
		r = collect(rec, 0);
		return r == -ECHILD && !rec->detached ? SWORN_EGONE : r < 0 && r != -ECHILD ? r : 0;
	}
	r = write_turn(rec, next);
	if (r < 0)
		return r;
	rec->current = next;
	rec->turn_over = writer_events(rec->writer) + rec->turn_left;
	rec->slice_start_ns = schedule_now_ns();
	return 0;
}

/* Threads that stand stopped may be on their way out after it. */
static bool may_kill(const struct thread *thread)
{
	switch (thread->call.nr) {
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
	case SYS_exit:
	case SYS_exit_group:
	case SYS_execve:
	case SYS_execveat: return true;
	default: return false;
	}
}

static int resume(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int r;

	rec->stirred |= own->in_call || own->deliver;
	rec->killing |= own->deliver || (own->in_call && may_kill(thread));
	if (own->request != PTRACE_LISTEN) {
		r = preempt_start(rec, thread);
		if (r < 0)
			return r;
	}
	if (thread->process->space->floating == thread->number)
		thread->process->space->floating = 0;
	if (!own->in_call && !own->no_event) {
		own->boundary = thread->registers;
		own->resumed_ns = schedule_now_ns();
		own->next_look_ns = own->computed_ns = 0;
		own->lowest_ip = UINT64_MAX;
		own->highest_ip = 0;
	} else if (own->in_call) {
		own->resumed_ns = schedule_now_ns();
	}
	r = stop_resume(thread, own->request, own->deliver);
	if (own->request == PTRACE_DETACH) {
		own->exiting = true;
		rec->detached++;
	} else {
		own->deliver = 0;
	}
	own->no_event = false;
	if (own->request != PTRACE_LISTEN)
		own->computing = !own->in_call;
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
		if (looks >= YIELDS_BEFORE_LOOK && is_asleep(rec, thread)) {
			/* It may have stopped between the look and now. */
			r = waitpid(thread->tid, &status, __WALL | WNOHANG);
			if (r == thread->tid) {
				thread->stop_status = status;
				thread->run = RUN_STOPPED;
				return 0;
			}
			if (thread->call.row->flags & ROW_EARLY) {
				r = record_in_flight(rec, thread, thread);
				if (r < 0)
					return r;
			}
			schedule_end_turn(rec, thread);
			return 0;
		}
		sched_yield();
	}
}

static bool others_alive(const struct recorder *rec, const struct thread *thread)
{
	return rec->guests.first != thread || thread->next != NULL;
}

static bool is_in_exec(const struct thread *thread)
{
	return thread->call.nr == SYS_execve || thread->call.nr == SYS_execveat;
}

static int wait_current(struct recorder *rec, struct thread *thread)
{
	int status, r;

	if (thread->run == RUN_USER && thread->record->counting)
		return preempt_wait(rec, thread);
	if (rec->seeded && thread->run == RUN_KERNEL && thread->record->blocks)
		return seeded_wait(rec, thread);
	if (thread->run == RUN_KERNEL && thread->record->blocks &&
	    (others_alive(rec, thread) || is_in_exec(thread))) {
		/* Once it has the leader's tid, nobody is left under its own. */
		bool renamed = is_in_exec(thread) && thread->tid != thread->process->leader;

		if (!renamed && schedule_others_ready(rec, thread))
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
		return thread->run == RUN_USER && !thread->record->counting ? preempt_look(rec, thread)
									    : 0;
	}
	if (r < 0)
		return r;
	if (rec->seeded && is_death(status)) {
		r = schedule_stopped(rec, thread->tid, status);
		return r < 0 ? r : seeded_settle(rec);
	}
	thread->stop_status = status;
	thread->run = RUN_STOPPED;
	return 0;
}

/* Not of a thread that its last event killed: it is never ready again. */
static bool slice_over(const struct recorder *rec, const struct thread *thread)
{
	return !thread->record->in_call && !thread->record->no_event && !thread->process->ending &&
	       schedule_now_ns() - rec->slice_start_ns >= SLICE_NS;
}

/* Before the current thread goes on everybody else comes to rest; its turn may be over then, or the thread gone. */
static int advance_seeded(struct recorder *rec, struct thread *thread)
{
	bool boundary = !thread->record->in_call && !thread->record->no_event &&
			!thread->process->ending;
	int r = timers_next(rec) <= rec->clock_ns ? timers_expire(rec) : 0;

	if (r == 0 && rec->stirred)
		r = seeded_settle(rec);
	if (r < 0 || rec->current != thread || thread->stop_status)
		return r;
	if (boundary && writer_events(rec->writer) >= rec->turn_over &&
	    schedule_others_ready(rec, thread)) {
		schedule_end_turn(rec, thread);
		return 0;
	}
	return resume(rec, thread);
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
			schedule_end_turn(rec, thread);
			return r;
		}
		if (rec->seeded)
			return advance_seeded(rec, thread);
		if (slice_over(rec, thread)) {
			while ((r = collect(rec, WNOHANG)) > 0)
				;
			if (r < 0 && r != -ECHILD)
				return r;
			rec->slice_start_ns = schedule_now_ns();
			if (rec->current == thread && schedule_others_ready(rec, thread))
				schedule_end_turn(rec, thread);
			return 0;
		}
		return resume(rec, thread);
	}
	if (thread->run == RUN_LISTEN || thread->record->exiting) {
		schedule_end_turn(rec, thread);
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
