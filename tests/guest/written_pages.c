/* Writes few of many pages between calls, in every way that there is: its state is hashed again and again (e2e test pages). */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "guest.h"

#define PAGE 4096UL
#define PAGES 1024UL

static uint8_t before_heap[64 * PAGE];

static uint64_t sum_of(const uint8_t *at, size_t pages)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < pages * PAGE; i += 61)
		sum = sum * 31 + at[i];
	return sum;
}

static void fill(uint8_t *at, size_t pages, int seed)
{
	for (size_t i = 0; i < pages; i++)
		memset(at + i * PAGE, (int)(i % 251) + seed, PAGE);
}

static uint8_t *map(size_t pages)
{
	uint8_t *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	expect(at != MAP_FAILED);
	return at;
}

/* A boundary at which the state may be hashed. */
static void boundary(void)
{
	expect(getppid() > 0);
}

static void calls_write(uint8_t *at)
{
	struct iovec from = { at, PAGE }, to = { at + 20 * PAGE + 100, PAGE };
	int ends[2];

	expect(pipe(ends) == 0);
	expect(write(ends[1], "by a call", 9) == 9);
	expect(read(ends[0], at + 10 * PAGE, 9) == 9);
	boundary();
	expect(process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)PAGE);
	boundary();
	close(ends[0]);
	close(ends[1]);
}

static void protections_change(uint8_t *at)
{
	expect(mprotect(at + 100 * PAGE, 200 * PAGE, PROT_READ) == 0);
	boundary();
	expect(mprotect(at + 150 * PAGE, 10 * PAGE, PROT_NONE) == 0);
	boundary();
	expect(mprotect(at + 100 * PAGE, 200 * PAGE, PROT_READ | PROT_WRITE) == 0);
	at[155 * PAGE]++;
	boundary();
	at[155 * PAGE]++;
	at[250 * PAGE]++;
	boundary();
}

static void pages_go(uint8_t *at)
{
	expect(madvise(at + 300 * PAGE, 50 * PAGE, MADV_DONTNEED) == 0);
	boundary();
	expect(at[310 * PAGE] == 0);
	at[320 * PAGE] = 7;
	boundary();
	fill(at + 300 * PAGE, 50, 0);
	boundary();
	expect(munmap(at + 400 * PAGE, 10 * PAGE) == 0);
	boundary();
	expect(mmap(at + 400 * PAGE, 10 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + 400 * PAGE);
	at[405 * PAGE] = 9;
	boundary();
}

/* Lines of /proc/self/maps that show something between the two addresses. Without stdio, which asks for times. */
static int areas(const void *from, const void *to)
{
	static char text[65536];
	unsigned long start, end, low = (unsigned long)from, high = (unsigned long)to;
	int fd = open("/proc/self/maps", O_RDONLY), count = 0;
	size_t length = 0;
	ssize_t n;

	expect(fd >= 0);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	expect(n == 0 && close(fd) == 0);
	text[length] = '\0';
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start < high && end > low)
			count++;
	}
	return count;
}

/* What is mapped next to other memory becomes one with it, and is moved as one. */
static uint8_t *moves(uint8_t *at)
{
	uint8_t *more, *moved, *rest = map(PAGES);

	expect(munmap(rest, PAGES * PAGE) == 0);
	more = mmap(rest, 300 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(more == rest);
	fill(more, 300, 1);
	boundary();
	boundary();
	expect(mmap(rest + 300 * PAGE, 300 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == rest + 300 * PAGE);
	say("joined: %d area\n", areas(rest, rest + 600 * PAGE));
	fill(rest + 300 * PAGE, 300, 2);
	boundary();
	moved = mremap(rest, 600 * PAGE, 700 * PAGE, MREMAP_MAYMOVE);
	expect(moved != MAP_FAILED);
	moved[650 * PAGE] = 3;
	boundary();
	/* To where other pages were known before. */
	expect(mremap(moved + 500 * PAGE, 100 * PAGE, 100 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      at + 500 * PAGE) == at + 500 * PAGE);
	boundary();
	boundary();
	return moved;
}

/* Since Linux 6.17 a move may take several areas along: whether it does must not depend on who looks. */
static void moves_areas(void)
{
	uint8_t *from = map(PAGES), *to = map(PAGES);

	fill(from, PAGES, 5);
	expect(mprotect(from, 300 * PAGE, PROT_READ) == 0);
	boundary();
	boundary();
	if (mremap(from, 600 * PAGE, 600 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
		say("moved: %016lx\n", sum_of(to, 600));
	else
		say("not moved: %d\n", errno);
	boundary();
	expect(munmap(to, PAGES * PAGE) == 0);
}

static void forks(uint8_t *at)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		at[600 * PAGE]++;
		boundary();
		at[601 * PAGE]++;
		boundary();
		at[600 * PAGE]++;
		boundary();
		_exit(at[600 * PAGE] & 127);
	}
	at[602 * PAGE]++;
	boundary();
	expect(waitpid(child, &status, 0) == child);
	expect(WIFEXITED(status));
	say("child: %d\n", WEXITSTATUS(status));
	at[600 * PAGE] += 3;
	boundary();
}

static void heap_grows(bool with_before)
{
	uint8_t *heap = sbrk(400 * PAGE);

	expect(heap != (void *)-1);
	fill(heap, 400, 4);
	boundary();
	expect(sbrk(400 * PAGE) == heap + 400 * PAGE);
	heap[500 * PAGE] = 1;
	heap[0]++;
	boundary();
	say("heap: %d area, %016lx\n", areas(heap, heap + 800 * PAGE), sum_of(heap, 800));
	if (with_before)
		say("with what lies before it: %d areas\n",
		    areas(before_heap + sizeof(before_heap) - 1, heap + 800 * PAGE));
	expect(sbrk(-(intptr_t)(600 * PAGE)) != (void *)-1);
	boundary();
}

/* For the test that has to know whether it meant anything. */
static void say_flags(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool followed = false;
	char line[512];

	expect(smaps != NULL);
	while (fgets(line, sizeof(line), smaps))
		followed |= strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " uw");
	fclose(smaps);
	say("followed: %s\n", followed ? "yes" : "no");
}

int main(int argc, char **argv)
{
	uint8_t *at = map(PAGES), *moved;

	fill(at, PAGES, 0);
	boundary();
	boundary();
	at[5 * PAGE]++;
	boundary();
	memset(at + 7 * PAGE, 0, 2 * PAGE);
	boundary();
	expect(madvise(at, PAGES * PAGE, MADV_HUGEPAGE) == 0);
	calls_write(at);
	protections_change(at);
	pages_go(at);
	moved = moves(at);
	moves_areas();
	forks(at);
	heap_grows(argc > 1 && strcmp(argv[1], "areas") == 0);
	say("%016lx %016lx\n", sum_of(at, PAGES), sum_of(moved, 200));
	if (argc > 1 && strcmp(argv[1], "flags") == 0)
		say_flags();
	return 0;
}
