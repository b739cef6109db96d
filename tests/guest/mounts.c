/* A mount namespace of its own: mounts by both generations of calls, what they say, another root. */
#include "guest.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#define TMPFS_NUMBER 0x01021994
#define UNIQUE_MOUNT 0x4000u /* STATX_MNT_ID_UNIQUE, since 6.8 */
#define BASIC 3		     /* STATMOUNT_SB_BASIC and STATMOUNT_MNT_BASIC */
#define DETACHED 1	     /* OPEN_TREE_CLONE */

/* Constants of <sys/mount.h>, which does not go together with the kernel's header. */
#define BIND 4096
#define RECURSIVE 16384
#define PRIVATE (1 << 18)
#define READ_ONLY 1
#define LAZY 2

struct request {
	uint32_t size, spare;
	uint64_t id, parameter;
};

static int mount_at(const char *source, const char *target, const char *type, unsigned long flags,
		    const char *data)
{
	return (int)syscall(SYS_mount, source, target, type, flags, data);
}

static void touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	expect(fd >= 0 && close(fd) == 0);
}

static void old_calls(void)
{
	struct statfs fs;

	expect(mkdir("old", 0700) == 0 && mkdir("bound", 0700) == 0);
	expect(mount_at("none", "old", "tmpfs", 0, "size=1M,mode=0700") == 0);
	expect(statfs("old", &fs) == 0 && fs.f_type == TMPFS_NUMBER);
	touch("old/file");
	expect(mount_at("old", "bound", NULL, BIND, NULL) == 0 && access("bound/file", F_OK) == 0);
	expect(mount_at(NULL, "bound", NULL, 32 | BIND | READ_ONLY, NULL) == 0); /* MS_REMOUNT */
	expect(open("bound/other", O_WRONLY | O_CREAT, 0600) == -1 && errno == EROFS);
	expect(syscall(SYS_umount2, "bound", 0) == 0 && syscall(SYS_umount2, "old", LAZY) == 0);
	expect(access("old/file", F_OK) == -1 && rmdir("old") == 0 && rmdir("bound") == 0);
	say("mount, bind, read-only, umount\n");
}

/* Since 6.8: which mounts there are below this one, and what the last one is. */
static void ask(const char *where)
{
	struct request request = { .size = sizeof(request) };
	struct statx st;
	uint64_t ids[64], reply[128];
	long n;

	expect(syscall(SYS_statx, AT_FDCWD, where, 0, UNIQUE_MOUNT, &st) == 0);
	if (!(st.stx_mask & UNIQUE_MOUNT))
		return;
	memcpy(&request.id, (char *)&st + 0x90, sizeof(request.id));
	request.parameter = BASIC;
	expect(syscall(SYS_statmount, &request, reply, sizeof(reply), 0) == 0);
	expect((((uint32_t *)reply)[0]) >= 64);
	request.id = UINT64_MAX; /* LSMT_ROOT */
	request.parameter = 0;
	n = syscall(SYS_listmount, &request, ids, 64, 0);
	expect(n > 0 && n <= 64);
}

static void new_calls(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	char text[64] = "";
	int config = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), tree, picked;

	expect(config >= 0);
	expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_STRING, "size", "1M", 0) == 0);
	expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_FLAG, "rw", NULL, 0) == 0);
	expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_STRING, "nonsense", "1", 0) == -1);
	expect(read(config, text, sizeof(text)) > 0 && text[0] == 'e');
	expect(syscall(SYS_fsconfig, config, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
	tree = (int)syscall(SYS_fsmount, config, FSMOUNT_CLOEXEC, 0);
	expect(tree >= 0 && mkdir("new", 0700) == 0);
	expect(syscall(SYS_move_mount, tree, "", AT_FDCWD, "new", MOVE_MOUNT_F_EMPTY_PATH) == 0);
	touch("new/file");
	ask("new");
	picked = (int)syscall(SYS_fspick, AT_FDCWD, "new", 0);
	expect(picked >= 0 && syscall(SYS_fsconfig, picked, FSCONFIG_SET_STRING, "size", "2M", 0) == 0);
	expect(syscall(SYS_fsconfig, picked, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0);
	expect(syscall(SYS_mount_setattr, AT_FDCWD, "new", 0, &attr, sizeof(attr)) == 0);
	expect(open("new/other", O_WRONLY | O_CREAT, 0600) == -1 && errno == EROFS);
	expect(close(tree) == 0 && close(picked) == 0 && close(config) == 0);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, "new", DETACHED | O_CLOEXEC);
	expect(tree >= 0 && faccessat(tree, "file", F_OK, 0) == 0 && close(tree) == 0);
	tree = (int)syscall(SYS_open_tree_attr, AT_FDCWD, "new", DETACHED, &attr, sizeof(attr));
	expect(tree >= 0 ? close(tree) == 0 : errno == ENOSYS); /* since 6.15 */
	expect(syscall(SYS_umount2, "new", 0) == 0 && rmdir("new") == 0);
	say("fsopen, fsmount, move_mount: %.1s\n", text);
}

/* An overlay takes its layers by path, or since 6.13 by descriptor; a second instance can be demanded since 6.6. */
static void layers(void)
{
	int config = (int)syscall(SYS_fsopen, "overlay", 0), dir;

	expect(mkdir("lower", 0700) == 0 && mkdir("merged", 0700) == 0 && mkdir("lowest", 0700) == 0);
	touch("lower/file");
	dir = open("lower", O_PATH | O_DIRECTORY);
	if (config >= 0 && syscall(SYS_fsconfig, config, FSCONFIG_SET_FD, "lowerdir+", NULL, dir) == 0) {
		int tree;

		expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_STRING, "lowerdir+", "lowest", 0) == 0);
		expect(syscall(SYS_fsconfig, config, 8, NULL, NULL, 0) == 0); /* FSCONFIG_CMD_CREATE_EXCL */
		tree = (int)syscall(SYS_fsmount, config, 0, 0);
		expect(tree >= 0 && faccessat(tree, "file", F_OK, 0) == 0 && close(tree) == 0);
	}
	expect(close(dir) == 0 && unlink("lower/file") == 0);
	if (config >= 0)
		expect(close(config) == 0);
	expect(rmdir("lower") == 0 && rmdir("merged") == 0 && rmdir("lowest") == 0);
}

static void roots(void)
{
	expect(mkdir("place", 0700) == 0 && mount_at("none", "place", "tmpfs", 0, NULL) == 0);
	expect(mkdir("place/next", 0700) == 0 && mount_at("none", "place/next", "tmpfs", 0, NULL) == 0);
	expect(mkdir("place/next/old", 0700) == 0);
	touch("place/outer");
	touch("place/next/inner");
	expect(chdir("place") == 0 && chroot(".") == 0 && access("/outer", F_OK) == 0);
	expect(syscall(SYS_pivot_root, "next", "next/old") == 0 && chdir("/") == 0);
	expect(access("/inner", F_OK) == 0 && access("/old/outer", F_OK) == 0);
	expect(syscall(SYS_umount2, "/old", LAZY) == 0 && access("/old/outer", F_OK) == -1);
	say("chroot, pivot_root\n");
}

int main(void)
{
	char path[256];

	scratch_begin(path);
	if (fork() == 0) {
		expect(unshare(CLONE_NEWNS) == 0 &&
		       mount_at(NULL, "/", NULL, RECURSIVE | PRIVATE, NULL) == 0);
		old_calls();
		new_calls();
		layers();
		roots();
		_exit(6);
	}
	expect(WEXITSTATUS(reap(-1)) == 6);
	expect(rmdir("place") == 0);
	scratch_end(path);
	return 0;
}
