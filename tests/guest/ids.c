/* Every way to change user and group ids, supplementary groups, capabilities and their prctls, limits. */
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static void users(void)
{
	uid_t r, e, s;
	gid_t list[3] = { 4, 5, 6 }, seen[8];

	expect(setgroups(3, list) == 0 && getgroups(0, NULL) == 3 && getgroups(8, seen) == 3);
	expect(memcmp(list, seen, sizeof(list)) == 0);
	expect(getgroups(1, seen) == -1 && errno == EINVAL);
	expect(setfsuid(7) == 0 && setfsuid(0) == 7 && setfsgid(8) == 0 && setfsgid(0) == 8);
	expect(setresgid(11, 12, 13) == 0 && getresgid(&r, &e, &s) == 0 && r == 11 && e == 12 &&
	       s == 13);
	expect(setregid(12, 13) == 0 && getgid() == 12 && getegid() == 13);
	expect(setgid(0) == 0 && setegid(9) == 0 && getegid() == 9);
	expect(setresuid(21, 22, 0) == 0 && getresuid(&r, &e, &s) == 0 && r == 21 && e == 22 && s == 0);
	expect(seteuid(0) == 0 && setreuid(31, 0) == 0 && getuid() == 31);
	expect(setuid(41) == 0 && getuid() == 41 && geteuid() == 41);
	expect(setuid(0) == -1 && errno == EPERM && setgroups(0, NULL) == -1 && errno == EPERM);
	say("users: %d %d, groups %d %d\n", getuid(), geteuid(), getgid(), getegid());
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 }, wrong = { 1, 0 };
	struct __user_cap_data_struct data[2];

	expect(syscall(SYS_capget, &header, data) == 0);
	expect(syscall(SYS_capget, &wrong, data) == -1 && errno == EINVAL &&
	       wrong.version == _LINUX_CAPABILITY_VERSION_3);
	expect(prctl(PR_CAPBSET_READ, CAP_SYS_BOOT) >= 0 && prctl(PR_CAPBSET_READ, 999) == -1 &&
	       errno == EINVAL);
	expect(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT) == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_BOOT) == 0);
	expect(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
	expect(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0 &&
	       prctl(PR_GET_SECUREBITS) == SECBIT_NO_SETUID_FIXUP);
	data[0].inheritable |= 1u << CAP_KILL;
	expect(syscall(SYS_capset, &header, data) == 0);
	expect(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	expect(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 1);
	expect(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0);
	data[0].effective = data[0].permitted = data[0].inheritable = 0;
	data[1] = data[0];
	expect(syscall(SYS_capset, &header, data) == 0 && syscall(SYS_capget, &header, data) == 0);
	expect(data[0].effective == 0 && setgroups(0, NULL) == -1 && errno == EPERM);
	say("capabilities given up\n");
}

static void limits(void)
{
	struct rlimit was, now = { 3000000, 4000000 }, seen;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	expect(prlimit(pid, RLIMIT_MEMLOCK, NULL, &was) == 0);
	now.rlim_max = was.rlim_max < now.rlim_max ? was.rlim_max : now.rlim_max;
	expect(prlimit(pid, RLIMIT_MEMLOCK, &now, NULL) == 0 &&
	       prlimit(pid, RLIMIT_MEMLOCK, NULL, &seen) == 0 && seen.rlim_cur == 3000000);
	expect(prlimit(pid, 999, NULL, &seen) == -1 && errno == EINVAL);
	expect(kill(pid, SIGKILL) == 0 && reap(pid) == SIGKILL);
	expect(prlimit(pid, RLIMIT_CORE, NULL, &seen) == -1 && errno == ESRCH);
	expect(getrlimit(RLIMIT_STACK, &seen) == 0 && seen.rlim_cur > 0);
	now = seen;
	now.rlim_cur = 1 << 20;
	expect(setrlimit(RLIMIT_STACK, &now) == 0 && getrlimit(RLIMIT_STACK, &seen) == 0 &&
	       seen.rlim_cur == 1 << 20);
	now = (struct rlimit){ 2, 1 };
	expect(setrlimit(RLIMIT_CORE, &now) == -1 && errno == EINVAL);
	say("limits of another process\n");
}

static void run(void (*what)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		what();
		_exit(0);
	}
	expect(reap(pid) == 0);
}

int main(void)
{
	run(limits);
	if (geteuid() != 0 || setgroups(0, NULL) < 0) {
		say("no rights to give up\n");
		return 0;
	}
	run(users);
	run(capabilities);
	return 0;
}
