/* Descriptors of name spaces: what kind each is, who owns it, which one it lies in. */
#include "guest.h"
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int own(const char *kind)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY);
	expect(fd >= 0);
	return fd;
}

static int inner(void)
{
	int pids = own("pid"), users, above;
	uid_t owner = 77;
	struct stat a, b;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		return 1;
	users = own("user");
	expect(ioctl(users, NS_GET_NSTYPE) == CLONE_NEWUSER &&
	       ioctl(pids, NS_GET_NSTYPE) == CLONE_NEWPID);
	expect(ioctl(users, NS_GET_OWNER_UID, &owner) == 0 && owner != 77);
	above = open("/proc/self/ns/uts", O_RDONLY);
	expect(ioctl(above, NS_GET_OWNER_UID, &owner) == -1 && errno == EINVAL && close(above) == 0);
	expect(ioctl(users, NS_GET_PARENT) == -1);
	say("above our users: %s\n", strerror(errno));
	if (fork() == 0) {
		int mine = own("pid"), ours;

		/* The first process in it asks; the outer one is out of its sight. */
		expect(ioctl(mine, NS_GET_PARENT) == -1 && errno == EPERM);
		ours = ioctl(mine, NS_GET_USERNS);
		expect(ours >= 0 && fstat(ours, &a) == 0 && fstat(users, &b) == 0 &&
		       a.st_ino == b.st_ino);
		_exit(0);
	}
	above = open("/proc/self/ns/pid_for_children", O_RDONLY);
	if (above >= 0) {
		int outer = ioctl(above, NS_GET_PARENT);

		expect(outer >= 0 && fstat(outer, &a) == 0 && fstat(pids, &b) == 0 &&
		       a.st_ino == b.st_ino);
		say("below: %d\n", ioctl(outer, NS_GET_NSTYPE) == CLONE_NEWPID);
	}
	return reap(-1) == 0 ? 0 : 2;
}

int main(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(inner());
	status = reap(pid);
	say("%s\n", status == 0 ? "told" : status == 0x100 ? "no name spaces here" : "failed");
	return status == 0 || status == 0x100 ? 0 : 1;
}
