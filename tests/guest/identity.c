/* Who we are: ids, groups, names, process groups and sessions, capabilities, personality of the kernel. */
#include "guest.h"
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>

#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

int main(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	uid_t real, effective, saved;
	struct utsname name;
	char thread[17] = "";
	gid_t groups[64];
	int up[2];
	pid_t pid;

	expect(getresuid(&real, &effective, &saved) == 0 && real == getuid() && effective == geteuid());
	expect(getgroups(64, groups) >= 0 && uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0);
	expect(syscall(SYS_capget, &header, data) == 0);
	expect(getpid() == gettid() && getpid() == getpgid(0) + getpid() - getpgrp());
	expect(prctl(PR_SET_NAME, "renamed") == 0 && prctl(PR_GET_NAME, thread) == 0);
	expect(prctl(PR_SET_PDEATHSIG, 0) == 0 && prctl(PR_GET_DUMPABLE) >= 0);
	say("name '%s', machine %s\n", thread, name.machine);
	expect(pipe(up) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t seen[3] = { getpid(), getppid(), 0 };

		expect(setpgid(0, 0) == 0 && getpgrp() == getpid());
		expect(setsid() == -1 && errno == EPERM); /* already leads a group */
		if (fork() == 0) {
			expect(getppid() == seen[0] && getpgrp() == seen[0] && setsid() == getpid());
			seen[2] = getsid(0);
			expect(write(up[1], seen, sizeof(seen)) == sizeof(seen));
			_exit(0);
		}
		_exit(reap(-1));
	}
	expect(reap(pid) == 0);
	{
		pid_t seen[3];

		expect(read(up[0], seen, sizeof(seen)) == sizeof(seen));
		say("family: %d %d %d\n", seen[0] == pid, seen[1] == getpid(),
		    seen[2] > 0 && seen[2] != pid);
	}
	expect(getpgid(pid) == -1 && errno == ESRCH && kill(pid, 0) == -1 && errno == ESRCH);
	expect(tcgetpgrp(up[0]) == -1 && errno == ENOTTY);
	return 0;
}
