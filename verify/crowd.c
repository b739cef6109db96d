#include "crowd.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX (1U << 24)

void crowd_release(struct crowd *crowd)
{
	free(crowd->members);
	*crowd = (struct crowd){ 0 };
}

static int set(struct crowd *crowd, uint32_t thread, struct crowd_member member)
{
	if (thread > THREADS_MAX)
		return 0;
	if (thread >= crowd->count) {
		size_t count = 2 * (size_t)thread + 16;
		struct crowd_member *grown = reallocarray(crowd->members, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + crowd->count, 0, (count - crowd->count) * sizeof(*grown));
		crowd->members = grown;
		crowd->count = count;
	}
	crowd->members[thread] = member;
	return 0;
}

int crowd_event(struct crowd *crowd, const struct event *event)
{
	uint32_t pid;
	if (event->kind == EVENT_EXEC) {
		pid = event->exec.process;
		return set(crowd, event->thread, (struct crowd_member){ pid, pid });
	}
	if (event->kind != EVENT_CLONE)
		return 0;
	pid = event->clone.pid;
	if (event->clone.clone_flags & CLONE_THREAD)
		pid = crowd_member(crowd, event->thread).pid;
	return set(crowd, event->clone.child, (struct crowd_member){ pid, event->clone.tid });
}

struct crowd_member crowd_member(const struct crowd *crowd, uint32_t thread)
{
	return thread < crowd->count ? crowd->members[thread] : (struct crowd_member){ 0, 0 };
}
