/* mmap in its forms: fixed, hinted, low, reserved, guarded, aliased code, refused combinations, partial protection. */
#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#define PAGE 4096UL
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf escape;

static void on_fault(int signal)
{
	siglongjmp(escape, signal);
}

static int probe(volatile char *at, int write)
{
	int signal = sigsetjmp(escape, 1);

	if (signal)
		return signal;
	if (write)
		*at = 1;
	else
		(void)*at;
	return 0;
}

static void places(void)
{
	char *fixed = mmap(NULL, 8 * PAGE, PROT_NONE, PRIVATE, -1, 0), *at;
	static const int flags[] = { MAP_POPULATE, MAP_LOCKED,	  MAP_STACK,
				     MAP_32BIT,	   MAP_NORESERVE, MAP_POPULATE | MAP_NONBLOCK,
				     MAP_DENYWRITE };

	expect(fixed != MAP_FAILED && munmap(fixed + 4 * PAGE, PAGE) == 0);
	at = mmap(fixed + 4 * PAGE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
	expect(at == fixed + 4 * PAGE);
	at = mmap(fixed + 3 * PAGE, 2 * PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
	expect(at == MAP_FAILED && errno == EEXIST);
	at = mmap(fixed + 2 * PAGE + 123, PAGE, RW, PRIVATE, -1, 0);
	expect(at != MAP_FAILED && ((uintptr_t)at & (PAGE - 1)) == 0);
	expect(mmap(fixed + 1, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	expect(mmap(NULL, 0, RW, PRIVATE, -1, 0) == MAP_FAILED && errno == EINVAL);
	expect(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	expect(mmap(NULL, ~0UL, RW, PRIVATE, -1, 0) == MAP_FAILED && errno == ENOMEM);
	expect(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
	expect(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		at = mmap(NULL, 3 * PAGE, RW, PRIVATE | flags[i], -1, 0);
		expect(at != MAP_FAILED && at[2 * PAGE] == 0);
		memset(at + PAGE, (int)i + 1, PAGE);
		if (flags[i] == MAP_32BIT)
			expect((uintptr_t)at + 3 * PAGE <= 0x80000000UL);
	}
	at = mmap((void *)0x10000000, PAGE, RW, PRIVATE, -1, 0);
	say("low hint kept: %d\n", at == (char *)0x10000000);
	at = mmap((void *)0x10000, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
	say("lowest address: %d\n", at == (char *)0x10000);
	at = mmap((void *)0x7ffffffff000, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
	expect(at == MAP_FAILED && errno == ENOMEM);
	expect(munmap(fixed + 1, PAGE) == -1 && munmap(fixed, 0) == -1 && munmap(fixed, 8 * PAGE) == 0);
	expect(munmap(fixed, 8 * PAGE) == 0);
}

static void protections(void)
{
	char *map = mmap(NULL, 8 * PAGE, RW, PRIVATE, -1, 0), *readonly;
	int fd = memfd_create("read", 0), read_fd;
	char path[64];

	memset(map, 'a', 8 * PAGE);
	expect(mprotect(map + 2 * PAGE, PAGE, PROT_NONE) == 0 &&
	       mprotect(map + 5 * PAGE, PAGE, PROT_READ) == 0);
	expect(probe(map + 2 * PAGE, 0) == SIGSEGV && probe(map + 5 * PAGE, 1) == SIGSEGV);
	expect(mprotect(map, 8 * PAGE, PROT_READ) == 0 && probe(map, 1) == SIGSEGV &&
	       map[2 * PAGE] == 'a');
	expect(mprotect(map, 8 * PAGE, RW) == 0 && munmap(map + 3 * PAGE, PAGE) == 0);
	expect(mprotect(map, 8 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
	say("before the hole %d, behind it %d\n", probe(map, 1), probe(map + 4 * PAGE, 1));
	expect(mprotect(map + 1, PAGE, RW) == -1 && errno == EINVAL);
	expect(mprotect(map, PAGE, RW | PROT_GROWSDOWN) == -1 && errno == EINVAL);
	expect(mprotect(map, 0, RW) == 0);
	expect(ftruncate(fd, PAGE) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY);
	/* Writable anonymous memory, then a mapping that can never be: the call gets as far as that. */
	readonly = mmap(map + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, read_fd, 0);
	expect(readonly == map + PAGE);
	expect(mprotect(map, 3 * PAGE, RW) == -1 && errno == EACCES);
	say("before the shared page %d, behind it %d\n", probe(map, 1), probe(map + 2 * PAGE, 1));
	expect(mmap(NULL, PAGE, RW, MAP_SHARED, read_fd, 0) == MAP_FAILED && errno == EACCES);
	expect(madvise(readonly, PAGE, MADV_REMOVE) == -1);
	close(fd);
	close(read_fd);
}

static int call(const void *code)
{
	int (*function)(void);

	memcpy(&function, &code, sizeof(function));
	return function();
}

static void code(void)
{
	uint8_t answer[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
	int fd = memfd_create("code", 0), sum = 0;
	uint8_t *writer, *runner, *all, *late;

	expect(ftruncate(fd, 2 * PAGE) == 0);
	writer = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	runner = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	all = mmap(NULL, PAGE, RW | PROT_EXEC, PRIVATE, -1, 0);
	late = mmap(NULL, PAGE, RW, PRIVATE, -1, 0);
	expect(writer != MAP_FAILED && runner != MAP_FAILED && all != MAP_FAILED);
	for (uint8_t i = 1; i <= 50; i++) {
		answer[1] = i;
		memcpy(writer + PAGE + i, answer, sizeof(answer));
		memcpy(all + i, answer, sizeof(answer));
		sum += call(runner + PAGE + i) + call(all + i);
	}
	memcpy(late, answer, sizeof(answer));
	expect(mprotect(late, PAGE, PROT_READ | PROT_EXEC) == 0);
	sum += call(late);
	expect(probe((char *)late, 1) == SIGSEGV);
	expect(mprotect(late, PAGE, PROT_EXEC) == 0 && call(late) == 50);
	say("code returned %d in all\n", sum);
	close(fd);
}

/* As old programs want it: whatever can be read can be executed, from the call on and in children. */
static void readable_code(void)
{
	const uint8_t answer[] = { 0xb8, 9, 0, 0, 0, 0xc3 };
	int before = personality(0xffffffff), sum = 0;
	uint8_t *map, *heap;

	if (before < 0 || personality((unsigned long)before | READ_IMPLIES_EXEC) < 0)
		return;
	map = mmap(NULL, PAGE, RW, PRIVATE, -1, 0);
	memcpy(map, answer, sizeof(answer));
	heap = sbrk(4 * PAGE);
	memcpy(heap + 2 * PAGE, answer, sizeof(answer));
	if (probe((char *)heap, 0) == 0)
		sum = call(map) + call(heap + 2 * PAGE);
	expect(mprotect(map, PAGE, PROT_READ) == 0);
	if (fork() == 0)
		_exit(call(map));
	say("readable code: %d, %d\n", sum, WEXITSTATUS(reap(-1)));
	expect(personality((unsigned long)before) >= 0 && sbrk(-4 * (long)PAGE) != NULL);
	expect(mprotect(map, PAGE, PROT_READ) == 0);
}

static void zero_device(void)
{
	int fd = open("/dev/zero", O_RDWR);
	char *own = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);

	expect(own != MAP_FAILED && shared != MAP_FAILED && own[PAGE] == 0 && shared[PAGE] == 0);
	if (fork() == 0) {
		own[0] = 'c';
		strcpy(shared + PAGE, "from the child");
		_exit(0);
	}
	expect(reap(-1) == 0);
	say("zero: %d, '%s'\n", own[0], shared + PAGE);
	shared = mremap(shared, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	expect(shared != MAP_FAILED && !strcmp(shared + PAGE, "from the child"));
	close(fd);
}

/* What is no file has no memory to map, but for block devices, which a recording refuses alike. */
static void others(void)
{
	const char *names[] = { "/dev/null", "/dev/urandom", "/proc/self/maps", "/", "/dev/loop0" };
	int ends[2], fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fd = open(names[i], O_RDONLY);
		if (fd < 0)
			continue;
		expect(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED ? i == 4
										     : errno == ENODEV);
		close(fd);
	}
	expect(pipe(ends) == 0);
	expect(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ends[0], 0) == MAP_FAILED);
	say("others\n");
}

int main(void)
{
	signal(SIGSEGV, on_fault);
	places();
	protections();
	code();
	readable_code();
	zero_device();
	others();
	return 0;
}
