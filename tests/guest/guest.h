/*
 * Shared by the guest programs. Each one shows one mechanism: it checks what it sees and prints it
 * in a form that is the same natively, recorded and replayed. A failed check ends it with status 99.
 */
#ifndef SWORN_TESTS_GUEST_H
#define SWORN_TESTS_GUEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define expect(condition) ((condition) ? (void)0 : guest_fail(__FILE__, __LINE__, #condition))

_Noreturn static inline void guest_fail(const char *file, int line, const char *what)
{
	dprintf(2, "%s:%d: %s (errno %d)\n", file, line, what, errno);
	_exit(99);
}

/* Prints without stdio's buffer, which a fork would copy and which would come from the heap. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	char line[1024];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	expect(n >= 0 && n < (int)sizeof(line) && write(1, line, (size_t)n) == n);
}

/* Wait status of one child, however often a handler interrupts the wait. */
static inline int reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		expect(errno == EINTR);
	return status;
}

static inline void sleep_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0)
		expect(errno == EINTR);
}

/* Enters an empty directory of its own below TMPDIR; scratch_end() removes it, which fails unless it is empty again. */
static inline void scratch_begin(char path[256])
{
	const char *parent = getenv("TMPDIR");

	expect(snprintf(path, 256, "%s/guest-XXXXXX", parent ? parent : "/tmp") < 256);
	expect(mkdtemp(path) == path);
	expect(chdir(path) == 0);
}

static inline void scratch_end(const char *path)
{
	expect(chdir("/") == 0);
	expect(rmdir(path) == 0);
}

/* An address that nothing is mapped at, as far as the compiler can tell a good one. */
static inline volatile int *nowhere(void)
{
	volatile uintptr_t address = 64;

	return (volatile int *)address;
}

/* FNV-1a: a short name for many bytes. */
static inline uint64_t fingerprint(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash;
}

#endif
