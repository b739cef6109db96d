/* Calls that are refused for what they ask, not for what they are. */
#include "refusal.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "../sandbox/descriptor.h"
#include "../sandbox/domain.h"
#include "program.h"
#include "outside.h"
#include "recorder.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define LOW_MEMORY_END 0x10000ULL /* the default of vm.mmap_min_addr on x86-64 */

/* Without a network namespace, sockets other than local ones are what keeps guests off the network. */
static bool is_outside_socket(const struct recorder *rec, const struct call *call)
{
	return rec->refuse_sockets && (call->nr == SYS_socket || call->nr == SYS_socketpair) &&
	       call->args[0] != AF_UNIX;
}

/* Memory of a device changes by itself, and so does what a socket shares with its reader. */
static bool is_device_mapping(const struct thread *thread)
{
	const struct call *call = &thread->call;
	struct fd_info info;

	if (call->nr != SYS_mmap || (call->args[3] & MAP_ANONYMOUS))
		return false;
	info = fd_lookup(thread->process->fds, thread->tid, (int)call->args[4]);
	if (S_ISCHR(info.mode))
		return info.special != makedev(1, 5); /* /dev/zero */
	return S_ISBLK(info.mode) || S_ISSOCK(info.mode) || (info.mode && !(info.mode & S_IFMT));
}

static bool is_on_fuse(const struct thread *thread, dev_t device)
{
	char path[64], number[32], line[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", thread->tid);
	snprintf(number, sizeof(number), " %u:%u ", major(device), minor(device));
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, number) && strstr(line, " - fuse");
	if (file)
		fclose(file);
	return found;
}

/* The recorder reads what is mapped, and a guest that serves the file stands still while it does. */
static bool is_served_mapping(const struct recorder *rec, const struct thread *thread)
{
	const struct call *call = &thread->call;
	struct fd_info info;

	if (call->nr != SYS_mmap || (call->args[3] & MAP_ANONYMOUS))
		return false;
	info = fd_lookup(thread->process->fds, thread->tid, (int)call->args[4]);
	return S_ISREG(info.mode) && major(info.device) == 0 && is_on_fuse(thread, info.device) &&
	       outside_serves_files(rec);
}

/* What memfd_create(2) refuses with EINVAL; programs ask with all bits set whether the call is there. */
#define MFD_UNKNOWN 0x03ffffe0U

/* Large pages have other borders, which the host may have or not. Programs that want them do without. */
static bool wants_large_pages(const struct call *call)
{
	switch (call->nr) {
	case SYS_mmap: return (call->args[3] & MAP_ANONYMOUS) && (call->args[3] & MAP_HUGETLB);
	case SYS_shmget: return call->args[2] & SHM_HUGETLB;
	case SYS_memfd_create:
		return (call->args[1] & MFD_HUGETLB) && !(call->args[1] & MFD_UNKNOWN);
	default: return false;
	}
}

/* A replay has no privileges, and without them nobody maps the lowest pages. */
static bool wants_low_memory(const struct call *call)
{
	switch (call->nr) {
	case SYS_mmap:
		return (call->args[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
		       call->args[0] < LOW_MEMORY_END;
	case SYS_mremap: return (call->args[3] & MREMAP_FIXED) && call->args[4] < LOW_MEMORY_END;
	case SYS_shmat: return call->args[1] != 0 && call->args[1] < LOW_MEMORY_END;
	default: return false;
	}
}

static bool is_droppable(const struct call *call)
{
	return call->nr == SYS_mmap && (call->args[3] & MAP_TYPE) == MAP_DROPPABLE;
}

static bool overlaps_call_page(uint64_t at, uint64_t length)
{
	return at < CALL_PAGE + CALL_PAGE_BYTES && (at >= CALL_PAGE || length > CALL_PAGE - at);
}

/* The call page is the recorder's: no guest may move, replace or protect it. */
static bool is_on_call_page(const struct call *call)
{
	uint64_t at = call->args[0], length = call->args[1];

	switch (call->nr) {
	case SYS_mmap:
		if (!(call->args[3] & MAP_FIXED))
			return false;
		break;
	case SYS_mremap:
		if ((call->args[3] & MREMAP_FIXED) && overlaps_call_page(call->args[4], call->args[2]))
			return true;
		break;
	case SYS_shmat:
		return (call->args[2] & SHM_REMAP) && overlaps_call_page(call->args[1], UINT32_MAX);
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise: break;
	default: return false;
	}
	return overlaps_call_page(at, length);
}

/* The flags of clone are changed on their way to the kernel; those of clone3 lie in memory that others see. */
static bool is_unseen_clone(const struct call *call)
{
	return call->nr == SYS_clone3 && (call->clone.flags & CLONE_UNTRACED);
}

/* The command itself is looked at before it is started. */
static bool runs_narrow_program(struct thread *thread)
{
	const struct call *call = &thread->call;

	return (call->nr == SYS_execve || call->nr == SYS_execveat) &&
	       thread->process->space->table.count > 0 && program_is_narrow(thread);
}

const char *refusal_find(const struct recorder *rec, struct thread *thread, int *ret_error)
{
	if (is_outside_socket(rec, &thread->call)) {
		*ret_error = EAFNOSUPPORT;
		return "no network in this domain; --allow net permits it";
	}
	if (is_device_mapping(thread)) {
		*ret_error = ENODEV;
		return "memory of devices and sockets changes by itself";
	}
	if (is_served_mapping(rec, thread)) {
		*ret_error = ENODEV;
		return "another guest serves this file, and stands still while the recorder reads it";
	}
	if (foreign_is_nowhere(rec, thread)) {
		*ret_error = EPERM;
		return "the other process computes, and nothing says where its memory would change";
	}
	if (is_on_call_page(&thread->call)) {
		*ret_error = ENOMEM;
		return "one page of the address space is the recorder's";
	}
	if (wants_large_pages(&thread->call)) {
		*ret_error = ENOMEM;
		return "large pages are the host's; ordinary ones do";
	}
	if (wants_low_memory(&thread->call)) {
		*ret_error = EPERM;
		return "a replay could not map the lowest 64 KiB: it has no privileges";
	}
	if (is_droppable(&thread->call)) {
		*ret_error = EINVAL;
		return "the kernel would drop its pages at any time; private memory does";
	}
	if (runs_narrow_program(thread)) {
		*ret_error = ENOEXEC;
		return "code of 32 bits is not recorded";
	}
	if (is_unseen_clone(&thread->call)) {
		*ret_error = EINVAL;
		return "a child that nobody traces cannot be recorded";
	}
	return NULL;
}
