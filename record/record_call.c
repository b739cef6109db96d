/* Ordinary calls: what happens at their entry and at their return. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../sandbox/descriptor.h"
#include "../sandbox/domain.h"
#include "../traces/error.h"
#include "background.h"
#include "numbers.h"
#include "ports.h"
#include "readiness.h"
#include "recorder.h"
#include "refusal.h"
#include "reuse.h"
#include "socket_time.h"
#include "stream.h"
#include "timeout.h"
#include "timers.h"
#include "usage.h"
#include "view.h"

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define NR_RESTART_SYSCALL 219

static bool is_undecided(int64_t result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

static int capture_inputs(struct recorder *rec, struct thread *thread)
{
	const struct range_list *entry = &thread->call.entry;

	for (size_t i = 0; i < entry->count; i++) {
		int r = entry->ranges[i].direction == DIRECTION_IN
				? capture_range(rec, thread, &entry->ranges[i])
				: 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* The kernel made the call start over after a signal without a handler: the same call goes on. */
static bool is_restart(const struct thread *thread)
{
	uint32_t nr = (uint32_t)thread->registers.orig_rax;

	return thread->record->restarting && thread->registers.rip == thread->call.ip &&
	       (nr == thread->call.nr || nr == NR_RESTART_SYSCALL);
}

static int refuse(struct recorder *rec, struct thread *thread, int error, const char *reason)
{
	const struct row *row = thread->call.row;
	struct event event = record_call_event(thread, EVENT_REFUSED);
	int r;

	event.result = -error;
	if (rec->warn && !(row && row->flags & ROW_QUIET))
		rec->warn(row ? row->name : "a call without a name",
			  reason ? reason : "unknown to this version");
	thread->registers.rax = (uint64_t) - (int64_t)error;
	thread->registers.orig_rax = (uint64_t)-1;
	r = stop_set_registers(thread);
	if (r < 0)
		return r;
	thread->record->capture.count = 0;
	thread->record->capture.length = 0;
	thread->stand = STAND_BOUNDARY;
	schedule_resume(thread, PTRACE_CONT, 0);
	return record_event(rec, &event);
}

/* Lets the kernel run the call. */
static void execute(struct thread *thread)
{
	struct record_thread *own = thread->record;
	const struct row *row = thread->call.row;

	own->in_call = true;
	own->restarting = false;
	own->blocks = row->flags & ROW_BLOCKS;
	schedule_resume(thread, PTRACE_SYSCALL, 0);
}

/* The same, with what waits for time told by the virtual clock. */
static int execute_seeded(struct recorder *rec, struct thread *thread)
{
	bool answered = false;
	int r = rec->virtual_clock ? timers_entry(rec, thread, &answered) : 0;

	if (r == 0 && !answered && rec->virtual_clock)
		r = socket_time_entry(rec, thread, &answered);
	if (r == 0 && !answered && rec->virtual_clock)
		r = usage_entry(rec, thread, &answered);
	if (r == 0 && !answered)
		r = ports_entry(rec, thread, &answered);
	if (r < 0 || answered)
		return r;
	execute(thread);
	thread->record->has_waited = false;
	r = timeout_enter(rec, thread, false);
	return r < 0 ? r : stream_enter(thread);
}

/* The command's first exec: what comes before it is the recorder's own code. */
static bool is_unborn(const struct thread *thread)
{
	return thread->process->space->table.count == 0;
}

static int special_entry(struct recorder *rec, struct thread *thread)
{
	bool answered = false;
	int r;

	switch ((enum family)thread->call.row->family) {
	case FAMILY_EXIT: return record_exit_entry(rec, thread);
	case FAMILY_EXEC:
		r = is_unborn(thread) ? 0 : record_checkpoint(rec, thread, CHECKPOINT_EXEC);
		if (r < 0)
			return r;
		record_note_robust(thread);
		execute(thread);
		thread->record->blocks = thread->process->threads_count > 1 ||
					 thread->tid != thread->process->leader;
		return 0;
	case FAMILY_CLONE: execute(thread); return record_clone_entry(thread);
	case FAMILY_RANDOM:
	case FAMILY_CLOCK:
	case FAMILY_PID:
	case FAMILY_SCHED:
	case FAMILY_DUMPABLE:
	case FAMILY_SECCOMP:
	case FAMILY_ADVICE:
		r = record_virtual(rec, thread, &answered);
		if (r < 0 || answered)
			return r;
		execute(thread);
		return 0;
	case FAMILY_NONE:
	case FAMILY_MAP:
	case FAMILY_SIGNAL:
	case FAMILY_SIGRETURN:
	case FAMILY_FOREIGN:
	case FAMILY_TLS: execute(thread); return 0;
	}
	return SWORN_EFORMAT;
}

/* The thread has left the page: its call runs on the call page. None of these calls sleeps. */
static int answer_vsyscall(struct recorder *rec, struct thread *thread)
{
	const struct call *call = &thread->call;
	bool answered = false;
	int64_t result;
	int r = record_virtual(rec, thread, &answered);

	if (r < 0 || answered)
		return r;
	r = stop_inject(thread, false, call->nr, call->args, &result);
	if (r < 0)
		return r;
	thread->registers.rax = (uint64_t)result;
	r = stop_set_registers(thread);
	if (r < 0)
		return r;
	thread->record->in_call = true;
	return record_return(rec, thread);
}

int record_entry(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	const struct row *row;
	const char *reason;
	int error, r;

	if (is_restart(thread)) {
		own->in_call = true;
		schedule_resume(thread, PTRACE_SYSCALL, 0);
		own->restarting = false;
		if (thread->call.row->family == FAMILY_CLONE)
			return record_clone_entry(thread);
		r = rec->seeded ? timeout_enter(rec, thread, true) : 0;
		return r < 0 || !rec->seeded ? r : stream_enter(thread);
	}
	own->turned = own->slept = false;
	own->told = 0;
	r = guest_enter_call(thread);
	if (r == 0)
		r = stop_leave_vsyscall(thread);
	if (r < 0)
		return r;
	if (record_holds(own))
		return record_held(rec, thread);
	if (thread->call.ruling.kind != RULING_RUN)
		return record_filtered(rec, thread);
	if (rec->seeded)
		record_clock_step(rec, thread);
	row = thread->call.row;
	if (!row || row->treatment == TREAT_REFUSE || row->treatment == TREAT_UNKNOWN)
		return refuse(rec, thread, row ? row->error : ENOSYS, row ? row->reason : NULL);
	reason = refusal_find(rec, thread, &error);
	if (reason)
		return refuse(rec, thread, error, reason);
	r = capture_inputs(rec, thread);
	if (r < 0)
		return r;
	if (call_is_vsyscall(&thread->call))
		return answer_vsyscall(rec, thread);
	if (rec->view) {
		bool answered = false;

		r = view_entry(rec, thread, &answered);
		if (r < 0 || answered)
			return r;
	}
	if (row->treatment == TREAT_SPECIAL)
		return special_entry(rec, thread);
	if (rec->seeded)
		return execute_seeded(rec, thread);
	execute(thread);
	return 0;
}

/* What the fd cache must forget after a successful call. */
static void forget_descriptors(struct thread *thread, int64_t result)
{
	const struct row *row = thread->call.row;

	if (row->flags & ROW_CLOSES)
		fd_cache_forget(thread->process->fds);
	else if (row->result == RESULT_FD && result >= 0)
		fd_forget(thread->process->fds, (int)result);
}

static int capture_outputs(struct recorder *rec, struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;
	int r = extent_exit(call->row, call->args, result, &call->entry, guest_read, thread, &rec->out);

	for (size_t i = 0; r >= 0 && i < rec->out.count; i++)
		r = capture_range(rec, thread, &rec->out.ranges[i]);
	return r;
}

/* Without a flags argument of its own an opening call always truncates, or keeps its flags in memory. */
static bool may_truncate(const struct call *call)
{
	for (unsigned int i = 0; i < 6; i++) {
		enum arg_kind kind = call->row->args[i].kind;

		if (kind == ARG_FLAGS || kind == ARG_INT)
			return call->args[i] & O_TRUNC;
	}
	return true;
}

/* The part of a return that only this call's kind knows. */
static int finish(struct recorder *rec, struct thread *thread, int64_t result, struct event *event)
{
	const struct row *row = thread->call.row;
	int r;

	if (row->family == FAMILY_MAP && result >= -4095 && result < 0)
		return 0;
	if (row->treatment == TREAT_SPECIAL && row->family == FAMILY_MAP) {
		static struct mapping mapping; /* one recorder thread */

		mapping = (struct mapping){ 0 };
		r = record_map(rec, thread, result, &mapping);
		if (r > 0) {
			event->mappings = &mapping;
			event->mappings_count = 1;
		}
		return r < 0 ? r : 0;
	}
	if (row->flags & ROW_TIMER)
		thread->process->timers = true;
	if ((row->flags & ROW_OUTPUT) && result > 0) {
		event->sink = sink_number(rec->sinks, thread);
		if (event->sink) {
			r = sink_update(rec->sinks, event->sink, thread, result, NULL);
			if (r < 0)
				return r;
		}
	}
	if (result >= 0 && (row->flags & ROW_OPENS ? may_truncate(&thread->call)
						   : row->flags & (ROW_OUTPUT | ROW_WRITES_FILE))) {
		r = record_file_write(rec, thread, result);
		if (r < 0)
			return r;
	}
	if (result == 0)
		record_signal_claim(rec, thread);
	if (row->family == FAMILY_FOREIGN && result > 0) {
		r = foreign_call(rec, thread, (uint64_t)result);
		if (r < 0)
			return r;
	}
	if (result == -EINVAL && thread->call.nr == SYS_madvise &&
	    (int)thread->call.args[2] == MADV_DONTNEED) {
		r = foreign_dropped(rec, thread);
		if (r < 0)
			return r;
	}
	if (rec->random_devices && result > 0) {
		r = record_random_read(rec, thread, result);
		if (r < 0)
			return r;
	}
	r = guest_finish_call(thread, result);
	return r == 0 && thread->call.nr == SYS_mprotect ? record_text_protected(rec, thread) : r;
}

/* Opening a random device makes later reads look at what they read from. */
static void notice_random(struct recorder *rec, struct thread *thread, int64_t result)
{
	struct fd_info info;

	if (rec->random_devices || !(thread->call.row->flags & ROW_OPENS) || result < 0)
		return;
	info = fd_lookup(thread->process->fds, thread->tid, (int)result);
	rec->random_devices = fd_is_random(&info);
}

/* Undoes what the call was made to do instead. 1 when it only waited, and goes on. */
static int leave_seeded(struct recorder *rec, struct thread *thread)
{
	int r = timeout_leave(rec, thread);

	if (r == 0)
		r = stream_leave(thread);
	if (r == 0)
		r = readiness_complete(thread);
	if (r > 0) {
		thread->record->restarting = true;
		schedule_resume(thread, PTRACE_CONT, 0);
	}
	return r;
}

/* What the virtual clock has to do with a call that came back. */
static int return_seeded(struct recorder *rec, struct thread *thread, int64_t result)
{
	switch (thread->call.nr) {
	case SYS_timerfd_create: return timers_created(rec, thread, result);
	case SYS_accept:
	case SYS_accept4: return socket_time_accepted(rec, thread, result);
	case SYS_socket: socket_time_created(thread, result); return 0;
	case SYS_eventfd:
	case SYS_eventfd2: timers_number_taken(rec, thread, result); return 0;
	case SYS_sendmsg:
	case SYS_sendmmsg: timers_sent(rec, thread, result); return 0;
	default: return usage_of_child(thread, result);
	}
}

int record_return(struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	int64_t result;
	struct event event;
	int r;

	if (!own->in_call)
		return SWORN_EFORMAT;
	r = rec->seeded ? leave_seeded(rec, thread) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	result = (int64_t)thread->registers.rax;
	if (thread->call.row->family == FAMILY_SIGRETURN)
		return record_sigreturn(rec, thread);
	if (thread->call.row->family == FAMILY_CLONE) {
		r = record_clone_return(thread);
		if (r < 0)
			return r;
	}
	if (is_undecided(result)) {
		/* EINTR or a restart: the signal stop that follows decides. */
		own->restarting = true;
		schedule_resume(thread, PTRACE_CONT, 0);
		return 0;
	}
	if (is_unborn(thread))
		return (int)result; /* the command itself could not be executed */
	own->in_call = false;
	own->restarting = false;
	thread->stand = STAND_BOUNDARY;
	event = record_call_event(thread, EVENT_CALL);
	r = rec->view ? view_return(rec, thread, &result) : 0;
	if (r == 0 && rec->seeded)
		r = numbers_return(rec, thread, &result);
	if (r < 0)
		return r;
	forget_descriptors(thread, result);
	notice_random(rec, thread, result);
	if (rec->seeded) {
		background_finish(rec, thread, result);
		reuse_finish(rec, thread, result);
	}
	if (rec->seeded && thread->call.nr == SYS_socket)
		stream_created(thread, result);
	if (rec->seeded && rec->virtual_clock)
		r = return_seeded(rec, thread, result);
	if (r == 0)
		r = finish(rec, thread, result, &event);
	if (r < 0)
		return r;
	event.result = result;
	if (rec->hides_code)
		event.flags |= CALL_HIDES_CODE;
	rec->hides_code = false;
	r = capture_outputs(rec, thread, result);
	if (r < 0)
		return r;
	schedule_resume(thread, PTRACE_CONT, 0);
	return capture_emit(rec, thread, &event);
}
