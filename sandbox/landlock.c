#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as of version 6; older kernels take a prefix. */
struct ruleset {
	uint64_t fs;
	uint64_t net;	 /* from version 4 */
	uint64_t scoped; /* from version 6 */
};

#define NET_BIND_AND_CONNECT 3
#define SCOPE_ABSTRACT_UNIX_AND_SIGNAL 3

/* Number of file system rights that each version knows. */
static unsigned fs_rights(int version)
{
	static const unsigned counts[] = { 0, 13, 14, 15, 15, 16 };

	return version < 5 ? counts[version] : counts[5];
}

static size_t ruleset_size(int version)
{
	if (version < 4)
		return offsetof(struct ruleset, net);
	return version < 6 ? offsetof(struct ruleset, scoped) : sizeof(struct ruleset);
}

static int add_root(int ruleset, const char *root)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int r = 0;

	if (rule.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = -errno;
	close(rule.parent_fd);
	return r;
}

int landlock_confine(const char *root)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset rights = { .net = NET_BIND_AND_CONNECT, .scoped = SCOPE_ABSTRACT_UNIX_AND_SIGNAL };
	int fd, r;

	if (version < 1)
		return 0;
	rights.fs = (1ULL << fs_rights((int)version)) - 1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rights, ruleset_size((int)version), 0U);
	if (fd < 0)
		return -errno;
	r = add_root(fd, root);
	if (!r && syscall(SYS_landlock_restrict_self, fd, 0U))
		r = -errno;
	close(fd);
	return r ? r : (int)version;
}
