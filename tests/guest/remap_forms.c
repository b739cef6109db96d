/* mremap in its forms: shrink, grow in place, move, overlay, duplicate, leave behind, pieces of merged mappings. */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf escape;

static void on_fault(int signal)
{
	siglongjmp(escape, signal);
}

static int probe(volatile char *at)
{
	int signal = sigsetjmp(escape, 1);

	if (signal == 0)
		(void)*at;
	return signal;
}

static char *anonymous(size_t count)
{
	char *map = mmap(NULL, count * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(map != MAP_FAILED);
	for (size_t i = 0; i < count; i++)
		map[i * PAGE] = (char)('a' + i);
	return map;
}

/* A file of `count` pages, each beginning with its letter. */
static int file(size_t count)
{
	int fd = memfd_create("pages", 0);

	for (size_t i = 0; i < count; i++) {
		char letter = (char)('A' + i);

		expect(pwrite(fd, &letter, 1, (off_t)(i * PAGE)) == 1);
	}
	expect(ftruncate(fd, (off_t)(count * PAGE)) == 0);
	return fd;
}

static void sizes(void)
{
	char *map = anonymous(8), *moved, *wall;

	expect(mremap(map, 8 * PAGE, 4 * PAGE, 0) == map && probe(map + 4 * PAGE) == SIGSEGV);
	expect(mremap(map, 4 * PAGE, 6 * PAGE, 0) == map && map[5 * PAGE] == 0);
	wall = mmap(map + 6 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(wall == map + 6 * PAGE);
	expect(mremap(map, 6 * PAGE, 9 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
	moved = mremap(map, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
	expect(moved != MAP_FAILED && moved != map && moved[3 * PAGE] == 'd' && probe(map) == SIGSEGV);
	moved[8 * PAGE] = 'z';
	/* From the middle of one mapping, not in whole pages. */
	expect(mremap(moved + 2 * PAGE, PAGE + 1, PAGE, 0) == moved + 2 * PAGE);
	expect(probe(moved + 3 * PAGE) == SIGSEGV && moved[4 * PAGE] == 0);
	expect(mremap(moved + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL);
	expect(mremap(moved, PAGE, 0, 0) == MAP_FAILED && errno == EINVAL);
	expect(mremap(moved + 3 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	expect(mremap(moved, PAGE, PAGE, 64) == MAP_FAILED && errno == EINVAL);
	expect(mremap(moved, PAGE, PAGE, MREMAP_FIXED, moved) == MAP_FAILED && errno == EINVAL);
	say("sizes\n");
}

static void places(void)
{
	char *map = anonymous(6), *room = anonymous(8), *at;
	int fd = file(6);
	char *shown;

	at = mremap(map, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE);
	expect(at == room + PAGE && at[2 * PAGE] == 'c' && room[4 * PAGE] == 'e');
	expect(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE) == MAP_FAILED);
	/* File pages over anonymous ones, with growth over their neighbour. */
	shown = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)PAGE);
	expect(shown[0] == 'B');
	at = mremap(shown + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 5 * PAGE);
	expect(at == room + 5 * PAGE);
	say("file pages: %c %c %c, left %c\n", at[0], at[PAGE], at[2 * PAGE], shown[2 * PAGE]);
	expect(mprotect(at, 3 * PAGE, RW) == 0);
	at[PAGE] = 'w';
	at = mremap(at, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	expect(at != MAP_FAILED);
	say("grown: %c %c %c, behind the end %d\n", at[0], at[PAGE], at[2 * PAGE], probe(at + 3 * PAGE));
	expect(ftruncate(fd, (off_t)(7 * PAGE)) == 0 && pwrite(fd, "late", 4, (off_t)(5 * PAGE)) == 4);
	say("after the file grew: %c, %d\n", at[2 * PAGE], at[3 * PAGE]);
	close(fd);
}

static void duplicates(void)
{
	int fd = file(4);
	char *map = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *twin, *more;
	char *memory = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	twin = mremap(map + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
	expect(twin != MAP_FAILED && twin != map && twin[0] == 'B');
	twin[PAGE] = 'x';
	expect(map[2 * PAGE] == 'x');
	more = mremap(memory, 0, 3 * PAGE, MREMAP_MAYMOVE);
	expect(more != MAP_FAILED);
	strcpy(more + PAGE, "seen through both");
	if (fork() == 0) {
		strcat(memory + PAGE, ", by the child too");
		_exit(0);
	}
	expect(reap(-1) == 0);
	say("%s\n", more + PAGE);
	say("private duplicate: %d\n", mremap(anonymous(2), 0, PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	close(fd);
}

static void left_behind(void)
{
	char *map = anonymous(4),
	     *moved = mremap(map, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	if (moved == MAP_FAILED)
		return;
	say("moved %c, left %d\n", moved[PAGE], map[PAGE]);
	map[PAGE] = 'n';
	expect(moved[PAGE] == 'b');
	expect(mremap(map, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED);
	expect(mremap(map, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		      moved + 2 * PAGE) == moved + 2 * PAGE);
	say("again %c, %c\n", moved[3 * PAGE], moved[0]);
}

/* Neighbours that the kernel and the model join, taken apart again. */
static void joined(void)
{
	char *room = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *map;
	int fd = file(8);

	for (size_t i = 0; i < 8; i++)
		expect(mmap(room + i * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd,
			    (off_t)(i * PAGE)) == room + i * PAGE);
	for (size_t i = 8; i < 16; i++)
		expect(mmap(room + i * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			    0) == room + i * PAGE);
	map = mremap(room + 2 * PAGE, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	expect(map != MAP_FAILED);
	map[3 * PAGE] = '!';
	say("joined: %c %c, alias %c\n", map[0], map[2 * PAGE], room[5 * PAGE]);
	map = mremap(room + 10 * PAGE, 2 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
	expect(map != MAP_FAILED && map[19 * PAGE] == 0);
	expect(munmap(room, 16 * PAGE) == 0);
	close(fd);
}

int main(void)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	sizes();
	places();
	duplicates();
	left_behind();
	joined();
	return 0;
}
