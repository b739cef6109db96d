/* Extended attributes by path, of a link, by descriptor, and by the calls that take a directory. */
#include "guest.h"
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif

struct value {
	uint64_t address;
	uint32_t size, flags;
};

static void by_name(int fd)
{
	char text[64] = "", list[256];
	ssize_t n;

	expect(setxattr("file", "user.first", "one", 3, XATTR_CREATE) == 0);
	expect(setxattr("file", "user.first", "two", 3, XATTR_CREATE) == -1 && errno == EEXIST);
	expect(lsetxattr("file", "user.second", "22", 2, 0) == 0 &&
	       fsetxattr(fd, "user.third", "", 0, 0) == 0);
	expect(getxattr("soft", "user.first", text, sizeof(text)) == 3);
	expect(getxattr("file", "user.first", NULL, 0) == 3);
	expect(lgetxattr("file", "user.second", text + 3, 10) == 2);
	expect(lgetxattr("file", "user.second", text + 10, 1) == -1 && errno == ERANGE);
	expect(fgetxattr(fd, "user.third", text + 5, 10) == 0);
	n = listxattr("soft", list, sizeof(list));
	expect(n > 0 && llistxattr("file", list, sizeof(list)) == n && flistxattr(fd, NULL, 0) == n);
	expect(flistxattr(fd, list, sizeof(list)) == n);
	say("%s, %d bytes of names\n", text, (int)n);
	expect(removexattr("file", "user.first") == 0 && lremovexattr("file", "user.second") == 0);
	expect(fremovexattr(fd, "user.third") == 0 && fremovexattr(fd, "user.third") == -1 &&
	       errno == ENODATA);
}

/* Since 6.13; what an older kernel says is left out of the output. */
static void by_directory(int dir)
{
	char text[16] = "", list[256] = "";
	struct value in = { (uint64_t)(uintptr_t) "four", 4, 0 };
	struct value out = { (uint64_t)(uintptr_t)text, sizeof(text), 0 };
	long n;

	if (syscall(SYS_setxattrat, dir, "file", 0, "user.fourth", &in, sizeof(in)) < 0) {
		expect(errno == ENOSYS);
		return;
	}
	expect(syscall(SYS_getxattrat, dir, "file", 0, "user.fourth", &out, sizeof(out)) == 4);
	expect(strcmp(text, "four") == 0);
	out.size = 2;
	expect(syscall(SYS_getxattrat, dir, "file", 0, "user.fourth", &out, sizeof(out)) == -1 &&
	       errno == ERANGE);
	n = syscall(SYS_listxattrat, dir, "file", 0, list, sizeof(list));
	expect(n >= 12 && memmem(list, (size_t)n, "user.fourth", 12));
	expect(syscall(SYS_removexattrat, dir, "file", 0, "user.fourth") == 0);
}

int main(void)
{
	char path[256];
	int fd, dir;

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0644);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	expect(fd >= 0 && dir >= 0 && symlink("file", "soft") == 0);
	if (setxattr("file", "user.probe", "", 0, 0) < 0) {
		expect(errno == EOPNOTSUPP); /* the file system has none */
	} else {
		expect(removexattr("file", "user.probe") == 0);
		by_name(fd);
		by_directory(dir);
	}
	expect(unlink("file") == 0 && unlink("soft") == 0);
	scratch_end(path);
	return 0;
}
