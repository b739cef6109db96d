#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "counter.h"
#include "dirty.h"
#include "host.h"
#include "launch.h"
#include "namespace.h"

#define STOPS 2000 /* measured */

/* Runs `attempt` in a process of its own: 0, or the error that it returned. */
static int attempt_apart(int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(attempt());
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* The number in a file of /proc/sys, or `missing`. */
static long setting(const char *path, long missing)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? strtol(text, NULL, 10) : missing;
}

static void missing(struct probe *probe, int error)
{
	probe->state = PROBE_MISSING;
	snprintf(probe->detail, sizeof(probe->detail), "%s", strerror(error));
}

static void advise(struct probe *probe, const char *remedy)
{
	snprintf(probe->remedy, sizeof(probe->remedy), "%s", remedy);
}

/* What the attempt gives decides: `detail` when it succeeds, else the advice. */
static void probe_apart(struct probe *probe, int (*attempt)(void), const char *detail, const char *advice)
{
	int error = attempt_apart(attempt);

	if (error == 0) {
		snprintf(probe->detail, sizeof(probe->detail), "%s", detail);
		return;
	}
	missing(probe, error);
	advise(probe, advice);
}

/* A stopped child of ours that asks for its parent's number for ever; seized. Or a negative errno. */
static pid_t start_asking(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		for (;;)
			syscall(SYS_getppid);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0) {
		int error = errno;

		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -error;
	}
	waitpid(pid, &status, 0);
	kill(pid, SIGCONT);
	return pid;
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* One entry or return there and back, on one CPU, as a recorder has it. */
static uint64_t measure_stops(pid_t pid)
{
	uint64_t start = 0;
	int status;

	for (int i = -STOPS / 10; i < STOPS; i++) {
		if (i == 0)
			start = now_ns();
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 ||
		    !WIFSTOPPED(status))
			return 0;
	}
	return (now_ns() - start) / STOPS;
}

static void probe_ptrace(struct probe *probe, uint64_t *ret_stop_ns)
{
	long scope = setting("/proc/sys/kernel/yama/ptrace_scope", 0);
	cpu_set_t before, one;
	int status, cpu = sched_getcpu();
	pid_t pid;

	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0U : (size_t)cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = start_asking();
	if (pid < 0) {
		missing(probe, -pid);
		advise(probe,
		       scope > 2 ? "sysctl kernel.yama.ptrace_scope=1 (after a restart: 3 stays)"
				 : "in a container: --cap-add=SYS_PTRACE, or a kernel from 4.8 on");
	} else {
		*ret_stop_ns = measure_stops(pid);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		snprintf(probe->detail, sizeof(probe->detail), "ptrace_scope %ld", scope);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

static void probe_seccomp(struct probe *probe)
{
	uint32_t action = SECCOMP_RET_TRACE;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
		snprintf(probe->detail, sizeof(probe->detail), "filters that stop at calls");
		return;
	}
	missing(probe, errno);
	advise(probe, "a kernel with CONFIG_SECCOMP_FILTER; in a container one that allows seccomp(2)");
}

static int attempt_tsc(void)
{
	return prctl(PR_SET_TSC, PR_TSC_SIGSEGV) ? errno : 0;
}

static void probe_tsc(struct probe *probe)
{
	probe_apart(probe, attempt_tsc, "rdtsc can be trapped",
		    "a container profile that allows prctl(PR_SET_TSC)");
}

static void probe_pmu(struct probe *probe)
{
	long paranoid = setting("/proc/sys/kernel/perf_event_paranoid", -1);
	struct perf_event_attr event;
	int fd;

	if (counter_usable()) {
		snprintf(probe->detail, sizeof(probe->detail),
			 "counts conditional branches exactly (perf_event_paranoid %ld)", paranoid);
		return;
	}
	probe->state = PROBE_MISSING;
	if (counter_event(&event) < 0) {
		snprintf(probe->detail, sizeof(probe->detail), "no known counter on this CPU");
		advise(probe,
		       "a machine whose CPU exposes its counters (a virtual one: its PMU option)");
		return;
	}
	fd = counter_event_open(0, &event);
	if (fd >= 0) {
		close(fd);
		snprintf(probe->detail, sizeof(probe->detail), "the counter failed its self test");
		advise(probe, "a host that passes counter interrupts on, or bare metal");
		return;
	}
	missing(probe, -fd);
	if ((fd == -EACCES || fd == -EPERM) && paranoid > 2)
		advise(probe, "sysctl kernel.perf_event_paranoid=2");
	else if (fd == -EACCES || fd == -EPERM || fd == -ENOSYS)
		advise(probe,
		       "in a container: --cap-add=PERFMON, or a profile that allows perf_event_open");
	else
		advise(probe, "a virtual machine: switch on its PMU; else none on this hardware");
}

static int attempt_namespaces(void)
{
	unsigned long wanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if (!launch_capable(CAP_SYS_ADMIN) && syscall(SYS_unshare, CLONE_NEWUSER))
		return errno;
	return namespace_unshare(wanted) == wanted ? 0 : EPERM;
}

static void probe_userns(struct probe *probe)
{
	int error = attempt_apart(attempt_namespaces);

	if (error == 0) {
		snprintf(probe->detail, sizeof(probe->detail), "user, mount, pid, net, ipc, uts");
		return;
	}
	missing(probe, error);
	if (setting("/proc/sys/user/max_user_namespaces", 1) == 0)
		advise(probe, "sysctl user.max_user_namespaces=10000");
	else if (setting("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
		advise(probe, "sysctl kernel.unprivileged_userns_clone=1");
	else if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1)
		advise(probe, "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
	else
		advise(probe,
		       "in a container: --security-opt seccomp=unconfined, or --cap-add=SYS_ADMIN");
}

static void probe_landlock(struct probe *probe)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
	int error;

	if (version > 0) {
		snprintf(probe->detail, sizeof(probe->detail), "version %ld", version);
		return;
	}
	error = errno;
	missing(probe, error);
	advise(probe, error == EOPNOTSUPP
			      ? "landlock in the kernel's lsm= parameter"
			      : "a kernel from 5.13 on; in a container a profile that allows it");
}

static int attempt_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE) < 0 ? errno : 0;
}

static void probe_personality(struct probe *probe)
{
	probe_apart(probe, attempt_personality, "addresses can be fixed",
		    "in a container: a profile that allows personality(0x40000)");
}

static int attempt_uffd(void)
{
	return -dirty_probe();
}

static void probe_uffd(struct probe *probe)
{
	probe_apart(probe, attempt_uffd, "written pages are known",
		    "Linux 6.7 or newer; in a container: a profile that allows userfaultfd");
}

static void probe_cgroup(struct probe *probe)
{
	if (access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0 ||
	    access("/sys/fs/cgroup/memory/cgroup.procs", W_OK) == 0) {
		snprintf(probe->detail, sizeof(probe->detail), "groups can be made");
		return;
	}
	missing(probe, errno);
	advise(probe, "root, or a delegated group: systemd-run --user --scope -p Delegate=yes");
}

static void read_cpu(char *ret_text, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[PROBE_TEXT];

	snprintf(ret_text, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) || !value)
			continue;
		snprintf(ret_text, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static const struct {
	const char *name;
	bool needed;
	enum host_feature feature; /* 0: SWORN_WITHOUT has no word for it */
	void (*probe)(struct probe *probe);
	const char *cost;
} kinds[PROBES] = {
	{ "ptrace", true, 0, NULL, "nothing can be recorded or replayed" },
	{ "seccomp", true, 0, probe_seccomp, "nothing can be recorded or replayed" },
	{ "tsc", true, 0, probe_tsc, "nothing can be recorded or replayed" },
	{ "pmu", false, HOST_PMU, probe_pmu,
	  "threads change at calls and in spins only; a trace that says `requires pmu` cannot be replayed" },
	{ "userns", false, HOST_USERNS, probe_userns,
	  "guests are held by seccomp and Landlock alone; sockets other than AF_UNIX are refused" },
	{ "landlock", false, HOST_LANDLOCK, probe_landlock,
	  "replayed guests are held by namespaces and seccomp alone" },
	{ "personality", false, HOST_PERSONALITY, probe_personality,
	  "two recordings of a program have different addresses and state hashes; each replays as it was" },
	{ "uffd", false, HOST_UFFD, probe_uffd,
	  "each state hash inside a run reads all memory of its process" },
	{ "cgroup", false, HOST_CGROUP, probe_cgroup, "none: limits are those of setrlimit(2)" },
};

void probe_host(struct probe_host *ret)
{
	struct utsname name;
	cpu_set_t cpus;

	memset(ret, 0, sizeof(*ret));
	if (uname(&name) == 0)
		snprintf(ret->kernel, sizeof(ret->kernel), "%s %s", name.sysname, name.release);
	read_cpu(ret->cpu, sizeof(ret->cpu));
	ret->cpus = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1U : (unsigned)CPU_COUNT(&cpus);
	ret->root = geteuid() == 0;
	for (size_t i = 0; i < PROBES; i++) {
		struct probe *probe = &ret->probes[i];

		probe->name = kinds[i].name;
		probe->needed = kinds[i].needed;
		if (kinds[i].feature && !host_allows(kinds[i].feature)) {
			probe->state = PROBE_OFF;
			snprintf(probe->detail, sizeof(probe->detail), "SWORN_WITHOUT names it");
			advise(probe, "take it out of SWORN_WITHOUT");
		} else if (kinds[i].probe) {
			kinds[i].probe(probe);
		} else {
			probe_ptrace(probe, &ret->stop_ns);
		}
		probe->cost = probe->state == PROBE_OK ? NULL : kinds[i].cost;
	}
}
