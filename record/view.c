/* Which calls show something of the host, and what guests see instead. */
#include "view.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

#define SIGNAL_LINK "anon_inode:[signalfd]"
#define NOT_NICE 20 /* as the call answers for a niceness of 0 */
#define FS_BLOCKS (1ULL << 28)
#define FS_FREE (1ULL << 27)

struct view *view_new(void)
{
	struct view *view = calloc(1, sizeof(*view));

	for (int fd = 0; view && fd < 3; fd++)
		fstat(fd, &view->inherited[fd]);
	return view;
}

void view_release(struct view *view)
{
	if (!view)
		return;
	for (size_t i = 0; i < view->buckets_count; i++) {
		struct view_file *next;

		for (struct view_file *file = view->buckets[i]; file; file = next) {
			next = file->next;
			free(file);
		}
	}
	view_listings_release(view);
	for (size_t i = 0; i < VIEW_CONTENTS; i++)
		buffer_release(&view->contents[i].text);
	for (size_t i = 0; i < view->outside_count; i++)
		free(view->outside[i]);
	free(view->buckets);
	free(view);
}

/* The name of the host is the domain's own where there is a namespace for it. */
static int change_names(struct thread *thread)
{
	uint64_t address = thread->call.args[0];
	struct utsname names, host;

	if (guest_read(thread, address, &names, sizeof(names)) != sizeof(names))
		return 0;
	uname(&host);
	if (strcmp(names.nodename, host.nodename) == 0) {
		memset(names.nodename, 0, sizeof(names.nodename));
		strcpy(names.nodename, VIEW_HOST_NAME);
	}
	memset(names.release, 0, sizeof(names.release));
	strcpy(names.release, VIEW_KERNEL_RELEASE);
	memset(names.version, 0, sizeof(names.version));
	strcpy(names.version, VIEW_KERNEL_VERSION);
	if (strcmp(names.domainname, host.domainname) == 0) {
		memset(names.domainname, 0, sizeof(names.domainname));
		strcpy(names.domainname, "(none)");
	}
	return guest_write(thread, address, &names, sizeof(names));
}

static int change_sysinfo(const struct recorder *rec, struct thread *thread)
{
	struct sysinfo info = {
		.uptime = (long)(VIEW_UPTIME_S + rec->clock_ns / 1000000000ULL),
		.totalram = VIEW_MEMORY_BYTES,
		.freeram = VIEW_FREE_BYTES,
		.procs = (unsigned short)rec->guests.alive,
		.mem_unit = 1,
	};

	return guest_write(thread, thread->call.args[0], &info, sizeof(info));
}

/* How much room there is, and which file system of its kind it is. */
static int change_statfs(struct thread *thread)
{
	uint64_t address = thread->call.args[1];
	struct statfs status;

	if (guest_read(thread, address, &status, sizeof(status)) != sizeof(status))
		return 0;
	if (status.f_blocks) {
		status.f_blocks = FS_BLOCKS;
		status.f_bfree = status.f_bavail = FS_FREE;
	}
	if (status.f_files) {
		status.f_files = FS_BLOCKS;
		status.f_ffree = FS_FREE;
	}
	memset(&status.f_fsid, 0, sizeof(status.f_fsid));
	return guest_write(thread, address, &status, sizeof(status));
}

/* Supplementary groups are the user's, until a guest chooses its own: none. */
static int answer_groups(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	*ret_answered = !rec->view->groups_set && (int)thread->call.args[0] >= 0;
	return *ret_answered ? record_answer(rec, thread, 0) : 0;
}

/*
 * Whether two files are in one file system, so that the kernel copies between them, is up to where the directory lies: one
 * that is shown under another name is never in the same as anything. Programs copy themselves then, so what they copy is in
 * the trace.
 */
static bool is_kernel_copy(const struct recorder *rec, struct thread *thread, int *ret_error)
{
	struct process *process = thread->process;

	if (!rec->view->moved)
		return false;
	*ret_error = thread->call.nr == SYS_copy_file_range ? -EXDEV : -EINVAL;
	if (thread->call.nr != SYS_sendfile)
		return thread->call.nr == SYS_copy_file_range;
	return S_ISREG(fd_lookup(process->fds, thread->tid, (int)thread->call.args[0]).mode);
}

int view_entry(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	int error;

	*ret_answered = is_kernel_copy(rec, thread, &error);
	if (*ret_answered)
		return record_answer(rec, thread, error);
	view_time_entry(rec, thread);
	switch (thread->call.nr) {
	case SYS_getdents:
	case SYS_getdents64: return view_directory_read(rec, thread, ret_answered);
	case SYS_getgroups: return answer_groups(rec, thread, ret_answered);
	case SYS_readlink:
	case SYS_readlinkat: view_link_entry(thread); return 0;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2: return view_proc_read(rec, thread, ret_answered);
	default: return 0;
	}
}

static void clear_times(siginfo_t *info)
{
	info->si_uid = 0;
	info->si_utime = info->si_stime = 0;
}

void view_child_signal(struct thread *thread)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) || info.si_code < CLD_EXITED ||
	    info.si_code > CLD_CONTINUED)
		return;
	clear_times(&info);
	ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, &info);
}

/* rt_sigtimedwait(2) of a child's signal. */
static int change_waited(struct thread *thread)
{
	uint64_t address = thread->call.args[1];
	siginfo_t info;

	if (!address || guest_read(thread, address, &info, sizeof(info)) != sizeof(info) ||
	    info.si_signo != SIGCHLD || info.si_code < CLD_EXITED || info.si_code > CLD_CONTINUED)
		return 0;
	clear_times(&info);
	return guest_write(thread, address, &info, sizeof(info));
}

/* The same as signalfd(2) tells it. */
static int change_signals(struct thread *thread, int64_t result)
{
	struct signalfd_siginfo info;
	char path[64], link[sizeof(SIGNAL_LINK)];
	uint64_t address = thread->call.args[1], end = address + (uint64_t)result;
	int r = 0;

	if (result <= 0 || (uint64_t)result % sizeof(info))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, (int)thread->call.args[0]);
	if (readlink(path, link, sizeof(link)) != sizeof(link) - 1 ||
	    memcmp(link, SIGNAL_LINK, sizeof(link) - 1) != 0)
		return 0;
	for (; r == 0 && address < end; address += sizeof(info)) {
		if (guest_read(thread, address, &info, sizeof(info)) != sizeof(info))
			return 0;
		if (info.ssi_signo != SIGCHLD || info.ssi_code < CLD_EXITED ||
		    info.ssi_code > CLD_CONTINUED)
			continue;
		info.ssi_uid = 0;
		info.ssi_utime = info.ssi_stime = 0;
		r = guest_write(thread, address, &info, sizeof(info));
	}
	return r;
}

/* Whom a call names by its thread number; the caller where that is nobody's. */
static struct record_thread *named_thread(const struct recorder *rec, struct thread *thread, uint64_t tid)
{
	struct thread *named = rec->guests.first;

	while (named && named->guest_tid != (uint32_t)tid)
		named = named->next;
	return named ? named->record : thread->record;
}

static int change(struct recorder *rec, struct thread *thread, int64_t *result)
{
	const uint64_t *args = thread->call.args;

	switch (thread->call.nr) {
	case SYS_read: return change_signals(thread, *result);
	case SYS_stat:
	case SYS_lstat:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_statx: return view_file_status(rec, thread);
	case SYS_shmctl:
	case SYS_msgctl:
	case SYS_semctl: return view_ipc_status(rec, thread);
	case SYS_readlink:
	case SYS_readlinkat: return view_link_return(rec, thread, result);
	case SYS_statfs:
	case SYS_fstatfs: return change_statfs(thread);
	case SYS_uname: return change_names(thread);
	case SYS_sysinfo: return change_sysinfo(rec, thread);
	case SYS_rt_sigtimedwait: return change_waited(thread);
	case SYS_sched_setattr: named_thread(rec, thread, args[0])->schedule.nice = true; return 0;
	case SYS_setpriority: named_thread(rec, thread, args[1])->schedule.nice = true; return 0;
	case SYS_getpriority:
		if (!named_thread(rec, thread, args[1])->schedule.nice)
			*result = NOT_NICE;
		return 0;
	case SYS_capset: rec->view->capabilities_set = true; return 0;
	case SYS_mount:
	case SYS_umount2:
	case SYS_move_mount:
	case SYS_pivot_root: rec->view->mounts_changed = true; return 0;
	case SYS_setgroups: rec->view->groups_set = true; return 0;
	default: return 0;
	}
}

int view_return(struct recorder *rec, struct thread *thread, int64_t *result)
{
	int64_t before = *result;
	int r;

	if (before < 0 && before >= -4095)
		return 0;
	r = view_time_return(rec, thread, before);
	if (r == 0)
		r = change(rec, thread, result);

	if (r < 0 || *result == before)
		return r;
	thread->registers.rax = (uint64_t)*result;
	return stop_set_registers(thread);
}
