/* A file mapped shared that calls change: by offset pointers, appended to, cut, filled, moved, cloned paths. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096UL
#define PAGES 8

static char *map;
static int fd;

static void show(const char *what)
{
	struct stat st;

	expect(fstat(fd, &st) == 0);
	say("%-10s %6ld %016lx\n", what, (long)st.st_size,
	    (unsigned long)fingerprint(map, (size_t)st.st_size));
}

static void kernel_copies(void)
{
	int source = open("source", O_RDWR | O_CREAT, 0600), ends[2];
	struct iovec part = { "vmsplice", 8 };
	char text[PAGE];
	off_t from = 3, to = 5;

	memset(text, 's', sizeof(text));
	expect(write(source, text, PAGE) == (ssize_t)PAGE && pipe(ends) == 0);
	expect(copy_file_range(source, &from, fd, &to, 100, 0) == 100 && to == 105);
	show("copied");
	expect(lseek(fd, (off_t)PAGE - 7, SEEK_SET) >= 0 && lseek(source, 0, SEEK_SET) == 0);
	expect(copy_file_range(source, NULL, fd, NULL, 20, 0) == 20);
	show("at its own");
	expect(vmsplice(ends[1], &part, 1, 0) == 8);
	to = (off_t)(2 * PAGE) + 17;
	expect(splice(ends[0], NULL, fd, &to, 8, 0) == 8 && to == (off_t)(2 * PAGE) + 25);
	show("spliced");
	from = 0;
	expect(lseek(fd, (off_t)(3 * PAGE), SEEK_SET) > 0 && sendfile(fd, source, &from, 50) == 50);
	show("sent");
	expect(close(source) == 0 && unlink("source") == 0 && close(ends[0]) == 0 &&
	       close(ends[1]) == 0);
}

static void plain_writes(void)
{
	struct iovec parts[2] = { { "one", 3 }, { "two", 3 } };
	int again;

	expect(pwritev(fd, parts, 2, (off_t)(4 * PAGE) - 2) == 6);
	show("pwritev");
	expect(lseek(fd, 77, SEEK_SET) == 77 && pwritev2(fd, parts, 2, -1, 0) == 6);
	show("position");
	expect(writev(fd, parts, 1) == 3);
	show("writev");
	expect(pwritev2(fd, parts, 2, 0, RWF_APPEND) == 6);
	show("at the end");
	again = open("file", O_WRONLY | O_APPEND);
	expect(again >= 0 && pwrite(again, "appended", 8, 10) == 8);
	show("pwrite");
	expect(write(again, "more", 4) == 4);
	show("write");
	expect(close(again) == 0);
}

/* Not every file system can do these. */
static void allocate(const char *what, int mode, off_t offset, off_t length)
{
	if (fallocate(fd, mode, offset, length) == 0)
		show(what);
	else
		expect(errno == EOPNOTSUPP);
}

static void lengths(void)
{
	int again;

	allocate("hole", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000);
	allocate("zeroes", FALLOC_FL_ZERO_RANGE, (off_t)(2 * PAGE) + 20, 30);
	map[(size_t)(6 * PAGE)] = 'g';
	allocate("inserted", FALLOC_FL_INSERT_RANGE, (off_t)PAGE, (off_t)PAGE);
	allocate("collapsed", FALLOC_FL_COLLAPSE_RANGE, (off_t)(2 * PAGE), (off_t)PAGE);
	expect(truncate("file", (off_t)PAGE + 10) == 0);
	show("truncated");
	allocate("allocated", 0, 0, (off_t)(3 * PAGE));
	again = open("file", O_RDWR | O_TRUNC);
	expect(again >= 0 && ftruncate(again, 300) == 0);
	show("emptied");
	memset(map, 'm', 300);
	expect(close(again) == 0 && (again = creat("file", 0600)) >= 0);
	expect(write(again, "fresh", 5) == 5 && close(again) == 0);
	show("created");
}

int main(void)
{
	char path[256], start[PAGE];

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	for (size_t i = 0; i < PAGES; i++) {
		memset(start, 'a' + (int)i, PAGE);
		expect(write(fd, start, PAGE) == (ssize_t)PAGE);
	}
	map = mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED);
	show("mapped");
	kernel_copies();
	plain_writes();
	lengths();
	expect(munmap(map, 2 * PAGES * PAGE) == 0 && unlink("file") == 0);
	scratch_end(path);
	return 0;
}
