#include "substitute.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int substitute_open(const struct substitute *list, int ret_trees[SUBSTITUTES_MAX])
{
	for (int i = 0; list && i < SUBSTITUTES_MAX && list[i].at; i++) {
		ret_trees[i] = (int)syscall(SYS_open_tree, AT_FDCWD, list[i].shown,
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (ret_trees[i] < 0)
			return -errno;
	}
	return 0;
}

int substitute_show(const struct substitute *list, const int trees[SUBSTITUTES_MAX])
{
	for (int i = 0; list && i < SUBSTITUTES_MAX && list[i].at; i++) {
		if (syscall(SYS_move_mount, trees[i], "", AT_FDCWD, list[i].at, MOVE_MOUNT_F_EMPTY_PATH))
			return -errno;
		close(trees[i]);
	}
	return 0;
}
