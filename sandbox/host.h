/*
 * What this host can do, probed once, less what SWORN_WITHOUT (comma-separated: pmu, userns, uffd,
 * personality, landlock, cgroup, avx2) forbids. Every optional mechanism asks here, so each path without it can be forced.
 */
#ifndef SWORN_SANDBOX_HOST_H
#define SWORN_SANDBOX_HOST_H

#include <stdbool.h>

enum host_feature {
	HOST_PMU = 1,
	HOST_USERNS = 2,
	HOST_UFFD = 4,
	HOST_PERSONALITY = 8,
	HOST_LANDLOCK = 16,
	HOST_CGROUP = 32,
	HOST_AVX2 = 64, /* only for named processors (cpu_model.h): programs on the host's own see what it has */
};

/* False when SWORN_WITHOUT names the feature. An unknown name in SWORN_WITHOUT is a usage error:
 * host_check() returns it, for cmd_*.c to print, or NULL. */
bool host_allows(enum host_feature feature);
const char *host_check(void);

/* Pins the calling process to one CPU that no other Sworn process has locked (flock on a file per CPU
 * below /run/user, /tmp or $XDG_RUNTIME_DIR; none free: any allowed CPU). Gives the lock's fd (close at
 * the end; -1 when unlocked) and the CPU. Threads created before keep theirs. */
int host_pin(int *ret_fd, int *ret_cpu);
/* Chooses in the same way for `count` workers, another CPU for each as long as there are some, and pins nobody. */
int host_choose(unsigned count, int *ret_fds, int *ret_cpus);

#endif
