/* What files are: stat in its forms, modes, umask, links, times, access, renames, attributes of the directory. */
#include "guest.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static void show(const char *name)
{
	struct stat st;

	if (lstat(name, &st) < 0)
		say("%-8s %s\n", name, strerror(errno));
	else
		say("%-8s %06o links %ld size %ld\n", name, st.st_mode, (long)st.st_nlink,
		    S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

int main(void)
{
	struct timespec times[2] = { { 1000000000, 5 }, { 1234567890, 7 } };
	char path[256], text[300] = "";
	struct statx extended;
	struct statfs fs;
	struct stat st;
	int fd, dir;

	scratch_begin(path);
	umask(027);
	expect(umask(027) == 027);
	fd = open("plain", O_RDWR | O_CREAT, 0777);
	expect(write(fd, "12345", 5) == 5 && mkdir("dir", 0777) == 0 && mkfifo("fifo", 0666) == 0);
	expect(symlink("plain", "soft") == 0 && link("plain", "hard") == 0 &&
	       symlink("nowhere", "broken") == 0);
	show("plain");
	show("dir");
	show("fifo");
	show("soft");
	show("absent");
	expect(readlink("soft", text, sizeof(text)) == 5 && readlink("plain", text, 8) == -1 &&
	       errno == EINVAL);
	expect(stat("soft", &st) == 0 && st.st_size == 5 && stat("broken", &st) == -1 && errno == ENOENT);
	expect(chmod("plain", 0604) == 0 && fchmod(fd, 0644) == 0 && futimens(fd, times) == 0);
	expect(fstat(fd, &st) == 0 && st.st_uid == geteuid());
	say("times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	expect(statx(AT_FDCWD, "plain", 0, STATX_BASIC_STATS, &extended) == 0 && extended.stx_size == 5);
	expect(fstatfs(fd, &fs) == 0 && fs.f_bsize > 0 && statfs("/nonexistent", &fs) == -1);
	expect(access("plain", R_OK) == 0 && access("plain", F_OK) == 0 && access("absent", F_OK) == -1);
	dir = open("dir", O_RDONLY | O_DIRECTORY);
	expect(renameat(AT_FDCWD, "hard", dir, "moved") == 0 && faccessat(dir, "moved", R_OK, 0) == 0);
	expect(rmdir("dir") == -1 && errno == ENOTEMPTY);
	expect(rename("plain", "soft") == 0 && fstatat(dir, "moved", &st, 0) == 0 && st.st_nlink == 2);
	expect(renameat2(AT_FDCWD, "soft", AT_FDCWD, "broken", RENAME_EXCHANGE) == 0);
	show("soft");
	show("broken");
	expect(chdir("dir") == 0 && getcwd(text, sizeof(text)) &&
	       strcmp(text + strlen(path), "/dir") == 0);
	expect(fchdir(dir) == 0 && chdir("..") == 0);
	expect(chown("broken", (uid_t)-1, (gid_t)-1) == 0);
	expect(unlinkat(dir, "moved", 0) == 0 && unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR) == 0);
	expect(unlink("soft") == 0 && unlink("broken") == 0 && unlink("fifo") == 0 &&
	       unlink("gone") == -1);
	scratch_end(path);
	return 0;
}
