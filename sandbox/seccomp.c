#include "seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define PATH_INSTRUCTIONS_MAX 32768 /* kernel/seccomp.c: MAX_INSNS_PER_PATH */
#define FILTER_PENALTY 4	    /* and its price of each filter */
#define ERRNO_MAX 4095

static bool is_strict_call(int nr)
{
	return nr == SYS_read || nr == SYS_write || nr == SYS_exit || nr == SYS_rt_sigreturn;
}

static struct ruling ruling_of(uint32_t value)
{
	struct ruling ruling = { .data = value & SECCOMP_RET_DATA };

	switch (value & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG: ruling.kind = RULING_RUN; break;
	case SECCOMP_RET_TRACE: /* by nobody, as far as the guest knows */
	case SECCOMP_RET_USER_NOTIF: ruling = (struct ruling){ RULING_ERROR, ENOSYS }; break;
	case SECCOMP_RET_ERRNO:
		ruling.kind = RULING_ERROR;
		if (ruling.data > ERRNO_MAX)
			ruling.data = ERRNO_MAX;
		break;
	case SECCOMP_RET_TRAP: ruling.kind = RULING_TRAP; break;
	case SECCOMP_RET_KILL_THREAD: ruling.kind = RULING_KILL_THREAD; break;
	default: ruling.kind = RULING_KILL_PROCESS; break;
	}
	return ruling;
}

struct ruling seccomp_judge(const struct seccomp *seccomp, const struct seccomp_data *data)
{
	uint32_t strictest = SECCOMP_RET_ALLOW;

	if (seccomp->mode == SECCOMP_MODE_STRICT)
		return (struct ruling){ is_strict_call(data->nr) ? RULING_RUN : RULING_STRICT, 0 };
	for (const struct seccomp_filter *f = seccomp->newest; f; f = f->older) {
		uint32_t value = bpf_run(f->code, data);

		/* KILL_PROCESS has the sign bit set (seccomp_unotify(2)'s order of precedence). */
		if ((int32_t)(value & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = value;
	}
	return ruling_of(strictest);
}

void seccomp_inherit(const struct seccomp *parent, struct seccomp *child)
{
	*child = *parent;
	if (child->newest)
		child->newest->references++;
}

void seccomp_release(struct seccomp *seccomp)
{
	struct seccomp_filter *filter = seccomp->newest;

	while (filter && --filter->references == 0) {
		struct seccomp_filter *older = filter->older;

		free(filter);
		filter = older;
	}
	seccomp->newest = NULL;
}

int seccomp_install(struct seccomp *seccomp, const struct sock_filter *code, size_t count)
{
	size_t before = seccomp->newest ? seccomp->newest->total + FILTER_PENALTY : 0;
	struct seccomp_filter *filter;

	if (seccomp->mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (before + count > PATH_INSTRUCTIONS_MAX)
		return -ENOMEM;
	filter = malloc(sizeof(*filter) + count * sizeof(*code));
	if (!filter)
		return -ENOMEM;
	*filter = (struct seccomp_filter){
		.references = 1, .older = seccomp->newest, .total = before + count, .count = count
	};
	memcpy(filter->code, code, count * sizeof(*code));
	seccomp->newest = filter;
	seccomp->mode = SECCOMP_MODE_FILTER;
	return 0;
}

bool seccomp_covers(const struct seccomp *seccomp, const struct seccomp *other)
{
	if (other->mode == SECCOMP_MODE_DISABLED)
		return true;
	for (const struct seccomp_filter *f = seccomp->newest; f; f = f->older) {
		if (f == other->newest)
			return true;
	}
	return false;
}
