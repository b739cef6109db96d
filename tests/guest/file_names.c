/* Names and what they lead to, by the plain calls and by those that take a directory or flags. */
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

struct old_entry {
	unsigned long inode, offset;
	unsigned short length;
	char name[];
};

static void raw_stats(int fd)
{
	struct stat a, b, c;
	struct statfs fs, again;

	expect(syscall(SYS_stat, "soft", &a) == 0 && syscall(SYS_lstat, "soft", &b) == 0);
	expect(syscall(SYS_fstat, fd, &c) == 0);
	say("stat %o %ld, lstat %o, fstat %o %ld\n", a.st_mode, (long)a.st_size, b.st_mode,
	    c.st_mode, (long)c.st_nlink);
	expect(a.st_ino == c.st_ino && a.st_ino != b.st_ino);
	expect(statfs(".", &fs) == 0 && fstatfs(fd, &again) == 0 && fs.f_type == again.f_type);
}

static void opens(int dir)
{
	struct open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0640, .resolve = RESOLVE_BENEATH };
	char text[64];
	int fd = (int)syscall(SYS_open, "dir/opened", O_RDWR | O_CREAT | O_EXCL, 0600);

	expect(fd >= 0 && close(fd) == 0);
	expect(syscall(SYS_open, "dir/opened", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	fd = (int)syscall(SYS_creat, "dir/created", 0644);
	expect(fd >= 0 && write(fd, "12", 2) == 2 && close(fd) == 0);
	fd = (int)syscall(SYS_openat2, dir, "second", &how, sizeof(how));
	expect(fd >= 0 && close(fd) == 0);
	expect(syscall(SYS_openat2, dir, "../outside", &how, sizeof(how)) == -1 && errno == EXDEV);
	fd = open("dir", O_RDWR | O_TMPFILE, 0600);
	if (fd >= 0) { /* not every file system has files without a name */
		snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
		expect(linkat(AT_FDCWD, text, dir, "named", AT_SYMLINK_FOLLOW) == 0 && close(fd) == 0);
		expect(unlinkat(dir, "named", 0) == 0);
	}
	fd = open("dir/created", O_PATH);
	expect(fd >= 0 && read(fd, &how, 1) == -1 && errno == EBADF && close(fd) == 0);
}

static void names(int dir)
{
	char text[64] = "";

	expect(mkdirat(dir, "below", 0755) == 0 && symlinkat("created", dir, "link") == 0);
	expect(readlinkat(dir, "link", text, sizeof(text)) == 7);
	expect(linkat(dir, "link", dir, "hard", AT_SYMLINK_FOLLOW) == 0);
	expect(mknodat(dir, "pipe", S_IFIFO | 0600, 0) == 0 &&
	       syscall(SYS_mknod, "dir/plain", S_IFREG | 0600, 0) == 0);
	expect(syscall(SYS_faccessat, dir, "hard", R_OK) == 0 &&
	       faccessat(dir, "link", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	say("link leads to %s\n", text);
}

static void rights(int dir)
{
	int fd = openat(dir, "hard", O_RDONLY);
	struct stat st;

	expect(fchmodat(dir, "hard", 0604, 0) == 0 && fstat(fd, &st) == 0);
	if (syscall(SYS_fchmodat2, dir, "hard", 0624, AT_SYMLINK_NOFOLLOW) < 0)
		expect(errno == ENOSYS);
	say("mode %o\n", st.st_mode);
	expect(fchown(fd, getuid(), getgid()) == 0 && lchown("dir/link", getuid(), (gid_t)-1) == 0);
	expect(fchownat(dir, "link", (uid_t)-1, getgid(), AT_SYMLINK_NOFOLLOW) == 0 && close(fd) == 0);
}

static void times(int dir)
{
	struct utimbuf seconds = { 1000, 2000 };
	struct timeval both[2] = { { 3000, 5 }, { 4000, 6 } };
	struct stat st;

	expect(syscall(SYS_utime, "dir/hard", &seconds) == 0 && stat("dir/hard", &st) == 0);
	say("times %ld %ld\n", (long)st.st_atime, (long)st.st_mtime);
	expect(syscall(SYS_utimes, "dir/hard", both) == 0 && stat("dir/hard", &st) == 0);
	say("times %ld %ld\n", (long)st.st_atime, (long)st.st_mtim.tv_nsec);
	both[0].tv_sec = 5000;
	expect(syscall(SYS_futimesat, dir, "hard", both) == 0 && stat("dir/hard", &st) == 0);
	say("times %ld\n", (long)st.st_atime);
}

static void list(int dir)
{
	char bytes[4096];
	unsigned int found = 0;
	long n = syscall(SYS_getdents, dir, bytes, sizeof(bytes));

	for (long at = 0; at < n;) {
		struct old_entry *entry = (struct old_entry *)(void *)(bytes + at);

		found += entry->name[0] != '.';
		at += entry->length;
	}
	expect(n > 0);
	say("%u names\n", found);
}

static void flush(int fd)
{
	expect(readahead(fd, 0, 4096) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
	expect(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0 && syncfs(fd) == 0);
	expect(fdatasync(fd) == 0 && fsync(fd) == 0);
	sync();
}

int main(void)
{
	static const char *const gone[] = { "dir/opened", "dir/created", "dir/second",
					    "dir/link",	  "dir/hard",	 "dir/pipe",
					    "dir/plain",  "file",	 "soft" };
	char path[256];
	int fd, dir;

	scratch_begin(path);
	umask(022);
	fd = open("file", O_RDWR | O_CREAT, 0644);
	expect(write(fd, "12345", 5) == 5 && symlink("file", "soft") == 0 && mkdir("dir", 0755) == 0);
	dir = open("dir", O_RDONLY | O_DIRECTORY);
	raw_stats(fd);
	opens(dir);
	names(dir);
	rights(dir);
	times(dir);
	list(dir);
	flush(fd);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		expect(unlink(gone[i]) == 0);
	expect(unlinkat(dir, "below", AT_REMOVEDIR) == 0 && rmdir("dir") == 0);
	scratch_end(path);
	return 0;
}
