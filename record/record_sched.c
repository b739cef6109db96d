/*
 * Scheduling: which CPUs a guest may use, and policies that would let it keep the only one from the recorder, are
 * remembered and never reach the kernel. Everything else does.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/launch.h"
#include "recorder.h"

#define POLICY_DEADLINE 6
#define RESET_ON_FORK 0x40000000
#define PRIORITY_MAX 99
#define ATTR_BYTES_MIN 48U
#define ATTR_BYTES_MAX 4096U
#define RR_INTERVAL_NS 100000000L

/* struct sched_attr as sched_setattr(2) has it. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

/* What a call wants to set. */
struct wish {
	int policy;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR || policy == POLICY_DEADLINE;
}

static struct thread *target_of(struct recorder *rec, struct thread *thread, int32_t pid)
{
	if (pid == 0)
		return thread;
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t->guest_tid == (uint32_t)pid)
			return t;
	}
	return NULL;
}

static bool holds_capability(const struct thread *thread)
{
	char path[64], own[64] = "", its[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/user", thread->tid);
	if (readlink("/proc/self/ns/user", own, sizeof(own) - 1) < 0 ||
	    readlink(path, its, sizeof(its) - 1) < 0 || strcmp(own, its) != 0)
		return false;
	return launch_is_capable(thread->tid, CAP_SYS_NICE);
}

/* As the kernel would judge it (sched(7)): 0 or a negative errno. */
static int judge(const struct thread *thread, const struct thread *target, const struct wish *wish)
{
	struct rlimit limit = { 0, 0 };

	if (wish->policy == POLICY_DEADLINE) {
		uint64_t period = wish->period ? wish->period : wish->deadline;

		if (wish->priority || wish->runtime < 1024 || wish->deadline < wish->runtime ||
		    period < wish->deadline)
			return -EINVAL;
	} else if (wish->priority < 1 || wish->priority > PRIORITY_MAX) {
		return -EINVAL;
	}
	prlimit(target->tid, RLIMIT_RTPRIO, NULL, &limit);
	if (wish->policy != POLICY_DEADLINE && wish->priority <= limit.rlim_cur)
		return 0;
	return holds_capability(thread) ? 0 : -EPERM;
}

static int64_t grant(struct thread *thread, struct thread *target, const struct wish *wish)
{
	struct guest_schedule *schedule = &target->record->schedule;
	int r = judge(thread, target, wish);

	if (r < 0)
		return r;
	schedule->policy = wish->policy & ~RESET_ON_FORK;
	schedule->priority = wish->priority;
	schedule->runtime = wish->runtime;
	schedule->deadline = wish->deadline;
	schedule->period = wish->period ? wish->period : wish->deadline;
	return 0;
}

/* Reads what sched_setscheduler, sched_setparam or sched_setattr asks for; false: the kernel may say what is wrong
 * with it, or do it. */
static bool read_wish(struct thread *thread, const struct thread *target, struct wish *ret,
		      bool *ret_reset)
{
	const struct call *call = &thread->call;
	struct attributes attributes = { 0 };
	int policy = target->record->schedule.policy;
	uint32_t priority = 0;

	*ret = (struct wish){ .policy = -1 };
	if (call->nr == SYS_sched_setattr) {
		if (call->args[2] ||
		    guest_read(thread, call->args[1], &attributes, ATTR_BYTES_MIN) < ATTR_BYTES_MIN)
			return false;
		policy = (int)attributes.policy;
		*ret_reset = attributes.flags & 1;
		*ret = (struct wish){ policy, attributes.priority, attributes.runtime,
				      attributes.deadline, attributes.period };
		return is_realtime(policy) &&
		       (attributes.size == 0 || attributes.size >= ATTR_BYTES_MIN) &&
		       attributes.size <= sizeof(attributes);
	}
	*ret_reset = target->record->schedule.reset;
	if (call->nr == SYS_sched_setscheduler) {
		policy = (int)call->args[1] & ~RESET_ON_FORK;
		*ret_reset = (int)call->args[1] & RESET_ON_FORK;
	}
	if (guest_read(thread, call->args[call->nr == SYS_sched_setscheduler ? 2 : 1], &priority, 4) < 4)
		return false;
	ret->policy = policy;
	ret->priority = priority;
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int set_policy(struct recorder *rec, struct thread *thread, struct thread *target,
		      bool *ret_answered)
{
	struct wish wish;
	bool reset = false;
	int64_t result;

	if (!read_wish(thread, target, &wish, &reset)) {
		*ret_answered = false;
		if (thread->call.nr != SYS_sched_setparam &&
		    (wish.policy == SCHED_OTHER || wish.policy == SCHED_BATCH ||
		     wish.policy == SCHED_IDLE) &&
		    wish.priority == 0)
			target->record->schedule.policy = 0;
		target->record->schedule.chosen = true;
		return 0;
	}
	result = grant(thread, target, &wish);
	if (result == 0)
		target->record->schedule.reset = reset;
	return record_answer(rec, thread, result);
}

static int get_attributes(struct recorder *rec, struct thread *thread,
			  const struct guest_schedule *schedule)
{
	const uint64_t *args = thread->call.args;
	struct attributes attributes = {
		.size = sizeof(attributes),
		.policy = (uint32_t)schedule->policy,
		.flags = schedule->reset,
		.priority = schedule->priority,
		.runtime = schedule->runtime,
		.deadline = schedule->deadline,
		.period = schedule->period,
		.util_max = 1024,
	};
	uint32_t size = (uint32_t)args[2];
	struct payload payload = { 1, DIRECTION_OUT, args[1], sizeof(attributes),
				   (uint8_t *)&attributes };
	int64_t result = 0;
	int r;

	if (!args[1] || size < ATTR_BYTES_MIN || size > ATTR_BYTES_MAX || (uint32_t)args[3])
		return record_answer(rec, thread, -EINVAL);
	if (size < sizeof(attributes))
		payload.length = attributes.size = size;
	r = record_give(rec, thread, &payload, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

/* The guest that is asked for has a policy that only we know of. */
static int get_policy(struct recorder *rec, struct thread *thread, const struct guest_schedule *schedule)
{
	const uint64_t *args = thread->call.args;
	struct timespec interval = { 0, schedule->policy == SCHED_RR ? RR_INTERVAL_NS : 0 };
	struct payload payload = { 1, DIRECTION_OUT, args[1], 4, (const uint8_t *)&schedule->priority };
	int64_t result = 0;
	int r;

	if (thread->call.nr == SYS_sched_getscheduler)
		return record_answer(rec, thread,
				     schedule->policy | (schedule->reset ? RESET_ON_FORK : 0));
	if (thread->call.nr == SYS_sched_getattr)
		return get_attributes(rec, thread, schedule);
	if (thread->call.nr == SYS_sched_rr_get_interval) {
		payload.bytes = (const uint8_t *)&interval;
		payload.length = sizeof(interval);
	} else if (!args[1]) {
		return record_answer(rec, thread, -EINVAL);
	}
	r = record_give(rec, thread, &payload, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

/* Guests see the CPUs that the user gave the recorder, and may ask for any of them; they run on one. */
static int set_affinity(struct recorder *rec, struct thread *thread, struct thread *target)
{
	const uint64_t *args = thread->call.args;
	size_t length = (uint32_t)args[1] < sizeof(uint64_t) ? (uint32_t)args[1] : sizeof(uint64_t);
	uint64_t mask = 0;

	if (guest_read(thread, args[2], &mask, length) < length)
		return record_answer(rec, thread, -EFAULT);
	if (!(mask & rec->affinity))
		return record_answer(rec, thread, -EINVAL);
	target->record->schedule.affinity = mask & rec->affinity;
	return record_answer(rec, thread, 0);
}

static int get_affinity(struct recorder *rec, struct thread *thread, const struct thread *target)
{
	const uint64_t *args = thread->call.args;
	const uint64_t *mask = target->record->schedule.affinity ? &target->record->schedule.affinity
								 : &rec->affinity;
	struct payload payload = { 2, DIRECTION_OUT, args[2], sizeof(*mask), (const uint8_t *)mask };
	int64_t result = sizeof(*mask);
	int r = 0;

	if ((uint32_t)args[1] < sizeof(*mask) || args[1] % sizeof(*mask))
		result = -EINVAL;
	else
		r = record_give(rec, thread, &payload, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

static int get_cpu(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint32_t zero = 0;
	int64_t result = 0;
	int r = 0;

	for (uint8_t i = 0; i < 2 && r == 0; i++) {
		struct payload payload = { i, DIRECTION_OUT, args[i], sizeof(zero), (uint8_t *)&zero };

		if (args[i])
			r = record_give(rec, thread, &payload, &result);
	}
	return r < 0 ? r : record_answer(rec, thread, result);
}

void record_sched_inherit(const struct thread *parent, struct thread *child)
{
	child->record->schedule = parent->record->schedule;
	if (child->record->schedule.reset)
		child->record->schedule.policy = 0;
	child->record->schedule.reset = false;
}

/* Seeded recordings run guests under a policy of their own, which these would see. */
static bool hides_policy(const struct recorder *rec, const struct thread *thread,
			 const struct guest_schedule *schedule)
{
	if (!rec->seeded || schedule->chosen)
		return false;
	return thread->call.nr == SYS_sched_getscheduler ||
	       (thread->call.nr == SYS_sched_getattr && !schedule->nice);
}

int record_sched(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	struct thread *target = target_of(rec, thread, (int32_t)thread->call.args[0]);

	if (thread->call.nr == SYS_getcpu)
		return get_cpu(rec, thread);
	if (!target) {
		/* Nobody of ours: the kernel knows what is wrong with the number. */
		*ret_answered = false;
		return 0;
	}
	switch (thread->call.nr) {
	case SYS_sched_setaffinity: return set_affinity(rec, thread, target);
	case SYS_sched_getaffinity: return get_affinity(rec, thread, target);
	case SYS_sched_setattr:
	case SYS_sched_setscheduler:
	case SYS_sched_setparam: return set_policy(rec, thread, target, ret_answered);
	default:
		*ret_answered = is_realtime(target->record->schedule.policy) ||
				hides_policy(rec, thread, &target->record->schedule);
		return *ret_answered ? get_policy(rec, thread, &target->record->schedule) : 0;
	}
}
