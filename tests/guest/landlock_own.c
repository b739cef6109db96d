/* A program that confines itself: what lies beneath one directory stays readable, nothing else. */
#include "guest.h"
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NET_CONNECT 2 /* the right of ABI 4 to connect to a port */

struct attributes {
	uint64_t files, network;
};

struct port {
	uint64_t rights, number;
};

int main(void)
{
	char path[256];
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct attributes wanted = { LANDLOCK_ACCESS_FS_READ_FILE, abi >= 4 ? NET_CONNECT : 0 };
	struct landlock_path_beneath_attr beneath = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	struct port port = { NET_CONNECT, 80 };
	int rules;

	scratch_begin(path);
	expect(mkdir("in", 0700) == 0 && mkdir("out", 0700) == 0);
	expect(close(creat("in/file", 0600)) == 0 && close(creat("out/file", 0600)) == 0);
	expect(abi >= 1 || errno == EOPNOTSUPP || errno == ENOSYS);
	if (abi >= 1 && fork() == 0) {
		rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, abi >= 4 ? 16 : 8, 0);
		beneath.parent_fd = open("in", O_PATH);
		expect(rules >= 0 && beneath.parent_fd >= 0);
		expect(syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath,
			       0) == 0);
		if (abi >= 4)
			expect(syscall(SYS_landlock_add_rule, rules, 2, &port, 0) == 0);
		expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		expect(syscall(SYS_landlock_restrict_self, rules, 0) == 0);
		expect(open("in/file", O_RDONLY) >= 0);
		expect(open("out/file", O_RDONLY) == -1 && errno == EACCES);
		_exit(4);
	}
	if (abi >= 1)
		expect(WEXITSTATUS(reap(-1)) == 4);
	expect(unlink("in/file") == 0 && unlink("out/file") == 0 && rmdir("in") == 0 &&
	       rmdir("out") == 0);
	scratch_end(path);
	say("confined\n");
	return 0;
}
