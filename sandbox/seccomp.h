/*
 * Guests' own seccomp filters, without the kernel: the chain of a thread, what it says about a call, and the
 * calls that change it (seccomp(2)). A filter in the kernel would hide calls from the recorder.
 */
#ifndef SWORN_SANDBOX_SECCOMP_H
#define SWORN_SANDBOX_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf.h"

/* One installed filter; filters that were installed before it come after it. Shared by counting. */
struct seccomp_filter {
	unsigned int references;
	struct seccomp_filter *older;
	size_t total; /* instructions of this one and the older ones, as the kernel counts them */
	size_t count;
	struct sock_filter code[];
};

/* A thread's own part. */
struct seccomp {
	uint8_t mode; /* SECCOMP_MODE_* */
	bool no_new_privs;
	bool no_tsc; /* PR_SET_TSC, or strict mode: rdtsc faults */
	struct seccomp_filter *newest;
};

enum ruling_kind {
	RULING_RUN = 0,
	RULING_ERROR,	     /* answered with -data */
	RULING_TRAP,	     /* SIGSYS */
	RULING_KILL_PROCESS, /* SIGSYS that no handler takes */
	RULING_KILL_THREAD,  /* the thread ends */
	RULING_STRICT,	     /* the thread ends as by SIGKILL */
};

/* What becomes of a call. */
struct ruling {
	enum ruling_kind kind;
	uint16_t data; /* the low half of what the filter returned; an errno is at most 4095 */
};

struct ruling seccomp_judge(const struct seccomp *seccomp, const struct seccomp_data *data);

/* The child's part after clone. `child` is empty before. */
void seccomp_inherit(const struct seccomp *parent, struct seccomp *child);
void seccomp_release(struct seccomp *seccomp);

/* Puts a valid program in front of the others. 0, -EINVAL (strict mode), or -ENOMEM, also for too long a chain. */
int seccomp_install(struct seccomp *seccomp, const struct sock_filter *code, size_t count);
/* True when the filters of `other` are among those of `seccomp`: TSYNC may replace them. */
bool seccomp_covers(const struct seccomp *seccomp, const struct seccomp *other);

#endif
