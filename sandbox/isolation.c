#include "domain.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "filter.h"
#include "host.h"
#include "landlock.h"
#include "launch.h"
#include "namespace.h"

#define NOBODY 65534
#define COULD_NOT_TELL 3 /* exit code of a checking verb whose work was cut off */
#define CPU_SECONDS_DEFAULT 86400
#define DESCRIPTORS_MAX 65536
#define PROCESSES_MAX 16384
/* Of use only together: the empty root shows a /proc of these processes. */
#define NAMESPACES_PAIR (CLONE_NEWNS | CLONE_NEWPID)
#define NAMESPACES_SINGLE (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define NAMESPACES (NAMESPACES_PAIR | NAMESPACES_SINGLE)

struct isolation {
	uint64_t cpu_seconds, memory_bytes;
	bool change_ids; /* to these; else they are the caller's own */
	uid_t uid;
	gid_t gid;
	unsigned long attempted, had; /* of CLONE_NEW* */
	int ours, theirs;	      /* the two ends of a socket */
};

/* The process that the caller's parent waits for: ends as the replayer did. */
static _Noreturn void front(pid_t init)
{
	int status = 0;
	pid_t r;

	launch_close_from(0, NULL, 0);
	do
		r = waitpid(init, &status, 0);
	while (r < 0 && errno == EINTR);
	_exit(r == init && WIFEXITED(status) ? WEXITSTATUS(status) : COULD_NOT_TELL);
}

/* First process of the pid namespace: reaps, and ends everything with the replayer. */
static _Noreturn void reap_until(pid_t replayer)
{
	sigset_t all;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	launch_close_from(0, NULL, 0);
	for (;;) {
		pid_t r = waitpid(-1, &status, __WALL);

		if (r == replayer)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : COULD_NOT_TELL);
		if (r < 0 && errno != EINTR)
			_exit(COULD_NOT_TELL);
	}
}

/*
 * Leaves nothing in sight but a /proc of this pid namespace. /proc is the one directory sure to
 * exist.
 */
static int empty_root(void)
{
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	int r = namespace_private();

	if (r)
		return r;
	if (mount("sworn-root", "/proc", "tmpfs", flags, "size=4k,mode=0555") ||
	    mkdir("/proc/proc", 0555))
		return -errno;
	if (mount("proc", "/proc/proc", "proc", flags, "subset=pid") &&
	    mount("proc", "/proc/proc", "proc", flags, NULL))
		return -errno;
	if (chdir("/proc") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    chdir("/") || mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
		return -errno;
	return 0;
}

static int change_ids(const struct isolation *isolation)
{
	if (!isolation->change_ids)
		return 0;
	return setgroups(0, NULL) || setresgid(isolation->gid, isolation->gid, isolation->gid) ||
			       setresuid(isolation->uid, isolation->uid, isolation->uid)
		       ? -errno
		       : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

/* Dumpable again afterwards, or the replayer could not seize its own children. */
static int drop_privileges(const struct isolation *isolation)
{
	int r;

	if (launch_capable(CAP_SETPCAP)) {
		for (unsigned long capability = 0; !prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
		     capability++)
			continue;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	r = change_ids(isolation);
	if (!r)
		r = drop_capabilities();
	if (!r && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)))
		r = -errno;
	return r;
}

static int lower_limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return -errno;
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) ? -errno : 0;
}

/* Address space stays unlimited: guests map far more than they use. */
static int set_limits(const struct isolation *isolation)
{
	int r = lower_limit(RLIMIT_CORE, 0);

	if (!r)
		r = lower_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	if (!r)
		r = lower_limit(RLIMIT_NPROC, PROCESSES_MAX);
	if (!r)
		r = lower_limit(RLIMIT_CPU, isolation->cpu_seconds ? isolation->cpu_seconds
								   : CPU_SECONDS_DEFAULT);
	if (!r && isolation->memory_bytes)
		r = lower_limit(RLIMIT_DATA, isolation->memory_bytes);
	return r;
}

/* A kind that is refused is left out, unless it is one of the pair or nothing else is left. */
static int take_namespaces(struct isolation *isolation)
{
	unsigned long cloned = isolation->attempted & (CLONE_NEWUSER | CLONE_NEWPID);

	isolation->had = namespace_unshare(isolation->attempted & ~cloned);
	if (!isolation->had || (cloned & CLONE_NEWPID && !(isolation->had & CLONE_NEWNS)))
		return -EPERM;
	isolation->had |= cloned;
	return isolation->had & CLONE_NEWNS ? empty_root() : 0;
}

/* Leaves the process that is the first of the pid namespace behind; returns in the replayer. */
static int fork_replayer(const struct isolation *isolation)
{
	pid_t replayer = fork();

	if (replayer < 0)
		return -errno;
	if (!replayer)
		return 0;
	if (send(isolation->theirs, &(int){ 0 }, sizeof(int), MSG_NOSIGNAL) != (ssize_t)sizeof(int))
		_exit(COULD_NOT_TELL);
	reap_until(replayer);
}

/* In the new process. Returns in the replayer, or with an error before there is one. */
static int become_replayer(struct isolation *isolation)
{
	char byte;
	int r = launch_receive(isolation->theirs, &byte, 1);

	/*
	 * Inside a user namespace an unmapped user can create nothing, and changing it keeps
	 * capabilities.
	 */
	if (!r && isolation->attempted & CLONE_NEWUSER)
		r = change_ids(isolation);
	if (!r)
		r = take_namespaces(isolation);
	if (!r)
		r = drop_privileges(isolation);
	if (!r)
		r = set_limits(isolation);
	/*
	 * A change of uid forgets it, so it comes last; should the front be gone already, sending
	 * fails.
	 */
	if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL))
		r = -errno;
	if (r)
		return r;
	if (isolation->attempted & CLONE_NEWPID)
		r = fork_replayer(isolation);
	else if (send(isolation->theirs, &(int){ 0 }, sizeof(int), MSG_NOSIGNAL) != (ssize_t)sizeof(int))
		_exit(COULD_NOT_TELL);
	if (!r)
		close(isolation->theirs);
	return r;
}

/* The caller's process turns into the front of a replayer, in which alone this returns 0. */
static int enter_namespaces(struct isolation *isolation, unsigned long namespaces)
{
	int sockets[2], r = 0, result;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	isolation->attempted = namespaces;
	isolation->ours = sockets[0];
	isolation->theirs = sockets[1];
	child = launch_clone(namespaces & (CLONE_NEWUSER | CLONE_NEWPID));
	if (!child) {
		close(isolation->ours);
		r = become_replayer(isolation);
		if (!r)
			return 0;
		send(isolation->theirs, &r, sizeof(r), MSG_NOSIGNAL);
		_exit(COULD_NOT_TELL);
	}
	close(isolation->theirs);
	if (child < 0)
		r = child;
	if (!r && namespaces & CLONE_NEWUSER)
		r = launch_map_ids(child, isolation->uid, isolation->gid, false);
	if (!r && send(isolation->ours, "", 1, MSG_NOSIGNAL) != 1)
		r = -errno;
	if (!r)
		r = launch_receive(isolation->ours, &result, sizeof(result));
	if (!r && !result)
		front(child);
	close(isolation->ours);
	if (child > 0)
		launch_discard(child);
	return r ? r : result;
}

static int clear_environment(void)
{
	const char *without = getenv("SWORN_WITHOUT");
	char *copy = without ? strdup(without) : NULL;
	int r = 0;

	if (without && !copy)
		return -ENOMEM;
	if (clearenv() || (copy && setenv("SWORN_WITHOUT", copy, 1)))
		r = -ENOMEM;
	free(copy);
	return r;
}

/*
 * What every replayer gets, with namespaces or without. Gives the Landlock version in
 * *ret_landlock.
 */
static int confine(int *ret_landlock)
{
	struct filter filter;
	int r = clear_environment();

	if (r)
		return r;
	if (chdir("/"))
		return -errno;
	launch_write("/proc/self/oom_score_adj", "1000");
	*ret_landlock = 0;
	if (host_allows(HOST_LANDLOCK)) {
		r = landlock_confine("/proc");
		if (r > 0)
			*ret_landlock = r;
	}
	filter_supervisor(&filter);
	return filter_install(&filter);
}

static void describe(unsigned long namespaces, int landlock, struct domain_report *ret)
{
	char version[32] = "no landlock", text[96];

	if (landlock)
		snprintf(version, sizeof(version), "landlock %d", landlock);
	namespace_print(namespaces, NAMESPACES, text, sizeof(text));
	snprintf(ret->isolation, sizeof(ret->isolation), "replay: %s; %s; seccomp; uid %u", text,
		 version, (unsigned)geteuid());
	ret->complete = !(NAMESPACES & ~namespaces) && landlock;
}

/* The best that the host gives. Inside a user namespace even root has no power outside it. */
static int enter_best(struct isolation *isolation)
{
	const unsigned long attempts[] = {
		NAMESPACES | CLONE_NEWUSER,
		NAMESPACES,
		NAMESPACES_SINGLE | CLONE_NEWUSER,
		NAMESPACES_SINGLE,
	};
	bool capable = launch_capable(CAP_SYS_ADMIN);
	int r = -EPERM;

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]) && r; i++) {
		if (attempts[i] & CLONE_NEWUSER || capable)
			r = enter_namespaces(isolation, attempts[i]);
	}
	return r;
}

int replay_domain_enter(const int *keep, size_t keep_count, uint64_t cpu_seconds,
			uint64_t memory_bytes, struct domain_report *ret_report)
{
	struct isolation isolation = {
		.cpu_seconds = cpu_seconds,
		.memory_bytes = memory_bytes,
		.change_ids = !geteuid(),
		.uid = geteuid() ? geteuid() : NOBODY,
		.gid = geteuid() ? getegid() : NOBODY,
	};
	int r, landlock;

	launch_close_from(3, keep, keep_count);
	r = host_allows(HOST_USERNS) ? enter_best(&isolation) : -EPERM;
	if (r) {
		isolation.had = 0;
		r = drop_privileges(&isolation);
		if (!r)
			r = set_limits(&isolation);
	}
	if (!r)
		r = confine(&landlock);
	if (!r)
		describe(isolation.had, landlock, ret_report);
	return r;
}
