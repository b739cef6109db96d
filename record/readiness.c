#include "readiness.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define EVENTS_MAX 512 /* looked at for doubles; more than anybody gets at once */
#define NR_EPOLL_PWAIT2 441

/* The injected call's result, or what the first one said where that fails. */
static int look(struct thread *thread, uint32_t nr, const uint64_t args[6], int64_t *ret_result)
{
	return stop_inject(thread, false, nr, args, ret_result);
}

static int poll_again(struct thread *thread, int64_t *result)
{
	const uint64_t args[6] = { thread->call.args[0], thread->call.args[1] };
	int64_t again;
	int r = look(thread, SYS_poll, args, &again);

	if (r == 0 && again > 0)
		*result = again;
	return r;
}

/* Events that are level-triggered come again: those that were told already are left out. */
static int64_t drop_doubles(struct epoll_event *events, int64_t first, int64_t all)
{
	int64_t kept = first;

	for (int64_t i = first; i < all; i++) {
		bool told = false;

		for (int64_t k = 0; k < first && !told; k++)
			told = events[k].data.u64 == events[i].data.u64;
		if (!told)
			events[kept++] = events[i];
	}
	return kept;
}

static int epoll_again(struct thread *thread, int64_t *result)
{
	static struct epoll_event events[EVENTS_MAX], before[EVENTS_MAX];
	const uint64_t *call = thread->call.args;
	int64_t first = *result, room = (int32_t)call[2] - first, again;
	uint64_t args[6] = { call[0], call[1] + (uint64_t)first * sizeof(*events) };
	size_t length;
	int r;

	if (room > EVENTS_MAX - first)
		room = EVENTS_MAX - first;
	if (room <= 0)
		return 0;
	/* Where nothing is told in the end the guest finds what it had there. */
	args[2] = guest_read(thread, args[1], before + first, (size_t)room * sizeof(*events)) /
		  sizeof(*events);
	r = args[2] > 0 ? look(thread, SYS_epoll_wait, args, &again) : 0;
	if (r < 0 || args[2] == 0 || again <= 0)
		return r;
	length = (size_t)(first + again) * sizeof(*events);
	if (guest_read(thread, call[1], events, length) != length)
		return 0;
	*result = drop_doubles(events, first, first + again);
	for (int64_t i = *result; i < first + again; i++)
		events[i] = before[i];
	return guest_write(thread, call[1], events, length);
}

int readiness_complete(struct thread *thread)
{
	int64_t first = (int64_t)thread->registers.rax, result = first;
	int r;

	if (first <= 0 || !thread->record->slept)
		return 0;
	switch (thread->call.nr) {
	case SYS_poll:
	case SYS_ppoll: r = poll_again(thread, &result); break;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case NR_EPOLL_PWAIT2: r = epoll_again(thread, &result); break;
	default: return 0;
	}
	if (r < 0)
		return r;
	thread->registers.rax = (uint64_t)result;
	return stop_set_registers(thread);
}
