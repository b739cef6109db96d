/* Calls answered at their entry, without the kernel: one stop each. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "../sandbox/descriptor.h"
#include "../sandbox/random.h"
#include "recorder.h"

#define RANDOM_FLAGS 7U
#define RANDOM_CHUNK 4096

bool record_writable(const struct thread *thread, uint64_t address, uint64_t length)
{
	while (length > 0) {
		const struct mapping *m = mapping_find(&thread->process->space->table, address);

		if (!m || !(m->prot & PROT_WRITE))
			return false;
		if (m->end - address >= length)
			return true;
		length -= m->end - address;
		address = m->end;
	}
	return true;
}

int record_give(struct recorder *rec, struct thread *thread, const struct payload *payload,
		int64_t *ret_result)
{
	int r;

	if (payload->length == 0)
		return 0;
	if (!record_writable(thread, payload->address, payload->length)) {
		*ret_result = -EFAULT;
		return 0;
	}
	r = guest_write(thread, payload->address, payload->bytes, payload->length);
	return r < 0 ? r : capture_bytes(rec, thread, payload);
}

static int answer_random(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint8_t chunk[RANDOM_CHUNK];
	int64_t result = args[1] > INT32_MAX ? INT32_MAX : (int64_t)args[1];
	uint64_t done = 0, length = (uint64_t)result;

	if (args[2] & ~(uint64_t)RANDOM_FLAGS)
		return record_answer(rec, thread, -EINVAL);
	if (!record_writable(thread, args[0], length))
		return record_answer(rec, thread, -EFAULT);
	while (done < length) {
		size_t n = length - done < sizeof(chunk) ? (size_t)(length - done) : sizeof(chunk);
		struct payload payload = { 0, DIRECTION_OUT, args[0] + done, n, chunk };
		int r;

		random_bytes(rec->random, chunk, n);
		r = record_give(rec, thread, &payload, &result);
		if (r < 0)
			return r;
		done += n;
	}
	return record_answer(rec, thread, result);
}

/* The virtual time of clock `id`, or -EINVAL. */
static int read_clock(struct recorder *rec, const struct thread *thread, clockid_t id,
		      struct timespec *ret)
{
	uint64_t now = record_clock_look(rec, thread,
					 id < 0 || id == CLOCK_PROCESS_CPUTIME_ID ||
						 id == CLOCK_THREAD_CPUTIME_ID);

	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: now += rec->epoch_ns; break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: now += BOOT_BEFORE_NS; break;
	default:
		if (id != CLOCK_PROCESS_CPUTIME_ID && id != CLOCK_THREAD_CPUTIME_ID && id >= 0)
			return -EINVAL;
		break;
	}
	ret->tv_sec = (time_t)(now / 1000000000ULL);
	ret->tv_nsec = (long)(now % 1000000000ULL);
	return 0;
}

static int answer_clock(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	struct payload payload = { .direction = DIRECTION_OUT };
	const uint8_t zone[8] = { 0 };
	struct timespec t;
	int64_t result = 0;
	int r = 0;

	if (thread->call.nr == SYS_clock_gettime) {
		result = read_clock(rec, thread, (clockid_t)args[0], &t);
		payload = (struct payload){ 1, DIRECTION_OUT, args[1], sizeof(t), (const uint8_t *)&t };
	} else {
		read_clock(rec, thread, CLOCK_REALTIME, &t);
		payload.address = args[0];
		payload.bytes = (const uint8_t *)&t;
		payload.length = args[0] ? sizeof(t) : 0;
		if (thread->call.nr == SYS_time) {
			result = t.tv_sec;
			payload.length = args[0] ? sizeof(t.tv_sec) : 0;
		} else {
			t.tv_nsec /= 1000;
		}
	}
	if (result >= 0)
		r = record_give(rec, thread, &payload, &result);
	if (r == 0 && thread->call.nr == SYS_gettimeofday && args[1]) {
		payload = (struct payload){ 1, DIRECTION_OUT, args[1], sizeof(zone), zone };
		r = record_give(rec, thread, &payload, &result);
	}
	return r < 0 ? r : record_answer(rec, thread, result);
}

static int answer_dumpable(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint32_t enabled = thread->seccomp.no_tsc ? PR_TSC_SIGSEGV : PR_TSC_ENABLE;
	struct payload payload = { 1, DIRECTION_OUT, args[1], sizeof(enabled),
				   (const uint8_t *)&enabled };
	int64_t result = 0;
	int r = 0;

	switch ((int)args[0]) {
	case PR_GET_DUMPABLE: result = thread->process->dumpable; break;
	case PR_SET_DUMPABLE:
		if (args[1] > 1)
			result = -EINVAL;
		else
			thread->process->dumpable = (uint32_t)args[1];
		break;
	case PR_GET_TSC: r = record_give(rec, thread, &payload, &result); break;
	case PR_SET_TSC:
		if (args[1] != PR_TSC_ENABLE && args[1] != PR_TSC_SIGSEGV)
			result = -EINVAL;
		else
			thread->seccomp.no_tsc = args[1] == PR_TSC_SIGSEGV;
		break;
	default: result = -EINVAL; break;
	}
	return r < 0 ? r : record_answer(rec, thread, result);
}

/* madvise(2): memory that the kernel may take later is memory that it may also leave. */
static int64_t free_result(const struct thread *thread)
{
	uint64_t at = thread->call.args[0], end = at + ((thread->call.args[1] + 4095) & ~4095ULL);
	int64_t result = 0;

	if ((at & 4095) || end < at || (thread->call.args[1] && end == at))
		return -EINVAL;
	while (at < end) {
		const struct mapping *m = mapping_find(&thread->process->space->table, at);

		if (!m)
			return -ENOMEM;
		if (m->start >= end)
			return -ENOMEM;
		if (m->start > at)
			result = -ENOMEM;
		if (m->backing != BACKING_ANON)
			return -EINVAL;
		at = m->end;
	}
	return result;
}

int record_virtual(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	const struct process *process = thread->process;

	*ret_answered = true;
	switch ((enum family)thread->call.row->family) {
	case FAMILY_RANDOM: return answer_random(rec, thread);
	case FAMILY_CLOCK:
		if (rec->virtual_clock)
			return answer_clock(rec, thread);
		break;
	case FAMILY_PID:
		if (thread->call.nr == SYS_getpid)
			return record_answer(rec, thread, process->pid);
		if (thread->call.nr == SYS_gettid)
			return record_answer(rec, thread, thread->guest_tid);
		if (process->ppid)
			return record_answer(rec, thread, process->ppid);
		break;
	case FAMILY_SCHED: return record_sched(rec, thread, ret_answered);
	case FAMILY_DUMPABLE: return answer_dumpable(rec, thread);
	case FAMILY_SECCOMP: return record_seccomp(rec, thread);
	case FAMILY_ADVICE: return record_answer(rec, thread, free_result(thread));
	case FAMILY_NONE:
	case FAMILY_MAP:
	case FAMILY_EXEC:
	case FAMILY_CLONE:
	case FAMILY_EXIT:
	case FAMILY_SIGNAL:
	case FAMILY_SIGRETURN:
	case FAMILY_FOREIGN:
	case FAMILY_TLS: break;
	}
	*ret_answered = false;
	return 0;
}

int record_random_read(struct recorder *rec, struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;
	uint8_t chunk[RANDOM_CHUNK];
	struct fd_info info;
	int r;

	switch (call->nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2: break;
	default: return 0;
	}
	info = fd_lookup(thread->process->fds, thread->tid, (int)call->args[0]);
	if (!fd_is_random(&info))
		return 0;
	r = extent_exit(call->row, call->args, result, &call->entry, guest_read, thread, &rec->out);
	for (size_t i = 0; r >= 0 && i < rec->out.count; i++) {
		const struct range *range = &rec->out.ranges[i];

		for (uint64_t done = 0; r >= 0 && done < range->length;) {
			size_t n = range->length - done < sizeof(chunk)
					   ? (size_t)(range->length - done)
					   : sizeof(chunk);

			random_bytes(rec->random, chunk, n);
			r = guest_write(thread, range->address + done, chunk, n);
			done += n;
		}
	}
	return r;
}
