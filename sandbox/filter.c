#include "filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dirty.h"
#include "domain.h"

#define ABI_X32 0x40000000U
#define CLONE_REFUSED                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_UNTRACED)

/* Where a jump leads, until finish() knows the distances. */
enum target { NEXT = 0, AFTER_TWO = 2, TRACE = 253, ALLOW = 254, KILL = 255 };

static const uint16_t recording_calls[] = {
	SYS_mmap,	  SYS_munmap,	      SYS_mprotect, SYS_mremap,	    SYS_madvise,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_prctl,    SYS_arch_prctl, SYS_close,
};

static const uint16_t replay_calls[] = {
	SYS_mmap,    SYS_munmap, SYS_mprotect,	 SYS_mremap,
	SYS_madvise, SYS_exit,	 SYS_exit_group, SYS_mseal,
};

static const uint16_t supervisor_refuses[] = {
	SYS_socket,
	SYS_connect,
	SYS_bind,
	SYS_listen,
	SYS_execve,
	SYS_clone3,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_bpf,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_iopl,
	SYS_ioperm,
	SYS_modify_ldt,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_open_by_handle_at,
	SYS_name_to_handle_at,
	SYS_acct,
	SYS_quotactl,
	SYS_syslog,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_settimeofday,
	SYS_adjtimex,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_fanotify_init,
	SYS_mknod,
	SYS_mknodat,
	SYS_shmget,
	SYS_msgget,
	SYS_semget,
	SYS_mq_open,
	SYS_mkdir,
	SYS_mkdirat,
	SYS_rmdir,
	SYS_rename,
	SYS_renameat,
	SYS_renameat2,
	SYS_link,
	SYS_linkat,
	SYS_unlink,
	SYS_unlinkat,
	SYS_symlink,
	SYS_symlinkat,
	SYS_chmod,
	SYS_fchmodat,
	SYS_chown,
	SYS_lchown,
	SYS_fchownat,
	SYS_truncate,
	SYS_creat,
	SYS_openat2,
};

static void emit(struct filter *filter, struct sock_filter instruction)
{
	assert(filter->count < FILTER_INSTRUCTIONS_MAX);
	filter->code[filter->count++] = instruction;
}

static void load(struct filter *filter, size_t offset)
{
	emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void jump(struct filter *filter, unsigned test, uint32_t value, enum target when_true,
		 enum target when_false)
{
	emit(filter, (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value,
						  (uint8_t)when_true, (uint8_t)when_false));
}

static void list(struct filter *filter, const uint16_t *calls, size_t count, enum target target)
{
	for (size_t i = 0; i < count; i++)
		jump(filter, BPF_JEQ, calls[i], target, NEXT);
}

static uint8_t distance(uint8_t target, unsigned from, unsigned end)
{
	unsigned index;

	if (target < TRACE)
		return target;
	index = end + (unsigned)(target - TRACE);
	assert(index - from - 1 < TRACE);
	return (uint8_t)(index - from - 1);
}

/* The three answers, in the order of enum target, and real distances. */
static void finish(struct filter *filter)
{
	unsigned end = filter->count;

	for (unsigned i = 0; i < end; i++) {
		struct sock_filter *instruction = &filter->code[i];

		if (BPF_CLASS(instruction->code) != BPF_JMP)
			continue;
		instruction->jt = distance(instruction->jt, i, end);
		instruction->jf = distance(instruction->jf, i, end);
	}
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

/* Leaves the call number in the accumulator. Numbers of x32 and above go
 * to the tracer, to whom they are calls without a row; without one they are ENOSYS. */
static void check_abi(struct filter *filter)
{
	filter->count = 0;
	load(filter, offsetof(struct seccomp_data, arch));
	jump(filter, BPF_JEQ, AUDIT_ARCH_X86_64, NEXT, KILL);
	load(filter, offsetof(struct seccomp_data, nr));
	jump(filter, BPF_JGE, ABI_X32, TRACE, NEXT);
}

/*
 * Everything from elsewhere is traced. The kernel reports the address after the `syscall`
 * instruction.
 */
static void check_page(struct filter *filter)
{
	load(filter, offsetof(struct seccomp_data, instruction_pointer));
	jump(filter, BPF_JEQ, (uint32_t)CALL_PAGE_AFTER, NEXT, TRACE);
	load(filter, offsetof(struct seccomp_data, instruction_pointer) + 4);
	jump(filter, BPF_JEQ, (uint32_t)(CALL_PAGE_AFTER >> 32), NEXT, TRACE);
	load(filter, offsetof(struct seccomp_data, nr));
}

/* The kernel looks only at the low half of clone's flags. */
static void check_clone(struct filter *filter, enum target refused)
{
	load(filter, offsetof(struct seccomp_data, args[0]));
	jump(filter, BPF_JSET, (uint32_t)CLONE_REFUSED, refused, ALLOW);
}

/*
 * An open that makes or empties a file. Leaves the call number in the accumulator if it is
 * another call.
 */
static void check_creation(struct filter *filter, uint32_t call, unsigned flags)
{
	jump(filter, BPF_JEQ, call, NEXT, AFTER_TWO);
	load(filter, offsetof(struct seccomp_data, args) + flags * sizeof(uint64_t));
	jump(filter, BPF_JSET, O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), TRACE, ALLOW);
}

/* Userfaultfd descriptors of this kind alone: guests that jump here get one which they cannot use. Leaves the call number
 * in the accumulator if it is another call. */
static void check_userfaultfd(struct filter *filter)
{
	jump(filter, BPF_JEQ, SYS_userfaultfd, NEXT, AFTER_TWO);
	load(filter, offsetof(struct seccomp_data, args[0]));
	jump(filter, BPF_JEQ, DIRTY_FLAGS, ALLOW, TRACE);
}

void filter_recording(struct filter *ret)
{
	check_abi(ret);
	check_page(ret);
	list(ret, recording_calls, sizeof(recording_calls) / sizeof(recording_calls[0]), ALLOW);
	check_userfaultfd(ret);
	finish(ret);
}

void filter_replay(struct filter *ret)
{
	check_abi(ret);
	check_page(ret);
	list(ret, replay_calls, sizeof(replay_calls) / sizeof(replay_calls[0]), ALLOW);
	check_userfaultfd(ret);
	jump(ret, BPF_JEQ, SYS_clone, NEXT, TRACE);
	check_clone(ret, KILL);
	finish(ret);
}

void filter_supervisor(struct filter *ret)
{
	check_abi(ret);
	list(ret, supervisor_refuses, sizeof(supervisor_refuses) / sizeof(supervisor_refuses[0]), TRACE);
	check_creation(ret, SYS_open, 1);
	check_creation(ret, SYS_openat, 2);
	jump(ret, BPF_JEQ, SYS_clone, NEXT, ALLOW);
	check_clone(ret, TRACE);
	finish(ret);
}

int filter_install(const struct filter *filter)
{
	struct sock_fprog program = { .len = filter->count,
				      .filter = (struct sock_filter *)filter->code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? -errno : 0;
}
