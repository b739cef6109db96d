#include "timers.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "timeout.h"
#include "timer.h"

#define BILLION 1000000000ULL
#define SECONDS_MAX 9000000000LL
#define LINE_BYTES 128
#define OVERRUN_MAX INT32_MAX

static const int interval_signals[] = { SIGALRM, SIGVTALRM, SIGPROF };

struct timer *timer_find(const struct recorder *rec, enum timer_kind kind,
			 const struct process *process, int id)
{
	struct timer *t = rec->timers;

	while (t && !(t->kind == kind && t->id == id && (kind == TIMER_FD || t->process == process)))
		t = t->next;
	return t;
}

struct timer *timer_add(struct recorder *rec, enum timer_kind kind, struct process *process, int id)
{
	struct timer *timer = calloc(1, sizeof(*timer)), **end = &rec->timers;

	if (!timer)
		return NULL;
	*timer = (struct timer){ .kind = kind, .process = process, .id = id, .kept = -1 };
	while (*end)
		end = &(*end)->next;
	*end = timer;
	return timer;
}

void timer_drop(struct timer **at)
{
	struct timer *gone = *at;

	*at = gone->next;
	if (gone->kept >= 0)
		close(gone->kept);
	free(gone);
}

void timers_forget(struct recorder *rec, const struct process *process, bool exec)
{
	for (struct timer **at = &rec->timers; *at;) {
		bool gone = (*at)->process == process &&
			    ((*at)->kind == TIMER_POSIX || ((*at)->kind == TIMER_INTERVAL && !exec));

		if (gone)
			timer_drop(at);
		else
			at = &(*at)->next;
	}
}

/* Seconds and their parts, of `unit_ns` each. */
static bool to_ns(const int64_t words[2], uint64_t unit_ns, uint64_t *ret)
{
	int64_t seconds = words[0] > SECONDS_MAX ? SECONDS_MAX : words[0];

	if (words[0] < 0 || words[1] < 0 || (uint64_t)words[1] * unit_ns >= BILLION)
		return false;
	*ret = (uint64_t)seconds * BILLION + (uint64_t)words[1] * unit_ns;
	return true;
}

void timer_describe(const struct recorder *rec, const struct timer *timer, uint64_t unit_ns,
		    int64_t ret_words[4])
{
	uint64_t rest = 0;

	if (timer && timer->deadline_ns)
		rest = timer->deadline_ns > rec->clock_ns ? timer->deadline_ns - rec->clock_ns : unit_ns;
	ret_words[0] = timer ? (int64_t)(timer->interval_ns / BILLION) : 0;
	ret_words[1] = timer ? (int64_t)(timer->interval_ns % BILLION / unit_ns) : 0;
	ret_words[2] = (int64_t)(rest / BILLION);
	ret_words[3] = (int64_t)(rest % BILLION / unit_ns);
}

int64_t timer_arm(const struct recorder *rec, struct timer *timer, const int64_t words[4],
		  uint64_t unit_ns, bool absolute)
{
	uint64_t interval, value, origin = timeout_origin(rec, timer->clock);

	if (!to_ns(words, unit_ns, &interval) || !to_ns(words + 2, unit_ns, &value))
		return -EINVAL;
	timer->interval_ns = interval;
	timer->overrun = timer->missed = 0;
	if (value == 0)
		timer->deadline_ns = 0;
	else if (!absolute)
		timer->deadline_ns = rec->clock_ns + value;
	else
		timer->deadline_ns = value > origin ? value - origin : 1;
	return 0;
}

int timer_give_words(struct recorder *rec, struct thread *thread, unsigned int arg,
		     const int64_t words[4], int64_t *ret_result)
{
	struct payload payload = { (uint8_t)arg, DIRECTION_OUT, thread->call.args[arg],
				   4 * sizeof(*words), (const uint8_t *)words };

	return payload.address ? record_give(rec, thread, &payload, ret_result) : 0;
}

bool timer_take_words(struct thread *thread, unsigned int arg, int64_t ret_words[4])
{
	return guest_read(thread, thread->call.args[arg], ret_words, 4 * sizeof(*ret_words)) ==
	       4 * sizeof(*ret_words);
}

static int answer_alarm(struct recorder *rec, struct thread *thread)
{
	struct timer *timer = timer_find(rec, TIMER_INTERVAL, thread->process, ITIMER_REAL);
	int64_t words[4];

	timer_describe(rec, timer, 1000, words);
	if (!timer)
		timer = timer_add(rec, TIMER_INTERVAL, thread->process, ITIMER_REAL);
	if (!timer)
		return -ENOMEM;
	timer->interval_ns = 0;
	timer->deadline_ns = (uint32_t)thread->call.args[0]
				     ? rec->clock_ns + (uint32_t)thread->call.args[0] * BILLION
				     : 0;
	/* alarm(2): less than half a second of the old one counts as none, but never as nothing. */
	return record_answer(rec, thread,
			     words[2] + (words[3] >= 500000 || (words[2] == 0 && words[3] > 0)));
}

static int answer_interval(struct recorder *rec, struct thread *thread)
{
	bool set = thread->call.nr == SYS_setitimer;
	unsigned int out = set ? 2 : 1, which = (uint32_t)thread->call.args[0];
	int64_t words[4] = { 0 }, before[4], result = 0;
	struct timer *timer;
	int r = 0;

	if (which > ITIMER_PROF)
		return record_answer(rec, thread, -EINVAL);
	if (set && thread->call.args[1] && !timer_take_words(thread, 1, words))
		return record_answer(rec, thread, -EFAULT);
	timer = timer_find(rec, TIMER_INTERVAL, thread->process, (int)which);
	timer_describe(rec, timer, 1000, before);
	if (set && !timer)
		timer = timer_add(rec, TIMER_INTERVAL, thread->process, (int)which);
	if (set && !timer)
		return -ENOMEM;
	if (set)
		result = timer_arm(rec, timer, words, 1000, false);
	if (result == 0)
		r = timer_give_words(rec, thread, out, before, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

bool timer_is_clock(clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID: return true;
	default: return id < 0;
	}
}

static const struct thread *by_guest_tid(const struct process *process, uint32_t tid)
{
	for (const struct thread *t = process->threads; t; t = t->sibling) {
		if (t->guest_tid == tid)
			return t;
	}
	return NULL;
}

/* What the sigevent asks for, timer_create(2). 0 or -error. */
static int64_t read_event(struct thread *thread, struct timer *timer)
{
	const struct thread *target;
	struct {
		uint64_t value;
		int32_t signal, notify, tid;
	} event;

	timer->notify = SIGEV_SIGNAL;
	timer->signal = SIGALRM;
	timer->value = (uint64_t)timer->id;
	if (!thread->call.args[1])
		return 0;
	if (guest_read(thread, thread->call.args[1], &event, sizeof(event)) != sizeof(event))
		return -EFAULT;
	timer->notify = event.notify;
	timer->signal = event.signal;
	timer->value = event.value;
	if (event.notify == SIGEV_NONE)
		return 0;
	if (event.signal < 1 || event.signal > 64)
		return -EINVAL;
	if (event.notify == SIGEV_THREAD_ID) {
		target = by_guest_tid(thread->process, (uint32_t)event.tid);
		timer->target = target ? target->number : 0;
		return target ? 0 : -EINVAL;
	}
	return event.notify == SIGEV_SIGNAL || event.notify == SIGEV_THREAD ? 0 : -EINVAL;
}

static int answer_create(struct recorder *rec, struct thread *thread)
{
	struct process *process = thread->process;
	struct timer wanted = { .id = 0, .clock = (clockid_t)thread->call.args[0] }, *timer;
	int64_t result;
	int32_t id;
	struct payload payload = { 2, DIRECTION_OUT, thread->call.args[2], sizeof(id), (uint8_t *)&id };
	int r;

	while (timer_find(rec, TIMER_POSIX, process, wanted.id))
		wanted.id++;
	id = wanted.id;
	result = timer_is_clock(wanted.clock) ? read_event(thread, &wanted) : -EINVAL;
	r = result == 0 ? record_give(rec, thread, &payload, &result) : 0;
	if (r < 0)
		return r;
	timer = result == 0 ? timer_add(rec, TIMER_POSIX, process, wanted.id) : NULL;
	if (result == 0 && !timer)
		return -ENOMEM;
	if (timer) {
		timer->clock = wanted.clock;
		timer->notify = wanted.notify;
		timer->signal = wanted.signal;
		timer->value = wanted.value;
		timer->target = wanted.target;
	}
	return record_answer(rec, thread, result);
}

static int answer_posix(struct recorder *rec, struct thread *thread)
{
	struct timer *timer = timer_find(rec, TIMER_POSIX, thread->process, (int)thread->call.args[0]);
	int64_t words[4], before[4], result = 0;
	unsigned int out = thread->call.nr == SYS_timer_settime ? 3 : 1;
	int r = 0;

	if (!timer)
		return record_answer(rec, thread, -EINVAL);
	if (thread->call.nr == SYS_timer_getoverrun)
		return record_answer(rec, thread,
				     (int64_t)(timer->overrun > OVERRUN_MAX ? OVERRUN_MAX
									    : timer->overrun));
	if (thread->call.nr == SYS_timer_delete) {
		struct timer **at = &rec->timers;

		while (*at != timer)
			at = &(*at)->next;
		timer_drop(at);
		return record_answer(rec, thread, 0);
	}
	timer_describe(rec, timer, 1, before);
	if (thread->call.nr == SYS_timer_settime) {
		if (!timer_take_words(thread, 2, words))
			return record_answer(rec, thread, -EFAULT);
		result = timer_arm(rec, timer, words, 1, thread->call.args[1] & TIMER_ABSTIME);
	}
	if (result == 0)
		r = timer_give_words(rec, thread, out, before, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

int timers_entry(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	*ret_answered = true;
	switch (thread->call.nr) {
	case SYS_alarm: return answer_alarm(rec, thread);
	case SYS_setitimer:
	case SYS_getitimer: return answer_interval(rec, thread);
	case SYS_timer_create: return answer_create(rec, thread);
	case SYS_timer_settime:
	case SYS_timer_gettime:
	case SYS_timer_getoverrun:
	case SYS_timer_delete: return answer_posix(rec, thread);
	case SYS_timerfd_settime:
	case SYS_timerfd_gettime: return timer_fd_answer(rec, thread);
	case SYS_timerfd_create: return timer_fd_create(rec, thread, ret_answered);
	default: *ret_answered = false; return 0;
	}
}

uint64_t timers_next(const struct recorder *rec)
{
	uint64_t next = timeout_next(rec);

	for (const struct timer *t = rec->timers; t; t = t->next) {
		if (t->deadline_ns && t->deadline_ns < next)
			next = t->deadline_ns;
	}
	return next;
}

static void raise_signal(const struct recorder *rec, const struct timer *timer)
{
	const struct thread *target = timer->target ? guest_by_number(&rec->guests, timer->target)
						    : NULL;
	siginfo_t info = { 0 };
	int signal = timer->kind == TIMER_INTERVAL ? interval_signals[timer->id] : timer->signal;
	pid_t leader = timer->process->leader;

	info.si_signo = signal;
	info.si_code = SI_TIMER;
	if (timer->kind == TIMER_POSIX) {
		info.si_timerid = timer->id;
		memcpy(&info.si_value, &timer->value, sizeof(timer->value));
	}
	if (target)
		syscall(SYS_rt_tgsigqueueinfo, leader, target->tid, signal, &info);
	else
		syscall(SYS_rt_sigqueueinfo, leader, signal, &info);
}

/* Its last signal has not been delivered yet: proc_pid_status(5). */
static bool is_pending(const struct recorder *rec, const struct timer *timer)
{
	const struct thread *target = timer->target ? guest_by_number(&rec->guests, timer->target)
						    : NULL;
	char path[64], line[LINE_BYTES];
	uint64_t pending = 0, set;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", target ? target->tid : timer->process->leader);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "SigPnd: %" SCNx64, &set) == 1 ||
		    sscanf(line, "ShdPnd: %" SCNx64, &set) == 1)
			pending |= set;
	}
	if (file)
		fclose(file);
	return pending >> (timer->signal - 1) & 1;
}

/* False when it was closed by all, and can go. */
static bool fire(struct recorder *rec, struct timer *timer)
{
	uint64_t count = 1;

	if (timer->interval_ns) {
		count += (rec->clock_ns - timer->deadline_ns) / timer->interval_ns;
		timer->deadline_ns += count * timer->interval_ns;
	} else {
		timer->deadline_ns = 0;
	}
	rec->stirred = true;
	if (timer->kind == TIMER_FD)
		return timer_fd_tell(rec, timer, count);
	if (timer->kind == TIMER_POSIX && is_pending(rec, timer)) {
		timer->missed += count;
	} else if (timer->kind == TIMER_INTERVAL || timer->notify != SIGEV_NONE) {
		timer->missed = count - 1;
		rec->killing = true;
		raise_signal(rec, timer);
	}
	return true;
}

void timers_delivered(struct recorder *rec, const struct thread *thread, siginfo_t *info)
{
	struct timer *timer = info->si_code == SI_TIMER
				      ? timer_find(rec, TIMER_POSIX, thread->process, info->si_timerid)
				      : NULL;

	if (!timer || timer->signal != info->si_signo)
		return;
	timer->overrun = timer->missed;
	timer->missed = 0;
	info->si_overrun = (int)(timer->overrun > OVERRUN_MAX ? OVERRUN_MAX : timer->overrun);
}

int timers_expire(struct recorder *rec)
{
	for (struct timer **at = &rec->timers; *at;) {
		struct timer *t = *at;

		if (t->deadline_ns && t->deadline_ns <= rec->clock_ns && !fire(rec, t))
			timer_drop(at);
		else
			at = &t->next;
	}
	return timeout_expire(rec);
}
