#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum host_feature feature;
} features[] = {
	{ "pmu", HOST_PMU },	       { "userns", HOST_USERNS },
	{ "uffd", HOST_UFFD },	       { "personality", HOST_PERSONALITY },
	{ "landlock", HOST_LANDLOCK }, { "cgroup", HOST_CGROUP },
	{ "avx2", HOST_AVX2 },
};

/* The next name of a comma-separated list, or NULL at its end. Empty names are skipped. */
static const char *next_name(const char **list, size_t *ret_length)
{
	const char *name = *list + strspn(*list, ", ");

	*ret_length = strcspn(name, ", ");
	*list = name + *ret_length;
	return *ret_length ? name : NULL;
}

static unsigned feature_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (strlen(features[i].name) == length && !memcmp(features[i].name, name, length))
			return features[i].feature;
	}
	return 0;
}

bool host_allows(enum host_feature feature)
{
	const char *list = getenv("SWORN_WITHOUT"), *name;
	size_t length;

	while (list && (name = next_name(&list, &length))) {
		if (feature_of(name, length) == (unsigned)feature)
			return false;
	}
	return true;
}

const char *host_check(void)
{
	static char unknown[64];
	const char *list = getenv("SWORN_WITHOUT"), *name;
	size_t length;

	while (list && (name = next_name(&list, &length))) {
		if (feature_of(name, length))
			continue;
		snprintf(unknown, sizeof(unknown), "%.*s", (int)(length < 63 ? length : 63), name);
		return unknown;
	}
	return NULL;
}

/* Others own their files in a shared directory: a lock needs only read access to them. */
static int open_lock(const char *directory, int cpu)
{
	char path[4096];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/sworn-cpu-%d", directory, cpu) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

/*
 * The locked file, -EWOULDBLOCK when another process holds it, else what keeps it from being
 * locked.
 */
static int lock_cpu(const char *directory, int cpu)
{
	int fd = open_lock(directory, cpu), r;

	if (fd < 0)
		return fd;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static const char *lock_directory(char *buffer, size_t size)
{
	const char *directory = getenv("XDG_RUNTIME_DIR");

	if (directory && directory[0] == '/' && !access(directory, W_OK | X_OK))
		return directory;
	snprintf(buffer, size, "/run/user/%u", (unsigned)geteuid());
	return access(buffer, W_OK | X_OK) ? "/tmp" : buffer;
}

static int pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* The `index`-th allowed CPU. */
static int allowed_cpu(const cpu_set_t *allowed, int index)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET((size_t)cpu, allowed) && index-- == 0)
			return cpu;
	}
	return -1;
}

static bool is_among(int cpu, const int *cpus, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (cpus[i] == cpu)
			return true;
	}
	return false;
}

/* A CPU that is not among the `count` chosen before; the lock's fd, or -1. */
static int choose(const cpu_set_t *allowed, const char *directory, const int *chosen,
		  unsigned count, int *ret_cpu)
{
	int cpus = CPU_COUNT(allowed), first = (int)((unsigned)getpid() % (unsigned)cpus);

	*ret_cpu = -1;
	for (int i = 0; i < cpus; i++) {
		int cpu = allowed_cpu(allowed, (first + i) % cpus), fd;

		if (is_among(cpu, chosen, count))
			continue;
		fd = lock_cpu(directory, cpu);
		if (fd >= 0 || *ret_cpu < 0)
			*ret_cpu = cpu;
		if (fd >= 0)
			return fd;
	}
	if (*ret_cpu < 0)
		*ret_cpu = chosen[count % (unsigned)cpus];
	return -1;
}

int host_choose(unsigned count, int *ret_fds, int *ret_cpus)
{
	char buffer[64];
	const char *directory = lock_directory(buffer, sizeof(buffer));
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	if (CPU_COUNT(&allowed) < 1)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		ret_fds[i] = choose(&allowed, directory, ret_cpus, i, &ret_cpus[i]);
	return 0;
}

int host_pin(int *ret_fd, int *ret_cpu)
{
	int fd, cpu, r = host_choose(1, &fd, &cpu);

	if (r)
		return r;
	r = pin_to(cpu);
	if (r) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_cpu = cpu;
	return 0;
}
