#include "launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "domain.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define PAGE 4096UL

pid_t launch_clone(unsigned long namespaces)
{
	long pid = syscall(SYS_clone, namespaces | SIGCHLD, 0UL, 0UL, 0UL, 0UL);

	return pid < 0 ? -errno : (pid_t)pid;
}

bool launch_capable(unsigned capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool launch_is_capable(pid_t tid, unsigned capability)
{
	char path[64], line[256];
	unsigned long long effective = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "CapEff:", 7) != 0)
			continue;
		effective = strtoull(line + 7, NULL, 16);
		break;
	}
	fclose(file);
	return effective >> capability & 1;
}

int launch_receive(int fd, void *buffer, size_t length)
{
	char *bytes = buffer;

	while (length) {
		ssize_t n = read(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

int launch_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

static int write_map(pid_t child, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, file);
	return launch_write(path, text);
}

int launch_map_ids(pid_t child, uid_t uid, gid_t gid, bool as_root)
{
	char line[64];
	int r;

	snprintf(line, sizeof(line), "%u %u 1\n", as_root ? 0 : (unsigned)uid, (unsigned)uid);
	r = write_map(child, "uid_map", line);
	if (!r && !launch_capable(CAP_SETGID))
		r = write_map(child, "setgroups", "deny");
	if (r)
		return r;
	snprintf(line, sizeof(line), "%u %u 1\n", as_root ? 0 : (unsigned)gid, (unsigned)gid);
	return write_map(child, "gid_map", line);
}

int launch_seize(pid_t tid)
{
	unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
				PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
				PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD;

	return ptrace(PTRACE_SEIZE, tid, NULL, (void *)options) ? -errno : 0;
}

void launch_discard(pid_t pid)
{
	int status;
	pid_t r;

	kill(pid, SIGKILL);
	while ((r = waitpid(pid, &status, __WALL)) == pid ? WIFSTOPPED(status)
							  : r < 0 && errno == EINTR) {
		if (r == pid)
			ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
}

static int image_write(int fd, const uint8_t *page)
{
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr segments[2];
	} head = {
		.file = {
			.e_ident = ELFMAG "\2\1\1", /* 64-bit, little endian, version 1 */
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = CALL_PAGE,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.segments = {
			{
				.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_offset = PAGE,
				.p_vaddr = CALL_PAGE,
				.p_filesz = PAGE,
				.p_memsz = PAGE,
				.p_align = PAGE,
			},
			{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
		},
	};

	if (pwrite(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    pwrite(fd, page, PAGE, (off_t)PAGE) != (ssize_t)PAGE)
		return errno ? -errno : -EIO;
	return 0;
}

int launch_image(const char *name, const uint8_t *page)
{
	int fd, r;

	fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 every such file was executable */
		fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = image_write(fd, page);
	if (r) {
		close(fd);
		return r;
	}
	return fd;
}

static void close_range_all(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (first > last || !syscall(SYS_close_range, first, last, 0U))
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		limit.rlim_max = 65536;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
}

void launch_close_from(unsigned first, const int *keep, size_t keep_count)
{
	for (;;) {
		unsigned kept = ~0U;

		for (size_t i = 0; i < keep_count; i++) {
			if (keep[i] >= 0 && (unsigned)keep[i] >= first && (unsigned)keep[i] < kept)
				kept = (unsigned)keep[i];
		}
		if (kept == ~0U)
			break;
		if (kept > first)
			close_range_all(first, kept - 1);
		first = kept + 1;
	}
	close_range_all(first, ~0U);
}
