/* What files say of themselves agrees with itself: listings, inode numbers, times of what this program changes. */
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FILES 40

static void make(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);

	expect(fd >= 0 && close(fd) == 0);
}

static struct stat status(const char *name)
{
	struct stat found, again;
	struct statx wide;
	int fd = open(name, O_RDONLY | O_NONBLOCK);

	expect(fd >= 0 && lstat(name, &found) == 0 && fstat(fd, &again) == 0 && close(fd) == 0);
	expect(found.st_ino == again.st_ino && found.st_dev == again.st_dev);
	expect(found.st_mtim.tv_sec == again.st_mtim.tv_sec && found.st_size == again.st_size);
	expect(statx(AT_FDCWD, name, 0, STATX_ALL, &wide) == 0 && wide.stx_ino == found.st_ino);
	expect(wide.stx_mtime.tv_sec == found.st_mtim.tv_sec &&
	       wide.stx_mtime.tv_nsec == (uint32_t)found.st_mtim.tv_nsec);
	expect(wide.stx_uid == found.st_uid && wide.stx_blocks == (uint64_t)found.st_blocks);
	return found;
}

static int is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Bytes of one read; marks names in `seen` and checks their numbers. */
static long list(int fd, unsigned int *seen, size_t size)
{
	char buffer[512] __attribute__((aligned(8)));
	long n = syscall(SYS_getdents64, fd, buffer, size);

	expect(n >= 0);
	for (long at = 0; at < n;) {
		const struct dirent *entry = (const struct dirent *)(buffer + at);
		struct stat found;

		if (entry->d_name[0] == 'f') {
			expect(fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0);
			expect(found.st_ino == entry->d_ino);
			seen[strtoul(entry->d_name + 1, NULL, 10)]++;
		}
		at += entry->d_reclen;
	}
	return n;
}

static void listings(void)
{
	unsigned int seen[FILES] = { 0 };
	int fd = open(".", O_RDONLY | O_DIRECTORY), copy = dup(fd);
	struct dirent *entry;
	char name[256];
	long reads = 0, place;
	DIR *dir;

	expect(fd >= 0 && copy >= 0 && syscall(SYS_getdents64, fd, name, 8UL) == -1 && errno == EINVAL);
	while (list(reads++ % 2 ? copy : fd, seen, 128) > 0) {
		if (reads == 2) {
			make("late");
			expect(unlink("late") == 0);
		}
	}
	for (int i = 0; i < FILES; i++)
		expect(seen[i] == 1);
	expect(list(copy, seen, 512) == 0 && lseek(copy, 0, SEEK_SET) == 0 && list(fd, seen, 512) > 0);
	close(copy);
	dir = fdopendir(fd);
	rewinddir(dir);
	for (int i = 0; i < 7; i++)
		expect(readdir(dir));
	place = telldir(dir);
	entry = readdir(dir);
	strcpy(name, entry->d_name);
	while (readdir(dir))
		continue;
	seekdir(dir, place);
	entry = readdir(dir);
	expect(entry && strcmp(entry->d_name, name) == 0);
	closedir(dir);
	say("listings: every name once, over two descriptors and a small buffer\n");
}

static void times(void)
{
	const struct timespec chosen[2] = { { 1000, 7 }, { 2000, 11 } };
	const struct timespec half[2] = { { 0, UTIME_OMIT }, { 3000, 13 } };
	struct stat before = status("f1"), after;
	struct timespec now;
	int fd = open("f1", O_WRONLY);

	sleep_ms(20);
	expect(write(fd, "more", 4) == 4 && close(fd) == 0);
	after = status("f1");
	expect(is_later(after.st_mtim, before.st_mtim) && is_later(after.st_ctim, before.st_ctim));
	expect(after.st_ino == before.st_ino && after.st_size == 4);
	expect(clock_gettime(CLOCK_REALTIME, &now) == 0 && !is_later(after.st_mtim, now));
	expect(utimensat(AT_FDCWD, "f1", chosen, 0) == 0);
	after = status("f1");
	expect(after.st_atim.tv_sec == 1000 && after.st_atim.tv_nsec == 7);
	expect(after.st_mtim.tv_sec == 2000 && after.st_mtim.tv_nsec == 11);
	fd = open("f1", O_RDWR);
	expect(fd >= 0 && futimens(fd, half) == 0);
	after = status("f1");
	expect(after.st_atim.tv_sec == 1000 && after.st_mtim.tv_sec == 3000 &&
	       after.st_mtim.tv_nsec == 13);
	expect(ftruncate(fd, 100) == 0 && close(fd) == 0);
	expect(is_later(status("f1").st_mtim, after.st_mtim));
	before = status(".");
	sleep_ms(20);
	expect(mkdir("d", 0700) == 0 && is_later(status(".").st_mtim, before.st_mtim));
	expect(!is_later(before.st_mtim, status("d").st_mtim) && rmdir("d") == 0);
	say("times: changes move them on, and chosen ones stay\n");
}

static void numbers(void)
{
	struct stat first = status("f2"), second;
	int fd;

	expect(rename("f2", "g2") == 0 && status("g2").st_ino == first.st_ino);
	expect(link("g2", "f2") == 0 && status("f2").st_ino == first.st_ino &&
	       status("g2").st_nlink == 2);
	expect(unlink("g2") == 0);
	fd = open("f2", O_RDONLY);
	expect(fd >= 0 && unlink("f2") == 0);
	make("f2");
	expect(fstat(fd, &second) == 0 && second.st_ino == first.st_ino && second.st_nlink == 0);
	expect(status("f2").st_ino != first.st_ino && close(fd) == 0);
	expect(symlink("f2", "l") == 0 && lstat("l", &first) == 0 && stat("l", &second) == 0);
	expect(first.st_ino != second.st_ino && second.st_ino == status("f2").st_ino);
	expect(first.st_size == 2 && unlink("l") == 0);
	say("numbers: one for each file, for its life\n");
}

int main(void)
{
	char path[256], name[16];

	scratch_begin(path);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make(name);
	}
	listings();
	times();
	numbers();
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		expect(unlink(name) == 0);
	}
	scratch_end(path);
	return 0;
}
