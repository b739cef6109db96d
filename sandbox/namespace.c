#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../traces/event.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static const struct {
	const char *name;
	unsigned long flag;
} kinds[] = {
	{ "user", CLONE_NEWUSER },     { "mount", CLONE_NEWNS }, { "pid", CLONE_NEWPID },
	{ "net", CLONE_NEWNET },       { "ipc", CLONE_NEWIPC },	 { "uts", CLONE_NEWUTS },
	{ "cgroup", CLONE_NEWCGROUP },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

unsigned long namespace_unshare(unsigned long wanted)
{
	unsigned long had = 0;

	for (size_t i = 0; i < KINDS; i++) {
		if (wanted & kinds[i].flag && !syscall(SYS_unshare, kinds[i].flag))
			had |= kinds[i].flag;
	}
	return had;
}

/* Makes a copy of everything below the root directory a mount of its own and enters it. */
static int enter_copy(int copy)
{
	struct mount_attr attributes = { .propagation = MS_PRIVATE };

	if (syscall(SYS_mount_setattr, copy, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
		    sizeof(attributes)) ||
	    mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) ||
	    syscall(SYS_move_mount, copy, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) ||
	    fchdir(copy) || chroot("."))
		return -errno;
	return 0;
}

/* The working directory is found again by name: the old one would lead out of the copy. */
static int copy_root(void)
{
	char directory[PATH_BYTES_MAX];
	struct stat before, after;
	int copy, r;

	if (syscall(SYS_getcwd, directory, sizeof(directory)) < 0 || stat(".", &before))
		return -errno;
	copy = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (copy < 0)
		return -errno;
	r = enter_copy(copy);
	close(copy);
	if (r)
		return r;
	if (chdir(directory) || stat(".", &after))
		return -errno;
	return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? 0 : -ESTALE;
}

int namespace_private(void)
{
	if (!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 0;
	return errno == EINVAL ? copy_root() : -errno;
}

static size_t print_kinds(unsigned long flags, const char *before, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < KINDS && used < size; i++) {
		if (flags & kinds[i].flag) {
			used += (size_t)snprintf(text + used, size - used, "%s%s", before,
						 kinds[i].name);
			before = " ";
		}
	}
	return used < size ? used : size;
}

void namespace_print(unsigned long had, unsigned long wanted, char *ret_text, size_t size)
{
	size_t used;

	if (!had) {
		snprintf(ret_text, size, "no namespaces");
		return;
	}
	used = print_kinds(had, "", ret_text, size);
	print_kinds(wanted & ~had, "; no ", ret_text + used, size - used);
}
