/*
 * poor_host [--no-trace] COMMAND...: runs the command as user 1000 (when started by root) under a filter that refuses what
 * the usual container runtimes refuse by default: namespaces, mounts, counters, userfaultfd, fixed
 * addresses, keys, kernel administration. Tracing is allowed, as it is there, unless --no-trace comes first.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USER 1000
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER | \
	 CLONE_NEWCGROUP)

static const char *const refused[] = {
	"unshare",
	"setns",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsmount",
	"fspick",
	"fsconfig",
	"mount_setattr",
	"perf_event_open",
	"userfaultfd",
	"keyctl",
	"add_key",
	"request_key",
	"bpf",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"kcmp",
	"acct",
	"quotactl",
	"reboot",
	"swapon",
	"swapoff",
	"settimeofday",
	"clock_settime",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"open_by_handle_at",
	"iopl",
	"ioperm",
	"syslog",
	"vhangup",
	"fanotify_init",
	"get_mempolicy",
	"set_mempolicy",
	"mbind",
	"move_pages",
	"migrate_pages",
	"lookup_dcookie",
	"sethostname",
	"setdomainname",
};

static int add_rules(scmp_filter_ctx filter)
{
	const uint32_t refusal = SCMP_ACT_ERRNO(EPERM);
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
		r = seccomp_rule_add(filter, refusal, seccomp_syscall_resolve_name(refused[i]), 0);
	for (int bit = 0; r == 0 && bit < 32; bit++) {
		unsigned long flag = 1UL << bit;

		if (flag & NAMESPACES)
			r = seccomp_rule_add(filter, refusal, SCMP_SYS(clone), 1,
					     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
	}
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, refusal, SCMP_SYS(personality), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, 0xfffffffffffdfff7, 0x40000));
	return r;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? add_rules(filter) : -ENOMEM;

	if (argc > 1 && !strcmp(argv[1], "--no-trace")) {
		r = r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0);
		argv++;
		argc--;
	}
	if (argc < 2 || r < 0) {
		fprintf(stderr, "poor_host: %s\n", argc < 2 ? "no command" : strerror(-r));
		return 2;
	}
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, geteuid() != 0);
	r = seccomp_load(filter);
	if (r == 0 && geteuid() == 0 && (setresgid(USER, USER, USER) || setresuid(USER, USER, USER)))
		r = -errno;
	if (r < 0) {
		fprintf(stderr, "poor_host: %s\n", strerror(-r));
		return 2;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
